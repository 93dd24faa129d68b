import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// T10 protection information: what xxPROTECT asks, on units of each type.
@Suite struct ProtectionTests {
    /// CRC-16 of polynomial 8BB7h, bit by bit.
    static func crc(_ data: [UInt8]) -> UInt16 {
        data.reduce(0 as UInt16) { value, byte in
            (0..<8).reduce(value ^ UInt16(byte) << 8) { crc, _ in crc & 0x8000 != 0 ? crc << 1 ^ 0x8BB7 : crc << 1 }
        }
    }

    static func world(_ type: UInt8, blocks: UInt64 = 1024, thin: Bool = false) -> World {
        var profile = UnitProfile()
        profile.protectionType = type
        profile.thin = thin
        profile.atomicBytes = 64 << 10
        let world = World(blocks: blocks, profile: profile)
        world.login()
        return world
    }

    static func data(_ blocks: Int, _ seed: Int = 1) -> [[UInt8]] {
        (0..<blocks).map { block in (0..<512).map { UInt8(truncatingIfNeeded: $0 / 3 &* seed &+ block &* 31 &+ seed) } }
    }

    static func tuple(_ code: UInt16, _ application: UInt16, _ reference: UInt32) -> [UInt8] {
        [UInt8(code >> 8), UInt8(code & 0xFF), UInt8(application >> 8), UInt8(application & 0xFF)]
            + (0..<4).map { UInt8(truncatingIfNeeded: reference >> UInt32(24 - 8 * $0)) }
    }

    /// Blocks as they are transferred, each with its protection information.
    static func wire(_ blocks: [[UInt8]], application: UInt16 = 0x1234, reference: UInt32) -> [UInt8] {
        blocks.enumerated().flatMap { index, block in
            block + tuple(crc(block), application, reference &+ UInt32(index))
        }
    }

    /// READ (16) and its like.
    static func cdb(_ opcode: UInt8, _ address: UInt64, _ blocks: UInt32, protect: UInt8, flags: UInt8 = 0) -> [UInt8] {
        var cdb = MediumAccessTests.cdb16(opcode, address, blocks)
        cdb[1] = protect << 5 | flags
        return cdb
    }

    /// READ (32) and its like.
    static func long(
        _ action: UInt8, _ address: UInt64, _ blocks: UInt32, protect: UInt8, flags: UInt8 = 0, reference: UInt32,
        application: UInt16 = 0, mask: UInt16 = 0
    ) -> [UInt8] {
        var cdb = [UInt8](repeating: 0, count: 32)
        cdb[0] = 0x7F
        cdb[7] = 0x18
        cdb[9] = action
        cdb[10] = protect << 5 | flags
        for index in 0..<8 { cdb[12 + index] = UInt8(truncatingIfNeeded: address >> UInt64(56 - 8 * index)) }
        for index in 0..<4 { cdb[20 + index] = UInt8(truncatingIfNeeded: reference >> UInt32(24 - 8 * index)) }
        cdb.replaceSubrange(24..<28, with: [
            UInt8(application >> 8), UInt8(application & 0xFF), UInt8(mask >> 8), UInt8(mask & 0xFF),
        ])
        for index in 0..<4 { cdb[28 + index] = UInt8(truncatingIfNeeded: blocks >> UInt32(24 - 8 * index)) }
        return cdb
    }

    static func medium(_ world: World, _ start: Int, _ blocks: Int) -> [UInt8] {
        Array(world.disks[0][start * 512..<(start + blocks) * 512])
    }

    static func stored(_ world: World, _ block: Int) -> [UInt8] { Array(world.tuples[0][block * 8..<block * 8 + 8]) }

    /// INFORMATION of fixed format sense data, nil when it is not valid.
    static func information(_ outcome: Outcome) -> Int? {
        outcome.sense.first == 0xF0 ? outcome.sense[3...6].reduce(0) { $0 << 8 | Int($1) } : nil
    }

    static func expect(_ outcome: Outcome, fails code: UInt16, at lba: Int, _ comment: Comment? = nil) {
        #expect(outcome.status == .checkCondition && outcome.key == 0xB, comment)
        #expect(outcome.code == code && information(outcome) == lba, comment)
    }

    // MARK: Generated

    @Test(arguments: [1, 2, 3] as [UInt8])
    func whatComesWithoutProtectionInformationGetsIt(type: UInt8) {
        let world = Self.world(type)
        let blocks = Self.data(300)
        #expect(world.command(Self.cdb(0x8A, 5, 300, protect: 0), out: blocks.flatMap { $0 }).status == .good)
        for (index, block) in blocks.enumerated() {
            let reference = type == 3 ? 0xFFFF_FFFF : UInt32(5 + index)
            #expect(Self.stored(world, 5 + index) == Self.tuple(Self.crc(block), 0, reference))
        }
        #expect(Self.stored(world, 4) == [UInt8](repeating: 0xFF, count: 8))
        #expect(world.command(Self.cdb(0x88, 5, 300, protect: 0), dataIn: 300 * 512).data == blocks.flatMap { $0 })
        world.expectIdle()
    }

    @Test(arguments: [1, 2, 3] as [UInt8])
    func aBlockThatChangedOnTheMediumIsNotDelivered(type: UInt8) {
        let world = Self.world(type)
        let blocks = Self.data(20)
        world.command(Self.cdb(0x8A, 40, 20, protect: 0), out: blocks.flatMap { $0 })
        world.disks[0][47 * 512 + 99] ^= 0x04
        Self.expect(world.command(Self.cdb(0x88, 40, 20, protect: 0), dataIn: 20 * 512), fails: 0x1001, at: 47)
        #expect(world.command(Self.cdb(0x88, 48, 12, protect: 0), dataIn: 12 * 512).status == .good)
        Self.expect(world.command(Self.cdb(0x8F, 40, 20, protect: 0)), fails: 0x1001, at: 47)
        world.expectIdle()
    }

    @Test func whatWasNeverWrittenOrIsUnmappedIsNotChecked() {
        let world = Self.world(1, thin: true)
        #expect(world.command(Self.cdb(0x88, 0, 64, protect: 1), dataIn: 64 * 520).status == .good)
        world.command(Self.cdb(0x8A, 0, 32, protect: 0), out: [UInt8](repeating: 7, count: 32 * 512))
        // UNMAP of 3 to 27: whole pages are discarded, the rest is written.
        let list: [UInt8] = [0, 22, 0, 16, 0, 0, 0, 0] + [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 25, 0, 0, 0, 0]
        #expect(world.command([0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], out: list).status == .good)
        let read = world.command(Self.cdb(0x88, 3, 25, protect: 1), dataIn: 25 * 520)
        #expect(read.status == .good)
        let empty = [UInt8](repeating: 0, count: 512) + [UInt8](repeating: 0xFF, count: 8)
        #expect(read.data == (0..<25).flatMap { _ in empty })
        #expect(Self.stored(world, 2) != Self.stored(world, 3) && Self.stored(world, 28) != Self.stored(world, 27))
        world.expectIdle()
    }

    // MARK: Transferred

    @Test(arguments: [(1, 1), (1, 7), (1, 8), (1, 300), (3, 40)] as [(UInt8, Int)])
    func blocksTravelWithTheirProtectionInformation(type: UInt8, count: Int) {
        let world = Self.world(type)
        let wire = Self.wire(Self.data(count), reference: 13)
        for code in 1...5 as ClosedRange<UInt8> {
            let written = world.command(Self.cdb(0x8A, 13, UInt32(count), protect: code), out: wire)
            #expect(written.status == .good && written.total == UInt32(count * 520), "code \(code)")
            #expect(Self.medium(world, 13, count) == Self.data(count).flatMap { $0 })
            let read = world.command(Self.cdb(0x88, 13, UInt32(count), protect: code), dataIn: count * 520)
            #expect(read.status == .good && read.data == wire && read.total == UInt32(count * 520), "code \(code)")
        }
        world.expectIdle()
    }

    @Test func residualsFollowFromBlocksWithTheirProtectionInformation() {
        let world = Self.world(1)
        let wire = Self.wire(Self.data(10), reference: 0)
        let short = world.command(Self.cdb(0x8A, 0, 10, protect: 1), out: Array(wire.prefix(3 * 520 + 100)))
        #expect(short.status == .good && short.total == 5200)
        #expect(Self.medium(world, 0, 3) == Self.data(3).flatMap { $0 })
        #expect(Self.stored(world, 3) == [UInt8](repeating: 0xFF, count: 8))
        world.command(Self.cdb(0x8A, 0, 10, protect: 1), out: wire)
        for length in [1, 519, 520, 521, 3640, 3641, 5199] {
            let read = world.command(Self.cdb(0x88, 0, 10, protect: 1), dataIn: length)
            #expect(read.status == .good && read.data == Array(wire.prefix(length)) && read.total == 5200)
        }
        #expect(world.command(Self.cdb(0x88, 0, 0, protect: 1)).status == .good)
        world.expectIdle()
    }

    /// Each row of SBC-3 tables 67 and 113: which wrong field is found under which code.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt8], [1, 3] as [UInt8])
    func aCodeChecksWhatItsRowSays(code: UInt8, type: UInt8) {
        let checksGuard = code != 2 && code != 3
        let checksReference = code != 3 && code != 4 && type == 1
        let block = Self.data(3)
        let good = Self.wire(block, reference: 77)
        for (at, fails, checked) in [(2 * 520 + 513, 0x1001, checksGuard), (520 + 519, 0x1003, checksReference)] {
            let world = Self.world(type)
            let lba = 77 + at / 520
            var wire = good
            wire[at] ^= 0x20
            let written = world.command(Self.cdb(0x8A, 77, 3, protect: code), out: wire)
            if checked {
                Self.expect(written, fails: UInt16(fails), at: lba, "WRITE, code \(code)")
                #expect(world.commits.isEmpty, "nothing was written")
            } else {
                #expect(written.status == .good)
            }
            // Under code 3 everything is stored as it comes.
            #expect(world.command(Self.cdb(0x8A, 77, 3, protect: 3), out: wire).status == .good)
            let read = world.command(Self.cdb(0x88, 77, 3, protect: code), dataIn: 1560)
            let verified = world.command(Self.cdb(0x8F, 77, 3, protect: code))
            if checked {
                Self.expect(read, fails: UInt16(fails), at: lba, "READ, code \(code)")
                Self.expect(verified, fails: UInt16(fails), at: lba, "VERIFY, code \(code)")
            } else {
                #expect(read.status == .good && read.data == wire && verified.status == .good)
            }
            world.expectIdle()
        }
    }

    @Test func anApplicationTagOfAllOnesExemptsWhatIsRead() {
        let cases: [(UInt8, UInt32, Bool)] = [(1, 9, true), (3, 9, false), (3, 0xFFFF_FFFF, true)]
        for (type, reference, isExempt) in cases {
            let world = Self.world(type)
            let wire = Self.data(1)[0] + Self.tuple(0xDEAD, 0xFFFF, reference)
            #expect(world.command(Self.cdb(0x8A, 0, 1, protect: 3), out: wire).status == .good)
            #expect((world.command(Self.cdb(0x88, 0, 1, protect: 1), dataIn: 520).status == .good) == isExempt)
            // What comes is checked whatever its tags say.
            Self.expect(world.command(Self.cdb(0x8A, 0, 1, protect: 4), out: wire), fails: 0x1001, at: 0)
            world.expectIdle()
        }
    }

    @Test func wrongCodesArePointedAt() {
        let world = Self.world(1)
        for code in [6, 7] as [UInt8] {
            for opcode in [0x88, 0x8A, 0x8B, 0x8E, 0x8F, 0x93, 0x9C] as [UInt8] {
                let outcome = world.command(Self.cdb(opcode, 0, 1, protect: code), dataIn: 0)
                #expect(outcome.code == 0x2400 && Array(outcome.sense[15...17]) == [0xCF, 0, 1], "\(opcode)")
            }
        }
        // Another reserved bit beside it, and a command that has no such field.
        let read = world.command(Self.cdb(0x88, 0, 1, protect: 1, flags: 0x01), dataIn: 520)
        #expect(read.code == 0x2400 && Array(read.sense[15...17]) == [0xC8, 0, 1])
        #expect(world.command(Self.cdb(0x91, 0, 1, protect: 1)).code == 0x2400)
        let plain = World()
        plain.login()
        let refused = plain.command(Self.cdb(0x88, 0, 1, protect: 1), dataIn: 520)
        #expect(refused.code == 0x2400 && Array(refused.sense[15...17]) == [0xCD, 0, 1])
        world.expectIdle()
    }
}
