import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// Several connections in one session (RFC 7143 §4.2.5, §4.2.2.1, §6.3).
@Suite struct MultipleConnectionTests {
    @Test func connectionsAreAddedUpToMaxConnections() throws {
        let session = try SeveralConnections(4)
        #expect(session.bench.target.sessionSnapshots().map(\.connections) == [4])
        #expect(try session.open(cid: 5)?.status == LoginStatus.tooManyConnections.rawValue)
        #expect(session.bench.target.sessionCount == 1)
        #expect(session.bench.device.log.filter { $0.hasPrefix("nexus") }.count == 1)
    }

    @Test func aLoginForAnotherSessionIsRefused() throws {
        let session = try SeveralConnections(1)
        session.tsih &+= 1
        #expect(try session.open(cid: 2)?.status == LoginStatus.sessionDoesNotExist.rawValue)
        session.tsih &-= 1
        let other = Initiator(session.bench, stream: 50)
        other.putLogin(["InitiatorName=iqn.2026-11.example:other", Initiator.names[1]]) { $0.tsih = session.tsih }
        let refused = try #require(other.take().first).decoded { LoginResponsePDU(decoding: $0) }
        #expect(refused.status == LoginStatus.sessionDoesNotExist.rawValue)
    }

    @Test func onlyTheLeadingLoginNegotiatesForTheSession() throws {
        let session = try SeveralConnections(1, ["MaxBurstLength=65536"])
        let host = Initiator(session.bench, stream: 9)
        host.putLogin(Initiator.names + ["MaxBurstLength=131072", "InitialR2T=No", "DataDigest=CRC32C"]) { pdu in
            pdu.tsih = session.tsih
            pdu.cid = 7
        }
        let text = try #require(host.take().first).text
        #expect(text.contains("MaxBurstLength=Reject"))
        #expect(text.contains("InitialR2T=Reject"))
        #expect(text.contains("DataDigest=CRC32C"))
    }

    @Test func commandsAreExecutedInOrderWhateverConnectionTheyCameOn() throws {
        let session = try SeveralConnections(3)
        let data = [pattern(512, seed: 1), pattern(512, seed: 2), pattern(512, seed: 3)]
        session.command(2, Initiator.write10(2, 1), write: 512, immediate: data[2], cmdSN: 12)
        session.command(1, Initiator.read10(3, 1), read: 512, cmdSN: 13)
        session.command(1, Initiator.write10(1, 1), write: 512, immediate: data[1], cmdSN: 11)
        #expect(session.take(1).isEmpty)
        #expect(session.take(2).isEmpty)
        #expect(session.bench.target.heldCount == 3)
        session.command(0, Initiator.write10(0, 1), write: 512, immediate: data[0], cmdSN: 10)
        #expect(session.take(0).map(\.opcode) == [.scsiResponse])
        #expect(session.take(2).map(\.opcode) == [.scsiResponse])
        let seen = session.take(1)
        #expect(Set(seen.compactMap(\.opcode)) == [.scsiResponse, .dataIn])
        #expect(session.bench.device.arrived == [0, 1, 2, 3])
        #expect(Array(session.bench.device.disk[0..<1536]) == data.flatMap { $0 })
        #expect(session.bench.target.heldCount == 0)
        #expect(session.bench.target.commandCount == 0)
        #expect(session.bench.target.retainedBlocks == 0)
    }

    @Test func unsolicitedDataOfACommandThatWaitsAreKept() throws {
        let session = try SeveralConnections(2, ["InitialR2T=No"])
        let data = pattern(40_000 / 512 * 512, seed: 4)
        let task = session.command(
            1, Initiator.write10(8, data.count / 512), write: data.count, immediate: Array(data[0..<1000]),
            final: false, cmdSN: 11)
        session.hosts[1].putData(task, number: 0, offset: 1000, Array(data[1000..<20_000]), final: false)
        session.bench.settle()
        session.command(0, [0x00], cmdSN: 10)
        session.hosts[1].putData(task, number: 1, offset: 20_000, Array(data[20_000...]), final: true)
        #expect(session.take(1).last?.response.status == 0)
        #expect(Array(session.bench.device.disk[4096..<(4096 + data.count)]) == data)
        #expect(session.bench.target.retainedBlocks == 0)
    }

    @Test func immediateCommandsDoNotWait() throws {
        let session = try SeveralConnections(2)
        session.command(1, [0x00], cmdSN: 11)
        _ = session.hosts[1].command([0x00]) { $0.immediate = true }
        #expect(session.take(1).count == 1)
        #expect(session.bench.target.heldCount == 1)
    }

    @Test func duplicatesAndWhatIsOutsideTheWindowAreDropped() throws {
        let session = try SeveralConnections(2)
        session.command(1, [0x00], cmdSN: 11)
        session.bench.settle()
        session.command(0, [0x00], cmdSN: 11)
        session.command(0, [0x00], cmdSN: 9)
        session.command(0, [0x00], cmdSN: 5000)
        #expect(session.take(0).isEmpty)
        #expect(session.bench.target.statistics.dropped == 3)
        session.command(0, [0x00], cmdSN: 10)
        #expect(session.take(0).count == 1)
        #expect(session.take(1).count == 1)
    }

    @Test func theWindowBoundsWhatIsHeld() throws {
        let session = try SeveralConnections(2)
        for number in 11..<500 { session.command(1, [0x00], cmdSN: UInt32(number)) }
        session.bench.settle()
        #expect(session.bench.target.heldCount < Bench.commandSlots)
        session.command(0, [0x00], cmdSN: 10)
        #expect(session.take(1).count == Bench.commandSlots - 1)
        #expect(session.bench.target.heldCount == 0)
    }

    @Test func dataGoToTheConnectionOfTheirCommandOnly() throws {
        let session = try SeveralConnections(2)
        let task = session.command(0, Initiator.write10(0, 8), write: 4096)
        let r2t = try #require(session.take(0).first).r2t
        session.hosts[1].putData(
            task, transferTag: r2t.targetTransferTag, number: 0, offset: 0, pattern(4096), final: true)
        #expect(session.take(1).first?.rejectReason == RejectReason.invalidPDUField.rawValue)
        session.hosts[0].putData(
            task, transferTag: r2t.targetTransferTag, number: 0, offset: 0, pattern(4096), final: true)
        #expect(session.take(0).last?.response.status == 0)
        #expect(session.take(1).isEmpty)
    }

    @Test func eachConnectionHasItsStatSN() throws {
        let session = try SeveralConnections(2)
        var numbers: [[UInt32]] = [[], []]
        for round in 0..<6 {
            session.command(round % 2, [0x00])
            numbers[round % 2].append(try #require(session.take(round % 2).first).statSN)
        }
        for list in numbers { #expect(list[1] == list[0] &+ 1 && list[2] == list[1] &+ 1) }
    }

    @Test func aTaskIsAbortedOverAnotherConnection() throws {
        let session = try SeveralConnections(2)
        let task = session.command(0, [0xE0], read: 512)
        session.bench.settle()
        #expect(session.manage(1, .abortTask, task: task, ref: 10) == 0)
        #expect(session.bench.target.commandCount == 0)
        // One that has not come is considered received (RFC 7143 §11.6.1).
        session.cmdSN = 13
        session.command(0, [0x00], cmdSN: 12)
        #expect(session.manage(1, .abortTask, task: 4711, ref: 11) == 0)
        #expect(session.take(0).count == 1)
        session.command(0, [0x00], cmdSN: 11)
        #expect(session.take(0).isEmpty)
    }

    @Test func aResetWaitsForTheCommandsBeforeIt() throws {
        let session = try SeveralConnections(2)
        session.cmdSN = 12
        session.command(0, [0xE0], read: 512, cmdSN: 11)
        session.put(1, .logicalUnitReset)
        #expect(session.take(1).isEmpty)
        session.command(1, [0xE0], read: 512, cmdSN: 10)
        #expect(session.take(1).map(\.opcode) == [.taskManagementResponse])
        #expect(session.bench.target.commandCount == 0)
        #expect(session.bench.target.heldCount == 0)
    }

    @Test func aConnectionIsLoggedOutAndTheSessionGoesOn() throws {
        let session = try SeveralConnections(3)
        session.command(1, [0xE0], read: 512)
        session.bench.settle()
        #expect(session.logout(0, .closeConnection, cid: 9)?.response == LogoutResponseCode.cidNotFound.rawValue)
        #expect(session.logout(0, .closeConnection, cid: 2)?.response == 0)
        #expect(session.bench.effects.contains(.close(StreamID(2))))
        #expect(session.bench.device.log.last == "lost command")
        #expect(session.logout(2, .closeConnection, cid: 3)?.response == 0)
        #expect(session.bench.target.sessionSnapshots().map(\.connections) == [1])
        session.command(0, [0x00])
        #expect(session.take(0).count == 1)
        #expect(session.logout(0, .removeConnectionForRecovery, cid: 1)?.response
            == LogoutResponseCode.recoveryNotSupported.rawValue)
        #expect(session.logout(0, .closeConnection, cid: 1)?.response == 0)
        #expect(session.bench.target.sessionCount == 0)
        #expect(session.bench.device.log.last == "lost nexus 0")
    }

    @Test func closingTheSessionClosesAllConnections() throws {
        let session = try SeveralConnections(3)
        #expect(session.logout(1, .closeSession, cid: 2)?.response == 0)
        for stream in 1...3 { #expect(session.bench.effects.contains(.close(StreamID(UInt32(stream))))) }
        #expect(session.bench.target.sessionCount == 0)
    }

    @Test func belowLevelTwoABrokenConnectionEndsTheSession() throws {
        let session = try SeveralConnections(2)
        session.command(1, [0xE0], read: 512)
        session.command(0, [0x00], cmdSN: 14)
        session.bench.settle()
        session.bench.close(1)
        #expect(session.bench.target.sessionCount == 0)
        #expect(session.bench.effects.contains(.close(StreamID(2))))
        #expect(session.bench.target.commandCount == 0)
        #expect(session.bench.target.heldCount == 0)
    }

    @Test func aLoginWithTheSameCIDReplacesTheConnection() throws {
        let session = try SeveralConnections(2)
        session.command(1, [0xE0], read: 512)
        session.bench.settle()
        #expect(try session.open(cid: 2)?.status == 0)
        #expect(session.bench.effects.contains(.close(StreamID(2))))
        #expect(session.bench.target.sessionSnapshots().map(\.connections) == [2])
        #expect(session.bench.target.commandCount == 0)
        session.command(2, [0x00])
        #expect(session.take(2).count == 1)
    }

    @Test func aNewSessionOfTheSamePortReplacesAllConnections() throws {
        let session = try SeveralConnections(3)
        let host = Initiator(session.bench, stream: 40)
        #expect(try #require(host.login()).0.status == 0)
        for stream in 1...3 { #expect(session.bench.effects.contains(.close(StreamID(UInt32(stream))))) }
        #expect(session.bench.target.sessionCount == 1)
    }
}
