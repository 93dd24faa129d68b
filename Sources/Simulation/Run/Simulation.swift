import Primitives

/// Runs one seed with the product's controllers and returns what it came to.
package func simulate(_ options: SimulationOptions) -> SimulationResult {
    simulate(options) { ControllerProcess($0) }
}

/// Runs one seed with processes of the caller's making: the world's own tests use it.
package func simulate(_ options: SimulationOptions, makeProcess: @escaping ProcessFactory) -> SimulationResult {
    let world = World(options, makeProcess: makeProcess)
    world.begin()
    return world.run()
}

extension World {
    /// Actions after which a run that does not end is stopped: a loop without time.
    private static var actionLimit: Int { 20_000_000 }

    /// Runs until the last phase is done or a checker failed.
    func run() -> SimulationResult {
        var actions = 0
        while failure == nil, phase != .done, step() {
            actions += 1
            if actions > Self.actionLimit { fail(.noProgress, "\(actions) actions without an end") }
        }
        if failure == nil && phase != .done { fail(.noProgress, "nothing is left to happen in phase \(phase)") }
        return result()
    }

    func result() -> SimulationResult {
        SimulationResult(
            seed: options.seed, traceHash: trace.hash, failure: failure,
            virtualTime: Interval(nanoseconds: now - 1_000_000_000), commands: counts.commands, good: counts.good,
            swapped: counts.swapped,
            sessions: counts.sessions, takeovers: counts.takeovers, faults: faultCounts,
            drawn: "commands \(options.commands), lie \(options.lie.rawValue), \(parameters.text)",
            transcript: failure == nil ? [] : trace.lines)
    }
}
