import Primitives
import Testing

@testable import Simulation

/// The world with two reference targets: what is right passes, and each thing that is wrong is named.
@Suite struct WorldTests {
    private func run(
        _ seed: UInt64, _ bug: ReferenceBug = .none, _ planted: WorldLie = .none, faults: FaultWeights? = nil
    ) -> SimulationResult {
        var options = SimulationOptions(seed: seed)
        options.faults = faults
        options.lie = planted
        options.atomics = false
        options.thin = false
        options.erases = false
        options.protection = 0
        options.reserves = false
        return simulate(options) { ReferenceTarget($0, bug: bug) }
    }

    /// Classes of failure that a bug brought up in some seeds.
    private func classes(_ bug: ReferenceBug, _ planted: WorldLie = .none, seeds: UInt64 = 20) -> [FailureClass] {
        (1...seeds).compactMap { run($0, bug, planted).failure?.kind }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func correctTargetsPassUnderFaults(seed: UInt64) {
        let result = run(seed)
        #expect(result.failure == nil, "\(result.report)")
        #expect(result.good > 50)
    }

    @Test func theSameSeedGivesTheSameTrace() {
        for seed in 1...5 as ClosedRange<UInt64> {
            let first = run(seed)
            let second = run(seed)
            #expect(first.traceHash == second.traceHash)
            #expect(first.commands == second.commands)
        }
        #expect(run(1).traceHash != run(2).traceHash)
    }

    @Test func aRunWithoutFaultsInjectsNone() {
        let result = run(3, faults: FaultWeights.none)
        #expect(result.passed)
        #expect(result.faults.allSatisfy { $0 == 0 })
    }

    @Test func anAnswerBeforeTheDeviceHasTheDataIsFound() {
        #expect(classes(.earlyAnswer).contains(.wrongData))
    }

    @Test func aStaleCacheIsFound() { #expect(classes(.privateCache, seeds: 3).contains(.wrongData)) }

    @Test func aDoubleResponseIsFound() {
        #expect(classes(.doubleResponse, seeds: 3) == [.wireProtocol, .wireProtocol, .wireProtocol])
    }

    @Test func aGapInStatusNumbersIsFound() {
        #expect(classes(.statusGap, seeds: 3).contains(.wireProtocol))
    }

    @Test func dataFromAnotherPlaceIsFound() { #expect(classes(.misplacedData, seeds: 3).contains(.wrongData)) }

    @Test func aWriteThatOutlivesItsNexusIsFound() { #expect(classes(.earlyLogin, seeds: 60).contains(.wrongData)) }

    @Test func aDeviceThatLosesWritesIsFound() {
        #expect(classes(.none, .lostDeviceWrites, seeds: 5).contains(.wrongData))
    }

    @Test func aFailureSaysHowToReplayIt() {
        let result = run(1, .privateCache)
        #expect(result.report.contains("gemel simulate --seed 1 --verbose"))
        #expect(result.report.contains("class: wrong data"))
        #expect(result.transcript.count > 100)
    }

    @Test func resultsOfManySeedsComeInOrder() {
        let seen = Seen()
        var options = SimulationOptions(seed: 0)
        options.protection = 0
        let count = simulateMany(
            firstSeed: 10, count: 8, jobs: 2, options: options,
            makeProcess: { ReferenceTarget($0, bug: .none) }, receive: { seen.add($0.seed) })
        #expect(count == 8)
        #expect(seen.values == Array(10..<18))
    }
}
