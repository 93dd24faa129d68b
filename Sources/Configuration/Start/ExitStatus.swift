/// Exit codes of the command, after sysexits.h.
package enum ExitStatus: Int32, Sendable, CaseIterable {
    case done = 0
    /// The pair said no.
    case refused = 1
    case usage = 64
    /// A device, memory or secret file is missing or too short.
    case noInput = 66
    /// What was asked for is not running, or a tool is missing.
    case unavailable = 69
    /// A bug of ours.
    case software = 70
    case inputOutput = 74
    /// It runs already, or a port is taken.
    case temporary = 75
    case configuration = 78
    /// `serve` only, to its supervisor: start me anew at once (the controller lost membership and joins again).
    case startAnew = 79
}

/// Why something does not start: an exit code, and a sentence that says what would be right.
package struct StartError: Error, Equatable, Sendable, CustomStringConvertible {
    package var status: ExitStatus
    package var message: String
    package init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }
    package var description: String { message }
}
