import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

@Suite struct LoginTests {
    @Test func aNormalSessionIsEstablishedInOneExchange() throws {
        let bench = Bench()
        let host = Initiator(bench)
        let (response, text) = try #require(host.login([
            "HeaderDigest=None,CRC32C", "DataDigest=CRC32C,None", "InitialR2T=No", "ImmediateData=Yes",
            "MaxRecvDataSegmentLength=65536", "MaxBurstLength=16776192", "FirstBurstLength=65536",
            "DefaultTime2Wait=2", "DefaultTime2Retain=20", "MaxConnections=4", "MaxOutstandingR2T=8",
            "ErrorRecoveryLevel=2", "DataPDUInOrder=No", "DataSequenceInOrder=Yes", "IFMarker=No", "OFMarkInt=1~2",
            "X-com.example=7", "TaskReporting=FastAbort,RFC3720", "iSCSIProtocolLevel=2"]))
        #expect(response.status == 0)
        #expect(response.transit && response.nextStage == 3)
        #expect(response.tsih != 0)
        #expect(Set(text) == [
            "TargetPortalGroupTag=1", "HeaderDigest=None", "DataDigest=CRC32C", "InitialR2T=No", "ImmediateData=Yes",
            "MaxRecvDataSegmentLength=262144", "MaxBurstLength=16776192", "FirstBurstLength=65536",
            "DefaultTime2Wait=2", "DefaultTime2Retain=20", "MaxConnections=4", "MaxOutstandingR2T=1",
            "ErrorRecoveryLevel=2", "DataPDUInOrder=Yes", "DataSequenceInOrder=Yes", "IFMarker=No",
            "OFMarkInt=Reject", "X-com.example=NotUnderstood", "TaskReporting=RFC3720", "iSCSIProtocolLevel=2"])
        #expect(bench.device.log == ["nexus 0 iqn.2026-11.example:host,i,0x800000000001"])
        #expect(bench.target.sessionSnapshots().map(\.initiator) == ["iqn.2026-11.example:host,i,0x800000000001"])
    }

    @Test func securityThenOperationalStageWithContinuation() throws {
        let bench = Bench()
        let host = Initiator(bench)
        host.putLogin(Initiator.names + ["AuthMethod=CHAP,None"], stage: 0, next: 1)
        var seen = try #require(host.take().first)
        #expect(Set(seen.text) == ["AuthMethod=None", "TargetPortalGroupTag=1"])
        #expect(seen.decoded { LoginResponsePDU(decoding: $0) }.nextStage == 1)
        host.putLogin([], stage: 1, next: nil) { $0.continues = true }
        seen = try #require(host.take().first)
        #expect(seen.data.isEmpty)
        host.putLogin(["MaxBurstLength=0x1000"])
        seen = try #require(host.take().first)
        #expect(seen.text.contains("MaxBurstLength=4096"))
        #expect(seen.decoded { LoginResponsePDU(decoding: $0) }.transit)
        #expect(bench.target.sessionCount == 1)
    }

    @Test func aLoginFedByteByByteSucceeds() throws {
        let bench = Bench()
        bench.readLimit = 1
        bench.writeLimit = 3
        let host = Initiator(bench)
        let (response, _) = try #require(host.login(["HeaderDigest=CRC32C"]))
        #expect(response.status == 0)
        #expect(host.headerDigest)
        #expect(host.read(0, 1).data.count == 512)
    }

    static let refusals: [(String, [String], UInt16)] = [
        ("no initiator name", ["TargetName=iqn.2026-11.io.gemel:one"], 0x0207),
        ("no target name", ["InitiatorName=iqn.2026-11.x"], 0x0207),
        ("unknown target", ["InitiatorName=iqn.2026-11.x", "TargetName=iqn.2026-11.y"], 0x0203),
        ("session type", ["InitiatorName=iqn.2026-11.x", "SessionType=Copy"], 0x0209),
        ("CHAP only", Initiator.names + ["AuthMethod=CHAP"], 0x0201),
        ("key twice", Initiator.names + ["MaxBurstLength=512", "MaxBurstLength=512"], 0x0200),
        ("no equal sign", Initiator.names + ["MaxBurstLength"], 0x0200),
        ("long key", Initiator.names + [String(repeating: "K", count: 64) + "=1"], 0x0200),
        ("long value", Initiator.names + ["X-a=" + String(repeating: "v", count: 256)], 0x0200),
        ("control character", ["InitiatorName=iqn.\u{1B}x", "TargetName=iqn.2026-11.io.gemel:one"], 0x0200),
        ("zero segment", Initiator.names + ["MaxRecvDataSegmentLength=0"], 0x0200),
        ("huge segment", Initiator.names + ["MaxRecvDataSegmentLength=16777216"], 0x0200),
        ("no number", Initiator.names + ["MaxRecvDataSegmentLength=1e9"], 0x0200),
        ("many keys", Initiator.names + (0..<65).map { "X-\($0)=1" }, 0x0200),
    ]

    @Test(arguments: refusals) func aBadLoginIsRefusedWithItsStatus(_ name: String, _ text: [String], _ status: UInt16)
        throws {
        let bench = Bench()
        let host = Initiator(bench)
        let (response, _) = try #require(host.login([], names: text), "\(name)")
        #expect(response.status == status, "\(name)")
        #expect(bench.effects.contains(.close(StreamID(1))), "\(name)")
        #expect(bench.target.sessionCount == 0)
    }

    @Test func outOfRangeValuesAreRejectedAndLeaveTheDefault() throws {
        let host = Initiator(Bench())
        let (response, text) = try #require(host.login([
            "MaxBurstLength=511", "ErrorRecoveryLevel=3", "InitialR2T=Maybe", "DefaultTime2Wait=9999",
            "HeaderDigest=SHA"]))
        #expect(response.status == 0)
        #expect(text.filter { $0.hasSuffix("=Reject") }.count == 5)
    }

    @Test func versionsStagesAndTagsAreChecked() throws {
        func status(_ adjust: (inout LoginRequestPDU) -> Void) throws -> UInt16 {
            let host = Initiator(Bench())
            host.putLogin(Initiator.names, adjust)
            return try #require(host.take().first).decoded { LoginResponsePDU(decoding: $0) }.status
        }
        #expect(try status { $0.versionMin = 1 } == 0x0205)
        #expect(try status { $0.currentStage = 2 } == 0x020B)
        #expect(try status { $0.currentStage = 3 } == 0x020B)
        #expect(try status { $0.nextStage = 1 } == 0x020B)
        #expect(try status { $0.nextStage = 2 } == 0x020B)
        #expect(try status { $0.continues = true } == 0x0200)
        #expect(try status { $0.tsih = 999 } == 0x020A)
    }

    @Test func aSecondConnectionForASessionIsRefused() throws {
        let bench = Bench()
        let (first, _) = try #require(Initiator(bench).login())
        let other = Initiator(bench, stream: 2)
        other.putLogin(Initiator.names) { $0.tsih = first.tsih; $0.cid = 1 }
        let seen = try #require(other.take().first)
        #expect(seen.decoded { LoginResponsePDU(decoding: $0) }.status == 0x0206)
        #expect(bench.target.sessionCount == 1)
    }

    @Test func theSameInitiatorPortReinstatesItsSession() throws {
        let bench = Bench()
        let old = Initiator(bench)
        _ = try #require(old.login())
        _ = old.command([0xE0])
        _ = old.take()
        let new = Initiator(bench, stream: 2)
        let (response, _) = try #require(new.login())
        #expect(response.status == 0)
        let name = "iqn.2026-11.example:host,i,0x800000000001"
        #expect(bench.device.log == ["nexus 0 \(name)", "lost command", "lost nexus 0", "nexus 0 \(name)"])
        #expect(bench.effects.contains(.close(StreamID(1))))
        bench.close(1)
        #expect(bench.target.commandCount == 0)
        #expect(new.read(0, 8).data.count == 4096)
    }

    @Test func anotherISIDIsAnotherSession() throws {
        let bench = Bench()
        _ = try #require(Initiator(bench).login())
        let other = Initiator(bench, stream: 2)
        other.isid = ISID(0x8000_0000_0002)
        #expect(try #require(other.login()).0.status == 0)
        #expect(bench.target.sessionCount == 2)
    }

    @Test func sessionsAndConnectionsAreBounded() throws {
        let bench = Bench()
        for number in 1...4 {
            let host = Initiator(bench, stream: UInt32(number))
            host.isid = ISID(UInt64(number))
            #expect(try #require(host.login()).0.status == 0)
        }
        let fifth = Initiator(bench, stream: 5)
        fifth.isid = ISID(5)
        #expect(try #require(fifth.login()).0.status == 0x0302)
        for stream in 6...8 { #expect(bench.connect(UInt32(stream))) }
        #expect(!bench.connect(9))
        bench.close(5)
        #expect(bench.connect(9))
    }

    @Test func anythingButALoginEndsTheConnectionAtOnce() {
        for first in [Array("GET / HTTP/1.1\r\nHost: x\r\nAccept: text/plain, */*\r\n\r\n".utf8), pattern(64)] {
            let bench = Bench()
            _ = bench.connect(1)
            bench.toTarget[1] = first
            bench.settle()
            #expect(bench.effects.contains(.close(StreamID(1))))
            #expect(bench.effects.contains(.protocolError(StreamID(1), .firstPDUIsNoLogin)))
        }
    }

    @Test func aLoginThatTakesTooLongIsEnded() {
        let bench = Bench()
        let host = Initiator(bench)
        host.putLogin(Initiator.names, next: nil)
        _ = host.take()
        bench.advance(.seconds(14))
        #expect(!bench.effects.contains(.close(StreamID(1))))
        bench.advance(.seconds(1))
        #expect(bench.effects.contains(.protocolError(StreamID(1), .loginTimer)))
        #expect(bench.effects.contains(.close(StreamID(1))))
    }

    @Test func anEndlessTextIsCut() throws {
        let bench = Bench()
        let host = Initiator(bench)
        var last: UInt16 = 0
        for _ in 0..<9 where last == 0 {
            host.putLogin([String(repeating: "A", count: 8000) + "=1"], next: nil) { $0.continues = true }
            last = try #require(host.take().first).decoded { LoginResponsePDU(decoding: $0) }.status
        }
        #expect(last == 0x0200)
    }
}
