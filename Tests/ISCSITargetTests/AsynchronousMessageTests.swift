import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

@Suite struct AsynchronousMessageTests {
    @Test func hostsAreAskedToLogOutAndDroppedWhenTheyDoNot() throws {
        let session = try SeveralConnections(2)
        session.command(0, [0xE0], read: 512)
        session.bench.settle()
        session.bench.target.requestLogouts(of: .all, within: .seconds(1), at: session.bench.now)
        #expect(session.bench.target.isAwaitingLogouts == true)
        for index in 0..<2 {
            let message = try #require(session.take(index).first).decoded { AsyncMessagePDU(decoding: $0) }
            #expect(message.event == AsyncEvent.logoutRequested.rawValue)
            #expect(message.parameter3 == 1)
        }
        // Commands are still served.
        session.command(1, [0x00])
        #expect(session.take(1).first?.opcode == .scsiResponse)
        session.bench.advance(.seconds(1))
        #expect(session.bench.target.isAwaitingLogouts == false)
        let message = try #require(session.take(0).first).decoded { AsyncMessagePDU(decoding: $0) }
        #expect(message.event == AsyncEvent.sessionWillBeDropped.rawValue)
        #expect([message.parameter1, message.parameter2, message.parameter3] == [0, 2, 0])
        #expect(session.take(1).isEmpty, "once a session")
        #expect(session.bench.effects.contains(.close(StreamID(1))))
        #expect(session.bench.target.sessionCount == 0)
        #expect(session.bench.target.commandCount == 0)
    }

    @Test func nobodyIsWaitedForWhenAllHaveLoggedOut() throws {
        let session = try SeveralConnections(1)
        session.bench.target.requestLogouts(of: .all, within: .seconds(1), at: session.bench.now)
        #expect(session.logout(0, .closeSession, cid: 1)?.response == 0)
        #expect(session.bench.target.isAwaitingLogouts == false)
    }

    @Test func sessionsThatOnlyWaitForTheirConnectionsEndToo() throws {
        let session = try SeveralConnections(1, ["ErrorRecoveryLevel=2"])
        session.command(0, [0xE0], read: 512)
        session.bench.settle()
        session.bench.close(1)
        #expect(session.bench.target.sessionCount == 1)
        session.bench.target.requestLogouts(of: .all, within: .seconds(1), at: session.bench.now)
        session.bench.advance(.seconds(1))
        #expect(session.bench.target.sessionCount == 0)
        #expect(session.bench.target.commandCount == 0)
    }

    /// In maintenance, hosts are to come back, and be sent to the partner: others than those that were there are not
    /// concerned.
    @Test func onlyNormalSessionsThatWereThereAreAskedInMaintenance() throws {
        let bench = Bench()
        let discovery = Initiator(bench, stream: 1)
        _ = try #require(discovery.login([], names: Initiator.discovery))
        let stays = Initiator(bench, stream: 2)
        _ = try #require(stays.login())
        let leaves = Initiator(bench, stream: 3)
        leaves.isid = ISID(3)
        _ = try #require(leaves.login())
        let login = Initiator(bench, stream: 4)
        login.isid = ISID(4)
        bench.target.requestLogouts(of: .normalSessions, within: .seconds(5), at: bench.now)
        #expect(discovery.take().isEmpty)
        for host in [stays, leaves] { #expect(host.take().map(\.opcode) == [.asyncMessage]) }
        var pdu = LogoutRequestPDU()
        pdu.immediate = true
        pdu.initiatorTaskTag = leaves.tag()
        pdu.cmdSN = leaves.cmdSN
        leaves.put(pdu.encode)
        #expect(leaves.take().map(\.opcode) == [.logoutResponse])
        #expect(try #require(login.login()).0.status == 0)
        bench.advance(.seconds(4))
        #expect(bench.target.isAwaitingLogouts == true)
        bench.advance(.seconds(1))
        let message = try #require(stays.take().first).decoded { AsyncMessagePDU(decoding: $0) }
        #expect([message.parameter1, message.parameter2, message.parameter3] == [0, 0, 0], "at once, elsewhere")
        #expect(message.event == AsyncEvent.sessionWillBeDropped.rawValue)
        #expect(login.read(0, 1).data.count == 512)
        #expect(bench.target.sessionCount == 2)
        #expect(bench.target.isAwaitingLogouts == false)
    }

    @Test func aRequestThatWasTakenBackDropsNobody() throws {
        let bench = Bench()
        let host = Initiator(bench)
        _ = try #require(host.login())
        bench.target.requestLogouts(of: .normalSessions, within: .seconds(5), at: bench.now)
        bench.target.cancelLogouts()
        #expect(bench.target.isAwaitingLogouts == false)
        bench.advance(.seconds(6))
        #expect(host.read(0, 1).data.count == 512)
    }
}
