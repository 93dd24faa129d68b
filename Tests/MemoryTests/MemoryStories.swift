import BlockModel
import CopyModule
import Memory
import PagingFormats
import Primitives
import Testing

/// What the memory is made of, one story each: cache, staging, blocks, policies, pointers, messages, copy methods.
@Suite struct MemoryStories {
    @Test func aSecondReadComesFromTheCache() {
        let (world, user) = MemoryTests.pair(seed: 1, usesWindow: true)
        #expect(user.mismatch(.a, start: 0, count: 64) == nil)
        let misses = world.nodes[0].memory.statistics.readMisses
        let staged = world.nodes[0].memory.statistics.stagedBytes
        #expect(misses > 0)
        #expect(user.mismatch(.a, start: 0, count: 64) == nil)
        #expect(world.nodes[0].memory.statistics.readMisses == misses)
        #expect(world.nodes[0].memory.statistics.stagedBytes == staged)
        #expect(world.nodes[0].memory.statistics.readHits > 0)
    }

    @Test func pagesAreStagedFromAndDestagedToTheDevice() {
        let (world, user) = MemoryTests.pair(seed: 2, usesWindow: true)
        #expect(user.write(.a, start: 3, count: 40))
        #expect(world.nodes[0].memory.dirtyPages > 0)
        #expect(world.run { world.nodes[0].memory.dirtyPages == 0 })
        #expect(world.nodes[0].memory.statistics.destagedBytes >= 40 * 512)
        let first = (1 << 20) + 3 * 512
        #expect(world.device[first..<(first + 40 * 512)].allSatisfy { $0 == user.expected[3] })
        #expect(world.device[first - 1] == 0)
        world.restart(.a)
        world.restart(.b)
        MemoryTests.form(world, epoch: 2)
        #expect(user.mismatch(.a, start: 0, count: 64) == nil)
        #expect(world.nodes[0].memory.statistics.stagedBytes > 0)
    }

    @Test func everyBlockHasAnIdentifierOfItsOwn() {
        let (world, user) = MemoryTests.pair(seed: 3, usesWindow: true)
        for index in 0..<8 { #expect(user.write(.a, start: UInt64(index) * 256, count: 8)) }
        for index in 24..<32 { #expect(user.write(.b, start: UInt64(index) * 256, count: 8)) }
        var places: [GUID: Set<UInt64>] = [:]
        for node in world.nodes {
            for frame in 0..<node.layout.mirrorStart {
                guard let header = FrameHeader(sealed: node.region + node.layout.header(frame)), header.kind == .data
                else { continue }
                #expect(header.guid != .none)
                places[header.guid, default: []].insert(header.page / 16)
            }
        }
        #expect(places.count > 1, "several blocks are dirty")
        #expect(places.values.allSatisfy { $0.count == 1 }, "one identifier, one block")
    }

    @Test func theSizeOfARequestChoosesTheRowOfThePolicy() {
        let policy = Policy.standard
        #expect(policy.row(forRequest: 4096).blockSize == 64 << 10)
        #expect(policy.row(forRequest: 64 << 10).blockSize == 64 << 10)
        #expect(policy.row(forRequest: (64 << 10) + 1).blockSize == 1 << 20)
        let (world, user) = MemoryTests.pair(seed: 4, usesWindow: true)
        #expect(user.write(.a, start: 0, count: 256))
        let blocks = world.nodes[0].memory.blockCount
        #expect(user.write(.a, start: 4096, count: 8))
        #expect(user.write(.a, start: 4096 + 128, count: 8))
        #expect(blocks == 1, "128 KiB are one block of 1 MiB")
        #expect(world.nodes[0].memory.blockCount == 3, "two small requests 64 KiB apart are two blocks")
    }

    @Test func aWritePointerExcludesAndAReadPointerIsShared() {
        let (world, user) = MemoryTests.pair(seed: 5, usesWindow: true)
        #expect(user.mismatch(.b, start: 0, count: 8) == nil)
        let granted = world.nodes[0].memory.statistics.pointersGranted
        #expect(granted > 0, "the home grants a read-only pointer")
        #expect(user.mismatch(.a, start: 0, count: 8) == nil)
        #expect(world.nodes[0].memory.statistics.pointersRecalled == 0, "two readers share")
        #expect(user.write(.a, start: 0, count: 8))
        #expect(world.nodes[0].memory.statistics.pointersRecalled == 1, "a writer wants it alone")
        #expect(user.write(.b, start: 0, count: 8))
        #expect(user.mismatch(.a, start: 0, count: 8) == nil)
    }

    @Test func aReadPointerBringsThePagesThatTheHomeHas() {
        let (world, user) = MemoryTests.pair(seed: 8, usesWindow: true)
        #expect(user.write(.a, start: 64, count: 24))
        #expect(world.run { world.nodes[0].memory.dirtyPages == 0 })
        #expect(user.mismatch(.b, start: 64, count: 24) == nil)
        #expect(world.nodes[0].memory.statistics.pagesSent == 3)
        #expect(world.nodes[1].memory.statistics.pagesFetched == 3)
        #expect(world.nodes[1].memory.statistics.stagedBytes == 0, "what the home has is not read from the device")
        #expect(user.mismatch(.b, start: 88, count: 8) == nil)
        #expect(world.nodes[1].memory.statistics.stagedBytes > 0, "what it has not is")
    }

    @Test func pagesThatCameBeforeALostPointerAreNotKept() {
        let (world, user) = MemoryTests.pair(seed: 9, usesWindow: false)
        #expect(user.write(.a, start: 64, count: 8))
        #expect(world.run { world.nodes[0].memory.dirtyPages == 0 })
        world.request(.b, .read(BlockToken(slot: 5), UnitIndex(0), BlockExtent(start: 64, count: 8), sequential: false))
        let hasCome = world.run { world.nodes[1].memory.statistics.pagesFetched == 1 }
        #expect(hasCome)
        // The pointer itself is still on its way when the connection breaks, and the home writes meanwhile.
        let free = world.nodes[1].memory.freeFrames
        for id in ControllerID.allCases { world.order(id, .channelDown) }
        for node in world.nodes { node.inbox.removeAll() }
        for id in ControllerID.allCases { world.order(id, .channelUp(connection: 2, window: false)) }
        #expect(world.nodes[1].memory.freeFrames == free + 1, "the page was dropped before the ask was said again")
    }

    @Test func nineMessagesOfMemoryAndTheSenseRequestAreTheTen() {
        let (world, user) = MemoryTests.pair(seed: 6, usesWindow: false)
        MemoryTests.work(world, user, [.a, .b], count: 60)
        #expect(world.run { world.nodes.allSatisfy { $0.memory.dirtyPages == 0 } })
        world.request(.a, .synchronize(BlockToken(slot: 9), UnitIndex(0), BlockExtent(start: 0, count: 0)))
        // Reading more than the cache holds evicts blocks, which are then released on both sides.
        for _ in 0..<3 { #expect(user.audit(.a) == nil) }
        let seen = Set(world.kinds)
        #expect(MessageKind.allCases.count == 10)
        #expect(seen == Set(MessageKind.allCases).subtracting([.senseRequest]))
    }

    @Test func theCopyModuleTakesTheNextMethodWhenOneFails() {
        let world = MemoryWorld(seed: 7, usesWindow: false)
        let node = world.nodes[0]
        let base = node.region + node.layout.header(5)
        FrameHeader.seal(FrameHeader().encode(to: base), at: base)
        node.copy.channel(up: true)
        node.copy.window(open: true)
        node.copy.copy(FrameIndex(5), to: 700, dma: true, messaging: true, dmaFirst: true)
        guard case .place(let placement)? = node.copy.effects.popFirst() else {
            Issue.record("DMA is first in the policy's order")
            return
        }
        node.copy.placed(token: placement.token, ok: false)
        guard case .send(let frame)? = node.copy.effects.popFirst(), let message = node.copy.takeMessage(frame) else {
            Issue.record("messaging is next")
            return
        }
        node.copy.answered(message.answer(.done))
        guard case .copied(FrameIndex(5))? = node.copy.effects.popFirst() else {
            Issue.record("the copy is complete")
            return
        }
        #expect(node.copy.dma.fallbacks == 1)
        #expect(node.copy.messaging.pages == 1)
        #expect(node.copy.outstanding == 0)
    }
}

/// A planned move of home: hosts are served while what is dirty is cleaned, and wait for the little rest only.
@Suite struct PlannedMoveTests {
    @Test(arguments: 1...10) func hostsAreServedWhileMuchIsCleaned(seed: Int) {
        let (world, user) = MemoryTests.pair(seed: UInt64(seed), usesWindow: true)
        let unit = UnitIndex(0)
        for index in 0..<10 { #expect(user.write(.a, start: UInt64(index) * 64, count: 64, durable: false)) }
        let home = world.nodes[0]
        #expect(home.memory.dirtyPages > MemoryLimits.movePages(frames: home.layout.mirrorStart))
        world.request(.a, .wantStateWrite(unit))
        var draft: FrameIndex?
        #expect(
            world.run {
                for case .stateWritable(unit, let frame) in home.responses { draft = frame }
                return draft != nil
            })
        guard let draft else { return }
        StateBlock(home.frames.pointer(draft)).home = .b
        world.request(.a, .commitState(unit, durable: false))
        // Before anything more is on the device.
        #expect(home.memory.home(of: unit) == .a)
        #expect(user.write(.a, start: 4096, count: 8, durable: false))
        #expect(home.memory.home(of: unit) == .a, "the hosts were held until the move was done")
        #expect(world.run { world.nodes.allSatisfy { $0.memory.home(of: unit) == .b } })
        #expect(user.audit(.a) == nil && user.audit(.b) == nil)
    }
}
