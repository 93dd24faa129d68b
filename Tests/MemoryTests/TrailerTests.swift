import BlockModel
import Memory
import PagingFormats
import Primitives
import Testing

/// Units with protection information: what stands beside a block stays with it, whatever happens to its page. The user
/// gives every sector 8 bytes that follow from its place and content, and wants them back with each read.
@Suite struct TrailerTests {
    private let stories = MemoryTests()

    @Test(arguments: 1...10, [true, false])
    func bothControllersReadWhatEitherWrote(seed: Int, usesWindow: Bool) {
        let (world, user) = MemoryTests.pair(seed: UInt64(seed), usesWindow: usesWindow, isProtected: true)
        MemoryTests.work(world, user, [.a, .b], count: 60)
        #expect(user.audit(.a) == nil)
        #expect(user.audit(.b) == nil)
    }

    @Test(arguments: 1...10, [true, false])
    func bothKilledAndRestartedLoseNothing(seed: Int, usesWindow: Bool) {
        let (world, user) = MemoryTests.pair(seed: UInt64(seed), usesWindow: usesWindow, isProtected: true)
        for round in 0..<3 {
            MemoryTests.work(world, user, [.a, .b], count: 20)
            for id in ControllerID.allCases { world.restart(id) }
            MemoryTests.form(world, epoch: UInt32(2 + round))
        }
        #expect(user.audit(.a) == nil)
        #expect(user.audit(.b) == nil)
    }

    @Test(arguments: 1...10, [true, false])
    func theSurvivorServesWhatTheLostControllerAcknowledged(seed: Int, usesWindow: Bool) {
        let (world, user) = MemoryTests.pair(seed: UInt64(seed), usesWindow: usesWindow, isProtected: true)
        MemoryTests.work(world, user, [.a, .b], count: 30)
        stories.takeOver(world, lost: .a, epoch: 2)
        #expect(user.audit(.b) == nil)
        MemoryTests.work(world, user, [.b], count: 20)
        stories.rejoin(world, .a, epoch: 3)
        MemoryTests.work(world, user, [.a, .b], count: 30)
        stories.takeOver(world, lost: .b, epoch: 4)
        #expect(user.audit(.a) == nil)
    }

    /// A page takes 4608 bytes of the device, its trailer complemented behind it; a restart finds all of it there.
    @Test func aPageAndItsTrailerStandTogetherOnTheDevice() {
        let (world, user) = MemoryTests.pair(seed: 2, usesWindow: true, isProtected: true)
        #expect(user.write(.a, start: 3, count: 40))
        #expect(world.run { world.nodes[0].memory.dirtyPages == 0 })
        for sector in 0..<48 {
            let page = (1 << 20) + sector / 8 * 4608
            let data = world.device[page + sector % 8 * 512..<page + sector % 8 * 512 + 512]
            #expect(data.allSatisfy { $0 == user.expected[sector] })
            let tuple = world.device.withUnsafeBytes {
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: page + 4096 + sector % 8 * 8, as: UInt64.self))
            }
            #expect(~tuple == MemoryUser.tuple(sector, user.expected[sector]))
            #expect(world.device[page + 4160..<page + 4608].allSatisfy { $0 == 0 }, "the rest of the sector is zero")
        }
        world.restart(.a)
        world.restart(.b)
        MemoryTests.form(world, epoch: 2)
        #expect(user.mismatch(.a, start: 0, count: 64) == nil)
    }

    @Test func whatIsDiscardedHasNothingToCheck() {
        let (world, user) = MemoryTests.pair(seed: 4, usesWindow: true, isProtected: true)
        #expect(user.write(.a, start: 0, count: 64))
        #expect(world.run { world.nodes[0].memory.dirtyPages == 0 })
        let token = BlockToken(slot: 7)
        world.request(.a, .discard(token, UnitIndex(0), BlockExtent(start: 8, count: 24)))
        let node = world.nodes[0]
        let isDone = world.run {
            node.responses.contains { if case .completed(token, nil) = $0 { true } else { false } }
        }
        #expect(isDone)
        for sector in 8..<32 { user.expected[sector] = 0 }
        #expect(user.audit(.a) == nil)
        #expect(user.audit(.b) == nil)
    }

    /// What the device says of its own blocks is told by pages, from the first sector asked for to the last.
    @Test(arguments: [(0, 400), (3, 200), (13, 100), (40, 8)] as [(UInt64, UInt32)])
    func provisioningIsToldByPages(start: UInt64, count: UInt32) {
        let (world, user) = MemoryTests.pair(seed: 8, usesWindow: true, isProtected: true)
        for (sector, length) in [(8, 16), (80, 1), (176, 120)] as [(UInt64, UInt32)] {
            #expect(user.write(.a, start: sector, count: length))
        }
        let node = world.nodes[0]
        let token = BlockToken(slot: 8)
        world.request(.a, .provisioning(token, UnitIndex(0), BlockExtent(start: start, count: count)))
        let isDone = world.run {
            node.responses.contains { if case .completed(token, nil) = $0 { true } else { false } }
        }
        #expect(isDone)
        let answer = UnsafeRawPointer(node.frames.pointer(Frames.parameter(8)))
        var at = start
        for entry in 0..<Int(answer.little64(0)) {
            #expect(answer.little64(8 + entry * 16) == at)
            let (length, isMapped) = (
                answer.little64(16 + entry * 16) & ~(1 << 63), answer.little64(16 + entry * 16) >> 63 == 1
            )
            for sector in at..<(at + length) {
                if user.expected[Int(sector)] != 0 { #expect(isMapped, "sector \(sector) was written") }
                // A block of the file system may hold parts of two pages.
                let near = max(0, Int(sector) - 16)..<Int(sector) + 16
                if user.expected[near].allSatisfy({ $0 == 0 }) { #expect(!isMapped, "sector \(sector) was not") }
            }
            at += length
        }
        #expect(at == start + UInt64(count))
    }

    /// A write of a part of a page keeps the rest of it, data and trailer; an OR gets the guard of its result.
    @Test func partsOfPagesKeepTheirNeighbours() {
        let (world, user) = MemoryTests.pair(seed: 6, usesWindow: false, isProtected: true)
        #expect(user.write(.a, start: 0, count: 16))
        for id in ControllerID.allCases { #expect(user.write(id, start: id == .a ? 2 : 5, count: 1)) }
        #expect(user.audit(.a) == nil)
        user.nextTag = 0x30
        #expect(user.write(.a, start: 4, count: 1))
        user.nextTag = 0x05
        #expect(user.write(.a, start: 4, count: 1, mode: .or))
        let node = world.nodes[0]
        let token = BlockToken(slot: 6)
        world.request(.a, .read(token, UnitIndex(0), BlockExtent(start: 4, count: 1), sequential: false))
        guard case .pagesReady(_, let run)? = node.responses.last else {
            Issue.record("the page is in the memory")
            return
        }
        let data = run.piece(at: 0, frames: node.frames, lists: node.lists).base
        #expect(UnsafeRawPointer(data).byte(511) == 0x35)
        let tuple = UnsafeRawPointer(run.tuple(at: 0, frames: node.frames, lists: node.lists))
        #expect(tuple.big16(0) == Checksum.blockGuard(data, 512))
        let sent = MemoryUser.tuple(4, 0x05)
        #expect(tuple.little64(0) >> 16 == sent >> 16, "the tags are those that came")
        world.request(.a, .release(token))
    }
}
