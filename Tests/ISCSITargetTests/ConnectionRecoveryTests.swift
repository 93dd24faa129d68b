import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// ErrorRecoveryLevel 2: commands outlive their connection (RFC 7143 §7.2.2).
@Suite struct ConnectionRecoveryTests {
    static let keys = ["ErrorRecoveryLevel=2", "DefaultTime2Wait=3", "DefaultTime2Retain=10"]

    func session(_ count: Int = 2, _ keys: [String] = []) throws -> SeveralConnections {
        try SeveralConnections(count, Self.keys + keys)
    }

    @Test func aReadGoesOnOverAnotherConnection() throws {
        let session = try session(2, ["MaxRecvDataSegmentLength=4096", "MaxBurstLength=16384"])
        session.bench.stalled = true
        let task = session.command(0, Initiator.read10(0, 1024), read: 1024 * 512)
        session.bench.settle()
        session.bench.close(1)
        session.bench.stalled = false
        #expect(session.manage(1, .taskReassign, task: task) == TaskManagementResponseCode.taskStillAllegiant.rawValue)
        let answer = session.logout(1, .removeConnectionForRecovery, cid: 1)
        #expect(answer?.response == 0)
        #expect(answer?.time2Retain == 10)
        session.put(1, .taskReassign, task: task)
        let seen = session.take(1)
        #expect(seen.first?.opcode == .taskManagementResponse)
        let data = seen.filter { $0.opcode == .dataIn }
        #expect(data.map(\.dataIn.dataSN) == Array(0..<UInt32(data.count)))
        #expect(data.flatMap(\.data) == Array(session.bench.device.disk[0..<(1024 * 512)]))
        #expect(seen.last?.response.status == 0)
        #expect(seen.last?.response.expDataSN == UInt32(data.count))
    }

    @Test func theRestOfAReadIsSentFromExpDataSN() throws {
        let session = try session(2, ["MaxRecvDataSegmentLength=4096"])
        let task = session.command(0, Initiator.read10(0, 32), read: 16_384)
        #expect(session.take(0).count == 5)
        session.bench.close(1)
        _ = session.logout(1, .removeConnectionForRecovery, cid: 1)
        session.put(1, .taskReassign, task: task, expDataSN: 3)
        let seen = session.take(1)
        #expect(seen.map(\.opcode) == [.taskManagementResponse, .dataIn, .scsiResponse])
        try #require(seen.count == 3)
        #expect(seen[1].dataIn.dataSN == 3)
        #expect(seen[1].data == Array(session.bench.device.disk[12_288..<16_384]))
        #expect(seen.last?.response.expDataSN == 4)
    }

    @Test func aWriteAsksForWhatIsMissing() throws {
        let session = try session(2, ["FirstBurstLength=4096", "DataDigest=CRC32C"])
        let data = pattern(12_288, seed: 8)
        let task = session.command(0, Initiator.write10(0, 24), write: data.count, immediate: Array(data[0..<4096]))
        let first = try #require(session.take(0).first).r2t
        session.hosts[0].putData(
            task, transferTag: first.targetTransferTag, number: 0, offset: 4096, Array(data[4096..<8192]), final: false)
        session.hosts[0].putData(
            task, transferTag: first.targetTransferTag, number: 1, offset: 8192, Array(data[8192...]), final: true)
        session.bench.toTarget[1]?.removeLast(1000)
        session.bench.settle()
        session.bench.close(1)
        _ = session.logout(1, .removeConnectionForRecovery, cid: 1)
        session.put(1, .taskReassign, task: task)
        let seen = session.take(1)
        #expect(seen.map(\.opcode) == [.taskManagementResponse, .readyToTransfer])
        let r2t = try #require(seen.last).r2t
        #expect(r2t.bufferOffset == 8192 && r2t.desiredDataTransferLength == 4096)
        session.hosts[1].putData(
            task, transferTag: r2t.targetTransferTag, number: 0, offset: 8192, Array(data[8192...]), final: true)
        #expect(session.take(1).last?.response.status == 0)
        #expect(Array(session.bench.device.disk[0..<data.count]) == data)
    }

    @Test func aStatusThatWasNotAcknowledgedComesAgain() throws {
        let session = try session(1)
        let task = session.command(0, [0xFF], read: 512)
        let refused = try #require(session.take(0).first)
        session.bench.close(1)
        #expect(session.bench.target.sessionSnapshots().map(\.connections) == [0])
        #expect(try session.open(cid: 1)?.status == 0)
        session.put(1, .taskReassign, task: task)
        let seen = session.take(1)
        #expect(seen.map(\.opcode) == [.taskManagementResponse, .scsiResponse])
        #expect(seen.last?.data == refused.data)
        #expect(session.bench.device.log.filter { $0.hasPrefix("lost nexus") }.isEmpty)
        #expect(session.manage(1, .taskReassign, task: task) == TaskManagementResponseCode.taskStillAllegiant.rawValue)
        #expect(session.manage(1, .taskReassign, task: 4711) == TaskManagementResponseCode.taskDoesNotExist.rawValue)
    }

    @Test func theLastExpStatSNOfTheLostConnectionCounts() throws {
        let session = try session(2)
        let task = session.command(0, [0x00])
        let statSN = try #require(session.take(0).first).statSN
        session.bench.close(1)
        #expect(session.bench.target.commandCount == 1)
        _ = session.logout(1, .removeConnectionForRecovery, cid: 1, expStatSN: statSN &+ 1)
        #expect(session.bench.target.commandCount == 0)
        #expect(session.manage(1, .taskReassign, task: task) == TaskManagementResponseCode.taskDoesNotExist.rawValue)
        session.command(1, [0x00])
        let second = try #require(session.take(1).first).statSN
        session.bench.close(2)
        #expect(try session.open(cid: 2, expStatSN: second &+ 1)?.status == 0)
        #expect(session.bench.target.commandCount == 0)
    }

    @Test func whatIsNotReassignedInTimeEnds() throws {
        let session = try session(2)
        session.command(0, [0xE0], read: 512)
        _ = session.take(0)
        session.bench.close(1)
        session.bench.advance(.seconds(12))
        #expect(session.bench.target.commandCount == 1)
        session.bench.advance(.seconds(2))
        #expect(session.bench.device.log.last == "lost command")
        #expect(session.bench.target.commandCount == 0)
        #expect(session.bench.target.sessionCount == 1)
        session.bench.close(2)
        #expect(session.bench.target.sessionCount == 1)
        session.bench.advance(.seconds(14))
        #expect(session.bench.target.sessionCount == 0)
        #expect(session.bench.device.log.last == "lost nexus 0")
        #expect(session.bench.target.retainedBlocks == 0)
    }

    @Test func aCommandThatNeverCameIsSentAgain() throws {
        let session = try session(2)
        // Commands 10 and 11 go with their connection; 11 arrives, but not in its turn.
        session.command(0, [0x00], cmdSN: 11)
        session.bench.settle()
        session.bench.close(1)
        #expect(session.bench.target.heldCount == 0)
        _ = session.logout(1, .removeConnectionForRecovery, cid: 1)
        session.command(1, [0x00], cmdSN: 10)
        session.command(1, [0x00], cmdSN: 11)
        #expect(session.take(1).count == 2)
    }

    @Test func aConnectionThatIsLoggedOutForGoodTakesItsCommandsAlong() throws {
        let session = try session(2)
        session.command(0, [0xE0], read: 512)
        _ = session.take(0)
        session.bench.close(1)
        #expect(session.logout(1, .closeConnection, cid: 1)?.response == 0)
        #expect(session.bench.target.commandCount == 0)
        #expect(session.bench.device.log.last == "lost command")
    }

    @Test func anAbortReachesACommandWithoutConnection() throws {
        let session = try session(2)
        let task = session.command(0, [0xE0], read: 512)
        _ = session.take(0)
        session.bench.close(1)
        #expect(session.manage(1, .abortTask, task: task, ref: 10) == 0)
        #expect(session.bench.target.commandCount == 0)
    }
}
