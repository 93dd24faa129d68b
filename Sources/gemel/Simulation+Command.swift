import Configuration

/// What `gemel simulate` asks for.
struct SimulationRequest: Sendable {
    /// Seeds `first`, `first + 1`, … `count` of them.
    var first: UInt64
    var count: UInt64
    /// Threads that run seeds side by side.
    var jobs: Int
}

/// What came of it.
struct SimulationResult: Codable, Sendable {
    var seeds: UInt64
    /// Seeds that broke an invariant, with what they broke; the same seed gives the same again.
    var failures: [Failure]

    struct Failure: Codable, Sendable {
        var seed: UInt64
        var reason: String
    }
}

/// Connects `gemel simulate` with the simulator. `progress` is called now and then with the seeds that are done.
func runSimulation(
    _ request: SimulationRequest, progress: @escaping @Sendable (UInt64) -> Void
) throws(StartError) -> SimulationResult {
    throw StartError(.software, "the simulator is not linked into this build")
}
