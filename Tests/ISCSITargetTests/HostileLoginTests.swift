import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// What somebody sends who wants to get in without a right to, or to hurt: authentication.
@Suite struct HostileLoginTests {
    static let names = Initiator.names

    func status(_ steps: [String]..., mutual: Bool = false) throws -> UInt16 {
        let initiator = Initiator(CHAPTests.bench(mutual: mutual))
        var last: UInt16 = 0
        for step in steps where last == 0 { last = try #require(initiator.exchange(step)).status }
        return last
    }

    // MARK: Around CHAP

    @Test func whoMustProveItselfCannotGoAround() throws {
        for names in [Initiator.names, Initiator.discovery] {
            #expect(try status(names + ["AuthMethod=None"]) == 0x0201)
            #expect(try status(names) == 0x0201, "leaves the security stage without AuthMethod")
            #expect(try status(names + ["AuthMethod=KRB5,SRP"]) == 0x0201)
            #expect(try status(names + ["AuthMethod="]) == 0x0201)
            let initiator = Initiator(CHAPTests.bench())
            #expect(try #require(initiator.login([], names: names)).0.status == 0x0201, "skips the security stage")
            #expect(initiator.bench.target.sessionCount == 0)
        }
        let initiator = Initiator(CHAPTests.bench())
        #expect(initiator.exchange(Self.names + ["AuthMethod=CHAP"], next: 3)?.transit == false)
        let late = Initiator(CHAPTests.bench())
        #expect(late.exchange(Self.names + ["AuthMethod=CHAP"])?.status == 0)
        #expect(try #require(late.login([], names: [])).0.status == 0x020B, "the stage has not changed")
    }

    @Test func whereNothingIsProvedCHAPIsNotTaken() throws {
        let initiator = Initiator(Bench())
        #expect(initiator.exchange(Self.names + ["AuthMethod=CHAP"])?.status == 0x0201)
        let other = Initiator(Bench())
        #expect(other.exchange(Self.names + ["AuthMethod=None", "CHAP_A=5"])?.status == 0x0200)
    }

    @Test func stepsOutOfOrderAreRefused() throws {
        let method = Self.names + ["AuthMethod=CHAP"]
        #expect(try status(Self.names + ["CHAP_A=5"]) == 0x0200)
        #expect(try status(method + ["CHAP_A=5"]) == 0x0200, "the method is not answered yet")
        #expect(try status(method, ["CHAP_N=host", "CHAP_R=0x00"]) == 0x0200)
        #expect(try status(method, []) == 0x0200)
        #expect(try status(method, ["CHAP_A=5"], []) == 0x0200)
        #expect(try status(method, ["CHAP_A=5"], ["CHAP_A=5"]) == 0x0200)
        #expect(try status(method, ["CHAP_A=5"], ["CHAP_R=0x00112233445566778899aabbccddeeff"]) == 0x0200)
        #expect(try status(method, ["CHAP_A=5"], ["CHAP_N=host"]) == 0x0200)
        #expect(try status(method, ["AuthMethod=CHAP"]) == 0x0200)
        let proof = ["CHAP_N=host", "CHAP_R=0x00112233445566778899aabbccddeeff"]
        #expect(try status(method, ["CHAP_A=5"], proof + ["CHAP_I=1"]) == 0x0200, "an identifier without challenge")
        #expect(try status(method, ["CHAP_A=5"], proof + ["CHAP_C=0x01"]) == 0x0200)
    }

    @Test func algorithmsThatNobodyHasAreRefused() throws {
        let method = Self.names + ["AuthMethod=CHAP"]
        for list in ["", "0", "4", "9", "256", "261", "-5", "5x", "5 ,6 ", String(repeating: "99,", count: 2700)] {
            #expect(try status(method, ["CHAP_A=\(list)"]) == 0x0201, "\(list.prefix(20))")
        }
        #expect(try status(method, ["CHAP_A=" + String(repeating: "9", count: 8193)]) == 0x0200)
    }

    // MARK: Values

    @Test(arguments: [
        "0x", "0b", "", "00", "0x0", "0x001", "0xzz", "0x0g", "0b====", "0bA", "0bAA=", "0bAB==", "0bAAA", "0b AAA",
        "0bAA==AAAA", "0d00", "x00",
    ]) func valuesThatAreNoBinaryAreRefused(_ text: String) throws {
        let initiator = Initiator(CHAPTests.bench(mutual: true))
        let challenge = try #require(initiator.challenge())
        #expect(initiator.exchange(["CHAP_N=host", "CHAP_R=\(text)"])?.status == 0x0200)
        let other = Initiator(CHAPTests.bench(mutual: true))
        let proof = CHAPTests.hex(other.proof(try #require(other.challenge()), credential: 3))
        let end = other.exchange(["CHAP_N=host", "CHAP_R=\(proof)", "CHAP_I=1", "CHAP_C=\(text)"])
        #expect(end?.status == 0x0200)
        #expect(challenge.bytes.count == 32)
    }

    @Test func challengesHaveTheirBounds() throws {
        for (bytes, status) in [(1, UInt16(0)), (1024, 0), (1025, 0x0200)] {
            let initiator = Initiator(CHAPTests.bench(mutual: true))
            let proof = CHAPTests.hex(initiator.proof(try #require(initiator.challenge()), credential: 3))
            let counter = CHAPTests.hex(pattern(bytes, seed: 3))
            let end = initiator.exchange(["CHAP_N=host", "CHAP_R=\(proof)", "CHAP_I=0", "CHAP_C=\(counter)"])
            #expect(end?.status == status, "\(bytes) bytes")
        }
        for identifier in ["256", "-1", "x", ""] {
            let initiator = Initiator(CHAPTests.bench(mutual: true))
            let proof = CHAPTests.hex(initiator.proof(try #require(initiator.challenge()), credential: 3))
            let end = initiator.exchange(["CHAP_N=host", "CHAP_R=\(proof)", "CHAP_I=\(identifier)", "CHAP_C=0x01"])
            #expect(end?.status == 0x0200, "\(identifier)")
        }
    }

    // MARK: Wrong proofs

    /// Sends a proof and returns the status, and whether it came at once.
    func prove(
        _ bench: Bench, _ initiator: Initiator, name: String = "host", more: [String] = [], _ proof: [UInt8]
    ) throws -> (status: UInt16, atOnce: Bool) {
        initiator.putLogin(["CHAP_N=\(name)", "CHAP_R=\(CHAPTests.hex(proof))"] + more, stage: 0, next: 1)
        if let seen = initiator.take().first {
            return (seen.decoded { LoginResponsePDU(decoding: $0) }.status, true)
        }
        bench.advance(.milliseconds(999))
        #expect(initiator.take().isEmpty)
        bench.advance(.milliseconds(1))
        return (try #require(initiator.take().first).decoded { LoginResponsePDU(decoding: $0) }.status, false)
    }

    @Test func aWrongProofAndAWrongNameAreAnsweredAlikeAndLate() throws {
        for way in 0..<5 {
            let bench = CHAPTests.bench()
            let initiator = Initiator(bench)
            let challenge = try #require(initiator.challenge())
            let right = initiator.proof(challenge, credential: 3)
            let (status, atOnce) =
                switch way {
                case 0: try prove(bench, initiator, initiator.proof(challenge, credential: 4))
                case 1: try prove(bench, initiator, name: "hosT", right)
                case 2: try prove(bench, initiator, Array(right.dropLast()))
                case 3: try prove(bench, initiator, right + [0])
                default: try prove(bench, initiator, right.indices.map { $0 == 31 ? right[$0] ^ 1 : right[$0] })
                }
            #expect(status == 0x0201 && !atOnce)
            #expect(bench.effects.contains(.close(StreamID(1))))
            #expect(bench.effects.contains(.loginRefused(StreamID(1), status: 0x0201)))
            #expect(bench.target.sessionCount == 0)
            let digests = bench.effects.filter { if case .digest = $0 { true } else { false } }
            #expect(digests.count == 1, "the same work whatever was wrong")
        }
    }

    @Test func aProofOfAnotherAlgorithmsLengthFails() throws {
        for bytes in [16, 20, 32] {
            let bench = CHAPTests.bench()
            let initiator = Initiator(bench)
            _ = try #require(initiator.challenge(algorithms: bytes == 32 ? "5" : "7"))
            #expect(try prove(bench, initiator, pattern(bytes)).status == 0x0201)
        }
    }

    @Test func aReplayedExchangeFails() throws {
        let bench = CHAPTests.bench()
        let first = Initiator(bench)
        let challenge = try #require(first.challenge())
        let proof = first.proof(challenge, credential: 3)
        #expect(try prove(bench, first, proof).status == 0)
        let second = Initiator(bench, stream: 2)
        _ = try #require(second.challenge())
        #expect(try prove(bench, second, proof).status == 0x0201)
    }

    // MARK: Reflection

    @Test func ourOwnChallengeIsNeverAnswered() throws {
        let bench = CHAPTests.bench(mutual: true)
        let first = Initiator(bench)
        let own = try #require(first.challenge())
        let proof = first.proof(own, credential: 3)
        let end = try prove(
            bench, first, more: ["CHAP_I=\(own.identifier)", "CHAP_C=\(own.text)"], proof)
        #expect(end.status == 0x0201)
        #expect(!bench.effects.contains { if case .digest = $0 { true } else { false } })
    }

    @Test func aChallengeOfAParallelLoginIsNeverAnswered() throws {
        let bench = CHAPTests.bench(mutual: true)
        let victim = Initiator(bench)
        let wanted = try #require(victim.challenge())
        let helper = Initiator(bench, stream: 2)
        let other = try #require(helper.challenge())
        let end = try prove(
            bench, helper, more: ["CHAP_I=\(wanted.identifier)", "CHAP_C=\(wanted.text)"],
            helper.proof(other, credential: 3))
        #expect(end.status == 0x0201)
        #expect(!bench.effects.contains { if case .digest = $0 { true } else { false } })
    }

    @Test func nobodyIsAnsweredBeforeItHasProvedItself() throws {
        let bench = CHAPTests.bench(mutual: true)
        let initiator = Initiator(bench)
        _ = try #require(initiator.challenge())
        let end = try prove(bench, initiator, more: ["CHAP_I=1", "CHAP_C=0x0102"], pattern(32))
        #expect(end.status == 0x0201)
        for effect in bench.effects {
            if case .digest(_, let request) = effect { #expect(request.credential == 3) }
        }
    }

    @Test func aTargetWithoutASecretOfItsOwnSaysSo() throws {
        let initiator = Initiator(CHAPTests.bench())
        let challenge = try #require(initiator.challenge())
        let proof = CHAPTests.hex(initiator.proof(challenge, credential: 3))
        let end = initiator.exchange(["CHAP_N=host", "CHAP_R=\(proof)", "CHAP_I=1", "CHAP_C=0x0102"])
        #expect(end?.status == 0x0201)
    }

    // MARK: Floods

    @Test func tooManyLoginsAtOnceEndTheOldest() throws {
        let bench = Bench { $0.maxLogins = 3 }
        let logged = Initiator(bench, stream: 1)
        _ = try #require(logged.login())
        for stream in UInt32(2)...5 {
            bench.now = bench.now + .milliseconds(1)
            #expect(bench.connect(stream))
            bench.settle()
        }
        #expect(bench.effects.contains(.protocolError(StreamID(2), .tooManyLogins)))
        #expect(!bench.effects.contains(.close(StreamID(3))))
        #expect(!bench.effects.contains(.close(StreamID(1))))
        #expect(logged.read(0, 1).data.count == 512)
    }

    @Test func onePeerLeavesRoomForOthers() throws {
        let bench = Bench { $0.maxLoginsPerPeer = 2 }
        for (stream, peer) in [(UInt32(1), UInt64(7)), (2, 8), (3, 7), (4, 7), (5, 0)] {
            bench.now = bench.now + .milliseconds(1)
            let isTaken = bench.target.hostConnected(StreamID(stream), portal: 0, peer: peer, at: bench.now)
            #expect(isTaken)
            bench.settle()
        }
        #expect(bench.effects == [.protocolError(StreamID(1), .tooManyLogins), .close(StreamID(1))])
    }

    @Test func oneByteInTenSecondsIsTooSlow() throws {
        let bench = Bench()
        let initiator = Initiator(bench)
        initiator.putLogin(Initiator.names)
        let bytes = bench.toTarget[1] ?? []
        bench.toTarget[1] = []
        for byte in bytes.prefix(3) {
            bench.toTarget[1] = [byte]
            bench.settle()
            bench.advance(.seconds(5))
        }
        #expect(bench.effects.contains(.protocolError(StreamID(1), .loginTimer)))
    }

    @Test func reinstatementInAStormLeaksNothing() throws {
        let bench = Bench()
        for round in 0..<1000 {
            let stream = UInt32(round % 2 + 1)
            if round >= 2 { bench.close(stream) }
            let initiator = Initiator(bench, stream: stream)
            #expect(try #require(initiator.login()).0.status == 0)
            _ = initiator.command([0xE0])
            bench.settle()
            #expect(bench.target.sessionCount == 1)
        }
        bench.close(1)
        bench.close(2)
        #expect(bench.target.commandCount == 0 && bench.target.sessionCount == 0)
    }

    // MARK: Noise

    /// Random and half-right login texts in the security stage: nothing traps, nobody gets in, nothing is left.
    @Test(arguments: 0..<40) func noiseInTheSecurityStageLetsNobodyIn(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed) &+ 77)
        let bench = CHAPTests.bench(mutual: true)
        for round in 0..<30 {
            let stream = UInt32(round % 3 + 1)
            bench.readLimit = random.chance(1, in: 2) ? Int.max : Int(random.below(100)) + 1
            let initiator = Initiator(bench, stream: stream)
            if random.chance(1, in: 2) { _ = initiator.challenge() }
            for step in 0..<5 {
                let next: UInt8? = random.chance(1, in: 4) ? nil : random.chance(1, in: 3) ? 3 : 1
                let names = step == 0 ? Initiator.names : []
                initiator.putLogin(names + Self.noise(&random), stage: 0, next: next)
                _ = initiator.take()
            }
            if random.chance(1, in: 3) { bench.advance(.milliseconds(700)) }
            bench.close(stream)
        }
        #expect(bench.target.sessionCount == 0 && bench.target.connectionCount == 0)
        #expect(bench.device.log.isEmpty)
    }

    static func noise(_ random: inout SeededRandom) -> [String] {
        let keys = ["AuthMethod", "CHAP_A", "CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C", "MaxBurstLength", "X-y"]
        let values = [
            "CHAP", "CHAP,None", "5", "7,5", "host", "0x00112233445566778899aabbccddeeff", "0bAAAA", "", "255", "0x",
        ]
        return (0..<Int(random.below(5))).map { _ in
            let value = random.chance(1, in: 5)
                ? BinaryValue.hexadecimal(pattern(Int(random.below(1100)) + 1, seed: random.next()))
                : values[Int(random.below(UInt64(values.count)))]
            return keys[Int(random.below(UInt64(keys.count)))] + "=" + value
        }
    }
}
