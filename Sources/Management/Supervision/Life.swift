import Controller
import Synchronization

/// The supervisor's view of the pair as it goes on: says once that it is ready, then every change, and gives up when
/// the first start does not succeed.
struct Life {
    /// When the first start must have succeeded.
    let patienceEnds: Int64
    private var glance: Glance?
    private var isReady = false

    init(patienceEnds: Int64) { self.patienceEnds = patienceEnds }

    /// What a person sees of the pair at a glance.
    private struct Glance: Equatable {
        var states: [String]
        var redundant: Bool
        var epoch: UInt32
        var homes: [String?]
        var faults: [String]

        init(_ status: PairStatus) {
            states = status.controllers.map {
                $0.process == .running ? $0.status?.state ?? "" : $0.process.rawValue
            }
            redundant = status.redundant
            epoch = status.epoch
            homes = status.units.map(\.home)
            faults = status.faults.map(\.name)
        }
    }

    /// Looks once; an exit code when the supervisor has to end: the first start failed.
    mutating func step(_ supervisor: Supervisor) -> Int32? {
        let status = supervisor.status
        guard isReady else { return firstStart(status, supervisor) }
        let now = Glance(status)
        if now != glance {
            glance = now
            supervisor.report(.changed(status))
        }
        return nil
    }

    private mutating func firstStart(_ status: PairStatus, _ supervisor: Supervisor) -> Int32? {
        if status.ready {
            isReady = true
            glance = Glance(status)
            supervisor.state.withLock { $0.wasReady = true }
            supervisor.report(.ready(status))
            return nil
        }
        // A controller that refused to start would refuse again: its code is ours. One that was ended by a signal
        // (its partner may have fenced it) is started again.
        if let code = supervisor.refusal { return code }
        if Clock.milliseconds() >= patienceEnds, status.controllers.allSatisfy({ !$0.isServing }) { return 70 }
        return nil
    }
}

extension Supervisor {
    /// The exit code of a controller that ended by itself before the pair was ever ready.
    fileprivate var refusal: Int32? {
        state.withLock { state in
            let codes = state.children.values.compactMap(\.lastExit).filter { $0 != options.startAnewCode }
            return codes.max().map { $0 == 0 ? 70 : $0 }
        }
    }
}
