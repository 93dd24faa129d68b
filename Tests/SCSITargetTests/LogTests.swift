import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct LogTests {
    /// LOG SENSE of cumulative values.
    static func sense(_ world: World, _ page: UInt8, nexus: Int = 0) -> [UInt8] {
        world.command([0x4D, 0, 0x40 | page, 0, 0, 0, 0, 2, 0, 0], nexus: nexus, dataIn: 512).data
    }

    /// LOG SELECT that resets a page; 0: all.
    static func reset(_ world: World, _ page: UInt8 = 0) -> Outcome {
        world.command([0x4C, 2, 0x40 | page, 0, 0, 0, 0, 0, 0, 0])
    }

    private static func number(_ data: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
        data[at..<at + count].reduce(0) { $0 << 8 | UInt64($1) }
    }

    @Test func errorsAreCountedWhereTheyHappenAndWrittenDown() {
        let world = World()
        world.login(0)
        world.login(1)
        world.fault = .unreadable
        _ = world.command(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        _ = world.command(MediumAccessTests.cdb10(0x2F, 0, 8))
        world.fault = .unwritable
        _ = world.command(MediumAccessTests.cdb10(0x2A, 0, 8), out: [UInt8](repeating: 1, count: 4096))
        world.fault = .deviceGone
        _ = world.command(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        world.fault = nil
        #expect(Self.number(Self.sense(world, 2), 16, 4) == 1)
        #expect(Self.number(Self.sense(world, 3), 16, 4) == 1)
        #expect(Self.number(Self.sense(world, 5), 16, 4) == 1)
        #expect(Self.number(Self.sense(world, 6), 8, 4) == 1)
        // The first is in the state block, and the others follow with the next one a second later.
        #expect(world.state().count(.readErrors) == 1 && world.state().count(.writeErrors) == 0)
        world.advance(.seconds(2))
        world.fault = .unreadable
        _ = world.command(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        world.fault = nil
        #expect(world.state().count(.readErrors) == 2 && world.state().count(.writeErrors) == 1)
        #expect(Self.number(Self.sense(world, 3), 16, 4) == 2)
        #expect(Self.reset(world, 3).status == .good)
        #expect(Self.number(Self.sense(world, 3), 16, 4) == 0 && Self.number(Self.sense(world, 2), 16, 4) == 1)
        #expect(world.command([0, 0, 0, 0, 0, 0]).status == .good)
        #expect(world.command([0, 0, 0, 0, 0, 0], nexus: 1).code == 0x2A02)
        #expect(Self.reset(world).status == .good && Self.number(Self.sense(world, 2), 16, 4) == 0)
        world.expectIdle()
    }

    @Test func statisticsCountBothControllersCommands() {
        let world = World()
        world.login()
        _ = world.command(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        _ = world.command(MediumAccessTests.cdb10(0x2A, 0, 16), out: [UInt8](repeating: 1, count: 8192))
        // The statistics do not know READ (6).
        _ = world.command([0x08, 0, 0, 0, 1, 0], dataIn: 512)
        // What the partner published.
        var other = StateBlock.Activity()
        other.reads = 100
        other.blocksRead = 1 << 40
        other.readTime = 3_000_000_000
        world.recall()
        world.state().publish(other, of: .b)
        let data = Self.sense(world, 0x19)
        #expect(Self.number(data, 8, 8) == 101 && Self.number(data, 16, 8) == 1)
        #expect(Self.number(data, 24, 8) == 16 && Self.number(data, 32, 8) == 1 << 40 + 8)
        #expect(Self.number(data, 40, 8) == 3)
        // The partner is asked, and own numbers are published.
        #expect(world.state().poll == 1 && world.state().activity(of: .a).blocksWritten == 16)
        _ = Self.sense(world, 0x19)
        #expect(world.state().poll == 1)
        #expect(Self.reset(world).status == .good)
        #expect(Self.number(Self.sense(world, 0x19), 8, 8) == 0)
        world.expectIdle()
    }

    @Test func aPartnerThatAsksGetsTheNumbersOfAControllerWithoutCommands() {
        let world = World(controller: .b)
        world.login()
        _ = world.command(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        #expect(world.state().activity(of: .b).reads == 0)
        // The partner takes the pointer, asks, and gives it back.
        world.state().poll += 1
        world.recall()
        #expect(world.state().activity(of: .b).reads == 1 && world.state().poll == 1)
        // Nothing is left to be published, so nobody asks for the pointer again.
        #expect(world.requests.last == "commitState")
        world.expectIdle()
    }

    @Test func aControllerGoesOnFromWhatItPublishedInAnEarlierLife() {
        let world = World(controller: .b, serving: false)
        var earlier = StateBlock.Activity()
        earlier.reads = 41
        world.state().publish(earlier, of: .b)
        world.serve()
        world.login()
        _ = world.command(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        #expect(Self.number(Self.sense(world, 0x19), 8, 8) == 42)
    }

    @Test func theSelfTestReadsBothEndsAndIsRemembered() {
        let world = World(blocks: 1024)
        world.login()
        #expect(world.command([0x1D, 0x04, 0, 0, 0, 0]).status == .good)
        #expect(world.reads.map(\.0) == [BlockExtent(start: 0, count: 1), BlockExtent(start: 1023, count: 1)])
        #expect(world.command([0, 0, 0, 0, 0, 0]).status == .good)
        world.fault = .unreadable
        world.holdState = true
        let failing = world.send([0x1D, 0xA0, 0, 0, 0, 0])
        world.fault = nil
        world.holdState = false
        world.giveHeldState()
        #expect(world.outcome(failing).key == 4 && world.outcome(failing).code == 0x3E03)
        let results = Self.sense(world, 0x10)
        #expect(results.count == 4 + 20 * 20 && results[8] == 0xA5 && results[9] == 1)
        #expect(Array(results[20..<23]) == [4, 0x3E, 3] && results[28] == 0x00 && results[32] == 0xFF)
        #expect(results[52] == 0)
        for wrong in [0x24, 0x44, 0x80, 0x60, 0xC0, 0xE0, 0xA4] as [UInt8] {
            #expect(world.command([0x1D, wrong, 0, 0, 0, 0]).code == 0x2400, "\(wrong)")
        }
        #expect(world.command([0x1D, 0x04, 0, 0, 4, 0], out: [0, 0, 0, 0]).code == 0x2400)
        #expect(world.command([0x1D, 0x10, 0, 0, 4, 0], out: [0, 0, 0, 0]).status == .good)
        #expect(world.command([0x1D, 0x10, 0, 0, 4, 0], out: [0x40, 0, 0, 0]).code == 0x2600)
        #expect(world.command([0x1D, 0x10, 0, 0, 2, 0], out: [0, 0]).code == 0x1A00)
        #expect(world.command([0x1D, 0x00, 0, 0, 4, 0], out: [0, 0, 0, 0]).code == 0x2400)
        #expect(world.command([0x1D, 0x00, 0, 0, 0, 0]).status == .good)
        world.expectIdle()
    }

    @Test func commandsAreCountedByTheirGroupNumber() {
        let world = World(controllers: 1)
        world.login()
        func page(_ group: UInt8) -> [UInt8] {
            world.command([0x4D, 0, 0x59, group, 0, 0, 0, 1, 0, 0], dataIn: 256).data
        }
        var read = MediumAccessTests.cdb10(0x28, 0, 8)
        read[6] = 3
        _ = world.command(read, dataIn: 4096)
        var write = MediumAccessTests.cdb16(0x8A, 0, 16)
        write[14] = 31
        _ = world.command(write, out: [UInt8](repeating: 1, count: 8192))
        #expect(page(3).count == 56 && Array(page(3)[0..<8]) == [0xD9, 3, 0, 52, 0, 1, 0x22, 48])
        #expect(Self.number(page(3), 8, 8) == 1 && Self.number(page(3), 32, 8) == 8 && Self.number(page(3), 16, 8) == 0)
        #expect(Self.number(page(31), 16, 8) == 1 && Self.number(page(31), 24, 8) == 16)
        #expect(page(4)[8...].allSatisfy { $0 == 0 } && page(32).isEmpty)
        #expect(world.server.activity(of: UnitIndex(0), group: 3).blocksRead == 8)
        #expect(Self.reset(world, 0x19).status == .good && Self.number(page(3), 8, 8) == 0)
        let pair = World()
        pair.login()
        #expect(pair.command([0x4D, 0, 0x59, 3, 0, 0, 0, 1, 0, 0], dataIn: 256).code == 0x2400)
        #expect(pair.command(read, dataIn: 4096).status == .good)
        #expect(pair.server.activity(of: UnitIndex(0), group: 3).reads == 1)
        world.expectIdle()
    }

    static let lists: [([UInt8], UInt16)] = [
        ([3, 0, 0, 8, 0, 6, 0, 4, 0, 0, 0, 0], 0), ([3, 0, 0, 0], 0), ([3, 0, 0], 0x1A00),
        ([3, 0, 0, 9, 0, 6, 0, 4, 0, 0, 0, 0], 0x1A00), ([4, 0, 0, 0], 0x2600), ([3, 1, 0, 0], 0x2600),
        ([3, 0, 0, 8, 0, 6, 0, 4, 0, 0, 0, 1], 0x2600), ([3, 0, 0, 8, 0, 5, 0, 4, 0, 0, 0, 0], 0x2600),
        ([3, 0, 0, 8, 0, 6, 0, 3, 0, 0, 0, 0], 0x2600), ([3, 0, 0, 8, 0, 6, 0, 5, 0, 0, 0, 0], 0x2600),
        ([0x0E, 0, 0, 8, 0, 4, 0, 4, 0, 0, 0, 0], 0x2600), ([3, 0, 0, 2, 0, 6], 0x1A00),
        ([0x0D, 0, 0, 6, 0, 0, 0, 2, 0, 0], 0x2600), ([3, 0, 0xFF, 0xFF], 0x1A00),
    ]

    @Test(arguments: lists)
    func aListResetsTheCountersThatItSetsToZero(_ list: [UInt8], _ code: UInt16) {
        let world = World()
        world.login()
        world.state().setCount(.readErrors, 7)
        let outcome = world.command([0x4C, 0, 0x40, 0, 0, 0, 0, 0, UInt8(list.count), 0], out: list)
        #expect(outcome.code == code && (outcome.status == .good) == (code == 0))
        #expect(world.state().count(.readErrors) == (code == 0 && list.count > 4 ? 0 : 7))
        world.expectIdle()
    }

    @Test func logSenseChecksItsFields() {
        let world = World()
        world.login()
        func code(_ cdb: [UInt8]) -> UInt16 { world.command(cdb, dataIn: 512).code }
        #expect(code([0x4D, 0, 0x44, 0, 0, 0, 0, 1, 0, 0]) == 0x2400)
        #expect(code([0x4D, 0, 0x42, 1, 0, 0, 0, 1, 0, 0]) == 0x2400)
        #expect(code([0x4D, 0, 0x42, 0, 0, 0, 7, 1, 0, 0]) == 0x2400)
        #expect(code([0x4D, 0, 0x40, 0, 0, 0, 1, 1, 0, 0]) == 0x2400)
        #expect(code([0x4D, 1, 0x42, 0, 0, 0, 0, 1, 0, 0]) == 0x2400)
        let subpages = world.command([0x4D, 0, 0x42, 0xFF, 0, 0, 0, 1, 0, 0], dataIn: 512).data
        #expect(subpages == [0x42, 0xFF, 0, 4, 2, 0, 2, 0xFF])
        let one = world.command([0x4D, 0, 0x42, 0, 0, 0, 4, 1, 0, 0], dataIn: 512).data
        #expect(one.count == 12 && one[5] == 6)
        #expect(world.command([0x4D, 0, 0xC2, 0, 0, 0, 0, 1, 0, 0], dataIn: 512).data.count == 20)
        #expect(world.command([0x4C, 2, 0x44, 0, 0, 0, 0, 0, 0, 0]).code == 0x2400)
        #expect(world.command([0x4C, 0, 0x42, 0, 0, 0, 0, 0, 4, 0], out: [0, 0, 0, 0]).code == 0x2400)
        #expect(world.command([0x4C, 0, 0x00, 0, 0, 0, 0, 0, 4, 0], out: [0, 0, 0, 0]).code == 0x2400)
        #expect(world.command([0x4C, 2, 0x40, 0, 0, 0, 0, 0, 4, 0], out: [0, 0, 0, 0]).code == 0x2400)
        #expect(world.command([0x4C, 0, 0x40, 0, 0, 0, 0, 0, 0, 0]).status == .good)
        world.expectIdle()
    }
}
