import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// Who may come, what it is told, and what it gets.
@Suite struct AccessTests {
    static let targets = ["iqn.2026-11.io.gemel:one", "iqn.2026-11.io.gemel:two", "iqn.2026-11.io.gemel:three"]

    /// One is everybody's, two for hosts of example.com, three for one host.
    static func bench(_ adjust: (inout [[AccessRule]]) -> Void = { _ in }) -> Bench {
        var second = AccessRule(initiators: ["iqn.2026-11.com.example:*"], view: 2)
        second.maxSessions = 2
        second.commandWindow = 3
        var rules = [[AccessRule()], [second], [AccessRule(initiators: ["iqn.2026-11.com.example:backup"], view: 5)]]
        adjust(&rules)
        return Bench(targets: targets, access: rules)
    }

    static func names(_ initiator: String, _ target: String) -> [String] {
        ["InitiatorName=\(initiator)", "TargetName=iqn.2026-11.io.gemel:\(target)"]
    }

    @Test func aHiddenTargetIsAnsweredLikeAnUnknownOne() throws {
        for target in ["two", "three", "four"] {
            let host = Initiator(Self.bench())
            let (response, text) = try #require(host.login([], names: Self.names("iqn.2026-11.org.other:x", target)))
            #expect(response.status == 0x0203 && text.isEmpty)
            #expect(host.bench.effects.contains(.loginRefused(StreamID(1), status: 0x0203)))
        }
    }

    @Test func theFirstRuleThatFitsCountsAndNamesTheView() throws {
        let bench = Self.bench { $0[1].insert(AccessRule(initiators: ["iqn.2026-11.com.example:a"], view: 7), at: 0) }
        for (number, name) in ["a", "b", "ab"].enumerated() {
            let host = Initiator(bench, stream: UInt32(number + 1))
            let names = Self.names("IQN.2026-11.com.Example:\(name)", "Two")
            #expect(try #require(host.login([], names: names)).0.status == 0)
        }
        #expect(bench.device.accesses == [7, 2, 2])
    }

    private func discover(_ bench: Bench, _ initiator: String, _ question: String, stream: UInt32) throws -> [String] {
        let host = Initiator(bench, stream: stream)
        let (response, _) = try #require(
            host.login([], names: ["InitiatorName=\(initiator)", "SessionType=Discovery"]))
        #expect(response.status == 0)
        var pdu = TextRequestPDU()
        pdu.immediate = true
        pdu.final = true
        pdu.initiatorTaskTag = 9
        pdu.cmdSN = host.cmdSN
        host.put(pdu.encode, data: Initiator.text(["SendTargets=\(question)"]))
        return try #require(host.take().first).text.filter { $0.hasPrefix("TargetName=") }
            .map { String($0.dropFirst("TargetName=iqn.2026-11.io.gemel:".count)) }
    }

    @Test func sendTargetsTellsWhatTheInitiatorMaySee() throws {
        let bench = Self.bench()
        #expect(try discover(bench, "iqn.2026-11.org.other:x", "All", stream: 1) == ["one"])
        bench.close(1)
        #expect(try discover(bench, "iqn.2026-11.com.example:y", "All", stream: 1) == ["one", "two"])
        bench.close(1)
        #expect(try discover(bench, "iqn.2026-11.com.example:backup", "All", stream: 1) == ["one", "two", "three"])
        bench.close(1)
        #expect(try discover(bench, "iqn.2026-11.org.other:x", "iqn.2026-11.io.gemel:three", stream: 1) == [])
        bench.close(1)
        let backup = "iqn.2026-11.com.example:backup"
        #expect(try discover(bench, backup, "IQN.2026-11.io.gemel:three", stream: 1) == ["three"])
    }

    @Test func whoMayNotDiscoverIsTold() throws {
        let bench = Bench(discovery: [AccessRule(initiators: ["iqn.2026-11.com.example:*"])])
        let host = Initiator(bench)
        let names = ["InitiatorName=iqn.2026-11.org.other:x", "SessionType=Discovery"]
        #expect(try #require(host.login([], names: names)).0.status == 0x0202)
    }

    @Test func sessionsOfOneInitiatorAreBounded() throws {
        let bench = Self.bench()
        for number in UInt32(1)...3 {
            let host = Initiator(bench, stream: number)
            host.isid = ISID(UInt64(number))
            let status = try #require(host.login([], names: Self.names("iqn.2026-11.com.example:a", "two"))).0.status
            #expect(status == (number < 3 ? 0 : 0x0302))
        }
        let again = Initiator(bench, stream: 4)
        again.isid = ISID(2)
        let names = Self.names("iqn.2026-11.com.example:a", "two")
        #expect(try #require(again.login([], names: names)).0.status == 0, "reinstatement is no further session")
        let other = Initiator(bench, stream: 5)
        #expect(try #require(other.login([], names: Self.names("iqn.2026-11.com.example:b", "two"))).0.status == 0)
    }

    @Test func theCommandWindowIsTheRules() throws {
        let host = Initiator(Self.bench())
        _ = try #require(host.login([], names: Self.names("iqn.2026-11.com.example:a", "two")))
        _ = host.command([0x00])
        let response = try #require(host.take().first).decoded { SCSIResponsePDU(decoding: $0) }
        #expect(response.serials.maxCmdSN &- response.serials.expCmdSN == 2)
    }

    // MARK: Names

    @Test(arguments: [
        ("iqn.2026-11.com.example:host", "iqn.2026-11.com.example:host"),
        ("IQN.2026-11.COM.Example:Host", "iqn.2026-11.com.example:host"), ("iqn.2026-11.x", "iqn.2026-11.x"),
        ("eui.0123456789ABCDEF", "eui.0123456789abcdef"), ("naa.6024745012345678", "naa.6024745012345678"),
        ("naa.60247450123456786024745012345678", "naa.60247450123456786024745012345678"),
        ("iqn.2026-11.com.example:grün", "iqn.2026-11.com.example:grün"),
        ("iqn.2026-11.com.example:機械", "iqn.2026-11.com.example:機械"),
    ]) func namesAreTakenAsTheyAreCompared(_ name: String, _ expected: String) {
        let normal = Array(name.utf8).withUnsafeBytes { NodeName.normalized($0) }
        #expect(normal.map { String(decoding: $0, as: UTF8.self) } == expected)
    }

    @Test(arguments: [
        "", "iqn.", "iqn", "host", "iqn.2026-13.x", "iqn.2026-00.x", "iqn.202x-11.x", "iqn.2026-11", "iqn.2026-11.",
        "iqn.2026-11.:x", "iqn.2026-11..x", "eui.123", "eui.0123456789abcdeg", "naa.0", "naa.01234567890123456",
        "iqn.2026-11.a_b", "iqn.2026-11.a b", "iqn.2026-11.a,b", "iqn.2026-11.a/b", "iqn.2026-11.a\u{1B}[2J",
        "iqn.2026-11.a\nb", "iqn.2026-11.GRÖSSE", "iqn.2026-11.größe", "iqn.2026-11.\u{202E}x", "iqn.2026-11.\u{3002}x",
        "iqn.2026-11.\u{200B}x", "iqn.2026-11.\u{FF41}",
    ]) func whatIsNoNameIsRefused(_ name: String) {
        #expect(Array(name.utf8).withUnsafeBytes { NodeName.normalized($0) } == nil, "\(name)")
    }

    @Test func namesHave223BytesAtTheMost() {
        let start = "iqn.2026-11.io.gemel:"
        let longest = start + String(repeating: "x", count: 223 - start.count)
        #expect(Array(longest.utf8).withUnsafeBytes { NodeName.normalized($0) } != nil)
        #expect(Array((longest + "x").utf8).withUnsafeBytes { NodeName.normalized($0) } == nil)
        #expect([UInt8]("iqn.2026-11.\u{FF}".unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) })
            .withUnsafeBytes { NodeName.normalized($0) } == nil, "no UTF-8")
    }
}
