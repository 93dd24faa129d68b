import Controller
import Foundation
import Synchronization

/// Asks one controller for its status, again and again, on a thread of its own: one that hangs makes nobody else wait.
/// A controller that does not serve yet is asked often, a pair in which something happens or somebody looks less so,
/// and one at rest seldom: an idle array should cost nothing.
struct StatusPoller: Sendable {
    private let supervisor: Supervisor
    private let controller: SupervisedController
    /// Between two looks whether it is time to ask, while it serves and before, in microseconds.
    private static let pause: UInt32 = 100_000
    private static let startPause: UInt32 = 10_000
    /// How long a controller that was started is expected to serve at any moment, in milliseconds.
    private static let startTime: Int64 = 5000
    /// Pauses between two questions at rest.
    private static let restPauses = 10

    init(_ supervisor: Supervisor, _ controller: SupervisedController) {
        self.supervisor = supervisor
        self.controller = controller
    }

    func start() {
        let poller = self
        Thread.detachNewThread {
            var isServing = false
            var pauses = 0
            while !poller.supervisor.state.withLock({ $0.stopping }) {
                pauses += 1
                if !isServing || pauses >= Self.restPauses || !poller.supervisor.isAtRest {
                    isServing = poller.ask()
                    pauses = 0
                }
                usleep(isServing || !poller.isStarting ? Self.pause : Self.startPause)
            }
        }
    }

    private var isStarting: Bool {
        let now = Clock.milliseconds()
        return supervisor.state.withLock { state in
            guard let child = state.children[controller.name], child.process != nil else { return false }
            return now - child.startedAt < Self.startTime
        }
    }

    /// Asks once; whether the controller serves.
    private func ask() -> Bool {
        let name = controller.name
        let (pid, told) = supervisor.state.withLock { state in
            (state.children[name]?.report.pid, state.children[name]?.toldCuts)
        }
        guard let pid else { return false }
        let client = ControlClient(socketPath: controller.socketPath)
        let answer = try? client.request("GET", "/status", seconds: 1)
        let status = answer.flatMap { try? JSONDecoder().decode(PairStatus.self, from: $0.body) }?
            .controllers.first?.status
        // A controller that is new here is told the cuts, and its maintenance, before it counts as running.
        if status != nil, told != pid { tellCuts(client) }
        let isNews = supervisor.state.withLock { state in
            guard var child = state.children[name], child.report.pid == pid else { return false }
            let isNews = Self.tellsNews(child.report.status, status)
            child.report.status = status
            if let status, status.serving, status.redundant || state.children.count == 1 { child.hasProved = true }
            if status != nil {
                child.toldCuts = pid
                if child.report.process == .starting { child.report.process = .running }
            }
            state.children[name] = child
            return isNews
        }
        if isNews {
            supervisor.stir()
            supervisor.wakeUp()
        }
        return status?.serving == true
    }

    /// Whether a person would see a difference at a glance.
    private static func tellsNews(_ before: ControllerStatus?, _ now: ControllerStatus?) -> Bool {
        guard let before, let now else { return (before == nil) != (now == nil) }
        return before.state != now.state || before.serving != now.serving || before.redundant != now.redundant
            || before.maintenance != now.maintenance || before.epoch != now.epoch
            || before.units.map(\.home) != now.units.map(\.home)
    }

    private func tellCuts(_ client: ControlClient) {
        for fault in supervisor.state.withLock({ $0.faults.faults }) where fault.type == .channelCut {
            _ = try? client.request("POST", "/faults", json: fault, seconds: 1)
        }
        if supervisor.state.withLock({ $0.maintenance }) == controller.name {
            let order = MaintenanceOrder(controller: controller.name, isOn: true)
            _ = try? client.request("POST", "/maintenance", json: order, seconds: 1)
        }
    }
}

extension Supervisor {
    /// How long after something happened, or somebody looked, the controllers are asked often, in milliseconds.
    private static let restlessness: Int64 = 3000

    /// Something happens, or somebody looks: status is to be fresh.
    func stir() {
        let until = Clock.milliseconds() + Self.restlessness
        state.withLock { $0.restlessUntil = until }
    }

    /// Every controller serves, and nothing happened for a while.
    var isAtRest: Bool {
        let now = Clock.milliseconds()
        return state.withLock { state in
            now >= state.restlessUntil && state.wasReady && state.children.values.allSatisfy(\.report.isServing)
        }
    }
}
