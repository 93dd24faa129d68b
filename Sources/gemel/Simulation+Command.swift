import Configuration
import Primitives
import Simulation
import Synchronization

/// What `gemel simulate` asks for.
struct SimulationRequest: Sendable {
    /// Seeds `first`, `first + 1`, … `count` of them.
    var first: UInt64
    var count: UInt64
    /// Threads that run seeds side by side.
    var jobs: Int
    /// Print the trace of every seed.
    var verbose = false
}

/// What came of it.
struct SimulationSummary: Codable, Sendable {
    var seeds: UInt64
    var commands: UInt64 = 0
    var takeovers: UInt64 = 0
    /// Seeds that broke an invariant, with what they broke; the same seed gives the same again.
    var failures: [Failure]

    struct Failure: Codable, Sendable {
        var seed: UInt64
        var reason: String
        /// The last lines of the trace, and how to replay.
        var report: String
    }
}

/// Runs the seeds; `progress` is called now and then with the seeds that are done. Stops after eight failures, a
/// build for planted bugs after the first.
func runSimulation(
    _ request: SimulationRequest, progress: @escaping @Sendable (UInt64) -> Void
) -> SimulationSummary {
    let summary = Mutex(SimulationSummary(seeds: 0, failures: []))
    var options = SimulationOptions(seed: request.first)
    options.verbose = request.verbose
    simulateMany(firstSeed: request.first, count: request.count, jobs: request.jobs, options: options) { result in
        let (done, failures) = summary.withLock { summary in
            summary.seeds += 1
            summary.commands += UInt64(result.commands)
            summary.takeovers += UInt64(result.takeovers)
            if let failure = result.failure {
                summary.failures.append(
                    .init(
                        seed: result.seed, reason: "\(failure.kind.rawValue): \(failure.text)",
                        report: result.report))
            }
            return (summary.seeds, summary.failures.count)
        }
        progress(done)
        return failures < (Planted.isBuiltIn ? 1 : 8)
    }
    return summary.withLock { $0 }
}
