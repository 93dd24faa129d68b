import BlockModel
import Memory
import PagingFormats
import Primitives
import Testing

/// A fault comes with the sector that it is at.
@Suite struct FaultPlaceTests {
    private func read(_ world: MemoryWorld, _ user: MemoryUser, start: UInt64, count: UInt32) -> BlockResponse? {
        let token = BlockToken(slot: 5)
        world.request(.a, .read(token, UnitIndex(0), BlockExtent(start: start, count: count), sequential: true))
        let answer = user.answer(.a, token)
        if case .pagesReady? = answer { world.request(.a, .release(token)) }
        return answer
    }

    @Test(arguments: 1...8) func aReadNamesThePageThatCannotBeRead(seed: Int) {
        let (world, user) = MemoryTests.pair(seed: UInt64(seed), usesWindow: true)
        world.badBytes = 1 << 20 + 137 * 512..<1 << 20 + 138 * 512
        for (start, count, sector) in [(0, 400, 136), (101, 60, 136), (137, 3, 137)] as [(UInt64, UInt32, UInt64)] {
            guard case .failed(_, .unreadable, let at)? = read(world, user, start: start, count: count) else {
                Issue.record("a read of \(start) + \(count) did not fail with a place")
                continue
            }
            #expect(at == sector)
        }
        // What is beside it can be read, in one command too.
        for (start, count) in [(0, 136), (144, 400)] as [(UInt64, UInt32)] {
            guard case .pagesReady? = read(world, user, start: start, count: count) else {
                Issue.record("a read of \(start) + \(count) failed")
                continue
            }
        }
    }

    /// What is dirty goes to the device first, of both controllers; then the device must read it.
    @Test(arguments: 1...8) func verificationReadsTheDevice(seed: Int) {
        let (world, user) = MemoryTests.pair(seed: UInt64(seed), usesWindow: true)
        #expect(user.write(.a, start: 100, count: 60) && user.write(.b, start: 400, count: 30))
        #expect(user.mismatch(.a, start: 0, count: 300) == nil)
        func verify(_ id: ControllerID, _ start: UInt64, _ count: UInt32) -> BlockFault?? {
            let token = BlockToken(slot: 6)
            world.request(id, .verify(token, UnitIndex(0), BlockExtent(start: start, count: count)))
            guard case .completed(_, let fault)? = user.answer(id, token) else { return nil }
            return fault
        }
        #expect(verify(.b, 90, 400) == .some(nil))
        #expect(world.device[(1 << 20) + 100 * 512] == 1 && world.device[(1 << 20) + 429 * 512] == 2)
        // It is in the memory, and can be read from there; the medium is bad.
        world.badBytes = 1 << 20 + 137 * 512..<1 << 20 + 138 * 512
        #expect(user.mismatch(.a, start: 130, count: 20) == nil)
        #expect(verify(.a, 130, 20) == .some(.unreadable) && verify(.a, 160, 20) == .some(nil))
    }

    @Test func aWriteThroughNamesItsSector() {
        let (world, user) = MemoryTests.pair(seed: 3, usesWindow: true)
        world.badBytes = 1 << 20 + 137 * 512..<1 << 20 + 138 * 512
        let token = BlockToken(slot: 5)
        world.request(
            .a, .prepareWrite(token, UnitIndex(0), BlockExtent(start: 131, count: 40), scratch: false))
        guard case .pagesReady? = user.answer(.a, token) else {
            Issue.record("no pages for a write")
            return
        }
        world.request(.a, .commitWrite(token, CommitOptions(durable: true)))
        guard case .failed(_, .unwritable, let sector)? = user.answer(.a, token) else {
            Issue.record("the write did not fail with a place")
            return
        }
        #expect(sector == 131)
    }
}
