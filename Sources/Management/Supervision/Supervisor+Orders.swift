import Foundation
import Glibc
import Synchronization

/// What only the thread that owns the processes does: the faults of a controller.
extension Supervisor {
    func carryOutOrders() {
        let orders = state.withLock { state in
            defer { state.orders = [] }
            return state.orders
        }
        for order in orders {
            carryOut(order)
            order.answer.resume()
        }
    }

    private func carryOut(_ order: Order) {
        let name = order.controller
        let (child, faults) = state.withLock { ($0.children[name], $0.faults) }
        guard let child else { return }
        switch order.action {
        case .kill:
            if let process = child.process {
                process.signal(SIGKILL)
                while process.reapBlocking() == nil {}
                let verdict = state.withLock { noteEnding(name, .signalled(SIGKILL), &$0) }
                report(.ended(controller: name, reason: verdict.reason, next: verdict.next))
            } else {
                state.withLock { state in
                    state.children[name]?.restartAt = nil
                    state.children[name]?.report.process = .killed
                }
            }
        case .hang:
            if let process = child.process {
                process.signal(SIGSTOP)
                for _ in 0..<500 where !process.isStopped { usleep(1000) }
            }
            state.withLock { state in
                state.children[name]?.restartAt = nil
                state.children[name]?.report.process = .hung
            }
        case .resume:
            guard !faults.has(.controllerHang, controller: name), child.report.process == .hung else { return }
            guard let process = child.process else { return startAgain(name) }
            process.signal(SIGCONT)
            state.withLock { $0.children[name]?.report.process = .starting }
        case .revive:
            guard child.process == nil, !faults.has(.controllerKill, controller: name) else { return }
            // Killed and to hang: it comes back when that fault is removed too.
            guard !faults.has(.controllerHang, controller: name) else {
                return state.withLock { $0.children[name]?.report.process = .hung }
            }
            startAgain(name)
        }
    }

    func startAgain(_ name: String) {
        state.withLock { $0.children[name]?.report.restarts += 1 }
        start(name)
    }
}

extension ChildProcess {
    /// Waits for the end; nil when interrupted.
    fileprivate func reapBlocking() -> Ending? {
        var status: Int32 = 0
        guard waitpid(pid, &status, 0) == pid else { return errno == EINTR ? nil : .signalled(SIGKILL) }
        close(pidfd)
        return .signalled(SIGKILL)
    }
}
