import CLinux
import Controller
import Glibc
import Primitives
import Synchronization

/// A direction of the channel, seen from the controller that is asked.
package enum ChannelDirection: Sendable { case toPartner, fromPartner }

/// What another thread asks of a running controller.
enum ControlCommand: Sendable {
    case status
    case moveHome(UnitIndex?, to: ControllerID)
    case maintenance(Bool)
    case stop
    case halt
    case cutChannel(ChannelDirection, Bool)
}

/// The side door of a running controller: safe to use from any thread. Each call is posted to the reactor's thread,
/// takes effect between two of its turns, and returns when it did; the calls block, for at most `patience`.
package final class ControlPort: Sendable {
    private struct Post: Sendable {
        var command: ControlCommand
        var reply: Reply
    }
    private struct State: ~Copyable {
        var posts = Queue<Post>()
        var isClosed = false
    }
    package enum Limits {
        /// Calls that may wait at once; more are refused.
        package static var posts: Int { 64 }
        /// How long a caller waits for a controller that does not answer (a hang).
        package static var patience: Interval { .seconds(2) }
    }
    private let state = Mutex(State())
    /// An eventfd that the reactor waits on.
    let wakeDescriptor: Int32

    init() { wakeDescriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)) }

    deinit { close(wakeDescriptor) }

    /// A snapshot of the controller; nil when it does not answer (stopped, or it hangs).
    package func status() -> ControllerStatus? {
        if case .status(let status) = call(.status) { return status }
        return nil
    }

    /// Asks for a planned move of one unit's home, or of all; the move itself shows in `status`. False when the
    /// controller does not answer.
    package func moveHome(unit: UnitIndex?, to: ControllerID) -> Bool { call(.moveHome(unit, to: to)) != nil }

    /// Begins or ends maintenance: logins are sent to the partner while it serves. False when the controller does not
    /// answer.
    package func maintenance(_ isOn: Bool) -> Bool { call(.maintenance(isOn)) != nil }

    /// Asks for a clean stop: `run` returns `stopped` when it is complete.
    package func stop() -> Bool { call(.stop) != nil }

    /// Ends `run` at once, with nothing drained: as if the process had been killed, for tests and a second Ctrl-C.
    package func halt() -> Bool { call(.halt) != nil }

    /// Cuts one direction of the channel, the window included, or mends it. In effect when it returns true.
    package func cutChannel(_ direction: ChannelDirection, _ isCut: Bool) -> Bool {
        call(.cutChannel(direction, isCut)) != nil
    }

    private func call(_ command: ControlCommand) -> Reply.Value? {
        let reply = Reply()
        let posted = state.withLock { state in
            if state.isClosed || state.posts.count >= Limits.posts { return false }
            state.posts.append(Post(command: command, reply: reply))
            return true
        }
        if !posted { return nil }
        var one: UInt64 = 1
        _ = write(wakeDescriptor, &one, 8)
        return reply.wait(Limits.patience)
    }

    /// The oldest call, for the reactor; it answers with the closure's result.
    func take() -> (command: ControlCommand, reply: Reply)? {
        state.withLock { $0.posts.popFirst() }.map { ($0.command, $0.reply) }
    }

    /// The reactor has ended: calls that wait, and later ones, get no answer.
    func shut() {
        state.withLock { $0.isClosed = true }
        while let post = take() { post.reply.give(nil) }
    }
}

/// The box that one call's answer comes back in.
final class Reply: Sendable {
    enum Value: Sendable {
        case done
        case status(ControllerStatus)
    }
    private let value = Mutex<Value?>(nil)
    private let bell: Int32

    init() { bell = eventfd(0, Int32(EFD_CLOEXEC)) }
    deinit { close(bell) }

    func give(_ answer: Value?) {
        value.withLock { $0 = answer }
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }

    func wait(_ patience: Interval) -> Value? {
        var descriptor = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
        let milliseconds = Int32(truncatingIfNeeded: patience.nanoseconds / 1_000_000)
        _ = poll(&descriptor, 1, milliseconds)
        return value.withLock { $0 }
    }
}
