import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

@Suite struct AsynchronousMessageTests {
    @Test func hostsAreAskedToLogOutAndDroppedWhenTheyDoNot() throws {
        let session = try SeveralConnections(2)
        session.command(0, [0xE0], read: 512)
        session.bench.settle()
        session.bench.target.requestLogouts(within: .seconds(1), at: session.bench.now)
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
        #expect(message.event == AsyncEvent.connectionWillBeDropped.rawValue)
        #expect(message.parameter1 == 1)
        #expect(session.bench.effects.contains(.close(StreamID(1))))
        #expect(session.bench.target.sessionCount == 0)
        #expect(session.bench.target.commandCount == 0)
    }

    @Test func nobodyIsWaitedForWhenAllHaveLoggedOut() throws {
        let session = try SeveralConnections(1)
        session.bench.target.requestLogouts(within: .seconds(1), at: session.bench.now)
        #expect(session.logout(0, .closeSession, cid: 1)?.response == 0)
        #expect(session.bench.target.isAwaitingLogouts == false)
    }

    @Test func sessionsThatOnlyWaitForTheirConnectionsEndToo() throws {
        let session = try SeveralConnections(1, ["ErrorRecoveryLevel=2"])
        session.command(0, [0xE0], read: 512)
        session.bench.settle()
        session.bench.close(1)
        #expect(session.bench.target.sessionCount == 1)
        session.bench.target.requestLogouts(within: .seconds(1), at: session.bench.now)
        session.bench.advance(.seconds(1))
        #expect(session.bench.target.sessionCount == 0)
        #expect(session.bench.target.commandCount == 0)
    }
}
