import Dispatch
import Glibc
import Synchronization

/// Runs the seeds `firstSeed ..< firstSeed + count` on `jobs` threads and hands over each result in the order of the
/// seeds, as soon as all earlier ones are there. A run shares nothing with another one, so the threads change no
/// result. `receive` is called by one thread at a time; it answers whether to go on.
///
/// - Returns: how many runs were handed over.
@discardableResult
package func simulateMany(
    firstSeed: UInt64, count: UInt64, jobs: Int, options: SimulationOptions,
    makeProcess: @escaping @Sendable (ProcessSeed) -> any SimulatedProcess = { ControllerProcess($0) },
    receive: @escaping @Sendable (SimulationResult) -> Bool
) -> UInt64 {
    let workers = Swift.max(1, jobs)
    let ledger = Ledger(firstSeed: firstSeed, count: count, receive: receive)
    let running = RunningSeeds(workers: workers)
    running.announceOnTrap()
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
        while let seed = ledger.takeSeed() {
            running.set(worker, seed)
            var own = options
            own.seed = seed
            ledger.finish(simulate(own, makeProcess: makeProcess))
        }
        running.set(worker, .max)
    }
    return ledger.handedOver
}

/// Which seeds were taken, and the results that wait for earlier ones.
private final class Ledger: Sendable {
    private struct State {
        var next: UInt64
        var due: UInt64
        var waiting: [SimulationResult] = []
        var isStopped = false
    }

    private let state: Mutex<State>
    private let firstSeed: UInt64
    private let end: UInt64
    private let receive: @Sendable (SimulationResult) -> Bool

    init(firstSeed: UInt64, count: UInt64, receive: @escaping @Sendable (SimulationResult) -> Bool) {
        self.firstSeed = firstSeed
        end = firstSeed &+ count
        self.receive = receive
        state = Mutex(State(next: firstSeed, due: firstSeed))
    }

    var handedOver: UInt64 { state.withLock { $0.due &- firstSeed } }

    func takeSeed() -> UInt64? {
        state.withLock { state in
            if state.isStopped || state.next == end { return nil }
            defer { state.next &+= 1 }
            return state.next
        }
    }

    func finish(_ result: SimulationResult) {
        state.withLock { state in
            state.waiting.append(result)
            while !state.isStopped, let place = state.waiting.firstIndex(where: { $0.seed == state.due }) {
                let due = state.waiting.remove(at: place)
                state.due &+= 1
                if !receive(due) { state.isStopped = true }
            }
        }
    }
}

/// The seeds that run at the moment, for the one message that a trap leaves: a trap ends the whole process, so its
/// seed must be known without a result.
private struct RunningSeeds: Sendable {
    private static let limit = 64
    nonisolated(unsafe) private static let seeds: UnsafeMutablePointer<UInt64> = {
        let seeds = UnsafeMutablePointer<UInt64>.allocate(capacity: limit)
        seeds.initialize(repeating: .max, count: limit)
        return seeds
    }()

    init(workers: Int) { for worker in 0..<Swift.min(workers, Self.limit) { Self.seeds[worker] = .max } }

    func set(_ worker: Int, _ seed: UInt64) { if worker < Self.limit { Self.seeds[worker] = seed } }

    /// On SIGILL, SIGTRAP and SIGSEGV: one line with the seeds, then the signal's default.
    func announceOnTrap() {
        _ = Self.seeds[0]
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGABRT] {
            signal(number) { caught in
                RunningSeeds.say("a controller trapped; seeds under way:")
                for worker in 0..<RunningSeeds.limit where RunningSeeds.seeds[worker] != .max {
                    RunningSeeds.sayNumber(RunningSeeds.seeds[worker])
                }
                RunningSeeds.say("\n")
                signal(caught, SIG_DFL)
                raise(caught)
            }
        }
    }

    private static func say(_ text: StaticString) { _ = write(2, text.utf8Start, text.utf8CodeUnitCount) }

    /// Writes a number without allocating.
    private static func sayNumber(_ number: UInt64) {
        var digits = InlineArray<21, UInt8>(repeating: 32)
        var rest = number
        var at = 20
        repeat {
            digits[at] = 48 + UInt8(rest % 10)
            rest /= 10
            at -= 1
        } while rest > 0
        for index in at...20 { withUnsafeBytes(of: digits[index]) { _ = write(2, $0.baseAddress, 1) } }
    }
}
