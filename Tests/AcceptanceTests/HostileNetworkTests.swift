import Foundation
import Testing

extension Acceptance {
    /// Whoever connects and says what no initiator, partner or browser would say: hosts that behave notice nothing.
    @Suite(.timeLimit(.minutes(3))) struct HostileNetwork {
        /// A basic header segment: opcode, flags, and a data segment length.
        static func header(_ opcode: UInt8, flags: UInt8 = 0x80, additional: UInt8 = 0, data: Int = 0) -> [UInt8] {
            [opcode, flags, 0, 0, additional, UInt8(data >> 16 & 255), UInt8(data >> 8 & 255), UInt8(data & 255)]
                + [UInt8](repeating: 0, count: 40)
        }

        /// A Login Request of a normal session, in operational negotiation, that asks for the transition.
        static func login(_ keys: [String]) -> [UInt8] {
            let text = keys.map { Array($0.utf8) + [0] }.reduce([], +)
            let padding = [UInt8](repeating: 0, count: (4 - text.count % 4) % 4)
            return header(0x43, flags: 0x87, data: text.count) + text + padding
        }

        /// What is sent before any login, by name.
        static let openings: [(String, [UInt8])] = [
            ("nothing but noise", (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 >> 3) }),
            ("a web browser", Array("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: somebody/1.0\r\n\r\n".utf8)),
            ("a command before login", header(0x01, data: 0)),
            ("data before login", header(0x05, data: 512) + [UInt8](repeating: 1, count: 512)),
            ("a login of 16 MiB", header(0x43, flags: 0x87, data: 0xFF_FFFF) + [UInt8](repeating: 0x41, count: 65536)),
            ("additional segments in a login", header(0x43, flags: 0x87, additional: 255)
                + [UInt8](repeating: 0xFF, count: 1020)),
            ("a login without a name", login(["TargetName=\(RunningArray.target)"])),
            ("a login without text", login([])),
            ("a login of text without keys", login(["=====", "a", "=b", String(repeating: "x", count: 4000)])),
            ("a login to another target", login(["InitiatorName=iqn.2026-11.io.gemel:x", "TargetName=iqn.x:none"])),
            ("half a header", [0x43, 0x87, 0, 0, 0]),
        ]

        @Test func malformedPDUsHurtNobodyElse() throws {
            let array = try RunningArray()
            try array.start()
            let pids = try ["a", "b"].map(array.pid)
            let load = try array.startLoad(through: ["a", "b"], seconds: 6)
            for controller in ["a", "b"] {
                for (what, bytes) in Self.openings {
                    let connection = try RawConnection(port: try #require(array.ports[controller]))
                    connection.send(bytes)
                    let answer = connection.receive(milliseconds: 200)
                    Self.expectRefusal(answer, what)
                }
            }
            let result = try array.finish(load, seconds: 60)
            #expect(result.errors == 0 && result.operations > 0)
            #expect(result.longestGapMilliseconds < 1000)
            #expect(try ["a", "b"].map(array.pid) == pids, "a controller was lost")
            #expect(try array.status().redundant)
            #expect(try array.check(through: "b").mismatches == 0)
        }

        /// Nothing but a refusal: a Reject, a Login Response with a status of the initiator's or the target's error, or
        /// nothing at all (RFC 7143 §6.3.1, §7.6).
        private static func expectRefusal(_ answer: (bytes: [UInt8], closed: Bool), _ what: String) {
            if answer.bytes.isEmpty { return }
            guard answer.bytes.count >= 48 else {
                Issue.record("\(what): an answer of \(answer.bytes.count) bytes")
                return
            }
            let opcode = answer.bytes[0] & 0x3F
            #expect(
                opcode == 0x3F || (opcode == 0x23 && (2...3).contains(answer.bytes[36])),
                "\(what): answered with opcode \(opcode), status \(answer.bytes[36])")
        }

        @Test func noiseOnTheChannelAndTheManagementHurtsNobody() throws {
            let array = try RunningArray()
            try array.start()
            let pids = try ["a", "b"].map(array.pid)
            let load = try array.startLoad(through: ["a", "b"], seconds: 5)
            for port in ["channel a", "channel b", "management"] {
                for (_, bytes) in Self.openings {
                    let connection = try RawConnection(port: try #require(array.ports[port]))
                    connection.send(bytes)
                    _ = connection.receive(milliseconds: 50)
                }
            }
            let result = try array.finish(load, seconds: 60)
            #expect(result.errors == 0 && result.longestGapMilliseconds < 1000)
            #expect(try ["a", "b"].map(array.pid) == pids, "a controller was lost")
            #expect(try array.status().redundant)
        }

        @Test func partnerWithAnotherSecretNeverServes() throws {
            let array = try RunningArray(more: "pair: {secret: SECRET}\n")
            let text = try String(contentsOfFile: array.configurationFile, encoding: .utf8)
            var programs: [Program] = []
            for (index, controller) in ["a", "b"].enumerated() {
                let secret = "\(array.folder)/secret-\(controller)"
                let digits = String(repeating: "\(index + 1)", count: 64)
                try digits.write(toFile: secret, atomically: true, encoding: .utf8)
                chmod(secret, 0o600)
                let file = "\(array.folder)/\(controller).yaml"
                try text.replacingOccurrences(of: "SECRET", with: secret)
                    .write(toFile: file, atomically: true, encoding: .utf8)
                let words = [try Product.gemel(), "serve", file, "--controller", controller]
                programs.append(try Program(
                    words + ["--state", "\(array.folder)/state"], folder: array.folder, environment: array.environment))
                usleep(500_000)
            }
            // The lease of 3 s, twice, and what a start takes.
            sleep(9)
            let log = programs.map(\.log).joined()
            #expect(log.contains("no proof of the pair's secret"), "\(log)")
            // One is alone, the other does not answer hosts: never both, whichever it is.
            let answers = ["a", "b"].filter { controller in
                let words = ["iscsi-readcapacity16", array.url(controller)]
                return (try? Program.run(words, folder: array.folder, seconds: 3))?.status == 0
            }
            #expect(answers.count == 1, "answering: \(answers); \(log)")
            programs.forEach { $0.end(after: 10) }
        }
    }
}
