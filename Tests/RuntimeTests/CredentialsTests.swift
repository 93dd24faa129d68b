import Controller
import Foundation
import ISCSIFormats
import Primitives
import Testing

@testable import Runtime

/// The secrets of CHAP in the driver, and the digests that it makes with them.
@Suite struct CredentialsTests {
    /// Identifier, secret and challenge together are `abc`, whose digests the hash standards give (RFC 1321, FIPS
    /// 180-4, FIPS 202).
    static let vectors: [(CHAPAlgorithm, String)] = [
        (.md5, "0x900150983cd24fb0d6963f7d28e17f72"), (.sha1, "0xa9993e364706816aba3e25717850c26c9cd0d89d"),
        (.sha256, "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (.sha3x256, "0x3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
    ]

    @Test(arguments: vectors)
    func digestsAreThoseOfTheStandards(_ algorithm: CHAPAlgorithm, _ expected: String) throws {
        let credentials = Credentials([[1], Array("b".utf8)])
        let request = CHAPDigestRequest(
            algorithm: algorithm, identifier: UInt8(ascii: "a"), credential: 1, challenge: Array("c".utf8))
        let digest = try #require(credentials.digest(request))
        #expect(BinaryValue.hexadecimal((0..<algorithm.digestBytes).map { digest[$0] }) == expected)
    }

    @Test func aSecretThatIsNotThereMakesNoDigest() {
        let request = CHAPDigestRequest(algorithm: .md5, identifier: 0, credential: 1, challenge: [1])
        #expect(Credentials([[1, 2]]).digest(request) == nil)
        #expect(Credentials().digest(request) == nil)
    }

    @Test func nothingShowsThem() {
        let credentials = Credentials([Array("neverShown0123".utf8)])
        var dumped = ""
        dump(credentials, to: &dumped)
        #expect("\(credentials)" == "1 secrets" && !dumped.contains("110, 101"))
    }

    @Test func filesAreReadOnceAndCheckedAgain() throws {
        let folder = NSTemporaryDirectory() + "gemel-credentials-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func put(_ name: String, _ text: String, _ mode: mode_t = 0o600) throws {
            try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
            chmod("\(folder)/\(name)", mode)
        }
        func code(_ places: [(CredentialDescription.Place, Bool)]) -> RuntimeError.ExitCode? {
            var description = ArrayDescription(
                name: "x", pairID: 1, controllers: [], devices: [], units: [], targets: [])
            description.credentials = places.map { .init(place: $0, key: "key", isTargets: $1) }
            let options = ProcessOptions(runDirectory: folder, stateDirectory: folder) { _ in }
            do throws(RuntimeError) {
                _ = try Credentials(description, options)
                return nil
            } catch {
                return error.exitCode
            }
        }
        try put("a", "0123456789ab\n")
        try put("b", "0123456789ab")
        try put("open", "0123456789ab", 0o644)
        try put("short", "0123456789\n")
        let here = CredentialDescription.Place.here(HiddenText("other0123456789"))
        #expect(code([(.file("a"), false), (here, true)]) == nil)
        #expect(code([(.file("a"), false), (.file("b"), false)]) == nil)
        #expect(code([(.file("a"), false), (.file("b"), true)]) == .configuration)
        #expect(code([(.file("open"), false)]) == .configuration)
        #expect(code([(.file("short"), false)]) == .noInput)
        #expect(code([(.file("none"), false)]) == .noInput)
    }

    @Test func aMillionChallengesAreAllDifferent() throws {
        var seen: Set<UInt64> = []
        seen.reserveCapacity(1_000_000)
        for _ in 0..<1_000_000 {
            let bytes = try #require(Platform.random())
            seen.insert((0..<8).reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[$1]) })
        }
        #expect(seen.count == 1_000_000)
    }
}
