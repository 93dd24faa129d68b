import ArgumentParser
import Configuration
import Foundation

/// The command. Every subcommand is a file of its own in `Commands`.
@main struct Gemel: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gemel",
        abstract: "A SCSI target emulator for storage controller pairs.",
        discussion: """
            Exit codes: 0 done, 1 the pair said no, 64 usage, 66 a device, memory or secret file is missing or too \
            short, 69 not running, 70 a bug of ours, 74 input or output failed, 75 runs already or a port is taken, \
            78 configuration.
            """,
        version: "0.1.0",
        subcommands: [
            Up.self, Serve.self, Check.self, Status.self, Failover.self, Failback.self, Maintenance.self,
            FaultCommand.self, Simulate.self, Conformance.self,
        ])

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        let arguments = Array(CommandLine.arguments.dropFirst())
        if let sentence = UnavailableCommands.sentence(for: arguments) {
            Console.complain(sentence)
            Foundation.exit(ExitStatus.usage.rawValue)
        }
        do {
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch let error as StartError {
            Console.complain("gemel: \(error.message)")
            Foundation.exit(error.status.rawValue)
        } catch let error as ConfigurationError {
            Console.complain(error.description)
            Foundation.exit(ExitStatus.configuration.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}

/// Subcommands that the design names and this version does not have: refused by name, not as unknown.
enum UnavailableCommands {
    private static let table: [(name: String, instead: String)] = [
        ("ls", "gemel status shows controllers, units and faults"),
        ("top", "gemel status shows the pair as it is now"),
        ("scenario", "gemel fault puts single faults into effect, gemel simulate runs seeded ones"),
        ("lun", "logical units are what the configuration file says"),
        ("trace", "gemel status -v counts the messages"),
        ("log", "the controllers write what happens to standard error"),
        ("host-config", "the initiators' defaults work"),
        ("save", "nothing can be changed while the array runs, so nothing is to be saved"),
    ]

    /// The sentence for the first argument, if it names one.
    static func sentence(for arguments: [String]) -> String? {
        guard let name = arguments.first, let row = table.first(where: { $0.name == name }) else { return nil }
        return "gemel: '\(name)' is not available in this version; \(row.instead)"
    }
}
