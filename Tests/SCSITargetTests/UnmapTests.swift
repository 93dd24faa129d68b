import BlockModel
import SAM
import Testing

@testable import SCSITarget

/// UNMAP, WRITE SAME with UNMAP, and GET LBA STATUS on thin units.
@Suite struct UnmapTests {
    private static func thin(blocks: UInt64 = 1024, blockLength: UInt32 = 512) -> World {
        var profile = UnitProfile()
        profile.thin = true
        let world = World(blocks: blocks, blockLength: blockLength, profile: profile)
        world.login()
        return world
    }

    private static func list(_ descriptors: [(UInt64, UInt32)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (address, blocks) in descriptors {
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: address >> UInt64(56 - $0 * 8)) }
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: blocks >> UInt32(24 - $0 * 8)) } + [0, 0, 0, 0]
        }
        let length = bytes.count
        return [
            UInt8((length + 6) >> 8), UInt8((length + 6) & 0xFF), UInt8(length >> 8), UInt8(length & 0xFF), 0, 0, 0, 0,
        ]
            + bytes
    }

    private static func unmap(_ world: World, _ out: [UInt8]) -> Outcome {
        world.command([0x42, 0, 0, 0, 0, 0, 0, UInt8(out.count >> 8), UInt8(out.count & 0xFF), 0], out: out)
    }

    @Test(arguments: [(0, 8), (3, 40), (0, 1), (7, 2), (1016, 8), (1001, 23), (5, 3)] as [(Int, Int)])
    func whatIsUnmappedReadsAsZerosAndNothingElse(start: Int, blocks: Int) {
        let world = Self.thin()
        let before = world.disks[0]
        let outcome = Self.unmap(world, Self.list([(UInt64(start), UInt32(blocks))]))
        #expect(outcome.status == .good && outcome.total == 24)
        var expected = before
        expected.replaceSubrange(start * 512..<(start + blocks) * 512, with: [UInt8](repeating: 0, count: blocks * 512))
        #expect(world.disks[0] == expected)
        let whole = max(0, (start + blocks) / 8 - (start + 7) / 8)
        #expect(world.discards.reduce(0) { $0 + Int($1.count) } == whole * 8)
        world.expectIdle()
    }

    @Test func everyDescriptorCounts() {
        let world = Self.thin(blockLength: 4096)
        let outcome = Self.unmap(world, Self.list([(0, 2), (9, 0), (100, 1), (500, 24)]))
        #expect(outcome.status == .good)
        #expect(
            world.discards == [
                BlockExtent(start: 0, count: 16), BlockExtent(start: 800, count: 8),
                BlockExtent(start: 4000, count: 192),
            ])
        world.expectIdle()
    }

    @Test func aWrongListUnmapsNothing() {
        let world = Self.thin()
        #expect(Self.unmap(world, []).status == .good)
        #expect(Self.unmap(world, [0, 6, 0, 0]).code == 0x1A00)
        #expect(Self.unmap(world, [0, 22, 0, 16, 0, 0, 0, 0]).code == 0x1A00)
        #expect(Self.unmap(world, [0, 6, 0, 16, 0, 0, 0, 0]).code == 0x2600)
        #expect(Self.unmap(world, Self.list([(0, 8), (1020, 8)])).code == 0x2100)
        #expect(Self.unmap(world, Self.list([(.max, 2)])).code == 0x2100)
        #expect(world.discards.isEmpty)
        let full = World()
        full.login()
        #expect(Self.unmap(full, Self.list([(0, 8)])).code == 0x2000)
        world.expectIdle()
    }

    @Test func moreThanTheMaximumIsRefusedAndPointedAt() {
        let world = Self.thin(blocks: 100)
        let large = UInt32(DeviceServerLimits.unmapBytes / 512)
        #expect(Self.unmap(world, Self.list([(0, large + 1)])).code == 0x2100)
        #expect(Int(large) == DeviceServerLimits.unmapBytes / 512)
    }

    @Test func aFullDeviceIsSaid() {
        let world = Self.thin()
        world.fault = .spaceExhausted
        let outcome = world.command(MediumAccessTests.cdb10(0x2A, 0, 1), out: [UInt8](repeating: 1, count: 512))
        #expect(outcome.key == 7 && outcome.code == 0x2707)
        world.expectIdle()
    }

    @Test func writeSameUnmapsZerosAndWritesTheRest() {
        let world = Self.thin()
        let zeros = [UInt8](repeating: 0, count: 512)
        #expect(world.command(MediumAccessTests.cdb10(0x41, 4, 100, flags: 8), out: zeros).total == 512)
        #expect(world.discards == [BlockExtent(start: 8, count: 96)])
        #expect(world.disks[0][4 * 512..<104 * 512].allSatisfy { $0 == 0 })
        var cdb = MediumAccessTests.cdb16(0x93, 200, 16)
        cdb[1] = 9
        #expect(world.command(cdb).status == .good)
        #expect(world.discards.last == BlockExtent(start: 200, count: 16))
        let ones = [UInt8](repeating: 1, count: 512)
        #expect(world.command(MediumAccessTests.cdb10(0x41, 8, 16, flags: 8), out: ones).status == .good)
        #expect(world.disks[0][8 * 512..<24 * 512].allSatisfy { $0 == 1 })
        #expect(world.discards.count == 2)
        world.expectIdle()
    }

    @Test func statusTellsRunsFromTheAddressOn() {
        let world = Self.thin()
        _ = Self.unmap(world, Self.list([(16, 24)]))
        func status(_ address: UInt64, allocation: Int = 4096) -> Outcome {
            var cdb = MediumAccessTests.cdb16(0x9E, address, UInt32(allocation))
            cdb[1] = 0x12
            return world.command(cdb, dataIn: allocation)
        }
        let all = status(4)
        #expect(all.data.count == 8 + 3 * 16 && all.data[3] == UInt8(4 + 3 * 16))
        #expect(Array(all.data[8..<24]) == [0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 12, 0, 0, 0, 0])
        #expect(Array(all.data[24..<40]) == [0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 24, 1, 0, 0, 0])
        #expect(Array(all.data[40..<56]) == [0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 3, 0xD8, 0, 0, 0, 0])
        #expect(status(20, allocation: 24).data.count == 24)
        #expect(status(1024).code == 0x2100)
        let full = World()
        full.login()
        var cdb = MediumAccessTests.cdb16(0x9E, 1000, 64)
        cdb[1] = 0x12
        #expect(
            full.command(cdb, dataIn: 64).data == [
                0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0xE8, 0, 0, 0, 24, 0, 0, 0, 0,
            ])
        world.expectIdle()
    }
}
