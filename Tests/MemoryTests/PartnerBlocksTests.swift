import BlockModel
import PagingFormats
import Primitives
import Testing

@testable import Memory

/// The table of the partner's memory blocks: what allocate memory and release memory are answered, and why.
@Suite struct PartnerBlocksTests {
    private static func guid(_ counter: UInt64) -> GUID { GUID(array: 7, controller: .b, epoch: 3, counter: counter) }

    @Test func aBlockIsAllocatedOnceAndKnownAfterwards() {
        var blocks = PartnerBlocks(mirrorFrames: 64)
        #expect(blocks.allocate(Self.guid(1), unit: 0, firstPage: 16, pages: 16) == .done)
        #expect(blocks.allocate(Self.guid(1), unit: 0, firstPage: 16, pages: 16) == .exists)
        #expect(blocks.allocate(Self.guid(1), unit: 0, firstPage: 32, pages: 16) == .denied, "one GUID, one place")
        #expect(blocks.allocate(.none, unit: 0, firstPage: 0, pages: 16) == .denied)
        #expect(blocks.count == 1)
    }

    @Test func aFullTableHasNoSpaceUntilABlockIsReleased() {
        var blocks = PartnerBlocks(mirrorFrames: 16)
        for counter in 1...16 {
            #expect(blocks.allocate(Self.guid(UInt64(counter)), unit: 0, firstPage: 0, pages: 1) == .done)
        }
        #expect(blocks.allocate(Self.guid(17), unit: 0, firstPage: 0, pages: 1) == .noSpace)
        #expect(blocks.release(Self.guid(3)) { _ in false } == .done)
        #expect(blocks.allocate(Self.guid(17), unit: 0, firstPage: 0, pages: 1) == .done)
    }

    @Test func aBlockWithASealedPageIsBusy() {
        var blocks = PartnerBlocks(mirrorFrames: 64)
        _ = blocks.allocate(Self.guid(1), unit: 0, firstPage: 0, pages: 16)
        for slot in [5, 9, 7] { blocks.hold(Self.guid(1), at: slot) }
        var sealed: Set<Int> = [5, 7]
        #expect(blocks.release(Self.guid(1)) { sealed.contains($0) } == .busy)
        blocks.drop(at: 7)
        sealed.remove(7)
        #expect(blocks.release(Self.guid(1)) { sealed.contains($0) } == .busy, "slot 5 still holds a page")
        sealed.remove(5)
        #expect(blocks.release(Self.guid(1)) { sealed.contains($0) } == .done, "the window cleared it without a word")
        #expect(blocks.release(Self.guid(1)) { _ in false } == .unknown)
    }

    @Test func aSlotHoldsAPageOfItsLastBlockOnly() {
        var blocks = PartnerBlocks(mirrorFrames: 64)
        for counter in [1, 2] as [UInt64] {
            _ = blocks.allocate(Self.guid(counter), unit: 0, firstPage: counter * 16, pages: 16)
        }
        blocks.hold(Self.guid(1), at: 3)
        blocks.hold(Self.guid(2), at: 3)
        #expect(blocks.release(Self.guid(1)) { _ in true } == .done)
        #expect(blocks.release(Self.guid(2)) { _ in true } == .busy)
    }

    @Test func nothingIsKnownOfAMemoryThatIsGone() {
        var blocks = PartnerBlocks(mirrorFrames: 64)
        _ = blocks.allocate(Self.guid(1), unit: 0, firstPage: 0, pages: 16)
        blocks.hold(Self.guid(1), at: 0)
        blocks.removeAll()
        #expect(blocks.count == 0)
        #expect(blocks.allocate(Self.guid(1), unit: 0, firstPage: 0, pages: 16) == .done)
        #expect(blocks.release(Self.guid(1)) { _ in true } == .done, "no slot of the earlier life is linked")
    }

    @Test func aBlockOfMirroredPagesIsKnownAtThePartnerByItsIdentifierUntilItIsEvicted() {
        let (world, user) = MemoryTests.pair(seed: 11, usesWindow: false)
        #expect(user.write(.a, start: 0, count: 8))
        #expect(user.write(.a, start: 1024, count: 8))
        #expect(world.nodes[1].memory.partnerBlockCount == 2)
        #expect(world.run { world.nodes[0].memory.dirtyPages == 0 })
        #expect(world.nodes[1].memory.partnerBlockCount == 2, "clean pages keep their blocks on both sides")
        for _ in 0..<3 { #expect(user.audit(.a) == nil) }
        _ = world.run { world.nodes[1].memory.partnerBlockCount == 0 }
        #expect(world.nodes[1].memory.partnerBlockCount == 0, "a block that is evicted here is released there")
    }

    @Test func aBlockWhosePagesGoThroughTheWindowNeedsNoWord() {
        let (world, user) = MemoryTests.pair(seed: 12, usesWindow: true)
        #expect(user.write(.a, start: 0, count: 8))
        #expect(world.nodes[1].memory.partnerBlockCount == 0)
    }

    @Test func noIdentifierIsGivenTwiceOverLives() {
        let (world, user) = MemoryTests.pair(seed: 13, usesWindow: true)
        var seen: Set<GUID> = []
        for life in 1...3 as ClosedRange<UInt32> {
            #expect(user.write(.a, start: UInt64(life) * 1024, count: 8))
            for index in 0..<world.nodes[0].layout.mirrorStart {
                let base = world.nodes[0].region + world.nodes[0].layout.header(index)
                guard let header = FrameHeader(sealed: base), header.kind == .data else { continue }
                #expect(seen.insert(header.guid).inserted, "life \(life) gives \(header.guid) again")
            }
            #expect(world.run { world.nodes[0].memory.dirtyPages == 0 })
            for id in ControllerID.allCases { world.restart(id) }
            MemoryTests.form(world, epoch: life + 1)
        }
        #expect(seen.count == 3)
    }
}
