import ArgumentParser
import Management

/// `gemel failover [LUN…] --to NAME`
struct Failover: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move logical units to a controller, and wait until they are there.")

    @Argument(help: "The units to move (default: all).") var luns: [UInt16] = []
    @Option(help: "The controller that they move to.") var to: String
    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard ["a", "b"].contains(to) else { throw ValidationError("'\(to)' is no controller; --to a or --to b") }
    }

    func run() throws {
        let client = try socket.client()
        if luns.isEmpty {
            _ = try client.ask("POST", "/failover", ["to": to], seconds: 30)
        } else {
            for lun in luns { _ = try client.ask("POST", "/failover", ["to": to], lun: lun, seconds: 30) }
        }
        try Homes.show(try client.pairStatus(), output.output)
    }
}

/// `gemel failback`
struct Failback: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move every logical unit to the controller that it prefers, and wait until they are there.")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let client = try socket.client()
        _ = try client.ask("POST", "/failback", [:], seconds: 60)
        try Homes.show(try client.pairStatus(), output.output)
    }
}

/// What both print.
enum Homes {
    static func show(_ status: PairStatus, _ form: OutputOptions.Form) throws {
        switch form {
        case .text:
            for unit in status.units { Console.say("LUN \(unit.lun): home \(unit.home ?? "unknown")") }
        case .json: try Console.sayJSON(status.units)
        }
    }
}
