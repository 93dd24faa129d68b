import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// Texts and PDUs at the edges of the login phase, and logins that are sent elsewhere.
@Suite struct LoginEdgeTests {
    // MARK: PDUs

    static let openings: [(String, [UInt8])] = [
        ("NOP-Out", [0x00, 0x80] + [UInt8](repeating: 0, count: 46)),
        ("SCSI Command", [0x01, 0x80] + [UInt8](repeating: 0, count: 46)),
        ("Text Request", [0x04, 0x80] + [UInt8](repeating: 0, count: 46)),
        ("a TLS hello", [0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC] + pattern(508)),
        ("HTTP", Array("GET /status HTTP/1.1\r\nHost: 127.0.0.1:3260\r\nAccept: */*\r\n\r\n".utf8)),
        ("noise", pattern(4096)),
    ]

    @Test(arguments: openings) func whatIsNoLoginIsClosed(_ name: String, _ bytes: [UInt8]) {
        let bench = Bench()
        _ = bench.connect(1)
        bench.toTarget[1] = bytes
        bench.settle()
        #expect(bench.effects.contains(.protocolError(StreamID(1), .firstPDUIsNoLogin)), "\(name)")
        #expect(bench.effects.contains(.close(StreamID(1))))
        #expect(bench.fromTarget[1, default: []].isEmpty)
        #expect(bench.target.statistics.protocolErrors == 1)
    }

    @Test func aLoginThatIsTooLongIsRefusedByItsHeader() throws {
        for length in [8193, 0xFF_FFFF] {
            let host = Initiator(Bench())
            host.putLogin(Initiator.names)
            let bytes = [UInt8(length >> 16), UInt8(length >> 8 & 255), UInt8(length & 255)]
            host.bench.toTarget[1]?.replaceSubrange(5..<8, with: bytes)
            host.bench.toTarget[1]?.removeSubrange(48...)
            #expect(host.take().first?.decoded { LoginResponsePDU(decoding: $0) }.status == 0x0200)
            #expect(host.bench.effects.contains(.close(StreamID(1))))
        }
        let host = Initiator(Bench())
        host.putLogin(Initiator.names)
        host.bench.toTarget[1]?[4] = 1
        #expect(host.take().isEmpty)
        #expect(host.bench.effects.contains(.protocolError(StreamID(1), .additionalHeader)))
    }

    // MARK: Texts

    static let names = Initiator.names.map { $0 + "\0" }.joined()
    static let texts: [(String, String)] = [
        ("no NUL at the end", names + "MaxBurstLength=65536"), ("no equal sign", names + "MaxBurstLength\0"),
        ("an empty key", names + "=1\0"), ("a key of 64 bytes", names + String(repeating: "K", count: 64) + "=1\0"),
        ("a value of 256 bytes", names + "X-a=" + String(repeating: "v", count: 256) + "\0"),
        ("a key with a blank", names + "Max Burst=1\0"), ("a carriage return", names + "X-a=1\r\n\0"),
        ("an escape in a name", "InitiatorName=iqn.2026-11.x\u{1B}[31m\0TargetName=iqn.2026-11.io.gemel:one\0"),
        ("a line break in a name", "InitiatorName=iqn.2026-11.x\nTargetName=y\0TargetName=iqn.2026-11.io.gemel:one\0"),
        ("a name of two types", "InitiatorName=iqn.2026-11.x,i,0x01\0TargetName=iqn.2026-11.io.gemel:one\0"),
        ("a name twice", names + "InitiatorName=iqn.2026-11.other\0"),
    ]

    @Test(arguments: texts) func aMalformedTextIsAnInitiatorError(_ name: String, _ text: String) throws {
        let host = Initiator(Bench())
        var pdu = LoginRequestPDU()
        pdu.transit = true
        pdu.currentStage = 1
        pdu.nextStage = 3
        host.put(pdu.encode, data: Array(text.utf8))
        let seen = try #require(host.take().first, "\(name)")
        #expect(seen.decoded { LoginResponsePDU(decoding: $0) }.status == 0x0200, "\(name)")
        #expect(host.bench.target.sessionCount == 0)
    }

    @Test func bytesThatAreNoUTF8AreRefusedAndUnknownKeysAreNot() throws {
        let host = Initiator(Bench())
        var pdu = LoginRequestPDU()
        pdu.currentStage = 1
        host.put(pdu.encode, data: Array(Self.names.utf8) + Array("X-a=".utf8) + [0xC3, 0x28, 0])
        #expect(host.take().first?.decoded { LoginResponsePDU(decoding: $0) }.status == 0x0200)
        let other = Initiator(Bench())
        let (response, text) = try #require(other.login(["X-com.example.a=größe", "Y#b=1"]))
        #expect(response.status == 0)
        #expect(text.contains("X-com.example.a=NotUnderstood") && text.contains("Y#b=NotUnderstood"))
    }

    @Test(arguments: ["0", "511", "16777216", "-1", "1e9", "4294967808", "99999999999999999999999", "0x", "512 ", ""])
    func aSegmentLengthOutOfRangeIsRefused(_ value: String) throws {
        let host = Initiator(Bench())
        #expect(try #require(host.login(["MaxRecvDataSegmentLength=\(value)"])).0.status == 0x0200, "\(value)")
    }

    @Test func numbersAtTheEdgesAreTakenOrRejected() throws {
        for (key, value, expected) in [
            ("MaxBurstLength", "512", "512"), ("MaxBurstLength", "16777215", "16776192"),
            ("MaxBurstLength", "511", "Reject"), ("MaxBurstLength", "0x200", "512"),
            ("FirstBurstLength", "16777216", "Reject"), ("DefaultTime2Wait", "3600", "3600"),
            ("DefaultTime2Wait", "9999", "Reject"), ("MaxOutstandingR2T", "0", "Reject"),
            ("MaxConnections", "65536", "Reject"), ("DefaultTime2Retain", "-1", "Reject"),
        ] {
            let (response, text) = try #require(Initiator(Bench()).login(["\(key)=\(value)"]))
            #expect(response.status == 0)
            #expect(text.contains("\(key)=\(expected)"), "\(key)=\(value): \(text)")
        }
        let (_, text) = try #require(Initiator(Bench()).login(["MaxBurstLength=512", "FirstBurstLength=65536"]))
        #expect(text.contains("MaxBurstLength=512"))
    }

    @Test(arguments: [(2, 1), (0, 2), (1, 1), (1, 0), (3, 3), (0, 0)])
    func stagesThatDoNotFollowAreRefused(_ current: Int, _ next: Int) throws {
        let host = Initiator(Bench())
        host.putLogin(Initiator.names, stage: UInt8(current), next: UInt8(next))
        #expect(host.take().first?.decoded { LoginResponsePDU(decoding: $0) }.status == 0x020B)
    }

    @Test func aStepBackIsRefused() throws {
        let host = Initiator(Bench())
        #expect(host.exchange(Initiator.names + ["AuthMethod=None"])?.transit == true)
        #expect(host.exchange([])?.status == 0x020B)
    }

    // MARK: Digests

    @Test func requiredDigestsAreRequired() throws {
        func bench() -> Bench {
            Bench {
                $0.headerDigest = .required
                $0.dataDigest = .never
            }
        }
        #expect(try #require(Initiator(bench()).login()).0.status == 0x0200)
        #expect(try #require(Initiator(bench()).login(["HeaderDigest=None"])).0.status == 0x0200)
        let host = Initiator(bench())
        let (response, text) = try #require(host.login(["HeaderDigest=None,CRC32C", "DataDigest=CRC32C,None"]))
        #expect(response.status == 0)
        #expect(text.contains("HeaderDigest=CRC32C") && text.contains("DataDigest=None"))
        #expect(host.read(0, 8).data.count == 4096)
        #expect(try #require(Initiator(bench()).login([], names: Initiator.discovery)).0.status == 0)
    }

    // MARK: Redirection

    @Test func loginsAreSentToTheOtherGroupAndNoFurther() throws {
        let bench = Bench()
        let before = Initiator(bench)
        _ = try #require(before.login())
        bench.target.redirectLogins(toGroup: 2)
        let host = Initiator(bench, stream: 2)
        host.isid = ISID(2)
        let (response, text) = try #require(host.login())
        #expect(response.status == 0x0101 && !response.transit)
        #expect(text == ["TargetAddress=127.0.0.1:3261"])
        #expect(bench.effects.contains(.close(StreamID(2))))
        #expect(before.read(0, 1).data.count == 512, "sessions that are there stay")
        // It could not log in there, or was sent back: it is served now.
        let back = Initiator(bench, stream: 3)
        back.isid = ISID(2)
        #expect(try #require(back.login()).0.status == 0)
        bench.close(3)
        bench.close(2)
        bench.now = bench.now + .seconds(60)
        let later = Initiator(bench, stream: 2)
        later.isid = ISID(2)
        #expect(try #require(later.login()).0.status == 0x0101)
    }

    @Test func discoveryAndSecondConnectionsAreServedWhileLoginsAreSentAway() throws {
        let bench = Bench()
        let (first, _) = try #require(Initiator(bench).login())
        bench.target.redirectLogins(toGroup: 2)
        #expect(try #require(Initiator(bench, stream: 2).login([], names: Initiator.discovery)).0.status == 0)
        let second = Initiator(bench, stream: 3)
        second.putLogin(Initiator.names) { $0.tsih = first.tsih; $0.cid = 1 }
        #expect(second.take().first?.decoded { LoginResponsePDU(decoding: $0) }.status != 0x0101)
    }

    @Test func hiddenTargetsAreNotGivenAwayByARedirection() throws {
        let bench = Bench(access: [[AccessRule(initiators: ["iqn.2026-11.com.example:*"])]])
        bench.target.redirectLogins(toGroup: 2)
        #expect(try #require(Initiator(bench).login()).0.status == 0x0203)
    }

    @Test(arguments: [UInt16(1), 3, 0, nil]) func aGroupWithoutPortalsOrOurOwnIsNoRedirection(_ group: UInt16?) throws {
        let bench = Bench()
        bench.target.redirectLogins(toGroup: 2)
        bench.target.redirectLogins(toGroup: group)
        let isRedirecting = bench.target.isRedirecting
        #expect(!isRedirecting)
        #expect(try #require(Initiator(bench).login()).0.status == 0)
    }
}
