import BlockModel
import Primitives
import SAM
import Testing

@testable import SCSITarget

/// READ LONG and WRITE LONG (SBC-3 §5.19, §5.45), and the pseudo unrecovered errors that WRITE LONG makes.
@Suite struct MarkTests {
    /// WRITE LONG (10) with WR_UNCOR.
    static func mark(_ block: UInt32, flags: UInt8 = 0x40) -> [UInt8] { long(0x3F, flags, block, 0) }

    static func long(_ opcode: UInt8, _ flags: UInt8, _ block: UInt32, _ length: UInt16) -> [UInt8] {
        [
            opcode, flags, UInt8(block >> 24), UInt8(block >> 16 & 0xFF), UInt8(block >> 8 & 0xFF),
            UInt8(block & 0xFF), 0, UInt8(length >> 8), UInt8(length & 0xFF), 0,
        ]
    }

    static func information(_ outcome: Outcome) -> UInt32? {
        guard outcome.sense.count >= 18, outcome.sense[0] & 0x80 != 0 else { return nil }
        return outcome.sense[3...6].reduce(0) { $0 << 8 | UInt32($1) }
    }

    @Test func aReadEndsAtAMarkedBlockThroughBothControllers() {
        let pair = TwoControllers()
        #expect(pair.command(Self.mark(700), nexus: 0).status == .good)
        for nexus in [0, 1] {
            let read = pair.command(MediumAccessTests.cdb10(0x28, 100, 1000 - 100), nexus: nexus, dataIn: 900 * 512)
            #expect(read.key == 3 && read.code == 0x1114 && Self.information(read) == 700)
            #expect(read.data == Array(pair.world(nexus).disks[0][100 * 512..<700 * 512]))
            #expect(read.total == 600 * 512)
            let first = pair.command(MediumAccessTests.cdb10(0x28, 700, 1), nexus: nexus, dataIn: 512)
            #expect(first.code == 0x1114 && first.data.isEmpty)
            let verify = pair.command(MediumAccessTests.cdb10(0x2F, 690, 20), nexus: nexus)
            #expect(verify.code == 0x1114 && Self.information(verify) == 700)
            #expect(pair.command(MediumAccessTests.cdb10(0x34, 690, 20), nexus: nexus).code == 0x1114)
            let or = [0x8B, 0, 0, 0, 0, 0, 0, 0, 2, 0xBC, 0, 0, 0, 1, 0, 0] as [UInt8]
            #expect(pair.command(or, nexus: nexus, out: [UInt8](repeating: 1, count: 512)).code == 0x1114)
            let compare = [0x89, 0, 0, 0, 0, 0, 0, 0, 2, 0xBC, 0, 0, 0, 1, 0, 0] as [UInt8]
            #expect(pair.command(compare, nexus: nexus, out: [UInt8](repeating: 1, count: 1024)).code == 0x1114)
            let before = pair.command(MediumAccessTests.cdb10(0x28, 600, 100), nexus: nexus, dataIn: 51_200)
            #expect(before.status == .good)
        }
        // What the other's expected data differ in before the marked block comes first.
        let compared = pair.command(
            MediumAccessTests.cdb10(0x2F, 699, 2).enumerated().map { $0.offset == 1 ? 2 : $0.element }, nexus: 1,
            out: [UInt8](repeating: 0xEE, count: 1024))
        #expect(compared.key == 0xE)
        pair.expectIdle()
    }

    /// Everything that writes takes the marks of what it wrote away, and no others.
    @Test func writingTakesMarksAway() {
        var profile = UnitProfile()
        profile.thin = true
        let block = [UInt8](repeating: 0x3C, count: 512)
        let unmap: [UInt8] = [0, 22, 0, 16, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 50, 0, 0, 0, 1, 0, 0, 0, 0]
        let writes: [(cdb: [UInt8], out: [UInt8])] = [
            (MediumAccessTests.cdb10(0x2A, 49, 2), block + block), (MediumAccessTests.cdb10(0x2E, 50, 1), block),
            (MediumAccessTests.cdb10(0x41, 40, 20), block), (Self.long(0x3F, 0, 50, 512), block),
            ([0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], unmap),
            ([0x93, 0x09, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0, 8, 0, 0], []),
            (BackgroundTests.format, []), (BackgroundTests.blockErase(), []), ([4, 0, 0, 0, 1, 0], []),
        ]
        for (cdb, out) in writes {
            let pair = TwoControllers(profile: profile)
            #expect(pair.command(Self.mark(50), nexus: 0).status == .good)
            #expect(pair.command(Self.mark(60), nexus: 1).status == .good)
            #expect(pair.command(MediumAccessTests.cdb10(0x28, 50, 1), nexus: 1, dataIn: 512).code == 0x1114)
            #expect(pair.command(cdb, nexus: 0, out: out).status == .good, "\(cdb)")
            for nexus in [0, 1] {
                let read = pair.command(MediumAccessTests.cdb10(0x28, 50, 1), nexus: nexus, dataIn: 512)
                #expect(read.status == .good, "\(cdb)")
            }
            let all = cdb[0] == 4 || cdb[0] == 0x48
            #expect(pair.state().hasMarks == !all, "\(cdb)")
            pair.expectIdle()
        }
    }

    @Test func aFullListSaysSo() {
        let world = World()
        world.login()
        for index in 0..<UInt32(StateBlock.markGroups) {
            #expect(world.command(Self.mark(index * 100)).status == .good)
        }
        let refused = world.command(Self.mark(1000))
        #expect(refused.key == 5 && refused.code == 0x5503)
        #expect(world.command(Self.mark(103)).status == .good, "there is room in a group that is there")
        let block = [UInt8](repeating: 1, count: 512)
        #expect(world.command(MediumAccessTests.cdb10(0x2A, 0, 1), out: block).status == .good)
        #expect(world.command(Self.mark(1000)).status == .good)
    }

    @Test func readLongReturnsTheBlockAndRefusesOtherLengths() {
        let world = World()
        world.login()
        let read = world.command(Self.long(0x3E, 0, 9, 512), dataIn: 512)
        #expect(read.status == .good && read.data == Array(world.disks[0][9 * 512..<10 * 512]))
        let longer = world.command(Self.long(0x3E, 0, 9, 520), dataIn: 520)
        #expect(longer.code == 0x2400 && longer.sense[2] & 0x20 != 0 && Self.information(longer) == 8)
        let shorter = world.command(Self.long(0x3E, 0, 9, 500), dataIn: 500)
        #expect(shorter.code == 0x2400 && Self.information(shorter) == UInt32(bitPattern: -12))
        #expect(world.command(Self.long(0x3E, 0, 9, 0)).status == .good)
        #expect(world.command(Self.long(0x3E, 0, 1024, 512), dataIn: 512).code == 0x2100)
        // PBLOCK: the physical block of eight.
        let physical = world.command(Self.long(0x3E, 4, 9, 4096), dataIn: 4096)
        #expect(physical.status == .good && physical.data == Array(world.disks[0][8 * 512..<16 * 512]))
        let sixteen: [UInt8] = [0x9E, 0x11, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 2, 0, 0, 0]
        #expect(world.command(sixteen, dataIn: 512).data == read.data)
        #expect(World(blockLength: 4096).exponentRefuses)
        // A marked block is returned as it is, unless it shall be corrected.
        #expect(world.command(Self.mark(9)).status == .good)
        #expect(world.command(Self.long(0x3E, 0, 9, 512), dataIn: 512).data == read.data)
        #expect(world.command(Self.long(0x3E, 2, 9, 512), dataIn: 512).code == 0x1114)
        world.expectIdle()
    }

    @Test func writeLongWritesOrMarksOneBlockOrThePhysicalOne() {
        let world = World()
        world.login()
        let block = [UInt8](repeating: 0x77, count: 512)
        #expect(world.command(Self.long(0x3F, 0, 20, 512), out: block).status == .good)
        #expect(Array(world.disks[0][20 * 512..<21 * 512]) == block && world.durables == [true])
        let wrong = world.command(Self.long(0x3F, 0, 20, 510), out: [UInt8](repeating: 0, count: 510))
        #expect(wrong.code == 0x2400 && Self.information(wrong) == UInt32(bitPattern: -2))
        // COR_DIS writes and marks.
        #expect(world.command(Self.long(0x3F, 0x80, 21, 512), out: block).status == .good)
        #expect(Array(world.disks[0][21 * 512..<22 * 512]) == block)
        #expect(world.command(MediumAccessTests.cdb10(0x28, 21, 1), dataIn: 512).code == 0x1114)
        // PBLOCK marks the physical block.
        let sixteen: [UInt8] = [0x9F, 0x71, 0, 0, 0, 0, 0, 0, 0, 35, 0, 0, 0, 0, 0, 0]
        #expect(world.command(sixteen).status == .good)
        for block in 31..<41 as Range<UInt32> {
            let read = world.command(MediumAccessTests.cdb10(0x28, block, 1), dataIn: 512)
            #expect((read.status == .good) == !(32..<40).contains(block))
        }
        world.expectIdle()
    }

    @Test func marksOutliveATakeoverAndAPowerCycle() {
        let pair = TwoControllers()
        #expect(pair.command(Self.mark(5), nexus: 0).status == .good)
        let survivor = pair.worlds[1]
        survivor.holdState = false
        survivor.serve(paired: false)
        survivor.command(BackgroundTests.testUnitReady)
        #expect(survivor.command(MediumAccessTests.cdb10(0x28, 5, 1), dataIn: 512).code == 0x1114)
        let again = World(serving: false)
        again.state().base.copyMemory(from: survivor.state().base, byteCount: PageSize.bytes)
        again.state().cyclePower()
        again.serve()
        again.login()
        #expect(again.command(MediumAccessTests.cdb10(0x28, 5, 1), dataIn: 512).code == 0x1114)
    }
}

extension World {
    /// A unit whose physical blocks are its logical ones has no PBLOCK.
    fileprivate var exponentRefuses: Bool {
        login()
        return command(MarkTests.long(0x3E, 4, 9, 4096), dataIn: 4096).code == 0x2400
    }
}
