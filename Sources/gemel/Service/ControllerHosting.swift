import Configuration
import Controller
import Management
import Primitives

/// One controller as `gemel serve` runs it: the seam to the driver. `Runtime+Hosting.swift` is the only file that
/// knows which driver it is. Every method may be called from any thread.
protocol ControllerHosting: AnyObject, Sendable {
    /// Opens memory, devices and portals and starts the controller's thread. Returns when the portals listen; hosts
    /// may be answered later. Throws with the exit code that fits, and names what is in the way.
    func start() throws(StartError)

    /// The controller's state now. Answers within a second, or the watchdog takes the controller for hung.
    func status() -> ControllerStatus

    /// Asks that `to` becomes home of a unit (all of them: nil). Returns at once; the status says when it is so.
    func moveHome(lun: UInt16?, to: ControllerID)

    /// Begins or ends maintenance: while the partner serves, logins are sent to it. In effect when it returns.
    func maintenance(_ isOn: Bool)

    /// Cuts the channel in a direction, or mends it: what this controller sends that way, and what arrives from
    /// there, is lost from now on. `both` is told as both directions. Returns when it is in effect.
    func cutChannel(from sender: ControllerID, _ cut: Bool)

    /// Asks for a clean stop: everything destaged and handed over. Returns at once; `waitUntilEnded` follows.
    func stop()

    /// Blocks until the controller has ended, and says why.
    func waitUntilEnded() -> ControllerEnding
}

/// Why a controller ended.
enum ControllerEnding: Sendable {
    /// A clean stop is complete.
    case stopped
    /// It lost membership, and wants to be started anew as a joiner.
    case startAnew(String)
    /// It may not start until an operator acts: what is wrong, and what to do.
    case refused(String)
    /// Something failed under it.
    case failed(StartError)

    /// What `gemel serve` exits with, and what it says.
    var outcome: (status: ExitStatus, sentence: String?) {
        switch self {
        case .stopped: (.done, nil)
        case .startAnew(let reason): (.startAnew, reason)
        case .refused(let reason): (.configuration, reason)
        case .failed(let error): (error.status, error.message)
        }
    }
}
