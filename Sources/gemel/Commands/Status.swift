import ArgumentParser
import Management

/// `gemel status`
struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "The pair at a glance.")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Flag(name: .shortAndLong, help: "Messages by kind, copies by method, and sessions too.") var verbose = false

    func run() throws {
        let status = try socket.client().pairStatus()
        switch output.output {
        case .text: Console.say(StatusText.render(status, verbose: verbose))
        case .json: try Console.sayJSON(status)
        }
    }
}
