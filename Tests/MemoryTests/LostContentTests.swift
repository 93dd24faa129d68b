import BlockModel
import Memory
import Primitives
import Testing

/// Writes that depend on what was there, while frames are short.
@Suite struct LostContentTests {
    /// ORWRITE of two pages: the first is here and locked, the second is staged. Meanwhile other commands want every
    /// frame, so that the first page is given up. Its bits are in the result all the same.
    @Test func aLockedPageThatIsGivenUpIsStagedAgain() {
        let (world, user) = MemoryTests.pair(seed: 3, usesWindow: true)
        _ = world.run(limit: 60) { false }
        #expect(user.write(.a, start: 0, count: 8))
        let old = user.expected[0]
        _ = world.run(limit: 200) { false }
        // Younger clean pages fill the memory.
        for index in 0..<7 { #expect(user.mismatch(.a, start: UInt64(1024 + index * 512), count: 512) == nil) }
        let node = world.nodes[0]
        let token = BlockToken(slot: 20)
        world.request(.a, .prepareWrite(token, UnitIndex(0), BlockExtent(start: 0, count: 16), scratch: false))
        for index in 0..<2 {
            node.frames.pointer(node.lists[20][index]).initializeMemory(as: UInt8.self, repeating: 0x10, count: 4096)
        }
        node.responses.removeAll()
        world.request(.a, .commitWrite(token, CommitOptions(durable: false, mode: .or)))
        #expect(!node.transfers.isEmpty, "the second page is not being staged")
        let evictions = node.memory.statistics.evictions
        let others = (0..<5).map { BlockToken(slot: $0) }
        for (index, other) in others.enumerated() {
            let extent = BlockExtent(start: UInt64(4608 + index * 512), count: 512)
            world.request(.a, .prepareWrite(other, UnitIndex(0), extent, scratch: false))
        }
        #expect(node.memory.statistics.evictions > evictions, "the first page was not given up")
        for _ in 0..<50 where !world.step(messages: true, device: [.read]) { break }
        for other in others { world.request(.a, .release(other)) }
        _ = world.run(limit: 200) { false }
        for sector in 0..<16 { user.expected[sector] = (sector < 8 ? old : 0) | 0x10 }
        #expect(user.mismatch(.a, start: 0, count: 16) == nil)
    }
}
