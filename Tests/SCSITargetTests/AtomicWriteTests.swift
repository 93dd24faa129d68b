import BlockModel
import SAM
import Testing

@testable import SCSITarget

/// COMPARE AND WRITE, WRITE ATOMIC, ORWRITE and WRITE SAME.
@Suite struct AtomicWriteTests {
    static func compareAndWrite(_ address: UInt64, _ blocks: UInt8, flags: UInt8 = 0) -> [UInt8] {
        var cdb = MediumAccessTests.cdb16(0x89, address, UInt32(blocks))
        cdb[1] = flags
        return cdb
    }

    static func writeAtomic(_ address: UInt64, _ blocks: UInt16, boundary: UInt16 = 0) -> [UInt8] {
        var cdb = MediumAccessTests.cdb16(0x9C, address, UInt32(blocks))
        cdb[10] = UInt8(boundary >> 8)
        cdb[11] = UInt8(boundary & 0xFF)
        return cdb
    }

    private static func medium(_ world: World, _ start: Int, _ blocks: Int) -> [UInt8] {
        Array(world.disks[0][start * 512..<(start + blocks) * 512])
    }

    @Test(arguments: [(0, 1), (7, 3), (5, 128), (1000, 24)])
    func compareAndWriteWritesWhatItsEqualCompareDataAllow(start: Int, blocks: Int) {
        let world = World()
        world.login()
        let fresh = (0..<blocks * 512).map { UInt8(truncatingIfNeeded: $0 / 5 + 1) }
        let outcome = world.command(
            Self.compareAndWrite(UInt64(start), UInt8(blocks)), out: Self.medium(world, start, blocks) + fresh)
        #expect(outcome.status == .good && outcome.total == UInt32(blocks * 1024))
        #expect(Self.medium(world, start, blocks) == fresh)
        #expect(world.commits == [CommitOptions(durable: false, mode: .compare, isAtomic: true)])
        world.expectIdle()
    }

    @Test(arguments: [0, 511, 512, 1535])
    func aDifferenceIsReportedByItsOffsetAndNothingIsWritten(offset: Int) {
        let world = World()
        world.login()
        let before = world.disks[0]
        var expected = Self.medium(world, 9, 3)
        expected[offset] ^= 0x40
        let outcome = world.command(Self.compareAndWrite(9, 3), out: expected + [UInt8](repeating: 7, count: 1536))
        #expect(outcome.status == .checkCondition && outcome.key == 0xE && outcome.code == 0x1D00)
        #expect(outcome.sense[0] == 0xF0, "INFORMATION is valid")
        let information = outcome.sense[3...6].reduce(0) { $0 << 8 | Int($1) }
        #expect(information == offset)
        #expect(world.disks[0] == before)
        world.expectIdle()
    }

    @Test func compareAndWriteKeepsItsLimits() {
        let world = World()
        world.login()
        #expect(world.command(Self.compareAndWrite(0, 0)).status == .good)
        let tooMany = world.command(Self.compareAndWrite(0, 129), out: [UInt8](repeating: 0, count: 129 * 1024))
        #expect(tooMany.code == 0x2400 && tooMany.sense[17] == 13)
        #expect(world.command(Self.compareAndWrite(1023, 2), out: [0]).code == 0x2100)
        let short = world.command(Self.compareAndWrite(0, 1), out: [UInt8](repeating: 0, count: 1023))
        #expect(short.code == 0x2400 && short.total == 1024)
        #expect(world.command(Self.compareAndWrite(0, 1), out: [UInt8](repeating: 0, count: 2048)).code == 0x2400)
        #expect(world.commits.isEmpty)
        world.command(
            Self.compareAndWrite(0, 1, flags: 8), out: Self.medium(world, 0, 1) + [UInt8](repeating: 1, count: 512))
        #expect(world.durables == [true])
        world.expectIdle()
    }

    @Test func orWriteKeepsTheBitsThatWereThere() {
        let world = World()
        world.login()
        let before = Self.medium(world, 3, 20)
        let mask = (0..<20 * 512).map { UInt8(truncatingIfNeeded: $0 * 3) }
        #expect(world.command(MediumAccessTests.cdb16(0x8B, 3, 20), out: mask).status == .good)
        #expect(Self.medium(world, 3, 20) == zip(before, mask).map { $0 | $1 })
        world.expectIdle()
    }

    @Test func writeAtomicExistsOnUnitsThatHaveIt() {
        let world = World()
        world.login()
        #expect(world.command(Self.writeAtomic(0, 8), out: [UInt8](repeating: 1, count: 4096)).code == 0x2000)
        var profile = UnitProfile()
        profile.atomicBytes = 256 << 10
        let atomic = World(profile: profile)
        atomic.login()
        let data = (0..<64 * 4096).map { UInt8(truncatingIfNeeded: $0 / 7) }
        #expect(atomic.command(Self.writeAtomic(8, 512), out: data).status == .good)
        #expect(Self.medium(atomic, 8, 512) == data)
        #expect(atomic.commits == [CommitOptions(durable: false, isAtomic: true)])
        #expect(atomic.command(Self.writeAtomic(8, 520), out: data).sense[17] == 12)
        #expect(atomic.command(Self.writeAtomic(8, 4), out: data).code == 0x2400)
        #expect(atomic.command(Self.writeAtomic(4, 8), out: data).sense[17] == 2)
        #expect(atomic.command(Self.writeAtomic(1024, 8), out: data).code == 0x2100)
        #expect(atomic.command(Self.writeAtomic(8, 8), out: [UInt8](repeating: 0, count: 100)).code == 0x2400)
        #expect(atomic.command(Self.writeAtomic(0, 0)).status == .good)
        atomic.expectIdle()
    }

    /// Each part between multiples of ATOMIC BOUNDARY is all-or-nothing (SBC-4 §5.46).
    @Test func writeAtomicIsCutAtItsBoundary() {
        var profile = UnitProfile()
        profile.atomicBytes = 32 << 10
        let world = World(profile: profile)
        world.login()
        let limits = world.command([0x12, 1, 0xB0, 0, 255, 0], dataIn: 255).data
        // MAXIMUM ATOMIC TRANSFER LENGTH, WITH ATOMIC BOUNDARY, and MAXIMUM ATOMIC BOUNDARY SIZE.
        #expect(Array(limits[44..<48]) == [0, 0, 0, 64])
        #expect(Array(limits[56..<64]) == [0, 0, 0xFF, 0xF8, 0, 0, 0, 64])
        let data = (0..<100 * 4096).map { UInt8(truncatingIfNeeded: $0 / 13) }
        #expect(world.command(Self.writeAtomic(40, 800), out: data).sense[17] == 12)
        let written = world.command(Self.writeAtomic(40, 800, boundary: 64), out: data)
        #expect(written.status == .good && written.total == 800 * 512)
        #expect(Self.medium(world, 40, 800) == data)
        let each = CommitOptions(durable: false, isAtomic: true)
        #expect(world.commits == [CommitOptions](repeating: each, count: 14))
        #expect(world.writes.map(\.start) == [40] + (1..<14).map { UInt64($0 * 64) })
        #expect(world.writes.allSatisfy { $0.start / 64 == ($0.end - 1) / 64 })
        // Larger than the maximum, or not of whole granules.
        for boundary: UInt16 in [72, 4, 0xFFFF] {
            #expect(world.command(Self.writeAtomic(0, 8, boundary: boundary), out: data).sense[17] == 10)
        }
        world.expectIdle()
    }

    @Test(arguments: [512, 4096] as [UInt32])
    func writeSameRepeatsItsBlock(blockLength: UInt32) {
        let world = World(blocks: 1024, blockLength: blockLength)
        world.login()
        let block = (0..<Int(blockLength)).map { UInt8(truncatingIfNeeded: $0 * 11 + 3) }
        let before = world.disks[0]
        let outcome = world.command(MediumAccessTests.cdb16(0x93, 5, 700), out: block)
        #expect(outcome.status == .good && outcome.total == blockLength)
        let size = Int(blockLength)
        func part(_ disk: [UInt8], _ from: Int, _ to: Int) -> [UInt8] { Array(disk[from * size..<to * size]) }
        #expect(part(world.disks[0], 0, 5) == part(before, 0, 5))
        #expect(part(world.disks[0], 705, 1024) == part(before, 705, 1024))
        for index in 5..<705 { #expect(part(world.disks[0], index, index + 1) == block) }
        // No blocks: to the end; NDOB: zeros, and no Data-Out.
        #expect(world.command(MediumAccessTests.cdb10(0x41, 1000, 0), out: block).status == .good)
        #expect(part(world.disks[0], 1023, 1024) == block)
        var cdb = MediumAccessTests.cdb16(0x93, 0, 3)
        cdb[1] = 1
        #expect(world.command(cdb).total == 0)
        #expect(part(world.disks[0], 0, 3).allSatisfy { $0 == 0 })
        world.expectIdle()
    }

    @Test func writeSameWantsExactlyOneBlock() {
        let world = World()
        world.login()
        for count in [0, 256, 1024] {
            let outcome = world.command(MediumAccessTests.cdb10(0x41, 0, 1), out: [UInt8](repeating: 0, count: count))
            #expect(outcome.code == 0x2400, "\(count)")
        }
        #expect(world.command(MediumAccessTests.cdb16(0x93, 1024, 1), out: [0]).code == 0x2100)
        // UNMAP on a unit that is fully provisioned.
        #expect(world.command(MediumAccessTests.cdb10(0x41, 0, 1, flags: 8), out: [0]).code == 0x2400)
        world.expectIdle()
    }
}
