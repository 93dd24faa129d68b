import Configuration
import Controller
import Management

/// The pair at a glance, for people.
enum StatusText {
    static func render(_ pair: PairStatus, verbose: Bool) -> String {
        var lines = ["\(pair.array): \(summary(pair))"]
        lines += pair.targets.map { "  target \($0)" }
        lines += controllers(pair)
        lines += units(pair)
        lines += pair.faults.map {
            "  fault \($0.name): \($0.type.rawValue) \($0.controller ?? $0.direction?.rawValue ?? "")"
        }
        if verbose { lines += messages(pair) + sessions(pair) }
        return lines.joined(separator: "\n")
    }

    /// One line: what `up` prints when something changes.
    static func line(_ pair: PairStatus) -> String {
        let states = pair.controllers.map { "\($0.name) \(state($0))" }.joined(separator: ", ")
        let faults = pair.faults.isEmpty ? "" : "; faults: " + pair.faults.map(\.name).joined(separator: ", ")
        // Units by home, since an array may have hundreds.
        let homes = pair.controllers.map { controller in
            "\(pair.units.count { $0.home == controller.name }) on \(controller.name)"
        }
        return "\(states); \(summary(pair)); units: \(homes.joined(separator: ", "))\(faults)"
    }

    static func summary(_ pair: PairStatus) -> String {
        "\(pair.ready ? "ready" : "not ready"), \(pair.redundant ? "redundant" : "not redundant"), epoch \(pair.epoch)"
    }

    private static func state(_ controller: PairStatus.ControllerReport) -> String {
        guard controller.process == .running, let status = controller.status else { return controller.process.rawValue }
        return status.maintenance ? "\(status.state), maintenance" : status.state
    }

    private static func controllers(_ pair: PairStatus) -> [String] {
        var table = TextTable("CONTROLLER", "STATE", "PID", "PORTALS", "SESSIONS", "DIRTY", "MIRRORED", "FREE")
        for controller in pair.controllers {
            let memory = controller.status?.memory
            table.add(
                controller.name, state(controller), controller.pid.map { "\($0)" } ?? "-",
                controller.portals.joined(separator: " "), controller.status.map { "\($0.sessions.count)" } ?? "-",
                memory.map { "\($0.dirtyPages)" } ?? "-", memory.map { "\($0.mirroredPages)" } ?? "-",
                memory.map { "\($0.freeFrames)" } ?? "-")
        }
        return table.lines
    }

    private static func units(_ pair: PairStatus) -> [String] {
        var table = TextTable("LUN", "SIZE", "HOME", "PREFERRED")
        for unit in pair.units {
            table.add("\(unit.lun)", ByteCount.format(unit.bytes), unit.home ?? "-", unit.preferred)
        }
        return table.lines
    }

    /// The paging messages of each controller, and what was copied by which method.
    private static func messages(_ pair: PairStatus) -> [String] {
        let known = pair.controllers.compactMap { report in report.status.map { (report.name, $0) } }
        var table = TextTable("MESSAGE", "CONTROLLER", "SENT", "RECEIVED")
        let names = Set(known.flatMap { $0.1.messagesSent.keys } + known.flatMap { $0.1.messagesReceived.keys })
            .sorted()
        for name in names {
            for (controller, status) in known {
                table.add(
                    name, controller, "\(status.messagesSent[name] ?? 0)", "\(status.messagesReceived[name] ?? 0)")
            }
        }
        var copies = TextTable("COPIED BY", "CONTROLLER", "BYTES")
        for (controller, status) in known {
            for (method, bytes) in status.copiedBytes.sorted(by: { $0.key < $1.key }) {
                copies.add(method, controller, "\(bytes)")
            }
        }
        return table.lines + copies.lines
    }

    private static func sessions(_ pair: PairStatus) -> [String] {
        var table = TextTable("INITIATOR", "CONTROLLER", "CONNECTIONS", "COMMANDS")
        for controller in pair.controllers {
            for session in controller.status?.sessions ?? [] {
                table.add(session.initiator, controller.name, "\(session.connections)", "\(session.commands)")
            }
        }
        return table.lines
    }
}
