import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// The story of a session whose connections break and whose PDUs are damaged: nothing is lost, nothing done twice.
@Suite struct RecoveryStoryTests {
    @Test(arguments: 0..<8) func everyCommandIsAnsweredOnceWithItsData(_ seed: Int) throws {
        let bench = Bench()
        bench.device.chunkBytes = [12_288, 262_144, 4096, 5120][seed % 4]
        let host = RecoveringHost(bench, seed: UInt64(seed) &* 7919 &+ 1)
        host.faultRate = [0, 40, 20, 30, 16, 24, 14, 50][seed]
        host.run(1000)
        #expect(host.problems == [])
        #expect(host.counts.completed == 1000)
        let isSame = host.model == bench.device.disk
        #expect(isSame)
        #expect(bench.device.works.isEmpty)
        if seed > 0 {
            #expect(host.counts.drops > 5)
            #expect(host.counts.reassigned > 5)
            #expect(host.counts.snacks > 50)
        }
        bench.target.closeAllSessions()
        bench.drain()
        #expect(bench.target.commandCount == 0)
        #expect(bench.target.sessionCount == 0)
        #expect(bench.target.retainedBlocks == 0)
    }
}
