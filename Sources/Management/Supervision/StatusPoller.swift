import Controller
import Foundation
import Synchronization

/// Asks one controller for its status, again and again, on a thread of its own: one that hangs makes nobody else wait.
struct StatusPoller: Sendable {
    private let supervisor: Supervisor
    private let controller: SupervisedController
    /// Between two questions, in microseconds.
    private static let pause: UInt32 = 100_000

    init(_ supervisor: Supervisor, _ controller: SupervisedController) {
        self.supervisor = supervisor
        self.controller = controller
    }

    func start() {
        let poller = self
        Thread.detachNewThread {
            while !poller.supervisor.state.withLock({ $0.stopping }) {
                poller.ask()
                usleep(Self.pause)
            }
        }
    }

    private func ask() {
        let name = controller.name
        let (pid, told) = supervisor.state.withLock { state in
            (state.children[name]?.report.pid, state.children[name]?.toldCuts)
        }
        guard let pid else { return }
        let client = ControlClient(socketPath: controller.socketPath)
        let answer = try? client.request("GET", "/status", seconds: 1)
        let status = answer.flatMap { try? JSONDecoder().decode(PairStatus.self, from: $0.body) }?
            .controllers.first?.status
        // A controller that is new here is told the cuts before it counts as running.
        if status != nil, told != pid { tellCuts(client) }
        supervisor.state.withLock { state in
            guard var child = state.children[name], child.report.pid == pid else { return }
            child.report.status = status
            if status != nil {
                child.toldCuts = pid
                if child.report.process == .starting { child.report.process = .running }
            }
            state.children[name] = child
        }
    }

    private func tellCuts(_ client: ControlClient) {
        for fault in supervisor.state.withLock({ $0.faults.faults }) where fault.type == .channelCut {
            _ = try? client.request("POST", "/faults", json: fault, seconds: 1)
        }
    }
}
