import Foundation
import Primitives
import Synchronization
import Testing

@testable import Simulation

/// Seeds with the product's controllers. `GEMEL_SEEDS=N` (and `GEMEL_FIRST_SEED`, `GEMEL_JOBS`) runs more of them.
@Suite(.enabled(if: ControllerProcess.isComposed, "this build's controller asks nothing of its driver"))
struct SeedTests {
    private func setting(_ name: String, _ otherwise: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } ?? otherwise
    }

    @Test func seedsPass() {
        var options = SimulationOptions(seed: 0)
        options.verbose = setting("GEMEL_VERBOSE", 0) == 1
        let failures = Mutex<[String]>([])
        let limit = setting("GEMEL_FAILURES", 5)
        simulateMany(
            firstSeed: setting("GEMEL_FIRST_SEED", 1), count: setting("GEMEL_SEEDS", 20),
            jobs: Int(setting("GEMEL_JOBS", 2)), options: options
        ) { result in
            if result.passed { return true }
            return failures.withLock { found in
                found.append(result.report)
                return found.count < limit
            }
        }
        for failure in failures.withLock({ $0 }) { Issue.record("\(failure)") }
    }

    /// Units are erased by SANITIZE under every fault: what an erase took away is never seen again.
    @Test func seedsWithErasesPass() {
        for seed in 1...12 as ClosedRange<UInt64> {
            var options = SimulationOptions(seed: seed)
            options.erases = true
            options.reserves = false
            let result = simulate(options)
            #expect(result.passed, "\(result.report)")
        }
    }

    /// What is read is checked by the device server: a block with another one's protection information fails the run.
    @Test(arguments: [1, 3] as [UInt8]) func seedsOfUnitsWithProtectionInformationPass(type: UInt8) {
        var options = SimulationOptions(seed: 0)
        options.protection = type
        let failures = Mutex<[String]>([])
        simulateMany(
            firstSeed: setting("GEMEL_FIRST_SEED", 1), count: setting("GEMEL_SEEDS", 20) / 2,
            jobs: Int(setting("GEMEL_JOBS", 2)), options: options
        ) { result in
            if !result.passed { failures.withLock { $0.append(result.report) } }
            return result.passed
        }
        for failure in failures.withLock({ $0 }) { Issue.record("\(failure)") }
    }

    @Test func theSameSeedGivesTheSameTraceWithControllers() {
        for seed in 1...3 as ClosedRange<UInt64> {
            let first = simulate(SimulationOptions(seed: seed))
            let second = simulate(SimulationOptions(seed: seed))
            #expect(first.traceHash == second.traceHash)
        }
    }
}
