import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// Protection information with commands other than READ and WRITE, with type 2, and what says that it is there.
@Suite struct ProtectionCommandTests {
    private typealias Of = ProtectionTests

    // MARK: Type 2

    @Test func type2IsAddressedByCommandsOf32Bytes() {
        let world = Of.world(2)
        for opcode in [0x28, 0x2A, 0x88, 0x8A, 0x8B, 0x8F, 0x89, 0x93, 0x9C] as [UInt8] {
            var cdb = Of.cdb(opcode, 0, 1, protect: 1)
            if opcode < 0x80 { cdb = [opcode, 0x20, 0, 0, 0, 0, 0, 0, 1, 0] }
            let outcome = world.command(cdb, dataIn: 0)
            #expect(outcome.key == 5 && outcome.code == 0x2000, "\(opcode)")
        }
        let blocks = Of.data(20)
        let wire = Of.wire(blocks, reference: 0x7000_0000)
        let written = world.command(Of.long(0x0B, 900, 20, protect: 1, reference: 0x7000_0000), out: wire)
        #expect(written.status == .good && written.total == 20 * 520)
        #expect(Of.medium(world, 900, 20) == blocks.flatMap { $0 })
        let read = world.command(Of.long(0x09, 900, 20, protect: 1, reference: 0x7000_0000), dataIn: 20 * 520)
        #expect(read.status == .good && read.data == wire)
        // In the middle of the range the tag goes on; a wrong one is found in the first block.
        let middle = world.command(Of.long(0x09, 905, 2, protect: 1, reference: 0x7000_0005), dataIn: 1040)
        #expect(middle.data == Array(wire[5 * 520..<7 * 520]))
        for code in 0...5 as ClosedRange<UInt8> {
            let outcome = world.command(Of.long(0x09, 905, 2, protect: code, reference: 0x7000_0000), dataIn: 1040)
            if code == 3 || code == 4 {
                #expect(outcome.status == .good)
            } else {
                Of.expect(outcome, fails: 0x1003, at: 905, "code \(code)")
            }
        }
        // Who does not say what to expect gets no check of the reference tag.
        #expect(world.command(Of.cdb(0x88, 900, 20, protect: 0), dataIn: 20 * 512).data == blocks.flatMap { $0 })
        Of.expect(
            world.command(Of.long(0x0B, 900, 20, protect: 1, reference: 5), out: wire), fails: 0x1003, at: 900)
        world.expectIdle()
    }

    @Test func applicationTagsAreCheckedUnderTheirMaskWhenTheyAreTheClients() {
        let world = Of.world(2)
        let wire = Of.wire(Of.data(3), application: 0xABCD, reference: 1)
        func read(_ tag: UInt16, _ mask: UInt16, protect: UInt8 = 1) -> Outcome {
            world.command(
                Of.long(0x09, 8, 3, protect: protect, reference: 1, application: tag, mask: mask), dataIn: 1560)
        }
        #expect(world.command(Of.long(0x0B, 8, 3, protect: 1, reference: 1), out: wire).status == .good)
        #expect(read(0x1111, 0xFFFF).status == .good, "ATO is zero: the fields are ignored")
        setApplicationTagOwner(world)
        Of.expect(read(0x1111, 0xFFFF), fails: 0x1002, at: 8)
        #expect(read(0xABCD, 0xFFFF).status == .good && read(0x11CD, 0x00FF).status == .good)
        Of.expect(read(0xABCF, 0x0002), fails: 0x1002, at: 8)
        #expect(read(0, 0xFFFF, protect: 4).status == .good && read(0, 0xFFFF, protect: 3).status == .good)
        let other = Of.long(0x0B, 8, 3, protect: 1, reference: 1, application: 1, mask: 1)
        #expect(world.command(other, out: wire).status == .good, "ABCDh has the bit")
        let wrong = Of.long(0x0B, 8, 3, protect: 1, reference: 1, application: 0, mask: 1)
        Of.expect(world.command(wrong, out: wire), fails: 0x1002, at: 8)
        // What comes without protection information leaves the client's tag open.
        world.command(Of.cdb(0x8A, 8, 1, protect: 0), out: Of.data(1)[0])
        #expect(Array(Of.stored(world, 8)[2...3]) == [0xFF, 0xFF])
        world.expectIdle()
    }

    /// MODE SELECT of the Control mode page with ATO one.
    private func setApplicationTagOwner(_ world: World) {
        let sense = world.command([0x1A, 0x08, 0x0A, 0, 64, 0], dataIn: 64)
        #expect(sense.data.count == 16 && sense.data[9] & 0x80 == 0)
        var list = [0, 0, 0, 0] + sense.data.dropFirst(4)
        list[4] &= 0x3F
        list[9] |= 0x80
        #expect(world.command([0x15, 0x10, 0, 0, 16, 0], out: list).status == .good)
        #expect(world.command([0x1A, 0x08, 0x0A, 0, 64, 0], dataIn: 64).data[9] & 0x80 != 0)
    }

    @Test func atoAndDPICZAreOfUnitsWithProtectionInformation() {
        let world = World()
        world.login()
        let plain = world.command([0x1A, 0x08, 0x4A, 0, 64, 0], dataIn: 64).data
        #expect(plain[6] & 0x08 == 0 && plain[9] & 0x80 == 0)
        let protected = Of.world(1).command([0x1A, 0x08, 0x4A, 0, 64, 0], dataIn: 64).data
        #expect(protected[6] & 0x08 != 0 && protected[9] & 0x80 != 0)
    }

    @Test func dpiczLeavesChecksToThoseWhoAskForThem() {
        let world = Of.world(1)
        let block = Of.data(1)[0]
        world.command(Of.cdb(0x8A, 4, 1, protect: 0), out: block)
        world.disks[0][4 * 512] ^= 1
        Of.expect(world.command(Of.cdb(0x88, 4, 1, protect: 0), dataIn: 512), fails: 0x1001, at: 4)
        var list = [0, 0, 0, 0] + world.command([0x1A, 0x08, 0x0A, 0, 64, 0], dataIn: 64).data.dropFirst(4)
        list[4] &= 0x3F
        list[6] |= 0x08
        #expect(world.command([0x15, 0x10, 0, 0, 16, 0], out: list).status == .good)
        #expect(world.command(Of.cdb(0x88, 4, 1, protect: 0), dataIn: 512).status == .good)
        #expect(world.command(Of.cdb(0x8F, 4, 1, protect: 0)).status == .good)
        Of.expect(world.command(Of.cdb(0x88, 4, 1, protect: 1), dataIn: 520), fails: 0x1001, at: 4)
        world.expectIdle()
    }

    @Test func theOtherCommandsOf32BytesDoWhatTheyDoElsewhere() {
        let world = Of.world(2)
        let wire = Of.wire(Of.data(9), reference: 50)
        #expect(world.command(Of.long(0x0C, 16, 9, protect: 1, flags: 2, reference: 50), out: wire).status == .good)
        #expect(world.command(Of.long(0x0A, 16, 9, protect: 1, reference: 50)).status == .good)
        Of.expect(world.command(Of.long(0x0A, 16, 9, protect: 1, reference: 51)), fails: 0x1003, at: 16)
        #expect(world.command(Of.long(0x0A, 16, 9, protect: 1, flags: 2, reference: 50), out: wire).status == .good)
        let same = Of.wire(Of.data(1, 5), reference: 1000)
        #expect(world.command(Of.long(0x0D, 100, 30, protect: 1, reference: 1000), out: same).status == .good)
        for index in [0, 1, 29] {
            #expect(Of.medium(world, 100 + index, 1) == Of.data(1, 5)[0])
            let expected = Of.tuple(Of.crc(Of.data(1, 5)[0]), 0x1234, UInt32(1000 + index))
            #expect(Of.stored(world, 100 + index) == expected)
        }
        var short = Of.long(0x09, 0, 1, protect: 0, reference: 0)
        short[7] = 0x10
        #expect(world.command(short, dataIn: 512).code == 0x2400, "ADDITIONAL CDB LENGTH")
        for type in [1, 3] as [UInt8] {
            let other = Of.world(type)
            for action in 0x09...0x0D as ClosedRange<UInt8> {
                #expect(other.command(Of.long(action, 0, 1, protect: 0, reference: 0)).code == 0x2000)
            }
        }
        world.expectIdle()
    }

    // MARK: Other commands

    @Test func verifyComparesProtectionInformationToo() {
        let world = Of.world(1)
        let wire = Of.wire(Of.data(20), reference: 30)
        world.command(Of.cdb(0x8A, 30, 20, protect: 1), out: wire)
        #expect(world.command(Of.cdb(0x8F, 30, 20, protect: 1, flags: 2), out: wire).status == .good)
        for (at, code) in [(10 * 520 + 7, 3), (10 * 520 + 513, 3), (10 * 520 + 518, 3)] as [(Int, UInt8)] {
            var other = wire
            other[at] ^= 1
            let outcome = world.command(Of.cdb(0x8F, 30, 20, protect: code, flags: 2), out: other)
            #expect(outcome.key == 0xE && outcome.code == 0x1D00, "byte \(at)")
        }
        var other = wire
        other[10 * 520 + 514] ^= 1
        #expect(
            world.command(Of.cdb(0x8F, 30, 20, protect: 1, flags: 2), out: other).status == .good,
            "application tags are not compared while ATO is zero")
        other[10 * 520 + 7] ^= 1
        Of.expect(world.command(Of.cdb(0x8F, 30, 20, protect: 1, flags: 2), out: other), fails: 0x1001, at: 40)
        let single = world.command(Of.cdb(0x8F, 30, 20, protect: 1, flags: 6), out: Array(wire.prefix(520)))
        #expect(single.code == 0x2400 && Array(single.sense[15...17]) == [0xCA, 0, 1])
        #expect(world.command(Of.cdb(0x8E, 30, 20, protect: 1, flags: 2), out: wire).status == .good)
        world.expectIdle()
    }

    @Test(arguments: [1, 3] as [UInt8]) func writeSameCountsReferenceTagsUp(type: UInt8) {
        let world = Of.world(type)
        let block = Of.data(1)[0]
        let reference: UInt32 = type == 1 ? 21 : 5
        let sent = block + Of.tuple(Of.crc(block), 0x77, reference)
        let outcome = world.command(Of.cdb(0x93, 21, 40, protect: 1), out: sent)
        #expect(outcome.status == .good && outcome.total == 520)
        for index in 0..<40 {
            let expected = type == 1 ? reference + UInt32(index) : reference
            #expect(Of.stored(world, 21 + index) == Of.tuple(Of.crc(block), 0x77, expected))
        }
        #expect(world.command(Of.cdb(0x88, 21, 40, protect: 1), dataIn: 40 * 520).status == .good)
        #expect(world.command(Of.cdb(0x93, 200, 10, protect: 0), out: block).status == .good)
        #expect(world.command(Of.cdb(0x88, 200, 10, protect: 1), dataIn: 5200).status == .good)
        // NDOB: nothing to check.
        #expect(world.command(Of.cdb(0x93, 21, 40, protect: 0, flags: 1)).status == .good)
        #expect(Of.stored(world, 40) == [UInt8](repeating: 0xFF, count: 8))
        var bad = sent
        bad[3] ^= 1
        Of.expect(world.command(Of.cdb(0x93, 21, 40, protect: 1), out: bad), fails: 0x1001, at: 21)
        world.expectIdle()
    }

    @Test func orWriteChecksWhatItReadsAndWhatComes() {
        let world = Of.world(1)
        let before = Of.data(20, 3)
        let mask = Of.data(20, 9)
        world.command(Of.cdb(0x8A, 6, 20, protect: 0), out: before.flatMap { $0 })
        let result = world.command(Of.cdb(0x8B, 6, 20, protect: 1), out: Of.wire(mask, reference: 6))
        #expect(result.status == .good && result.total == 20 * 520)
        #expect(Of.medium(world, 6, 20) == zip(before.flatMap { $0 }, mask.flatMap { $0 }).map { $0 | $1 })
        #expect(world.command(Of.cdb(0x88, 6, 20, protect: 1), dataIn: 20 * 520).status == .good)
        Of.expect(
            world.command(Of.cdb(0x8B, 6, 20, protect: 1), out: Of.wire(mask, reference: 7)), fails: 0x1003, at: 6)
        world.disks[0][9 * 512] ^= 1
        Of.expect(
            world.command(Of.cdb(0x8B, 6, 20, protect: 1), out: Of.wire(mask, reference: 6)), fails: 0x1001, at: 9)
        world.expectIdle()
    }

    @Test(arguments: [1, 7, 8, 100]) func compareAndWriteTakesBothHalvesWithProtectionInformation(count: Int) {
        let world = Of.world(1)
        let (before, after) = (Of.data(count, 2), Of.data(count, 4))
        world.command(Of.cdb(0x8A, 3, UInt32(count), protect: 0), out: before.flatMap { $0 })
        var cdb = AtomicWriteTests.compareAndWrite(3, UInt8(count), flags: 0x20)
        let halves = Of.wire(before, reference: 3) + Of.wire(after, reference: 3)
        let outcome = world.command(cdb, out: halves)
        #expect(outcome.status == .good && outcome.total == UInt32(count * 1040))
        #expect(Of.medium(world, 3, count) == after.flatMap { $0 })
        #expect(Of.stored(world, 3) == Of.tuple(Of.crc(after[0]), 0x1234, 3))
        #expect(world.command(cdb, out: halves).code == 0x1D00)
        cdb[1] = 0
        let plain = after.flatMap { $0 } + before.flatMap { $0 }
        #expect(world.command(cdb, out: plain).status == .good)
        #expect(Of.stored(world, 3) == Of.tuple(Of.crc(before[0]), 0, 3))
        world.disks[0][3 * 512] ^= 1
        Of.expect(world.command(cdb, out: plain), fails: 0x1001, at: 3)
        world.expectIdle()
    }

    @Test func writeAtomicTakesBlocksWithProtectionInformation() {
        let world = Of.world(1)
        let wire = Of.wire(Of.data(16), reference: 32)
        var cdb = AtomicWriteTests.writeAtomic(32, 16)
        cdb[1] = 0x20
        let outcome = world.command(cdb, out: wire)
        #expect(outcome.status == .good && outcome.total == 16 * 520)
        #expect(world.commits == [CommitOptions(durable: false, isAtomic: true)])
        #expect(world.command(Of.cdb(0x88, 32, 16, protect: 1), dataIn: 16 * 520).data == wire)
        #expect(world.command(cdb, out: Array(wire.dropLast())).code == 0x2400)
        world.expectIdle()
    }

    @Test func aCommandThatIsAbortedBetweenPiecesLeavesNothing() {
        let world = Of.world(1)
        let wire = Of.wire(Of.data(20), reference: 0)
        world.holdTransport = true
        let write = world.send(Of.cdb(0x8A, 0, 20, protect: 1), out: wire)
        world.giveHeldTransport()
        world.lose(write)
        let read = world.send(Of.cdb(0x88, 0, 20, protect: 1), dataIn: 20 * 520)
        world.giveHeldTransport()
        world.manage(.abortTaskSet)
        world.giveHeldTransport()
        #expect(world.outcome(read).status == nil)
        world.holdTransport = false
        #expect(world.commits.isEmpty)
        #expect(world.command(Of.cdb(0x88, 0, 20, protect: 1), dataIn: 20 * 520).data.count == 20 * 520)
        #expect(world.operations.isEmpty && world.server.commandsUnderWay == 0)
    }

    // MARK: What says so

    @Test(arguments: [1, 2, 3] as [UInt8]) func theUnitSaysWhatProtectionItHas(type: UInt8) {
        let world = Of.world(type)
        #expect(world.command([0x12, 0, 0, 0, 96, 0], dataIn: 96).data[5] & 1 == 1, "PROTECT")
        let capacity = world.command([0x9E, 0x10] + [UInt8](repeating: 0, count: 11) + [32, 0, 0], dataIn: 32).data
        #expect(capacity[12] == (type - 1) << 1 | 1 && capacity[13] >> 4 == 0, "P_TYPE, PROT_EN; P_I_EXPONENT")
        let extended = world.command([0x12, 1, 0x86, 0, 64, 0], dataIn: 64).data
        #expect(extended[4] >> 3 & 7 == [0, 2, 4][Int(type) - 1], "SPT")
        #expect(extended[4] & 7 == (type == 3 ? 6 : 7), "GRD_CHK, APP_CHK, REF_CHK")
        let lengths = world.command([0x12, 1, 0xB4, 0, 64, 0], dataIn: 64).data
        #expect(lengths[9] == 1 << type)
        func usage(_ cdb: [UInt8]) -> [UInt8] { world.command(cdb, dataIn: 64).data }
        let write = usage([0xA3, 0x0C, 0x01, 0x8A, 0, 0, 0, 0, 0, 64, 0, 0])
        #expect(write[5] & 0xE0 == (type == 2 ? 0 : 0xE0), "WRPROTECT is evaluated")
        let long = usage([0xA3, 0x0C, 0x02, 0x7F, 0, 0x09, 0, 0, 0, 64, 0, 0])
        #expect(long[1] & 7 == (type == 2 ? 3 : 1))
        if type == 2 { #expect(long[3] == 32 && long[14] == 0xF8) }
        world.expectIdle()
    }
}
