import BlockModel
import Controller
import Devices
import Glibc
import ISCSIFormats
import PagingFormats
import Primitives
import Testing

@testable import Runtime

/// A controller that asks for CHAP, over real sockets: the challenge is the system's, the digest is libcrypto's.
@Suite struct SocketLoginTests {
    /// A controller of one on a thread of its own.
    final class Alone: @unchecked Sendable {
        let scratch = Scratch()
        private(set) var port: UInt16 = 0
        private var process: ControllerProcess?
        private var control: ControlPort?
        private var thread = pthread_t()
        private let logged = Lines()

        final class Lines: @unchecked Sendable {
            private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
            private var all: [String] = []
            init() { pthread_mutex_init(lock, nil) }
            func add(_ line: String) {
                pthread_mutex_lock(lock)
                all.append(line)
                pthread_mutex_unlock(lock)
            }
            var now: String {
                pthread_mutex_lock(lock)
                defer { pthread_mutex_unlock(lock) }
                return all.joined(separator: "\n")
            }
        }
        var log: String { logged.now }

        init(portal: String = "127.0.0.1:0") throws {
            let bytes: UInt64 = 1 << 20
            try DeviceFile.create(scratch.file("disk0"), bytes: bytes + DeviceLayout.labelArea)
            _ = WitnessFile.create(scratch.file("witness"))
            scratch.write("host", Array(SocketLoginTests.hostSecret.utf8))
            scratch.write("target", Array((SocketLoginTests.targetSecret + "\n").utf8))
            var access = AccessDescription()
            access.chap = .init(name: "host", credential: 0)
            access.mutual = .init(name: "gemel", credential: 1)
            var description = ArrayDescription(
                name: "chap", pairID: 3,
                controllers: [
                    ControllerDescription(
                        id: .a, portals: [portal], channel: "", memoryBytes: 4 << 20, memoryFile: "a.memory",
                        memoryDurability: .process)
                ],
                devices: [DeviceDescription(name: "disk0", kind: .file("disk0"), dataBytes: bytes)], units: [],
                targets: [TargetDescription(name: "iqn.2026-11.io.gemel:chap", access: [access])])
            description.credentials = [
                .init(place: .file("host"), key: "host", isTargets: false),
                .init(place: .file("target"), key: "target", isTargets: true),
            ]
            description.pair.witnessFile = "witness"
            let logged = logged
            var options = ProcessOptions(runDirectory: scratch.path, stateDirectory: scratch.path) { logged.add($0) }
            options.handlesSignals = false
            let made = try ControllerProcess(description, id: .a, options: options)
            port = made.portalPorts[0]
            control = made.control
            process = consume made
            pthread_create(&thread, nil, { argument in
                guard let argument else { return nil }
                Unmanaged<Alone>.fromOpaque(argument).takeUnretainedValue().run()
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
        }

        private func run() { _ = process.take()?.run() }

        deinit {
            _ = control?.halt()
            pthread_join(thread, nil)
        }
    }

    static let hostSecret = "the host's secret"
    static let targetSecret = "the target's secret"
    static let secrets = Credentials([Array(hostSecret.utf8), Array(targetSecret.utf8)])

    /// One Login Request of the security stage; the response's status and its text.
    private func exchange(_ client: Client, _ pairs: [String]) -> (status: UInt16, text: [String: String]) {
        var pdu = LoginRequestPDU()
        pdu.transit = true
        pdu.nextStage = 1
        pdu.isid = ISID(1)
        var data: [UInt8] = []
        for pair in pairs { data += Array(pair.utf8) + [0] }
        pdu.dataSegmentLength = UInt32(data.count)
        var bytes = [UInt8](repeating: 0, count: 48)
        bytes.withUnsafeMutableBytes { if let base = $0.baseAddress { pdu.encode(into: base) } }
        bytes += data
        bytes += [UInt8](repeating: 0, count: (4 - data.count % 4) % 4)
        _ = client.send(bytes)
        let header = client.receive(48)
        guard header.count == 48 else { return (0xFFFF, [:]) }
        let length = Int(header[5]) << 16 | Int(header[6]) << 8 | Int(header[7])
        var text: [String: String] = [:]
        for pair in client.receive((length + 3) & ~3).prefix(length).split(separator: 0) {
            let line = String(decoding: pair, as: UTF8.self)
            text[String(line.prefix { $0 != "=" })] = String(line.drop { $0 != "=" }.dropFirst())
        }
        return (UInt16(header[36]) << 8 | UInt16(header[37]), text)
    }

    private func binary(_ text: String?) -> [UInt8] {
        Array((text ?? "").utf8).withUnsafeBytes { BinaryValue.decode($0, limit: 1024) } ?? []
    }

    private func proof(_ request: CHAPDigestRequest) throws -> String {
        let digest = try #require(Self.secrets.digest(request))
        return BinaryValue.hexadecimal((0..<request.algorithm.digestBytes).map { digest[$0] })
    }

    private static let names = ["InitiatorName=iqn.2026-11.com.example:x", "TargetName=iqn.2026-11.io.gemel:chap"]

    @Test func bothProveThemselvesByEveryAlgorithmOverBothFamilies() throws {
        for (portal, family) in [("127.0.0.1:0", Int32(4)), ("[::1]:0", 6)] {
            let alone = try Alone(portal: portal)
            var challenges: Set<[UInt8]> = []
            for algorithm in CHAPAlgorithm.allCases {
                let client = Client(port: alone.port, family: family)
                #expect(exchange(client, Self.names + ["AuthMethod=CHAP,None"]).text["AuthMethod"] == "CHAP")
                let asked = exchange(client, ["CHAP_A=\(algorithm.rawValue)"])
                let challenge = binary(asked.text["CHAP_C"])
                challenges.insert(challenge)
                let own = CHAPDigestRequest(
                    algorithm: algorithm, identifier: try #require(asked.text["CHAP_I"].flatMap { UInt8($0) }),
                    credential: 0, challenge: challenge)
                let counter = CHAPDigestRequest(
                    algorithm: algorithm, identifier: 77, credential: 1, challenge: Array("a challenge".utf8))
                let end = exchange(client, [
                    "CHAP_N=host", "CHAP_R=\(try proof(own))", "CHAP_I=77",
                    "CHAP_C=\(BinaryValue.hexadecimal(counter.challenge))",
                ])
                #expect(end.status == 0 && end.text["CHAP_N"] == "gemel")
                #expect(try end.text["CHAP_R"] == proof(counter))
            }
            #expect(challenges.count == 4 && challenges.allSatisfy { $0.count == 32 })
        }
    }

    @Test func aWrongSecretIsRefusedLateAndNothingOfItIsLogged() throws {
        let alone = try Alone()
        let client = Client(port: alone.port)
        _ = exchange(client, Self.names + ["AuthMethod=CHAP"])
        let asked = exchange(client, ["CHAP_A=7"])
        let wrong = CHAPDigestRequest(
            algorithm: .sha256, identifier: try #require(asked.text["CHAP_I"].flatMap { UInt8($0) }), credential: 1,
            challenge: binary(asked.text["CHAP_C"]))
        let begin = Platform.now
        let end = exchange(client, ["CHAP_N=host", "CHAP_R=\(try proof(wrong))"])
        #expect(end.status == 0x0201 && end.text.isEmpty)
        #expect((Platform.now - begin) >= .milliseconds(900))
        #expect(alone.log.contains("was refused: authentication failure (status 0201h)"))
        for word in [Self.hostSecret, Self.targetSecret, asked.text["CHAP_C"] ?? "-"] {
            #expect(!alone.log.contains(word))
        }
    }
}
