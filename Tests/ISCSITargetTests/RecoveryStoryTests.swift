import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// The story of a session whose connections break and whose PDUs are damaged: nothing is lost, nothing done twice.
@Suite struct RecoveryStoryTests {
    @Test(arguments: [0, 1, 2, 3, 4, 5]) func everyCommandIsAnsweredOnceWithItsData(_ seed: Int) throws {
        let bench = Bench()
        bench.device.chunkBytes = 12_288
        let host = RecoveringHost(bench, seed: UInt64(seed) &* 7919 &+ 1)
        if seed == 0 { host.faultRate = 0 }
        host.run(1500)
        print(seed, host.counts, bench.target.statistics)
        #expect(host.problems == [])
        #expect(host.counts.completed == 1500)
        let isSame = host.model == bench.device.disk
        #expect(isSame)
        #expect(bench.device.works.isEmpty)
        if seed > 0 {
            #expect(host.counts.drops > 5)
            #expect(host.counts.reassigned > 5)
            #expect(host.counts.snacks > 50)
        }
    }
}
