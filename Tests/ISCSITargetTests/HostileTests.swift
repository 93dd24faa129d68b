import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

@Suite struct HostileTests {
    func session(_ keys: [String] = []) throws -> (Bench, Initiator) {
        let bench = Bench()
        let host = Initiator(bench)
        #expect(try #require(host.login(keys)).0.status == 0)
        return (bench, host)
    }

    func reason(_ host: Initiator) -> UInt8? {
        host.take().first { $0.opcode == .reject }?.decoded { RejectPDU(decoding: $0) }.reason
    }

    @Test(arguments: [0x07, 0x0F, 0x20, 0x21, 0x25, 0x31, 0x3F, 0x1C]) func foreignOpcodesAreRejected(
        _ code: Int
    ) throws {
        let (_, host) = try session()
        host.put { base in
            base.beginHeader(.nopOut, flags: 0x80, initiatorTaskTag: 5)
            base.put(byte: UInt8(code), 0)
        }
        let seen = try #require(host.take().first)
        #expect(seen.decoded { RejectPDU(decoding: $0) }.reason == RejectReason.commandNotSupported.rawValue)
        #expect(seen.data.count == 48 && seen.data[0] == UInt8(code))
    }

    @Test func requestsOutOfPlaceAreRejectedWithTheirReason() throws {
        let (bench, host) = try session()
        host.putLogin(Initiator.names)
        #expect(reason(host) == RejectReason.protocolError.rawValue)
        var snack = SNACKRequestPDU()
        snack.type = 1
        host.put(snack.encode)
        #expect(reason(host) == RejectReason.snackReject.rawValue)
        _ = host.command([0x00]) { $0.initiatorTaskTag = Tag.none }
        #expect(reason(host) == RejectReason.protocolError.rawValue)
        _ = host.command([0x00]) { $0.attribute = 5 }
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
        _ = host.command([0x00], read: 512) { $0.write = true }
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
        let task = host.command([0xE0])
        _ = host.command([0x00]) { $0.initiatorTaskTag = task }
        #expect(reason(host) == RejectReason.taskInProgress.rawValue)
        _ = host.command([0x00]) { $0.cmdSN &+= 1 }
        #expect(reason(host) == RejectReason.protocolError.rawValue)
        var text = TextRequestPDU()
        text.immediate = true
        text.targetTransferTag = 77
        host.put(text.encode)
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
        #expect(bench.target.sessionCount == 1)
    }

    @Test func commandsOutsideTheWindowAreDroppedInSilence() throws {
        let (bench, host) = try session()
        _ = host.command(Initiator.write10(0, 1), write: 512, immediate: pattern(512)) { $0.cmdSN &+= 1000 }
        host.cmdSN &-= 1
        _ = host.command([0x00]) { $0.cmdSN &-= 1 }
        host.cmdSN &-= 1
        #expect(host.take().isEmpty)
        #expect(bench.target.statistics.dropped == 2)
        _ = host.command([0x00])
        #expect(host.take().first?.opcode == .scsiResponse)
    }

    @Test func aSegmentLongerThanDeclaredEndsTheConnection() throws {
        let (bench, host) = try session()
        host.put({ base in base.beginHeader(.nopOut, flags: 0x80, initiatorTaskTag: 5) })
        bench.toTarget[1]?.replaceSubrange(5..<8, with: [0x04, 0x00, 0x01])
        #expect(reason(host) == RejectReason.protocolError.rawValue)
        #expect(bench.effects.contains(.protocolError(StreamID(1), .segmentTooLong)))
    }

    static let digests = ["HeaderDigest=CRC32C", "DataDigest=CRC32C"]

    @Test func aHeaderDigestErrorEndsTheSession() throws {
        let (bench, host) = try session(Self.digests)
        _ = host.command(Initiator.write10(0, 1), write: 512, immediate: pattern(512))
        bench.toTarget[1]?[48] ^= 1
        #expect(host.take().isEmpty)
        #expect(bench.effects.contains(.protocolError(StreamID(1), .headerDigest)))
        #expect(bench.effects.contains(.close(StreamID(1))))
        #expect(bench.target.commandCount == 0)
        #expect(bench.target.sessionCount == 0)
    }

    @Test func damagedDataAreRejectedAndEndTheirTask() throws {
        let (bench, host) = try session(Self.digests)
        _ = host.command(Initiator.write10(0, 1), write: 512, immediate: pattern(512))
        bench.toTarget[1]?[60] ^= 1
        var seen = host.take()
        #expect(seen.map(\.opcode) == [.reject, .scsiResponse])
        #expect(seen.first?.decoded { RejectPDU(decoding: $0) }.reason == RejectReason.dataDigestError.rawValue)
        #expect(seen.last.map { [$0.data[4], $0.data[14], $0.data[15]] } == [0x0B, 0x47, 0x05])
        // Of several Data-Out PDUs, the response waits for the last.
        let task = host.command(Initiator.write10(0, 8), write: 4096)
        let r2t = try #require(host.take().first).decoded { ReadyToTransferPDU(decoding: $0) }
        let tag = r2t.targetTransferTag
        host.putData(task, transferTag: tag, number: 0, offset: 0, pattern(2048), final: false)
        bench.toTarget[1]?[60] ^= 1
        #expect(host.take().map(\.opcode) == [.reject])
        host.putData(task, transferTag: tag, number: 1, offset: 2048, pattern(2048), final: true)
        seen = host.take()
        #expect(seen.map(\.opcode) == [.scsiResponse])
        #expect(seen.last.map { [$0.data[4], $0.data[14], $0.data[15]] } == [0x0B, 0x47, 0x05])
        #expect(bench.device.disk[0..<4096].allSatisfy { $0 == 0 })
        #expect(bench.target.commandCount == 0)
        #expect(host.read(0, 1).data.count == 512)
    }

    @Test func aDamagedPingIsDiscarded() throws {
        let (bench, host) = try session(Self.digests)
        var pdu = NOPOutPDU()
        pdu.initiatorTaskTag = host.tag()
        host.put(pdu.encode, data: pattern(100))
        bench.toTarget[1]?[60] ^= 1
        #expect(reason(host) == RejectReason.dataDigestError.rawValue)
        #expect(bench.target.sessionCount == 1)
        // One with a CmdSN leaves a gap that nothing can fill at ErrorRecoveryLevel 0.
        pdu.immediate = false
        pdu.cmdSN = host.cmdSN
        host.put(pdu.encode, data: pattern(100))
        bench.toTarget[1]?[60] ^= 1
        #expect(reason(host) == RejectReason.dataDigestError.rawValue)
        #expect(bench.effects.contains(.protocolError(StreamID(1), .dataDigest)))
    }

    @Test func unsolicitedDataThatWasNotAgreedIsRefusedWithSense() throws {
        let (_, host) = try session(["ImmediateData=No"])
        let code: (SeenPDU?) -> [UInt8]? = { $0.map { [$0.data[4], $0.data[14], $0.data[15]] } }
        _ = host.command(Initiator.write10(0, 1), write: 512, immediate: pattern(512))
        #expect(code(host.take().first) == [0x0B, 0x0C, 0x0C])
        _ = host.command(Initiator.write10(0, 1), write: 512, final: false)
        #expect(code(host.take().first) == [0x0B, 0x0C, 0x0C])
        let (_, second) = try session(["FirstBurstLength=512"])
        _ = second.command(Initiator.write10(0, 2), write: 1024, immediate: pattern(516))
        #expect(code(second.take().first) == [0x0B, 0x0C, 0x0D])
    }

    @Test(arguments: 0..<6) func dataThatWereNotAskedForFailTheTask(_ way: Int) throws {
        let (bench, host) = try session()
        let task = host.command(Initiator.write10(0, 8), write: 4096)
        let r2t = try #require(host.take().first).decoded { ReadyToTransferPDU(decoding: $0) }
        let tag = r2t.targetTransferTag
        switch way {
        case 0: host.putData(task, transferTag: tag, number: 1, offset: 0, pattern(4096), final: true)
        case 1: host.putData(task, transferTag: tag, number: 0, offset: 4, pattern(4092), final: true)
        case 2: host.putData(task, transferTag: tag, number: 0, offset: 0, pattern(4100), final: true)
        case 3: host.putData(task, transferTag: tag, number: 0, offset: 0, pattern(4096), final: false)
        case 4: host.putData(task, transferTag: tag, number: 0, offset: 0, pattern(2048), final: true)
        default: host.putData(task, number: 0, offset: 0, pattern(2048), final: true)
        }
        let seen = try #require(host.take().first)
        #expect(seen.decoded { SCSIResponsePDU(decoding: $0) }.status == 2)
        #expect([seen.data[4], seen.data[14]] == [0x0B, 0x0C])
        #expect(bench.device.log.last == "lost command")
        #expect(bench.target.commandCount == 0)
        #expect(bench.device.disk[0..<4096].allSatisfy { $0 == 0 })
        #expect(host.read(0, 1).data.count == 512)
    }

    @Test func dataOfOthersAreDropped() throws {
        let (bench, host) = try session()
        host.putData(4711, number: 0, offset: 0, pattern(20_000), final: true)
        #expect(host.take().isEmpty)
        let task = host.command(Initiator.write10(0, 8), write: 4096)
        _ = host.take()
        host.putData(task, transferTag: 4711, number: 0, offset: 0, pattern(20_000), final: true)
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
        let read = host.command([0xE0], read: 512)
        _ = host.take()
        host.putData(read, number: 0, offset: 0, pattern(512), final: true)
        #expect(reason(host) == RejectReason.invalidPDUField.rawValue)
        #expect(bench.target.sessionCount == 1)
    }

    @Test func textsThatGrowWithoutEndAreCut() throws {
        let (bench, host) = try session()
        var transferTag = Tag.none
        var rejected = false
        for _ in 0..<12 where !rejected {
            var pdu = TextRequestPDU()
            pdu.immediate = true
            pdu.final = false
            pdu.continues = true
            pdu.initiatorTaskTag = 9
            pdu.targetTransferTag = transferTag
            host.put(pdu.encode, data: pattern(8192))
            let seen = try #require(host.take().first)
            rejected = seen.opcode == .reject
            if !rejected { transferTag = seen.decoded { TextResponsePDU(decoding: $0) }.targetTransferTag }
        }
        #expect(rejected)
        #expect(bench.target.sessionCount == 1)
    }

    /// Random and half-right PDUs, with digests and cuts at random places: nothing traps, nothing leaks.
    @Test(arguments: 0..<60) func noiseNeitherTrapsNorLeaks(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let bench = Bench()
        for round in 0..<20 {
            bench.readLimit = random.chance(1, in: 2) ? Int.max : Int(random.below(300)) + 1
            bench.writeLimit = random.chance(1, in: 2) ? Int.max : Int(random.below(300)) + 1
            let stream = UInt32(round % 3 + 1)
            let host = Initiator(bench, stream: stream)
            host.isid = ISID(random.below(2))
            var keys = ["InitialR2T=No", "MaxConnections=4", "ErrorRecoveryLevel=\(seed % 3)"]
            if random.chance(1, in: 3) { keys += ["DataDigest=CRC32C"] }
            if random.chance(1, in: 3) { keys += ["HeaderDigest=CRC32C"] }
            if random.chance(1, in: 2) { keys += ["TaskReporting=ResponseFence"] }
            if let other = bench.lastTSIH, random.chance(1, in: 2) {
                host.putLogin(Initiator.names + keys.suffix(keys.count - 3)) { pdu in
                    pdu.tsih = other
                    pdu.cid = UInt16(random.below(3))
                }
                host.headerDigest = keys.contains("HeaderDigest=CRC32C")
                host.dataDigest = keys.contains("DataDigest=CRC32C")
            } else if random.chance(9, in: 10) {
                bench.lastTSIH = host.login(keys)?.0.tsih
            }
            for _ in 0..<30 { Self.noise(host, &random) }
            bench.stalled = random.chance(1, in: 4)
            bench.settle()
            bench.stalled = false
            if random.chance(1, in: 3) { bench.advance(.seconds(20)) }
            if random.chance(2, in: 3) { bench.close(stream) }
        }
        for stream in 1...3 { bench.close(UInt32(stream)) }
        bench.advance(.seconds(4000))
        #expect(bench.target.commandCount == 0)
        #expect(bench.target.sessionCount == 0)
        #expect(bench.target.connectionCount == 0)
        #expect(bench.target.heldCount == 0)
        #expect(bench.target.retainedBlocks == 0)
        #expect(bench.device.works.isEmpty)
    }

    static func noise(_ host: Initiator, _ random: inout SeededRandom) {
        let codes: [UInt8] = [0, 1, 1, 1, 2, 3, 4, 5, 5, 5, 6, 0x10, 0x40, 0x41, 0x42, 0x44]
        var header = (0..<48).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        header[0] = random.chance(1, in: 10) ? header[0] : codes[Int(random.below(UInt64(codes.count)))]
        if header[0] & 0x3F == 6 && random.chance(9, in: 10) { header[0] = 1 }
        if random.chance(3, in: 4) {
            let tag = UInt32(random.below(6))
            for (place, shift) in [(16, 24), (17, 16), (18, 8), (19, 0)] {
                header[place] = UInt8(truncatingIfNeeded: tag >> shift)
            }
            for (place, shift) in [(24, 24), (25, 16), (26, 8), (27, 0)] {
                header[place] = UInt8(truncatingIfNeeded: host.cmdSN >> shift)
            }
            if header[0] & 0x40 == 0 && header[0] != 5 { host.cmdSN &+= 1 }
        }
        if random.chance(1, in: 2) { header.replaceSubrange(20..<24, with: [0, 0, 0x10, 0]) }
        if header[0] == 5 && random.chance(1, in: 2) { header.replaceSubrange(20..<24, with: [255, 255, 255, 255]) }
        if random.chance(1, in: 2) { header.replaceSubrange(36..<44, with: [0, 0, 0, 0, 0, 0, 0, 0]) }
        if header[0] & 0x3F == 1 {
            let opcode: [UInt8] = [0x28, 0x2A, 0x2A, 0x12, 0xE0, 0xFF]
            header.replaceSubrange(32..<42, with: [opcode[Int(random.below(6))], 0, 0, 0, 0, 1, 0, 0, 64, 0])
            header[1] = [0x80, 0xC0, 0xA0, 0x20, 0xE0][Int(random.below(5))]
        }
        let length = random.chance(1, in: 2) ? 0 : Int(random.below(random.chance(1, in: 5) ? 40_000 : 600))
        let additional = random.chance(1, in: 10) ? [0, 17, 1] + pattern(17) : []
        host.put({ $0.copyMemory(from: header, byteCount: 48) }, additional: additional, data: pattern(length))
        if random.chance(1, in: 40) { host.bench.toTarget[host.stream]?[0] ^= 0x11 }
    }
}
