import Foundation
import Glibc

/// What becomes of a controller whose process ended.
extension Supervisor {
    /// Notes that a process ended, and decides what becomes of it.
    func noteEnding(
        _ name: String, _ ending: ChildProcess.Ending, _ state: inout State
    ) -> (reason: String, next: String) {
        guard var child = state.children[name] else { return ("", "") }
        defer { state.children[name] = child }
        let now = Clock.milliseconds()
        let ran = now - child.startedAt
        child.process = nil
        child.report.pid = nil
        child.report.status = nil
        child.toldCuts = nil
        child.lastExit = if case .exited(let code) = ending { code } else { nil }
        let reason = Self.sentence(ending)
        child.report.reason = reason
        if state.faults.has(.controllerKill, controller: name) {
            child.report.process = .killed
            return ("ended by the fault controller-kill", "stays down until the fault is removed")
        }
        if state.faults.has(.controllerHang, controller: name) {
            child.report.process = .hung
            return ("\(reason) while it hung", "stays down until the fault controller-hang is removed")
        }
        if ending == .exited(options.startAnewCode), !state.stopping {
            child.report.process = .restarting
            // At once; but one that asks again and again is slowed down like one that dies.
            child.delay = ran < 1000 ? min(max(child.delay * 2, 100), options.restartDelay.upperBound) : 0
            child.restartAt = now + child.delay
            return ("asked to be started anew", "starts again at once")
        }
        if case .exited(let code) = ending, options.refusalCodes.contains(code) {
            child.report.process = .down
            return (reason, "stays down: the reason would be the same again")
        }
        // Before the pair was ever ready, a controller that gives up by itself would give up again.
        let gaveUpAtStart = child.lastExit != nil && !state.wasReady
        guard options.restart, !state.stopping, !gaveUpAtStart else {
            child.report.process = .down
            return (reason, "stays down")
        }
        child.report.process = .restarting
        // What served properly and was ended has no reason to end again soon: the pair is to be redundant again.
        let isSettled = child.hasProved || ran >= options.settledAfter
        child.delay =
            child.delay == 0 || isSettled
            ? options.restartDelay.lowerBound : min(child.delay * 2, options.restartDelay.upperBound)
        child.restartAt = now + child.delay
        return (reason, "starts again in \(child.delay / 1000) s")
    }

    private static func sentence(_ ending: ChildProcess.Ending) -> String {
        switch ending {
        case .exited(let code): "exited with code \(code)"
        case .signalled(let signal): "ended by signal \(signal) (\(String(cString: strsignal(signal))))"
        }
    }
}
