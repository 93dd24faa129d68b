import ISCSIFormats
import Primitives
import SAM
import Testing

@testable import ISCSITarget

@Suite struct DataTests {
    func session(_ keys: [String] = [], _ adjust: (inout ISCSITargetConfiguration.Limits) -> Void = { _ in })
        throws -> (Bench, Initiator) {
        let bench = Bench(adjust)
        bench.device.disk = RAMDevice.noise
        let host = Initiator(bench)
        #expect(try #require(host.login(keys)).0.status == 0)
        return (bench, host)
    }

    @Test(arguments: [
        ([], Int.max, Int.max), (["HeaderDigest=CRC32C", "DataDigest=CRC32C"], Int.max, Int.max),
        (["HeaderDigest=CRC32C", "DataDigest=CRC32C"], 7, 5), ([], 1, 1),
    ]) func aReadDeliversTheBytesWithItsStatus(_ keys: [String], _ readLimit: Int, _ writeLimit: Int) throws {
        let (bench, host) = try session(keys)
        bench.readLimit = readLimit
        bench.writeLimit = writeLimit
        let (data, last, pdus) = host.read(3, 33)
        #expect(data == Array(bench.device.disk[1536..<(36 * 512)]))
        #expect(pdus == 3)
        #expect(last?.hasStatus == true && last?.final == true && last?.residual == Residual())
        #expect(bench.target.commandCount == 0)
        #expect(bench.device.works.isEmpty)
    }

    @Test func aLongReadGoesInRunsAndBursts() throws {
        let (bench, host) = try session(["MaxRecvDataSegmentLength=65535", "MaxBurstLength=131072"])
        let (data, last, _) = host.read(0, 2048)
        #expect(data == Array(bench.device.disk[0..<(1 << 20)]))
        #expect(last?.hasStatus == true)
        #expect(bench.target.commandCount == 0)
    }

    @Test func residualsOfReads() throws {
        let (bench, host) = try session()
        let over = host.read(0, 4, expecting: 1000)
        #expect(over.data == Array(bench.device.disk[0..<1000]))
        #expect(over.last?.residual == Residual(overflow: true, count: 1048))
        let under = host.read(0, 1, expecting: 700)
        #expect(under.data.count == 512)
        #expect(under.last?.residual == Residual(underflow: true, count: 188))
        _ = host.command(Initiator.read10(0, 1))
        let response = try #require(host.take().first)
        #expect(response.decoded { SCSIResponsePDU(decoding: $0) }.residual == Residual(overflow: true, count: 512))
        #expect(bench.target.commandCount == 0)
        #expect(bench.device.works.isEmpty)
    }

    @Test func senseComesWithTheResponse() throws {
        let (bench, host) = try session()
        _ = host.command([0xFF], read: 512)
        let seen = try #require(host.take().first)
        let response = seen.decoded { SCSIResponsePDU(decoding: $0) }
        #expect(response.status == 2)
        #expect(response.residual == Residual(underflow: true, count: 512))
        #expect(seen.data == [0, 18] + (0..<18).map { UInt8(0xA0 + $0) })
        #expect(bench.target.commandCount == 0)
    }

    @Test func inquiryComesFromTheParameterPage() throws {
        let (_, host) = try session()
        _ = host.command([0x12], read: 255)
        let seen = try #require(host.take().first)
        #expect(seen.data == (0..<36).map { UInt8($0) })
        #expect(seen.decoded { DataInPDU(decoding: $0) }.residual == Residual(underflow: true, count: 219))
    }

    struct WriteCase: Sendable, CustomTestStringConvertible {
        var name: String
        var keys: [String]
        var blocks: Int
        var immediate: Int
        var unsolicited: Int
        var pdu = 65_536
        var readLimit = Int.max
        var r2ts: Int
        var testDescription: String { name }
    }

    static let digests = ["HeaderDigest=CRC32C", "DataDigest=CRC32C"]
    static let noR2T = ["InitialR2T=No"]
    static let writes: [WriteCase] = [
        .init(name: "solicited", keys: [], blocks: 8, immediate: 0, unsolicited: 0, r2ts: 1),
        .init(name: "immediate", keys: [], blocks: 8, immediate: 4096, unsolicited: 0, r2ts: 0),
        .init(name: "immediate and solicited", keys: [], blocks: 64, immediate: 8192, unsolicited: 0, r2ts: 1),
        .init(name: "unsolicited", keys: noR2T, blocks: 64, immediate: 0, unsolicited: 32768, r2ts: 0),
        .init(name: "all three", keys: noR2T, blocks: 1024, immediate: 8192, unsolicited: 57344, r2ts: 2),
        .init(name: "odd sizes", keys: noR2T, blocks: 256, immediate: 1001, unsolicited: 30003, pdu: 9999, r2ts: 1),
        .init(name: "small bursts", keys: ["MaxBurstLength=16384"], blocks: 300, immediate: 0, unsolicited: 0,
            pdu: 5000, r2ts: 10),
        .init(name: "digests", keys: noR2T + digests, blocks: 700, immediate: 333, unsolicited: 60000, pdu: 70001,
            r2ts: 2),
        .init(name: "drip", keys: noR2T + digests, blocks: 40, immediate: 333, unsolicited: 3333, pdu: 9001,
            readLimit: 1, r2ts: 1),
        .init(name: "short reads", keys: digests, blocks: 700, immediate: 0, unsolicited: 0, pdu: 262_144,
            readLimit: 10_007, r2ts: 2),
        .init(name: "big burst first", keys: noR2T + ["FirstBurstLength=262144"], blocks: 600, immediate: 100_000,
            unsolicited: 150_000, pdu: 262_144, r2ts: 2),
    ]

    @Test(arguments: writes, [262_144, 12_288]) func aWriteArrivesWhole(_ test: WriteCase, _ chunk: Int) throws {
        let (bench, host) = try session(test.keys)
        bench.device.chunkBytes = UInt32(chunk)
        bench.readLimit = test.readLimit
        let data = pattern(test.blocks * 512, seed: 9)
        let task = host.command(
            Initiator.write10(5, test.blocks), write: data.count, immediate: Array(data[0..<test.immediate]),
            final: test.unsolicited == 0)
        var at = test.immediate
        var number: UInt32 = 0
        let end = test.immediate + test.unsolicited
        while at < end {
            let count = min(test.pdu, end - at)
            host.putData(
                task, number: number, offset: at, Array(data[at..<(at + count)]), final: at + count == end)
            at += count
            number += 1
        }
        let (response, r2ts) = host.finishWrite(task, data, pduBytes: test.pdu)
        #expect(response?.status == 0)
        #expect(response?.residual == Residual())
        if chunk == 262_144 { #expect(r2ts == test.r2ts) }
        #expect(Array(bench.device.disk[2560..<(2560 + data.count)]) == data)
        #expect(bench.target.commandCount == 0)
        #expect(bench.target.statistics.rejects == 0)
    }

    /// A CDB that transfers the other way than its PDU is flagged: nothing of the expected bytes was transferred.
    @Test func residualsOfCommandsFlaggedTheOtherWay() throws {
        let (_, host) = try session()
        _ = host.command(Initiator.write10(0, 2), read: 4096)
        let write = try #require(host.take().first)
        #expect(write.decoded { SCSIResponsePDU(decoding: $0) }.residual == Residual(underflow: true, count: 4096))
        _ = host.command(Initiator.read10(0, 2), write: 4096)
        let read = try #require(host.take().first { $0.opcode == .scsiResponse })
        #expect(read.decoded { SCSIResponsePDU(decoding: $0) }.residual == Residual(underflow: true, count: 4096))
    }

    @Test func residualsOfWrites() throws {
        let (bench, host) = try session()
        let data = pattern(2048, seed: 4)
        // The initiator offers less than the command wants.
        var task = host.command(Initiator.write10(0, 4), write: 1024, immediate: Array(data[0..<1024]))
        #expect(host.finishWrite(task, data).0?.residual == Residual(overflow: true, count: 1024))
        // It offers more: the rest of the immediate data is dropped.
        task = host.command(Initiator.write10(8, 1), write: 2048, immediate: data)
        #expect(host.finishWrite(task, data).0?.residual == Residual(underflow: true, count: 1536))
        #expect(Array(bench.device.disk[4096..<4608]) == Array(data[0..<512]))
        #expect(host.read(8, 1).data == Array(data[0..<512]))
    }

    @Test func aReadFlaggedAsAWriteIsAnsweredAndItsDataDropped() throws {
        let (bench, host) = try session()
        _ = host.command(Initiator.read10(0, 1), write: 512, immediate: pattern(512))
        let response = try #require(host.take().first).decoded { SCSIResponsePDU(decoding: $0) }
        #expect(response.status == 0)
        #expect(bench.target.commandCount == 0)
        #expect(host.read(0, 1).data.count == 512)
    }

    @Test func anEarlyResponseWaitsForTheLastUnsolicitedData() throws {
        let (bench, host) = try session(["InitialR2T=No"])
        let task = host.command([0xFF], write: 4096, immediate: pattern(1024), final: false)
        #expect(host.take().isEmpty)
        host.putData(task, number: 0, offset: 1024, pattern(1024), final: false)
        #expect(host.take().isEmpty)
        host.putData(task, number: 1, offset: 2048, pattern(2048), final: true)
        #expect(host.take().first?.opcode == .scsiResponse)
        #expect(bench.target.commandCount == 0)
    }

    @Test func manyCommandsInOneReadAreAnsweredInOrder() throws {
        let (bench, host) = try session()
        bench.writeLimit = 777
        let data = pattern(512)
        var tags: [UInt32] = []
        for number in 0..<8 {
            tags.append(host.command(Initiator.write10(number, 1), write: 512, immediate: data))
            tags.append(host.command(Initiator.read10(number, 1), read: 512))
        }
        let seen = host.take()
        #expect(seen.map { $0.decoded { BasicHeaderSegment($0).initiatorTaskTag } } == tags)
        #expect(seen.filter { $0.opcode == .dataIn }.allSatisfy { $0.data == data })
        let numbers = seen.map { $0.decoded { TargetSerialNumbers(decoding: $0).statSN } }
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 &+ 1 })
    }

    @Test func aStalledReaderStopsTheParserAndLosesNothing() throws {
        let (bench, host) = try session()
        bench.stalled = true
        var expected = 0
        for _ in 0..<3000 {
            var pdu = NOPOutPDU()
            pdu.initiatorTaskTag = host.tag()
            host.put(pdu.encode, data: pattern(512))
            expected += 1
        }
        bench.settle()
        #expect(!(bench.toTarget[1] ?? []).isEmpty)
        bench.stalled = false
        let seen = host.take()
        #expect(seen.count == expected)
        #expect(seen.allSatisfy { $0.opcode == .nopIn && $0.data == pattern(512) })
    }

    @Test func noSlotIsAnsweredTaskSetFull() throws {
        let (bench, host) = try session()
        for _ in 0..<20 { _ = host.command([0xE0]) { $0.immediate = true } }
        let seen = host.take().map { $0.decoded { SCSIResponsePDU(decoding: $0) } }
        #expect(seen.count == 4)
        #expect(seen.allSatisfy { $0.status == 0x28 })
        #expect(bench.target.statistics.slotsExhausted == 4)
    }

    @Test func theWindowFollowsTheFreeSlots() throws {
        let (_, host) = try session { $0.commandWindow = 4 }
        func window(_ seen: SeenPDU?) -> Int? {
            seen?.decoded { base in
                let serials = TargetSerialNumbers(decoding: base)
                return SerialNumber(serials.maxCmdSN) - SerialNumber(serials.expCmdSN) + 1
            }
        }
        _ = host.command([0x00])
        #expect(window(host.take().first) == 4)
        for _ in 0..<3 { _ = host.command([0xE0]) }
        _ = host.command([0x00])
        #expect(window(host.take().first) == 1)
        _ = host.command([0xE0])
        _ = host.command([0x00])
        #expect(host.take().isEmpty, "outside the window: dropped")
    }

    @Test func anExtendedCDBReachesTheDeviceServer() throws {
        let (bench, host) = try session()
        let extension16 = (0..<16).map { UInt8(0x40 + $0) }
        _ = host.command([0x7F], additional: [0, 17, 1, 0] + extension16)
        #expect(host.take().first?.opcode == .scsiResponse)
        #expect((0..<16).map { bench.device.lastCDB[16 + $0] } == extension16)
        for bad: [UInt8] in [[0, 18, 1, 0] + extension16 + [0, 0, 0, 0], [0, 5, 2, 0, 0, 0, 2, 0], [0, 200, 1, 0]] {
            _ = host.command([0x7F], additional: bad)
            let seen = try #require(host.take().first)
            #expect(seen.opcode == .reject)
            #expect(seen.decoded { RejectPDU(decoding: $0) }.reason == RejectReason.invalidPDUField.rawValue)
        }
    }

    @Test func aLoneInitiatorIsPingedAndThenGivenUp() throws {
        let (bench, host) = try session()
        bench.advance(.seconds(15))
        let ping = try #require(host.take().first).decoded { NOPInPDU(decoding: $0) }
        #expect(ping.initiatorTaskTag == Tag.none && ping.targetTransferTag != Tag.none)
        var answer = NOPOutPDU()
        answer.initiatorTaskTag = Tag.none
        answer.targetTransferTag = ping.targetTransferTag
        host.put(answer.encode)
        #expect(host.take().isEmpty)
        bench.advance(.seconds(15))
        #expect(host.take().first?.opcode == .nopIn)
        bench.advance(.seconds(15))
        #expect(bench.effects.contains(.protocolError(StreamID(1), .pingUnanswered)))
        #expect(bench.device.log.last == "lost nexus 0")
    }
}
