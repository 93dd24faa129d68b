import ArgumentParser
import BlockModel
import Configuration
import Controller
import Primitives

/// `gemel check FILE`
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check a configuration: every error with its place, or a summary of what it means.")

    @Argument(help: "The configuration.") var file: String
    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        do throws(ConfigurationError) {
            let configuration = try Configuration.load(file: file, state: state.state)
            switch output.output {
            case .text: Console.say(Self.summary(configuration))
            case .json: try? Console.sayJSON(Report(file: file, errors: []))
            }
        } catch {
            guard output.output == .json else { throw error }
            try Console.sayJSON(Report(file: file, errors: error.diagnostics.map(Report.Item.init)))
            throw ExitCode(ExitStatus.configuration.rawValue)
        }
    }

    private struct Report: Encodable {
        var file: String
        var errors: [Item]
        struct Item: Encodable {
            var line: Int
            var column: Int
            var message: String
            init(_ diagnostic: Diagnostic) {
                line = diagnostic.line
                column = diagnostic.column
                message = diagnostic.message
            }
        }
    }

    private static func summary(_ configuration: Configuration) -> String {
        let array = configuration.description
        let kind = array.controllers.count == 2 ? "a pair" : "a single controller"
        var lines = ["\(array.name): \(kind), state in \(configuration.stateFolder)"]
        for controller in array.controllers {
            lines.append(
                "  controller \(controller.id.name): portals \(controller.portals.joined(separator: ", ")); memory "
                    + "\(ByteCount.format(UInt64(controller.memoryBytes))) in \(controller.memoryFile)")
        }
        for target in array.targets {
            lines.append("  target \(target.name)")
            lines += target.access.map { "    " + access($0, array) }
        }
        lines += array.discovery.map { "  discovery " + access($0, array) }
        for unit in array.units {
            lines.append(
                "  LUN \(unit.lun): \(ByteCount.format(unit.map.sectors * 512)) on "
                    + "\(array.devices[Int(unit.map.device.raw)].name), blocks of \(unit.blockLength), policy "
                    + "\(unit.map.policy.name), preferred \(unit.map.preferred.name)"
                    + ", \(Identity.format(naa: unit.naa)), "
                    + "serial \(unit.serial)")
        }
        lines.append("  management \(configuration.management.map { "http://\($0)/" } ?? "on unix sockets only")")
        return lines.joined(separator: "\n")
    }

    /// Who may come, what they prove and what they get; where a secret is, never what it is.
    private static func access(_ access: AccessDescription, _ array: ArrayDescription) -> String {
        func proof(_ what: String, _ account: AccessDescription.Account?) -> String? {
            guard let account else { return nil }
            switch array.credentials[account.credential].place {
            case .file(let path): return "\(what) as \(account.name), secret in \(path)"
            case .here: return "\(what) as \(account.name), secret in the configuration"
            }
        }
        let luns = access.mappings.map { mappings in
            "LUNs " + mappings.map { mapping in
                let unit = array.units[Int(mapping.unit.raw)].lun
                return unit == mapping.lun ? "\(unit)" : "\(mapping.lun) (unit \(unit))"
            }.joined(separator: ", ")
        }
        let parts = [
            access.initiators == ["*"] ? "everybody" : access.initiators.joined(separator: ", "),
            proof("CHAP", access.chap) ?? "without proof", proof("mutual CHAP", access.mutual), luns,
            access.readOnly ? "read-only" : nil, access.maxSessions.map { "\($0) sessions" },
            access.commandWindow.map { "\($0) commands" },
        ]
        return parts.compactMap(\.self).joined(separator: "; ")
    }
}
