import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// CHAP from the login texts to the session (RFC 7143 §12.1.3).
@Suite struct CHAPTests {
    static let host = AccessRule.Account(name: "host", credential: 3)
    static let gemel = AccessRule.Account(name: "gemel", credential: 4)

    static func rule(mutual: Bool = false) -> AccessRule {
        var rule = AccessRule()
        rule.account = host
        if mutual { rule.mutual = gemel }
        return rule
    }

    static func bench(mutual: Bool = false) -> Bench {
        Bench(access: [[rule(mutual: mutual)]], discovery: [rule(mutual: mutual)])
    }

    static func hex(_ bytes: [UInt8]) -> String { BinaryValue.hexadecimal(bytes) }

    @Test(arguments: ["5", "6", "7", "8", "8,7,6,5", "5,8", "99,0x7,5", "x,,5,5,5"])
    func theInitiatorsFirstKnownAlgorithmIsUsed(_ offer: String) throws {
        let bench = Self.bench()
        let initiator = Initiator(bench)
        let challenge = try #require(initiator.challenge(algorithms: offer))
        let expected: [String: UInt8] = [
            "5": 5, "6": 6, "7": 7, "8": 8, "8,7,6,5": 8, "5,8": 5, "99,0x7,5": 7, "x,,5,5,5": 5,
        ]
        #expect(challenge.algorithm.rawValue == expected[offer])
        #expect(challenge.bytes.count == 32)
        let proof = Self.hex(initiator.proof(challenge, credential: 3))
        let end = try #require(initiator.exchange(["CHAP_N=host", "CHAP_R=\(proof)"]))
        #expect(end.status == 0 && end.transit)
        let (response, _) = try #require(initiator.login([], names: []))
        #expect(response.status == 0)
        #expect(bench.target.sessionCount == 1)
        #expect(initiator.read(0, 1).data.count == 512)
    }

    @Test(arguments: [Initiator.names, Initiator.discovery]) func bothSidesProveThemselves(_ names: [String]) throws {
        let initiator = Initiator(Self.bench(mutual: true))
        let challenge = try #require(initiator.challenge(names))
        let counter = pattern(24, seed: 9)
        let end = try #require(initiator.exchange([
            "CHAP_N=host", "CHAP_R=\(Self.hex(initiator.proof(challenge, credential: 3)))", "CHAP_I=200",
            "CHAP_C=\(Self.hex(counter))",
        ]))
        let proof = FakeHash.digest(CHAPDigestRequest(
            algorithm: challenge.algorithm, identifier: 200, credential: 4, challenge: counter))
        #expect(end.status == 0 && end.transit)
        #expect(end.text.contains("CHAP_N=gemel"))
        #expect(end.text.contains("CHAP_R=\(Self.hex(proof))"))
    }

    @Test func aProofMayComeInBase64AndCapitals() throws {
        for way in 0..<2 {
            let initiator = Initiator(Self.bench())
            let challenge = try #require(initiator.challenge(algorithms: "5"))
            let proof = initiator.proof(challenge, credential: 3)
            let text = way == 0 ? "0b" + Self.base64(proof) : "0X" + Self.hex(proof).dropFirst(2).uppercased()
            #expect(initiator.exchange(["CHAP_N=host", "CHAP_R=\(text)"])?.status == 0, "\(text)")
        }
    }

    static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = Array(bytes[start..<min(start + 3, bytes.count)])
            let word = (0..<3).reduce(0) { $0 << 8 | Int($1 < group.count ? group[$1] : 0) }
            for place in 0..<4 { text.append(place <= group.count ? digits[word >> (18 - 6 * place) & 63] : "=") }
        }
        return text
    }

    @Test func securityThenFullFeaturePhaseInOneStep() throws {
        let bench = Self.bench()
        let initiator = Initiator(bench)
        let challenge = try #require(initiator.challenge())
        let proof = Self.hex(initiator.proof(challenge, credential: 3))
        let end = try #require(initiator.exchange(["CHAP_N=host", "CHAP_R=\(proof)"], next: 3))
        #expect(end.status == 0 && end.transit)
        #expect(bench.target.sessionCount == 1)
    }

    @Test func theStageLastsUntilTheProofIsThere() throws {
        let initiator = Initiator(Self.bench())
        let first = try #require(initiator.exchange(Initiator.names + ["AuthMethod=CHAP"]))
        #expect(first.status == 0 && !first.transit && first.text.contains("AuthMethod=CHAP"))
        #expect(try #require(initiator.exchange(["CHAP_A=7"])).transit == false)
    }

    @Test func challengesAndIdentifiersAreNeverTheSame() throws {
        let bench = Self.bench()
        var seen: Set<[UInt8]> = []
        var identifiers: [UInt8] = []
        for stream in UInt32(1)...100 {
            let initiator = Initiator(bench, stream: stream)
            let challenge = try #require(initiator.challenge())
            seen.insert(challenge.bytes)
            if let last = identifiers.last { #expect(challenge.identifier == last &+ 1) }
            identifiers.append(challenge.identifier)
            bench.close(stream)
        }
        #expect(seen.count == 100)
    }

    @Test func anAnswerOfTheDriverForALoginThatIsGoneIsForgotten() throws {
        let bench = Self.bench()
        bench.answersLogins = false
        let initiator = Initiator(bench)
        initiator.putLogin(Initiator.names + ["AuthMethod=CHAP"], stage: 0, next: 1)
        _ = initiator.take()
        initiator.putLogin(["CHAP_A=7"], stage: 0, next: 1)
        #expect(initiator.take().isEmpty)
        let token = try #require(bench.asked)
        bench.close(1)
        let second = Initiator(bench)
        second.putLogin(Initiator.names + ["AuthMethod=CHAP"], stage: 0, next: 1)
        _ = second.take()
        second.putLogin(["CHAP_A=7"], stage: 0, next: 1)
        _ = second.take()
        bench.target.challengeDrawn(token: token, InlineArray(repeating: 1), at: bench.now)
        #expect(second.take().isEmpty)
        #expect(bench.target.connectionCount == 1)
    }

    @Test func aDriverThatCannotHelpIsATargetError() throws {
        let bench = Self.bench()
        bench.answersLogins = false
        let initiator = Initiator(bench)
        _ = initiator.exchange(Initiator.names + ["AuthMethod=CHAP"])
        initiator.putLogin(["CHAP_A=8"], stage: 0, next: 1)
        _ = initiator.take()
        let token = try #require(bench.asked)
        bench.target.challengeDrawn(token: token, nil, at: bench.now)
        #expect(initiator.take().first?.decoded { LoginResponsePDU(decoding: $0) }.status == 0x0300)
    }

    @Test func whatFollowsALoginRequestWaitsForItsAnswer() throws {
        let bench = Self.bench()
        bench.answersLogins = false
        let initiator = Initiator(bench)
        _ = initiator.exchange(Initiator.names + ["AuthMethod=CHAP"])
        initiator.putLogin(["CHAP_A=7"], stage: 0, next: 1)
        initiator.putLogin(["CHAP_N=host", "CHAP_R=0x00"], stage: 0, next: 1)
        #expect(initiator.take().isEmpty)
        let token = try #require(bench.asked)
        bench.target.challengeDrawn(token: token, InlineArray(repeating: 1), at: bench.now)
        #expect(initiator.take().first?.text.contains { $0.hasPrefix("CHAP_C=") } == true)
    }
}
