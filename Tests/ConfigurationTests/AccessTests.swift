import BlockModel
import Configuration
import Controller
import Foundation
import Primitives
import Testing

import enum Configuration.ExitStatus

/// What `access`, `discovery` and `limits` mean, and what becomes of secrets before a start.
@Suite struct AccessTests {
    static let base = DescriptionTests.six.replacingOccurrences(
        of: "{0: {pool: pool0}}", with: "{0: {pool: pool0, size: 1MiB}, 3: {pool: pool0}}")

    static func text(_ access: String, more: String = "") -> String {
        base.replacingOccurrences(
            of: "iqn.2026-11.io.gemel:demo: {}", with: "iqn.2026-11.io.gemel:demo: {access: \(access)}") + "\n" + more
    }

    @Test func withoutAccessEverybodyMayDoEverything() throws {
        let array = try parse(Self.base).description
        for access in array.targets[0].access + array.discovery {
            #expect(access.initiators == ["*"] && access.chap == nil && access.mutual == nil)
            #expect(access.mappings == nil && !access.readOnly && access.maxSessions == nil)
        }
        #expect(array.targets[0].access.count == 1 && array.discovery.count == 1 && array.credentials.isEmpty)
        #expect(array.limits == TransportLimits())
    }

    @Test func entriesKeepTheirOrderAndLUNsBecomeUnits() throws {
        let array = try parse(
            Self.text(
                """
                [{initiators: [iqn.2026-11.x:a, "iqn.2026-11.y:*"], luns: {7: 3}, sessions: 2, command_window: 9},
                 {luns: [3], read_only: true}]
                """)
        ).description
        let access = array.targets[0].access
        #expect(access.map(\.initiators) == [["iqn.2026-11.x:a", "iqn.2026-11.y:*"], ["*"]])
        #expect(access[0].mappings == [.init(lun: 7, unit: UnitIndex(1))])
        #expect(access[1].mappings == [.init(lun: 3, unit: UnitIndex(1))])
        #expect(access.map(\.readOnly) == [false, true])
        #expect(access[0].maxSessions == 2 && access[0].commandWindow == 9)
    }

    @Test func secretsAreCredentialsByTheirPlace() throws {
        let array = try parse(
            Self.text(
                """
                [{chap: {user: host, secret_file: host.secret}, mutual: {user: gemel, secret: "0123456789ab"}}]
                """, more: "discovery: {access: [{chap: {user: who, secret_file: /etc/who}}]}")
        ).description
        #expect(array.targets[0].access[0].chap == .init(name: "host", credential: 0))
        #expect(array.targets[0].access[0].mutual == .init(name: "gemel", credential: 1))
        #expect(array.discovery[0].chap == .init(name: "who", credential: 2))
        #expect(array.credentials.map(\.isTargets) == [false, true, false])
        let places = array.credentials.map { credential in
            switch credential.place {
            case .file(let path): path
            case .here(let text): String(decoding: text.bytes, as: UTF8.self)
            }
        }
        #expect(places == ["/users/nobody/.local/state/gemel/demo/host.secret", "0123456789ab", "/etc/who"])
    }

    @Test func nothingShowsASecret() throws {
        let secret = "neverShown0123"
        let text = Self.text("[{chap: {user: host, secret: \(secret)}}]")
        let configuration = try parse(text)
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains(secret) && !"\(configuration)".contains(secret))
        let bytes = Array(secret.utf8).map { "\($0)" }.joined(separator: ", ")
        #expect(!dumped.contains(bytes) && !"\(configuration)".contains(bytes))
        // What is wrong around it is told without it.
        for wrong in ["secret_file: x, secret: \(secret)", "secret: {\(secret): 1}", "secret: [\(secret)]"] {
            let found = complaints(Self.text("[{chap: {user: host, \(wrong)}}]"))
            #expect(!found.isEmpty && !found.joined().contains(secret), "\(found)")
        }
    }

    @Test func aSecretInAFileThatOthersReadIsRefused() throws {
        let text = Self.text(#"[{chap: {user: host, secret: "0123456789ab"}}]"#)
        let path = "/tmp/gemel-test-\(UUID().uuidString).yaml"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        defer { unlink(path) }
        chmod(path, 0o600)
        #expect(try Configuration.load(file: path, surroundings: nobody).description.credentials.count == 1)
        for mode in [mode_t(0o644), 0o640, 0o604] {
            chmod(path, mode)
            let error = #expect(throws: ConfigurationError.self) {
                try Configuration.load(file: path, surroundings: nobody)
            }
            #expect(error?.description.contains("run chmod 600 on the file") == true)
        }
    }

    @Test func limitsAreTheFrontEnds() throws {
        let limits = try parse(
            Self.base + """

                limits: {sessions: 8, connections_per_session: 2, error_recovery_level: 1, command_window: 32,
                  login_time: 5s, ping_after: never, ping_patience: 3s, header_digest: required, data_digest: never,
                  unsolicited_data: false, immediate_data: false, receive_segment: 64KiB, max_burst: 256KiB,
                  first_burst: 64KiB}
                """
        ).description.limits
        var expected = TransportLimits()
        expected.sessions = 8
        expected.connectionsPerSession = 2
        expected.maxErrorRecoveryLevel = 1
        expected.commandWindow = 32
        expected.loginTime = .seconds(5)
        expected.pingAfter = .zero
        expected.pingPatience = .seconds(3)
        expected.headerDigest = .required
        expected.dataDigest = .never
        expected.requireInitialR2T = true
        expected.allowImmediateData = false
        expected.maxRecvDataSegmentLength = 65_536
        expected.maxBurstLength = 262_144
        expected.firstBurstLength = 65_536
        #expect(limits == expected)
    }

    @Test func portalsMayBeIPv6() throws {
        let text = Self.base.replacingOccurrences(
            of: "[127.0.0.1:3260]", with: "[127.0.0.1:3260, \"[::1]:3260\", \"[2001:DB8:0::5]:3260\"]")
        let portals = try parse(text).description.controllers[0].portals
        #expect(portals == ["127.0.0.1:3260", "[::1]:3260", "[2001:db8::5]:3260"])
    }

    // MARK: Before a start

    private func status(_ body: () throws -> Void) -> ExitStatus? { StartTests().status(body) }

    @Test func aFirstStartMakesTheSecretsOfTheStateFolder() throws {
        try StartTests().inFolder { folder in
            let text = Self.text(
                "[{chap: {user: host, secret_file: keys/host}, mutual: {user: gemel, secret_file: target}}]")
            let configuration = try Configuration.parse(text, file: "x", state: folder + "/state")
            #expect(status { try StartChecks.accessSecrets(configuration) } == nil)
            _ = try StateFolder(folder + "/state").prepare(configuration)
            let secrets = try ["keys/host", "target"].map { name in
                #expect(try StartTests().mode("\(folder)/state/\(name)") == 0o600)
                return try String(contentsOfFile: "\(folder)/state/\(name)", encoding: .utf8)
            }
            #expect(secrets.allSatisfy { $0.count == 17 } && secrets[0] != secrets[1])
            _ = try StateFolder(folder + "/state").prepare(configuration)
            #expect(try String(contentsOfFile: folder + "/state/target", encoding: .utf8) == secrets[1])
            #expect(status { try StartChecks.accessSecrets(configuration) } == nil)
        }
    }

    @Test func secretFilesThatAreNotRightAreRefusedWithTheirCode() throws {
        try StartTests().inFolder { folder in
            func check(_ access: String) throws -> ExitStatus? {
                let configuration = try Configuration.parse(Self.text(access), file: "x", state: folder + "/state")
                return status { try StartChecks.accessSecrets(configuration) }
            }
            func put(_ name: String, _ text: String, _ mode: mode_t = 0o600) throws {
                try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
                chmod("\(folder)/\(name)", mode)
            }
            try put("right", "0123456789ab\n")
            try put("open", "0123456789ab\n", 0o644)
            try put("group", "0123456789ab\n", 0o640)
            try put("short", "0123456789a\n")
            try put("empty", "\n0123456789ab")
            try put("long", String(repeating: "x", count: 257))
            try put("copy", "0123456789ab")
            let cases: [(String, ExitStatus?)] = [
                ("right", nil), ("missing", .noInput), ("open", .configuration), ("group", .configuration),
                ("short", .noInput), ("empty", .noInput), ("long", .configuration),
            ]
            for (name, expected) in cases {
                #expect(try check("[{chap: {user: x, secret_file: \(folder)/\(name)}}]") == expected, "\(name)")
            }
            let mutual = "mutual: {user: y, secret_file: \(folder)/copy}"
            #expect(try check("[{chap: {user: x, secret_file: \(folder)/right}, \(mutual)}]") == .configuration)
            #expect(try check("[{chap: {user: x, secret: 0123456789ab}, \(mutual)}]") == .configuration)
            #expect(try check("[{chap: {user: x, secret: another0123456}, \(mutual)}]") == nil)
        }
    }
}
