import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct MediumAccessTests {
    /// READ or WRITE (10), by operation code.
    static func cdb10(_ opcode: UInt8, _ address: UInt32, _ blocks: UInt16, flags: UInt8 = 0) -> [UInt8] {
        [opcode, flags] + (0..<4).map { UInt8(truncatingIfNeeded: address >> UInt32(24 - $0 * 8)) }
            + [0, UInt8(blocks >> 8), UInt8(blocks & 255), 0]
    }

    static func cdb16(_ opcode: UInt8, _ address: UInt64, _ blocks: UInt32, flags: UInt8 = 0) -> [UInt8] {
        [opcode, flags] + (0..<8).map { UInt8(truncatingIfNeeded: address >> UInt64(56 - $0 * 8)) }
            + (0..<4).map { UInt8(truncatingIfNeeded: blocks >> UInt32(24 - $0 * 8)) } + [0, 0]
    }

    @Test func readsReturnTheMedium() {
        let world = World()
        world.login()
        let outcome = world.command(Self.cdb10(0x28, 3, 5), dataIn: 5 * 512)
        #expect(outcome.status == .good && outcome.total == 5 * 512)
        #expect(outcome.data == Array(world.disks[0][3 * 512..<8 * 512]))
        #expect(world.command([0x08, 0, 0, 9, 1, 0], dataIn: 512).data == Array(world.disks[0][9 * 512..<10 * 512]))
        #expect(world.command([0x08, 0, 0, 0, 0, 0], dataIn: 256 * 512).data.count == 256 * 512)
        #expect(world.command([0xA8, 0, 0, 0, 0, 7, 0, 0, 0, 2, 0, 0], dataIn: 1024).data.count == 1024)
        let last = world.command(Self.cdb16(0x88, 1023, 1), dataIn: 512)
        #expect(last.data == Array(world.disks[0][1023 * 512..<1024 * 512]))
        world.expectIdle()
    }

    @Test(arguments: [512, 4096] as [UInt32])
    func largeTransfersGoChunkByChunkOnPageBoundaries(blockLength: UInt32) {
        let perBlock = Int(blockLength) / 512
        let world = World(blocks: UInt64(4096 / perBlock), blockLength: blockLength)
        world.login()
        let start = blockLength == 512 ? 3 : 1
        let count = (1500 / perBlock)
        let outcome = world.command(
            Self.cdb10(0x28, UInt32(start), UInt16(count)), dataIn: count * Int(blockLength))
        #expect(outcome.data == Array(world.disks[0][start * Int(blockLength)..<(start + count) * Int(blockLength)]))
        #expect(world.reads.count == 3)
        for (extent, _) in world.reads.dropLast() { #expect(extent.end % 8 == 0 && extent.pageCount <= 64) }
        #expect(world.reads.map(\.1) == [false, true, true])
        let fresh = (0..<count * Int(blockLength)).map { UInt8(truncatingIfNeeded: $0 / 3) }
        let written = world.command(Self.cdb10(0x2A, UInt32(start), UInt16(count)), out: fresh)
        #expect(written.status == .good && written.total == UInt32(fresh.count))
        #expect(Array(world.disks[0][start * Int(blockLength)..<(start + count) * Int(blockLength)]) == fresh)
        world.expectIdle()
    }

    @Test func aSecondReadThatContinuesTheFirstIsSequential() {
        let world = World()
        world.login()
        for address in [0, 8, 16, 40, 48] as [UInt32] { world.command(Self.cdb10(0x28, address, 8), dataIn: 4096) }
        #expect(world.reads.map(\.1) == [false, true, true, false, true])
    }

    @Test func residualsFollowFromTheTotal() {
        let world = World()
        world.login()
        // The initiator expects less, more, and nothing at all.
        let less = world.command(Self.cdb10(0x28, 0, 2), dataIn: 600)
        #expect(less.status == .good && less.data.count == 600 && less.total == 1024)
        let more = world.command(Self.cdb10(0x28, 0, 2), dataIn: 5000)
        #expect(more.data.count == 1024 && more.total == 1024)
        let none = world.command(Self.cdb10(0x28, 0, 2))
        #expect(none.status == .good && none.data.isEmpty && none.total == 1024)
        // Offers less than a block: nothing is written; a block and a half: one block.
        let before = world.disks[0]
        let short = world.command(Self.cdb10(0x2A, 0, 1), out: [UInt8](repeating: 9, count: 200))
        #expect(short.status == .good && short.total == 512 && world.disks[0] == before)
        world.command(Self.cdb10(0x2A, 0, 2), out: [UInt8](repeating: 9, count: 768))
        #expect(Array(world.disks[0][0..<512]) == [UInt8](repeating: 9, count: 512))
        #expect(Array(world.disks[0][512...]) == Array(before[512...]))
        #expect(world.command(Self.cdb10(0x2A, 0, 2)).total == 1024)
        let offered = world.command(Self.cdb10(0x2A, 0, 1), out: [UInt8](repeating: 8, count: 2000))
        #expect(offered.status == .good && offered.total == 512)
        world.expectIdle()
    }

    @Test(arguments: [0x88, 0x8A, 0x8E, 0x8F, 0x90, 0x91] as [UInt8])
    func rangesBeyondTheLastBlockAreRefused(opcode: UInt8) {
        let world = World()
        world.login()
        let cases: [(UInt64, UInt32)] = [(1024, 0), (1024, 1), (1023, 2), (.max, 1), (.max, 0), (1 << 63, 2)]
        for (address, blocks) in cases {
            let outcome = world.command(Self.cdb16(opcode, address, blocks), dataIn: 4096, out: [0])
            #expect(outcome.status == .checkCondition && outcome.key == 5 && outcome.code == 0x2100, "\(address)")
        }
        world.expectIdle()
    }

    @Test func moreThanTheMaximumTransferIsRefused() {
        let world = World(blocks: 70_000)
        world.login()
        let most = DeviceServerLimits.transferBytes / 512
        let outcome = world.command(Self.cdb16(0x88, 0, UInt32(most + 1)), dataIn: 4096)
        #expect(outcome.code == 0x2400 && outcome.sense[15] == 0xC0 && outcome.sense[17] == 10)
        #expect(world.command(Self.cdb16(0x88, 0, UInt32(most)), dataIn: 4096).status == .good)
    }

    @Test func forcedUnitAccessAndDisabledCacheMakeWritesDurable() {
        let world = World(blocks: 4096)
        world.login()
        let block = [UInt8](repeating: 1, count: 512)
        world.command(Self.cdb10(0x2A, 0, 1), out: block)
        world.command(Self.cdb10(0x2A, 0, 1, flags: 0x08), out: block)
        world.command([0x0A, 0, 8, 0, 1, 0], out: block)
        world.command(Self.cdb10(0x2E, 0, 1), out: block)
        #expect(world.durables == [false, true, false, true])
        ModeTests.setCache(world, enabled: false)
        world.command(Self.cdb10(0x2A, 0, 1), out: block)
        #expect(world.durables.last == true)
    }

    @Test func verifyComparesWhatItIsAskedToCompare() {
        let world = World()
        world.login()
        let medium = Array(world.disks[0][512 * 5..<512 * 30])
        #expect(world.command(Self.cdb10(0x2F, 5, 25)).status == .good)
        #expect(world.command(Self.cdb10(0x2F, 5, 25, flags: 2), out: medium).total == UInt32(medium.count))
        var other = medium
        other[512 * 24 + 511] ^= 1
        let wrong = world.command(Self.cdb10(0x2F, 5, 25, flags: 2), out: other)
        #expect(wrong.status == .checkCondition && wrong.key == 0xE && wrong.code == 0x1D00)
        #expect(world.command(Self.cdb10(0x2F, 5, 25, flags: 4)).code == 0x2400)
        // One block against many.
        world.disks[0].replaceSubrange(0..<512 * 700, with: [UInt8](repeating: 0x5A, count: 512 * 700))
        let pattern = [UInt8](repeating: 0x5A, count: 512)
        let same = world.command(Self.cdb10(0x2F, 1, 600, flags: 6), out: pattern)
        #expect(same.status == .good && same.total == 512)
        world.disks[0][512 * 600 + 100] = 0
        #expect(world.command(Self.cdb10(0x2F, 1, 600, flags: 6), out: pattern).code == 0x1D00)
        world.expectIdle()
    }

    @Test func writeAndVerifyWritesThenReadsBack() {
        let world = World(blocks: 2048)
        world.login()
        let bytes = (0..<1000 * 512).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(world.command(Self.cdb10(0x2E, 9, 1000), out: bytes).status == .good)
        #expect(Array(world.disks[0][9 * 512..<1009 * 512]) == bytes)
        #expect(world.verified.count == 2 && world.verified.reduce(0) { $0 + Int($1.count) } == 1000)
        world.expectIdle()
    }

    @Test func byteCheckedWriteAndVerifyNoticesAWrongMedium() {
        let world = World(blocks: 2048)
        world.login()
        let bytes = (0..<1000 * 512).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(world.command(Self.cdb10(0x2E, 9, 1000, flags: 2), out: bytes).status == .good)
        #expect(Array(world.disks[0][9 * 512..<1009 * 512]) == bytes)
        #expect(world.command(Self.cdb10(0x2E, 9, 1000, flags: 4), out: bytes).code == 0x2400)
        world.spoilsWrites = true
        let wrong = world.command(Self.cdb10(0x2E, 9, 1000, flags: 2), out: bytes)
        #expect(wrong.status == .checkCondition && wrong.key == 0xE && wrong.code == 0x1D00)
        #expect(world.command(Self.cdb10(0x2E, 9, 1000), out: bytes).status == .good, "only the medium is verified")
        world.expectIdle()
    }

    @Test func cacheCommandsReachMemory() {
        let world = World(blocks: 2048)
        world.login()
        #expect(world.command(Self.cdb10(0x34, 0, 8)).status == .conditionMet)
        #expect(world.command(Self.cdb10(0x34, 0, 0)).status == .conditionMet)
        #expect(world.command(Self.cdb10(0x35, 0, 0)).status == .good)
        #expect(world.command(Self.cdb16(0x91, 5, 9, flags: 2)).status == .good)
        #expect(world.command([0x1B, 0, 0, 0, 1, 0]).status == .good)
        world.expectIdle()
    }

    @Test(arguments: [
        (BlockFault.unreadable, 3, 0x1100), (.unwritable, 3, 0x0C00), (.deviceGone, 4, 0x4400),
        (.spaceExhausted, 7, 0x2707), (.notServing, 2, 0x040A), (.aborted, 0xB, 0),
    ] as [(BlockFault, UInt8, UInt16)])
    func faultsBecomeSenseData(fault: BlockFault, key: UInt8, code: UInt16) {
        let world = World()
        world.login()
        world.fault = fault
        for cdb in [Self.cdb10(0x28, 0, 8), Self.cdb10(0x2A, 0, 8), Self.cdb10(0x35, 0, 8), Self.cdb10(0x2F, 0, 8)] {
            let out = cdb[0] == 0x2A ? [UInt8](repeating: 0, count: 4096) : []
            let outcome = world.command(cdb, dataIn: cdb[0] == 0x28 ? 4096 : 0, out: out)
            #expect(outcome.status == .checkCondition && outcome.key == key && outcome.code == code)
        }
        world.expectIdle()
    }

    @Test func aFaultOfTheCommitIsAnswered() {
        let world = World()
        world.login()
        world.holdBlocks = true
        let handle = world.send(Self.cdb10(0x2A, 0, 8), out: [UInt8](repeating: 0, count: 4096))
        world.giveHeldBlocks()
        world.fault = .unwritable
        world.giveHeldBlocks()
        #expect(world.outcome(handle).code == 0x0C00)
        world.expectIdle()
    }
}
