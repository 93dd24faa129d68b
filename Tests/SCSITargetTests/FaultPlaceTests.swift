import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// Sense data say where an error is (SPC-4 §4.5.2.2, SBC-3 §4.18.1).
@Suite struct FaultPlaceTests {
    private static func information(_ outcome: Outcome) -> UInt32? {
        outcome.sense[0] == 0xF0 ? outcome.sense[3..<7].reduce(0) { $0 << 8 | UInt32($1) } : nil
    }

    @Test(arguments: [512, 4096] as [UInt32])
    func mediumErrorsNameTheirFirstLogicalBlock(blockLength: UInt32) {
        let world = World(blockLength: blockLength)
        world.login()
        let sectors = blockLength / 512
        for (fault, cdb, key) in [
            (.unreadable, MediumAccessTests.cdb10(0x28, 100, 40), 3),
            (.unreadable, MediumAccessTests.cdb10(0x2F, 100, 40), 3),
            (.deviceGone, MediumAccessTests.cdb10(0x28, 100, 40), 4),
            (.unwritable, MediumAccessTests.cdb10(0x2A, 100, 40, flags: 8), 3),
        ] as [(BlockFault, [UInt8], UInt8)] {
            world.fault = fault
            world.faultSector = UInt64(116 * sectors)
            let out = cdb[0] == 0x2A ? [UInt8](repeating: 1, count: 40 * Int(blockLength)) : []
            let failed = world.command(cdb, dataIn: cdb[0] == 0x28 ? 40 * Int(blockLength) : 0, out: out)
            #expect(failed.key == key && Self.information(failed) == 116)
            world.faultSector = nil
            let unknown = world.command(cdb, dataIn: cdb[0] == 0x28 ? 40 * Int(blockLength) : 0, out: out)
            // VERIFY looks for it page by page.
            #expect(unknown.key == key && Self.information(unknown) == (cdb[0] == 0x2F ? 100 : nil))
        }
        // Other sense keys have no place.
        world.fault = .spaceExhausted
        world.faultSector = 8
        let full = world.command(
            MediumAccessTests.cdb10(0x2A, 0, 1), out: [UInt8](repeating: 1, count: Int(blockLength)))
        #expect(full.key == 7 && Self.information(full) == nil)
        world.fault = nil
        world.advance(.seconds(2))
        world.expectIdle()
    }

    /// BYTCHK 00b reads the medium, and finds the page that cannot be read.
    @Test(arguments: [0x2F, 0x2E] as [UInt8]) func verificationReadsTheMedium(opcode: UInt8) {
        let world = World(blocks: 4096)
        world.login()
        let out = opcode == 0x2E ? [UInt8](repeating: 1, count: 1200 * 512) : []
        #expect(world.command(MediumAccessTests.cdb10(opcode, 3, 1200), out: out).status == .good)
        #expect(world.reads.isEmpty && world.verified.map(\.start) == [3, 512, 1024])
        #expect(world.verified.last?.end == 1203)
        world.badSectors = 900..<901
        let failed = world.command(MediumAccessTests.cdb10(opcode, 3, 1200), out: out)
        #expect(failed.key == 3 && failed.code == 0x1100 && Self.information(failed) == 896)
        // One that can be read after all: the command goes on, and writes the rest.
        world.forgives = true
        let whole = opcode == 0x2E ? [UInt8](repeating: 2, count: 1200 * 512) : []
        #expect(world.command(MediumAccessTests.cdb10(opcode, 3, 1200), out: whole).status == .good)
        if opcode == 0x2E { #expect(Array(world.disks[0][3 * 512..<1203 * 512]) == whole) }
        world.expectIdle()
    }

    @Test func aVerifyThatDiffersNamesItsFirstLogicalBlock() {
        let world = World()
        world.login()
        var data = Array(world.disks[0][40 * 512..<80 * 512])
        data[21 * 512 + 511] ^= 1
        let differs = world.command(MediumAccessTests.cdb10(0x2F, 40, 40, flags: 2), out: data)
        #expect(differs.key == 0xE && differs.code == 0x1D00 && Self.information(differs) == 61)
        // BYTCHK 11b: one block for all.
        let same = Array(world.disks[0][40 * 512..<41 * 512])
        let second = world.command(MediumAccessTests.cdb10(0x2F, 40, 40, flags: 6), out: same)
        #expect(second.key == 0xE && Self.information(second) == 41)
        // COMPARE AND WRITE: the byte of the Data-Out instead (SBC-4 §5.3).
        var pair = Array(world.disks[0][40 * 512..<42 * 512])
        pair[700] ^= 1
        let swap = world.command(
            [0x89, 0, 0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0], out: pair + [UInt8](repeating: 0, count: 1024))
        #expect(swap.key == 0xE && Self.information(swap) == 700)
        world.expectIdle()
    }

    @Test func aWriteAndVerifyThatDiffersNamesItsFirstLogicalBlock() {
        let world = World()
        world.login()
        world.spoilsWrites = true
        let spoilt = world.command(
            MediumAccessTests.cdb10(0x2E, 16, 24, flags: 2), out: [UInt8](repeating: 5, count: 24 * 512))
        #expect(spoilt.key == 0xE && Self.information(spoilt) == 39)
        world.expectIdle()
    }
}
