import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// ErrorRecoveryLevel 1: what is lost within a connection comes again (RFC 7143 §7.1.4.2, §11.16).
@Suite struct WithinCommandRecoveryTests {
    static let keys = ["ErrorRecoveryLevel=1", "HeaderDigest=CRC32C", "DataDigest=CRC32C", "InitialR2T=No"]

    func session(_ keys: [String] = [], _ adjust: (inout ISCSITargetConfiguration.Limits) -> Void = { _ in })
        throws -> SeveralConnections {
        try SeveralConnections(1, Self.keys + keys, adjust)
    }

    /// A read whose PDUs are taken, with its response last.
    func read(_ session: SeveralConnections, _ blocks: Int) throws -> (task: UInt32, seen: [SeenPDU]) {
        let task = session.command(0, Initiator.read10(0, blocks), read: blocks * 512)
        let seen = session.take(0)
        #expect(seen.dropLast().allSatisfy { $0.opcode == .dataIn })
        #expect(seen.last?.opcode == .scsiResponse)
        #expect(seen.last?.response.expDataSN == UInt32(seen.count - 1))
        return (task, seen)
    }

    @Test func dataComeAgainAsTheyWereEvenWhenTheMediumHasChanged() throws {
        let session = try session(["MaxRecvDataSegmentLength=4096"])
        let (task, seen) = try read(session, 64)
        #expect(seen.count == 9)
        session.bench.device.disk = [UInt8](repeating: 0, count: 4 << 20)
        let two = session.snack(0, .dataOrR2T, task: task, from: 3, count: 2)
        #expect(two.map(\.dataIn.dataSN) == [3, 4])
        #expect(two.map(\.data) == seen[3...4].map(\.data))
        #expect(two.map(\.dataIn.bufferOffset) == [12_288, 16_384])
        let all = session.snack(0, .dataOrR2T, task: task)
        #expect(all.map(\.data) == seen.dropLast().map(\.data))
        #expect(session.snack(0, .dataOrR2T, task: task, from: 7).count == 1)
        #expect(session.snack(0, .dataOrR2T, task: task, from: 7, count: 2).first?.rejectReason
            == RejectReason.protocolError.rawValue)
        #expect(session.snack(0, .dataOrR2T, task: 4711).first?.rejectReason == RejectReason.protocolError.rawValue)
    }

    @Test func acknowledgedResponsesAreForgotten() throws {
        let session = try session()
        let (task, seen) = try read(session, 8)
        let statSN = try #require(seen.last).statSN
        #expect(session.bench.target.commandCount == 1)
        #expect(session.bench.target.retainedBlocks > 0)
        _ = session.ping(0, expStatSN: statSN &+ 1)
        #expect(session.bench.target.commandCount == 0)
        #expect(session.snack(0, .dataOrR2T, task: task, expStatSN: statSN &+ 2).first?.rejectReason
            == RejectReason.protocolError.rawValue)
        #expect(session.snack(0, .status, from: statSN, count: 1).first?.rejectReason
            == RejectReason.protocolError.rawValue)
    }

    @Test func responsesComeAgainWithTheirStatSN() throws {
        let session = try session()
        session.command(0, [0xFF], read: 512)
        let refused = try #require(session.take(0).first)
        let pong = try #require(session.ping(0, expStatSN: 0))
        let again = session.snack(0, .status, from: refused.statSN, count: 2)
        #expect(again.map(\.opcode) == [.scsiResponse, .nopIn])
        #expect(again.map(\.statSN) == [refused.statSN, pong.statSN])
        #expect(again.first?.data == refused.data)
        #expect(session.snack(0, .status).map(\.statSN) == [refused.statSN, pong.statSN])
    }

    @Test func dataAreAcknowledgedOncePerBurst() throws {
        let session = try session(["MaxBurstLength=16384", "MaxRecvDataSegmentLength=4096"])
        let (task, seen) = try read(session, 128)
        let asking = seen.dropLast().filter(\.dataIn.acknowledge)
        #expect(asking.map(\.dataIn.dataSN) == [3, 7, 11, 15])
        let second = asking[1].dataIn
        let before = session.bench.target.retainedBlocks
        #expect(session.snack(0, .dataACK, tag: second.targetTransferTag, from: 8).isEmpty)
        #expect(session.bench.target.retainedBlocks < before)
        #expect(session.snack(0, .dataOrR2T, task: task).map(\.dataIn.dataSN) == Array(8..<16))
        #expect(session.snack(0, .dataOrR2T, task: task, from: 7, count: 1).first?.rejectReason
            == RejectReason.protocolError.rawValue)
        #expect(session.snack(0, .dataACK, tag: second.targetTransferTag, from: 77).first?.rejectReason
            == RejectReason.invalidDataACK.rawValue)
    }

    @Test func aSmallerSegmentLengthDividesWhatComesAgain() throws {
        let session = try session(["MaxRecvDataSegmentLength=4096"])
        let (task, seen) = try read(session, 32)
        var text = TextRequestPDU()
        text.immediate = true
        text.initiatorTaskTag = session.hosts[0].tag()
        session.hosts[0].put(text.encode, data: Initiator.text(["MaxRecvDataSegmentLength=1536"]))
        #expect(session.take(0).first?.opcode == .textResponse)
        let again = session.snack(0, .rData, task: task, tag: 0x55)
        let data = again.filter { $0.opcode == .dataIn }
        #expect(data.map(\.dataIn.dataSN) == Array(0..<12))
        #expect(data.flatMap(\.data) == seen.dropLast().flatMap(\.data))
        let response = try #require(again.last)
        #expect(response.response.snackTag == 0x55)
        #expect(response.statSN == seen.last?.statSN)
        #expect(response.response.expDataSN == 12)
    }

    @Test func damagedDataOutAreAskedForAgain() throws {
        let session = try session(["MaxBurstLength=16384", "FirstBurstLength=4096"])
        let data = pattern(16_384, seed: 3)
        let task = session.command(
            0, Initiator.write10(0, 32), write: data.count, immediate: Array(data[0..<4096]))
        var r2t = try #require(session.take(0).first).r2t
        #expect(r2t.bufferOffset == 4096)
        for part in 0..<3 {
            let at = 4096 + part * 4096
            session.hosts[0].putData(
                task, transferTag: r2t.targetTransferTag, number: UInt32(part), offset: at,
                Array(data[at..<(at + 4096)]), final: part == 2)
            if part == 1 { session.bench.toTarget[1]?[4152 + 100] ^= 1 }
        }
        let seen = session.take(0)
        #expect(seen.map(\.opcode) == [.reject, .readyToTransfer])
        r2t = try #require(seen.last).r2t
        #expect(r2t.bufferOffset == 8192 && r2t.desiredDataTransferLength == 8192 && r2t.r2tSN == 1)
        session.hosts[0].putData(
            task, transferTag: r2t.targetTransferTag, number: 0, offset: 8192, Array(data[8192...]), final: true)
        #expect(session.take(0).last?.response.status == 0)
        #expect(Array(session.bench.device.disk[0..<16_384]) == data)
    }

    @Test func aGapInTheDataIsAskedForAgain() throws {
        let session = try session()
        let data = pattern(8192, seed: 5)
        let task = session.command(0, Initiator.write10(0, 16), write: 8192, final: false)
        session.hosts[0].putData(task, number: 0, offset: 0, Array(data[0..<2048]), final: false)
        session.hosts[0].putData(task, number: 2, offset: 4096, Array(data[4096...]), final: true)
        let r2t = try #require(session.take(0).first).r2t
        #expect(r2t.bufferOffset == 2048 && r2t.desiredDataTransferLength == 6144)
        // An R2T comes again, too.
        let again = session.snack(0, .dataOrR2T, task: task, from: 0, count: 1)
        #expect(again.first?.r2t.targetTransferTag == r2t.targetTransferTag)
        session.hosts[0].putData(
            task, transferTag: r2t.targetTransferTag, number: 0, offset: 2048, Array(data[2048...]), final: true)
        #expect(session.take(0).last?.response.status == 0)
        #expect(Array(session.bench.device.disk[0..<8192]) == data)
    }

    @Test func aCommandWhoseDataAreDamagedCanComeAgain() throws {
        let session = try session()
        let data = pattern(4096, seed: 6)
        session.command(0, Initiator.write10(0, 8), write: 4096, immediate: data, cmdSN: 10)
        session.bench.toTarget[1]?[200] ^= 1
        session.command(0, [0x00], cmdSN: 11)
        let seen = session.take(0)
        #expect(seen.map(\.rejectReason) == [RejectReason.dataDigestError.rawValue])
        #expect(session.bench.device.log.filter { $0.hasPrefix("lost") }.isEmpty)
        session.command(0, Initiator.write10(0, 8), write: 4096, immediate: data, cmdSN: 10)
        #expect(session.take(0).map(\.opcode) == [.scsiResponse, .scsiResponse])
        #expect(Array(session.bench.device.disk[0..<4096]) == data)
    }

    @Test func whatIsNotKeptEndsItsTask() throws {
        let session = try session { $0.retainedBytes = 262_144 }
        let task = session.command(0, Initiator.read10(0, 1024), read: 1024 * 512)
        session.bench.stalled = true
        session.bench.settle()
        session.bench.stalled = false
        let seen = session.snack(0, .dataOrR2T, task: task)
        #expect(seen.contains { $0.opcode == .reject && $0.rejectReason == RejectReason.snackReject.rawValue })
    }

    @Test func aSessionThatDoesNotAcknowledgeGetsNoMoreCommandsAndIsPinged() throws {
        let session = try session()
        var seen: [SeenPDU] = []
        for _ in 0..<40 {
            session.command(0, [0x00])
            seen += session.take(0)
        }
        let responses = seen.filter { $0.opcode == .scsiResponse }
        #expect(responses.count == Bench.commandSlots)
        #expect(seen.contains { $0.opcode == .nopIn })
        let last = try #require(responses.last)
        #expect(SerialNumber(last.response.serials.maxCmdSN) < SerialNumber(last.response.serials.expCmdSN))
        // An acknowledgement opens the window, and the initiator is told.
        var pong = NOPOutPDU()
        pong.initiatorTaskTag = Tag.none
        pong.cmdSN = session.cmdSN
        pong.expStatSN = last.statSN &+ 1
        session.hosts[0].put(pong.encode)
        let opened = try #require(session.take(0).first).decoded { NOPInPDU(decoding: $0) }
        #expect(SerialNumber(opened.serials.expCmdSN) < SerialNumber(opened.serials.maxCmdSN))
        #expect(session.bench.target.commandCount == 0)
    }
}
