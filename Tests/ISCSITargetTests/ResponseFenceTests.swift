import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// TaskReporting=ResponseFence: responses of several connections that must not overtake each other.
@Suite struct ResponseFenceTests {
    static let fence = ["TaskReporting=ResponseFence"]

    func session(_ keys: [String] = fence) throws -> SeveralConnections { try SeveralConnections(3, keys) }

    private func opcodes(_ session: SeveralConnections, _ index: Int) -> [Opcode?] {
        session.take(index).map(\.opcode)
    }

    @Test(arguments: [
        (["TaskReporting=ResponseFence"], "ResponseFence"),
        (["TaskReporting=FastAbort,ResponseFence"], "ResponseFence"),
        (["TaskReporting=RFC3720,ResponseFence"], "RFC3720"), (["TaskReporting=FastAbort"], "Reject"),
    ]) func theKeyIsNegotiated(_ keys: [String], _ expected: String) throws {
        let host = Initiator(Bench())
        #expect(try #require(host.login(keys)).1.contains("TaskReporting=\(expected)"))
    }

    /// An answer on one connection that nobody has acknowledged holds up the response of a reset on another; and what
    /// comes after the reset waits until the reset's response is acknowledged.
    @Test(arguments: [fence, fence + ["ErrorRecoveryLevel=2"]])
    func aResetIsAnsweredBetweenWhatWasBeforeAndWhatComesAfter(_ keys: [String]) throws {
        let session = try session(keys)
        session.command(0, [0x00])
        let before = try #require(session.take(0).first)
        #expect(before.opcode == .scsiResponse)
        session.put(1, .logicalUnitReset)
        #expect(opcodes(session, 1).isEmpty, "the response before it is not acknowledged")
        let asked = try #require(session.take(0).first)
        #expect(asked.opcode == .nopIn && asked.decoded { NOPInPDU(decoding: $0) }.targetTransferTag != Tag.none)
        #expect(opcodes(session, 2).isEmpty, "nothing to acknowledge there")
        // Handed over after the reset's response: it waits, on every connection.
        session.command(2, [0x00])
        session.command(1, Initiator.read10(0, 1), read: 512)
        #expect(opcodes(session, 2).isEmpty)
        #expect(opcodes(session, 1).isEmpty)
        _ = session.ping(0, expStatSN: before.statSN &+ 1)
        let answer = session.take(1)
        #expect(answer.map(\.opcode) == [.taskManagementResponse, .nopIn])
        #expect(opcodes(session, 2).isEmpty, "the fenced response is not acknowledged")
        var pdu = NOPOutPDU()
        pdu.expStatSN = try #require(answer.first).statSN &+ 1
        session.hosts[1].put(pdu.encode)
        #expect(opcodes(session, 2) == [.scsiResponse])
        #expect(opcodes(session, 1).first == .dataIn)
    }

    @Test func withoutTheKeyNothingWaits() throws {
        let session = try session([])
        session.command(0, [0x00])
        _ = session.take(0)
        #expect(session.manage(1, .logicalUnitReset) == 0)
        session.command(2, [0x00])
        #expect(opcodes(session, 2) == [.scsiResponse])
        #expect(opcodes(session, 0).isEmpty)
    }

    @Test func oneConnectionNeedsNoFence() throws {
        let session = try SeveralConnections(1, Self.fence)
        session.command(0, [0x00])
        #expect(session.manage(0, .logicalUnitReset) == 0)
        #expect(opcodes(session, 0).isEmpty)
    }

    @Test func abortsOfOneTaskAreNotFencedButWaitBehindAFence() throws {
        let session = try session()
        session.command(0, [0x00])
        let before = try #require(session.take(0).first)
        let task = session.command(2, [0xE0], read: 512)
        session.bench.settle()
        #expect(session.manage(1, .abortTask, task: task) == 0, "no fence for it")
        session.put(1, .clearTaskSet)
        session.put(2, .abortTask, task: 4711)
        #expect(opcodes(session, 2).isEmpty)
        _ = session.take(1)
        _ = session.ping(0, expStatSN: before.statSN &+ 1)
        // The answer of the single abort before it is not acknowledged either; it is on the fenced connection.
        let answer = try #require(session.take(1).first { $0.opcode == .taskManagementResponse })
        #expect(opcodes(session, 2).isEmpty)
        _ = session.ping(1, expStatSN: answer.statSN &+ 1)
        #expect(opcodes(session, 2) == [.taskManagementResponse])
    }

    @Test func fencesFollowEachOther() throws {
        let session = try session()
        session.command(0, [0x00])
        let before = try #require(session.take(0).first)
        session.put(1, .logicalUnitReset)
        session.put(2, .logicalUnitReset)
        #expect(opcodes(session, 1).isEmpty)
        _ = session.ping(0, expStatSN: before.statSN &+ 1)
        let first = try #require(session.take(1).first)
        #expect(first.opcode == .taskManagementResponse)
        #expect(opcodes(session, 2).isEmpty)
        _ = session.ping(1, expStatSN: first.statSN &+ 1)
        // NOP-Ins took a StatSN on connections 0 and 1 since: those are asked.
        _ = session.ping(0, expStatSN: session.bench.statSN(0))
        _ = session.ping(1, expStatSN: session.bench.statSN(1))
        #expect(opcodes(session, 2).contains(.taskManagementResponse))
    }

    @Test func aConnectionThatEndsHoldsNothingUp() throws {
        let session = try session(Self.fence + ["ErrorRecoveryLevel=2"])
        session.command(0, [0x00])
        _ = session.take(0)
        session.put(1, .logicalUnitReset)
        session.command(2, [0x00])
        #expect(opcodes(session, 1).isEmpty)
        session.bench.close(1)
        let answer = try #require(session.take(1).first)
        #expect(answer.opcode == .taskManagementResponse)
        // The fenced connection ends before its response is acknowledged.
        session.bench.close(2)
        #expect(opcodes(session, 2) == [.scsiResponse])
    }

    @Test func whoNeverAcknowledgesIsGivenUp() throws {
        let session = try session()
        session.command(0, [0x00])
        _ = session.take(0)
        session.put(1, .logicalUnitReset)
        _ = session.take(1)
        for _ in 0..<3 { session.bench.advance(.seconds(14)) }
        #expect(session.bench.effects.contains { if case .protocolError = $0 { true } else { false } })
        #expect(session.bench.target.sessionCount == 0 && session.bench.target.commandCount == 0)
    }

    /// Unit attentions that tell of aborted tasks, and PREEMPT AND ABORT.
    @Test(arguments: [0, 1, 2]) func whatTellsOfAbortedTasksIsFenced(_ way: Int) throws {
        let session = try session()
        session.command(0, [0x00])
        let before = try #require(session.take(0).first)
        switch way {
        case 0: session.bench.device.senseCode = (6, 0x2F, 0)
        case 1: session.bench.device.senseCode = (6, 0x3F, 0x0E)
        default: session.bench.device.senseCode = (5, 0x24, 0)
        }
        session.command(1, way == 2 ? [0x5F, 5] : [0xFF])
        let seen = session.take(1)
        #expect(seen.isEmpty == (way != 1))
        if way == 1 { return }
        session.command(2, [0x00])
        #expect(opcodes(session, 2).isEmpty)
        _ = session.ping(0, expStatSN: before.statSN &+ 1)
        let fenced = try #require(session.take(1).first)
        #expect(fenced.opcode == .scsiResponse && fenced.response.status == 2)
        _ = session.ping(1, expStatSN: fenced.statSN &+ 1)
        #expect(opcodes(session, 2) == [.scsiResponse])
    }
}
