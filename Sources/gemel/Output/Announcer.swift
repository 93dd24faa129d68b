import BlockModel
import Configuration
import Controller
import Foundation
import Management
import Primitives

/// What `gemel up` prints: one READY line, three commands to try, then a line whenever something changed.
struct Announcer: Sendable {
    private let configuration: Configuration

    init(_ configuration: Configuration) { self.configuration = configuration }

    func announce(_ event: Supervisor.Event) {
        switch event {
        case .ready(let status):
            Console.say(ready)
            for command in suggestions { Console.say("  \(command)") }
            Console.say(StatusText.line(status))
        case .changed(let status): Console.say(StatusText.line(status))
        case .ended(let controller, let reason, let next):
            Console.complain("controller \(controller) \(reason); \(next)")
        case .stopping: Console.complain("stopping")
        }
    }

    private var ready: String {
        let array = configuration.description
        let portals = array.controllers.flatMap { controller in
            controller.portals.map { "\($0) (\(controller.id.name))" }
        }
        let units = array.units.map { "\($0.lun) (\(ByteCount.format($0.map.sectors * 512)))" }
        var parts = [
            "portals \(portals.joined(separator: ", "))",
            "target \(array.targets.map(\.name).joined(separator: ", "))",
            "\(units.count == 1 ? "LUN" : "LUNs") \(units.joined(separator: ", "))",
        ]
        if let management = configuration.management { parts.append("page http://\(management)/") }
        return "READY \(array.name): \(parts.joined(separator: "; "))"
    }

    /// Three commands that exist on this machine.
    private var suggestions: [String] {
        let array = configuration.description
        let program = CommandLine.arguments[0]
        let portal = array.controllers[0].portals[0]
        let name = array.targets[0].name
        var commands: [String] = []
        if let access = array.discovery.first, let account = access.chap {
            if case .file(let path) = array.credentials[account.credential].place, Self.isInPath("iscsi-ls") {
                commands.append("iscsi-ls -s \"iscsi://\(account.name)%$(cat \(path))@\(portal)\"")
            }
        } else if Self.isInPath("iscsiadm") {
            commands.append(
                "iscsiadm -m discovery -t sendtargets -p \(portal) && iscsiadm -m node -T \(name) -p \(portal) --login")
        } else if Self.isInPath("iscsi-ls") {
            commands.append("iscsi-ls -s iscsi://\(portal)")
        }
        if array.controllers.count == 2 {
            commands.append("\(program) fault add controller-kill --controller a   (undo: \(program) fault reset)")
        } else {
            commands.append("\(program) fault add controller-hang --controller a   (undo: \(program) fault reset)")
        }
        commands.append("\(program) status")
        return commands
    }

    private static func isInPath(_ name: String) -> Bool {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.contains { access("\($0)/\(name)", X_OK) == 0 }
    }
}
