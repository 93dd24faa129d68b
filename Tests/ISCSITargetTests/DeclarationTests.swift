import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// What one side only tells the other.
@Suite struct DeclarationTests {
    @Test func keysThatOnlyTellAreTaken() throws {
        let host = Initiator(Bench())
        host.putLogin(Initiator.names + ["InitiatorAlias=the host in the corner"], next: nil)
        let first = try #require(host.take().first)
        #expect(first.text.contains("TargetPortalGroupTag=1"))
        #expect(!first.text.contains { $0.hasPrefix("InitiatorAlias") || $0.hasPrefix("InitiatorName") })
        host.putLogin([])
        let last = try #require(host.take().first)
        #expect(last.decoded { LoginResponsePDU(decoding: $0) }.status == 0)
        #expect(!last.text.contains { $0.hasPrefix("TargetPortalGroupTag") }, "once a login")
        for key in ["TargetAlias=x", "TargetAddress=127.0.0.1", "TargetPortalGroupTag=1", "SendTargets=All"] {
            #expect(try #require(Initiator(Bench()).login([key])).0.status == 0x0200, "\(key) is the target's to say")
        }
    }

    @Test func aDiscoverySessionHasOneConnection() throws {
        let bench = Bench()
        let host = Initiator(bench)
        let (response, _) = try #require(host.login([], names: Initiator.discovery))
        let other = Initiator(bench, stream: 2)
        other.putLogin(Initiator.discovery) { $0.tsih = response.tsih; $0.cid = 1 }
        let refused = try #require(other.take().first).decoded { LoginResponsePDU(decoding: $0) }
        #expect(refused.status == LoginStatus.cannotIncludeInSession.rawValue)
    }

    /// RFC 7144 §4.2 gives the status qualifier of SAM-5 bytes 8 and 9 of a SCSI Response. A target that cannot tell
    /// when there will be room says nothing: zero.
    @Test func statusQualifierSaysNothingThatIsNotKnown() throws {
        let host = Initiator(Bench())
        _ = try #require(host.login(["iSCSIProtocolLevel=2"]))
        for _ in 0..<20 { _ = host.command([0xE0]) { $0.immediate = true; $0.lun = .max } }
        let seen = host.take()
        #expect(seen.count == 4)
        #expect(seen.allSatisfy { $0.response.status == 0x28 && $0.header[8..<16].allSatisfy { $0 == 0 } })
    }
}
