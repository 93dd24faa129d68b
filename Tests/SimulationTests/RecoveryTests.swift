import Foundation
import Primitives
import Testing

@testable import Simulation

/// Sessions of several connections that recover, against a simulated pair whose other controller comes and goes.
@Suite(.enabled(if: ControllerProcess.isComposed, "this build's controller asks nothing of its driver"))
struct RecoveryTests {
    @Test(arguments: 1...8 as ClosedRange<UInt64>) func everyCommandIsAnsweredOnceByASimulatedPair(_ seed: UInt64) {
        let result = simulateRecovery(seed: seed, commands: 600)
        #expect(result.problems == [])
        #expect(result.failure == nil, "\(String(describing: result.failure))")
        #expect(result.counts.completed == 600)
        #expect(result.crashes == 3)
        if seed % 2 == 0 { #expect(result.counts.resets > 0, "\(result.counts)") }
        if seed / 2 % 4 != 3 { #expect(result.counts.drops > 0 && result.counts.snacks > 0, "\(result.counts)") }
    }

    @Test func theSameSeedRecoversInTheSameWay() {
        let results = (0..<2).map { _ in simulateRecovery(seed: 5, commands: 200) }
        #expect("\(results[0].counts)" == "\(results[1].counts)")
    }
}
