import ISCSIFormats
import Primitives

@testable import ISCSITarget

/// A stand-in for the hashes of CHAP, for both sides of a test: the credential's index is the secret.
enum FakeHash {
    static func digest(_ request: CHAPDigestRequest) -> [UInt8] {
        var seed = UInt64(request.credential) << 16 | UInt64(request.identifier) << 8
        seed |= UInt64(request.algorithm.rawValue)
        for byte in request.challenge { seed = (seed ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 &+ 7 }
        var random = SeededRandom(seed: seed)
        return (0..<request.algorithm.digestBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    static func padded(_ bytes: [UInt8]) -> InlineArray<32, UInt8> {
        var array = InlineArray<32, UInt8>(repeating: 0)
        for (index, byte) in bytes.prefix(32).enumerated() { array[index] = byte }
        return array
    }
}

extension Initiator {
    /// One Login Request of the security stage, and what came back.
    func exchange(_ pairs: [String], next: UInt8? = 1) -> (status: UInt16, text: [String], transit: Bool)? {
        putLogin(pairs, stage: 0, next: next)
        guard let seen = take().first, seen.opcode == .loginResponse else { return nil }
        let response = seen.decoded { LoginResponsePDU(decoding: $0) }
        return (response.status, seen.text, response.transit)
    }

    /// What the target asks in its answer to CHAP_A.
    struct Challenge {
        var algorithm: CHAPAlgorithm
        var identifier: UInt8
        var bytes: [UInt8]
        var text: String
    }

    /// AuthMethod and CHAP_A up to the challenge.
    func challenge(_ names: [String] = Initiator.names, algorithms: String = "7,5") -> Challenge? {
        guard exchange(names + ["AuthMethod=CHAP,None"])?.text.contains("AuthMethod=CHAP") == true,
            let (status, text, transit) = exchange(["CHAP_A=\(algorithms)"]), status == 0, !transit
        else { return nil }
        func value(_ key: String) -> String {
            text.first { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) } ?? ""
        }
        guard let algorithm = UInt8(value("CHAP_A")).flatMap(CHAPAlgorithm.init(rawValue:)),
            let identifier = UInt8(value("CHAP_I")),
            let bytes = Array(value("CHAP_C").utf8).withUnsafeBytes({ BinaryValue.decode($0, limit: 1024) })
        else { return nil }
        return Challenge(algorithm: algorithm, identifier: identifier, bytes: bytes, text: value("CHAP_C"))
    }

    /// The proof that `credential` makes of a challenge.
    func proof(_ challenge: Challenge, credential: UInt16) -> [UInt8] {
        FakeHash.digest(CHAPDigestRequest(
            algorithm: challenge.algorithm, identifier: challenge.identifier, credential: credential,
            challenge: challenge.bytes))
    }
}

extension Bench {
    /// The token of the last challenge that was asked for.
    var asked: UInt32? {
        for effect in effects.reversed() {
            switch effect {
            case .challenge(let token): return token
            default: continue
            }
        }
        return nil
    }
}
