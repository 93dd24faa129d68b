import ArgumentParser
import Configuration
import Foundation
import Management

/// `gemel fault list|add|remove|reset`
struct FaultCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fault", abstract: "Faults: named, idempotent, in effect when the command returns.",
        subcommands: [List.self, Add.self, Remove.self, Reset.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The faults in effect.")
        @OptionGroup var socket: SocketOptions
        @OptionGroup var output: OutputOptions
        func run() throws { try show(try socket.client().pairStatus().faults, output.output) }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a fault into effect.",
            discussion: """
                controller-kill --controller a   ends it at once; it stays down until the fault is removed
                controller-hang --controller a   stops it; it goes on when the fault is removed
                channel-cut [--direction D]      the channel loses everything: a-to-b, b-to-a or both (the default)
                """)
        @Argument(help: "controller-kill, controller-hang or channel-cut.") var type: String
        @Option(help: "Name (default: from the type and what it is about).") var name: String?
        @Option(help: "Controller, a or b.") var controller: String?
        @Option(help: "Direction of a channel-cut.") var direction: String?
        @OptionGroup var socket: SocketOptions
        @OptionGroup var output: OutputOptions

        /// What means nothing is refused here already, so that it is a matter of usage.
        func validate() throws {
            do throws(ManagementRefusal) {
                _ = try Fault(name: name, type: type, controller: controller, direction: direction)
            } catch {
                throw ValidationError(error.message)
            }
        }

        func run() throws {
            let client = try socket.client()
            var body = ["type": type]
            body["name"] = name
            body["controller"] = controller
            body["direction"] = direction
            let answer = try client.ask("POST", "/faults", body, seconds: 15)
            let fault = try JSONDecoder().decode(Fault.self, from: answer.body)
            switch output.output {
            case .text:
                Console.say(
                    answer.status == 201
                        ? "fault \(fault.name) is in effect" : "fault \(fault.name) was in effect already")
            case .json: try Console.sayJSON(fault)
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take a fault away.")
        @Argument(help: "Its name, as gemel fault list shows it.") var name: String
        @OptionGroup var socket: SocketOptions
        @OptionGroup var output: OutputOptions
        func run() throws {
            guard Fault.isName(name) else { throw ValidationError("'\(name)' is no name of a fault") }
            let client = try socket.client()
            _ = try client.ask("DELETE", "/faults/\(name)", seconds: 15)
            try show(try client.pairStatus().faults, output.output)
        }
    }

    struct Reset: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take every fault away.")
        @OptionGroup var socket: SocketOptions
        @OptionGroup var output: OutputOptions
        func run() throws {
            let client = try socket.client()
            _ = try client.ask("POST", "/reset", [:], seconds: 30)
            try show(try client.pairStatus().faults, output.output)
        }
    }

    private static func show(_ faults: [Fault], _ form: OutputOptions.Form) throws {
        switch form {
        case .json: try Console.sayJSON(faults)
        case .text:
            if faults.isEmpty { return Console.say("no fault is in effect") }
            var table = TextTable("FAULT", "TYPE", "ABOUT")
            for fault in faults {
                table.add(fault.name, fault.type.rawValue, fault.controller ?? fault.direction?.rawValue ?? "")
            }
            for line in table.lines { Console.say(line) }
        }
    }
}
