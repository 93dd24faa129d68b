import ArgumentParser
import Management

/// `gemel maintenance NAME on|off`
struct Maintenance: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send a controller's hosts to the other one, or end that.",
        discussion: """
            In maintenance a controller answers logins with the address of its partner (temporary redirection) and is \
            home of no unit; hosts that are there are asked to log out and come again, and are dropped when they have \
            not within five seconds; discovery is answered. It lasts until it is switched off, restarts of the \
            controller included. gemel failback moves units home afterwards.
            """)

    enum Mode: String, ExpressibleByArgument { case on, off }

    @Argument(help: "The controller, a or b.") var controller: String
    @Argument(help: "on or off.") var mode: Mode
    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard ["a", "b"].contains(controller) else {
            throw ValidationError("'\(controller)' is no controller; write a or b")
        }
    }

    func run() throws {
        let client = try socket.client()
        let body = ["controller": controller, "mode": mode.rawValue]
        _ = try client.ask("POST", "/maintenance", body, seconds: 60)
        let status = try client.pairStatus()
        switch output.output {
        case .text: Console.say(StatusText.line(status))
        case .json: try Console.sayJSON(status.controllers)
        }
    }
}
