import Controller

/// The status as Prometheus text (exposition format 0.0.4). Names start with `gemel_`, units are base units, labels
/// come from fixed sets: controllers, LUNs, messages, copy methods.
package enum MetricsText {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Every metric of the pair.
    package static func render(_ pair: PairStatus) -> String {
        var text = MetricsWriter()
        text.family("gemel_ready", .gauge, "1 when the pair is able to serve.")
        text.sample([], pair.ready)
        text.family("gemel_redundant", .gauge, "1 when both memories hold every acknowledged write.")
        text.sample([], pair.redundant)
        text.family("gemel_epoch", .gauge, "The highest epoch that a controller knows.")
        text.sample([], UInt64(pair.epoch))
        text.family("gemel_faults", .gauge, "Faults in effect.")
        text.sample([], UInt64(pair.faults.count))
        text.family("gemel_controller_up", .gauge, "1 when the controller's process runs and answers.")
        for controller in pair.controllers {
            text.sample([("controller", controller.name)], controller.process == .running && controller.status != nil)
        }
        text.family("gemel_controller_restarts_total", .counter, "Starts of the controller after its first.")
        for controller in pair.controllers {
            text.sample([("controller", controller.name)], UInt64(max(0, controller.restarts)))
        }
        text.family("gemel_unit_bytes", .gauge, "Size of the logical unit.")
        for unit in pair.units { text.sample([("lun", "\(unit.lun)")], unit.bytes) }
        text.family("gemel_unit_home", .gauge, "1 for the controller that is home of the logical unit.")
        for unit in pair.units {
            for controller in pair.controllers {
                text.sample([("lun", "\(unit.lun)"), ("controller", controller.name)], unit.home == controller.name)
            }
        }
        let known = pair.controllers.compactMap { report in report.status.map { (report.name, $0) } }
        for metric in Self.plain {
            text.family(metric.name, metric.kind, metric.help)
            for (name, status) in known { text.sample([("controller", name)], metric.value(status)) }
        }
        for metric in Self.keyed {
            text.family(metric.name, .counter, metric.help)
            for (name, status) in known {
                for (key, value) in metric.values(status).sorted(by: { $0.key < $1.key }) {
                    text.sample([("controller", name), (metric.label, key)], value)
                }
            }
        }
        text.family("gemel_lease_seconds", .gauge, "What is left of the controller's lease.")
        for (name, status) in known {
            guard let left = status.leaseMilliseconds else { continue }
            text.sample([("controller", name)], decimal: Double(left) / 1000)
        }
        return text.text
    }

    private struct Plain: Sendable {
        var name: String
        var kind: MetricsWriter.Kind
        var help: String
        var value: @Sendable (ControllerStatus) -> UInt64
    }

    /// One value a controller.
    private static let plain: [Plain] = [
        Plain(name: "gemel_controller_serving", kind: .gauge, help: "1 when hosts are being answered.") {
            $0.serving ? 1 : 0
        },
        Plain(name: "gemel_controller_epoch", kind: .gauge, help: "The epoch that the controller is in.") {
            UInt64($0.epoch)
        },
        Plain(name: "gemel_channel_connected", kind: .gauge, help: "1 when the channel to the partner is up.") {
            $0.channelConnected ? 1 : 0
        },
        Plain(name: "gemel_window_open", kind: .gauge, help: "1 when the window on the partner's memory is open.") {
            $0.windowOpen ? 1 : 0
        },
        Plain(name: "gemel_witness_reachable", kind: .gauge, help: "1 when the witness answers.") {
            $0.witnessReachable ? 1 : 0
        },
        Plain(name: "gemel_sessions", kind: .gauge, help: "iSCSI sessions.") { UInt64($0.sessions.count) },
        Plain(name: "gemel_memory_frames", kind: .gauge, help: "Page frames of 4096 bytes.") {
            UInt64(max(0, $0.memory.frames))
        },
        Plain(name: "gemel_memory_free_frames", kind: .gauge, help: "Page frames that hold nothing.") {
            UInt64(max(0, $0.memory.freeFrames))
        },
        Plain(name: "gemel_memory_dirty_pages", kind: .gauge, help: "Pages that are not on a device yet.") {
            UInt64(max(0, $0.memory.dirtyPages))
        },
        Plain(name: "gemel_memory_mirrored_pages", kind: .gauge, help: "Pages held for the partner.") {
            UInt64(max(0, $0.memory.mirroredPages))
        },
        Plain(name: "gemel_memory_blocks", kind: .gauge, help: "Memory blocks.") { UInt64(max(0, $0.memory.blocks)) },
        Plain(name: "gemel_memory_partner_blocks", kind: .gauge, help: "Memory blocks of the partner, held here.") {
            UInt64(max(0, $0.memory.partnerBlocks))
        },
        Plain(name: "gemel_memory_read_hits_total", kind: .counter, help: "Reads answered from memory.") {
            $0.memory.readHits
        },
        Plain(name: "gemel_memory_read_misses_total", kind: .counter, help: "Reads that were staged first.") {
            $0.memory.readMisses
        },
        Plain(name: "gemel_staged_bytes_total", kind: .counter, help: "Bytes read from devices.") {
            $0.memory.stagedBytes
        },
        Plain(name: "gemel_destaged_bytes_total", kind: .counter, help: "Bytes written to devices.") {
            $0.memory.destagedBytes
        },
        Plain(name: "gemel_torn_frames_total", kind: .counter, help: "Frames whose checksum was wrong.") {
            $0.memory.tornFrames
        },
    ]

    private struct Keyed: Sendable {
        var name: String
        var label: String
        var help: String
        var values: @Sendable (ControllerStatus) -> [String: UInt64]
    }

    /// One value a controller and key.
    private static let keyed: [Keyed] = [
        Keyed(name: "gemel_messages_sent_total", label: "message", help: "Paging messages sent.") { $0.messagesSent },
        Keyed(name: "gemel_messages_received_total", label: "message", help: "Paging messages received.") {
            $0.messagesReceived
        },
        Keyed(name: "gemel_copied_bytes_total", label: "method", help: "Bytes copied to the partner.") {
            $0.copiedBytes
        },
        Keyed(
            name: "gemel_group_commands_total", label: "group", help: "READ and WRITE commands by LUN and GROUP NUMBER."
        ) { $0.groupCommands },
        Keyed(
            name: "gemel_group_blocks_total", label: "group", help: "Logical blocks by LUN and GROUP NUMBER."
        ) { $0.groupBlocks },
    ]
}

/// Writes families of samples.
struct MetricsWriter {
    enum Kind: String, Sendable { case gauge, counter }
    private(set) var text = ""
    private var name = ""

    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ labels: [(String, String)], _ value: UInt64) { line(labels, "\(value)") }
    mutating func sample(_ labels: [(String, String)], _ value: Bool) { line(labels, value ? "1" : "0") }
    mutating func sample(_ labels: [(String, String)], decimal value: Double) { line(labels, "\(value)") }

    private mutating func line(_ labels: [(String, String)], _ value: String) {
        let inner = labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",")
        text += inner.isEmpty ? "\(name) \(value)\n" : "\(name){\(inner)} \(value)\n"
    }

    /// Backslash, quote and line feed, as the format asks.
    private static func escaped(_ value: String) -> String {
        var out = ""
        for character in value {
            switch character {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.append(character)
            }
        }
        return out
    }
}
