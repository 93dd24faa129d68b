import Foundation
import Testing

extension Acceptance {
    /// Who may log in, seen by libiscsi's programs: CHAP, LUN maps, hidden targets, IPv6, redirection.
    @Suite(.timeLimit(.minutes(3))) struct Access {
        static let access = """
            {access: [{initiators: [iqn.2026-11.com.example:backup], chap: {user: backup, secret_file: backup.secret},
              luns: {5: 0}, read_only: true},
              {initiators: ["iqn.2026-11.com.example:*"], chap: {user: host, secret_file: host.secret},
              mutual: {user: gemel, secret_file: target.secret}}]}
            """
        static let discovery = "discovery: {access: [{chap: {user: host, secret_file: host.secret}}]}\n"
        static let host = "iqn.2026-11.com.example:one"

        private func array(host: String = "127.0.0.1") throws -> RunningArray {
            let array = try RunningArray(more: Self.discovery, target: Self.access, host: host)
            try array.start()
            return array
        }

        private func secret(_ array: RunningArray, _ name: String) throws -> String {
            try String(contentsOfFile: "\(array.folder)/state/\(name).secret", encoding: .utf8)
                .trimmingCharacters(in: .newlines)
        }

        private func url(
            _ array: RunningArray, _ controller: String, user: String, _ secret: String, lun: Int
        ) -> String {
            "iscsi://\(user)%\(secret)@\(array.portal(controller))/\(RunningArray.target)/\(lun)"
        }

        private func inquiry(_ array: RunningArray, _ initiator: String, _ url: String) throws -> Program.Outcome {
            try Program.run(["iscsi-inq", "-i", initiator, url], folder: array.folder)
        }

        @Test func whoProvesItselfGetsIn() throws {
            let array = try array()
            let own = try secret(array, "host")
            let target = try secret(array, "target")
            for controller in ["a", "b"] {
                let one = url(array, controller, user: "host", own, lun: 0)
                #expect(try inquiry(array, Self.host, one).status == 0)
                let both = one + "?target_user=gemel&target_password="
                #expect(try inquiry(array, Self.host, both + target).status == 0)
                let false1 = try inquiry(array, Self.host, both + "not the secret")
                #expect(false1.status != 0 && false1.output.contains("Invalid CHAP_R"), "\(false1.output)")
            }
            let shown = try array.command("status", "-v")
            #expect(!shown.contains(own) && !shown.contains(target))
        }

        @Test func whoDoesNotIsRefusedAndNothingIsSaidOfTheSecret() throws {
            let array = try array()
            let wrong = url(array, "a", user: "host", "not-the-secret-1", lun: 0)
            let user = url(array, "a", user: "guest", try secret(array, "host"), lun: 0)
            for address in [wrong, user, array.url("a")] {
                let outcome = try inquiry(array, Self.host, address)
                #expect(outcome.status != 0)
                #expect(outcome.output.contains("Authentication failure(513)"), "\(outcome.output)")
            }
            let other = try inquiry(array, "iqn.2026-11.org.other:x", wrong)
            #expect(other.status != 0 && other.output.contains("Target not found(515)"), "\(other.output)")
            let log = array.log
            #expect(log.contains("authentication failure (status 0201h)"))
            for name in ["host", "target", "backup"] { #expect(try !log.contains(secret(array, name))) }
            #expect(!log.contains("not-the-secret-1"))
        }

        @Test func discoveryAsksForAProofAndNamesWhatTheInitiatorMaySee() throws {
            let array = try array()
            let own = try secret(array, "host")
            func discover(_ initiator: String, _ url: String) throws -> Program.Outcome {
                try Program.run(["iscsi-ls", "-i", initiator, url], folder: array.folder)
            }
            let with = try discover(Self.host, "iscsi://host%\(own)@\(array.portal("b"))")
            #expect(with.status == 0 && with.output.contains(RunningArray.target), "\(with.output)")
            #expect(with.output.contains(array.portal("a")))
            #expect(try discover(Self.host, "iscsi://\(array.portal("b"))").status != 0)
            let hidden = try discover("iqn.2026-11.org.other:x", "iscsi://host%\(own)@\(array.portal("b"))")
            #expect(!hidden.output.contains(RunningArray.target), "\(hidden.output)")
        }

        @Test func aMappedInitiatorSeesItsLUNAndCannotWrite() throws {
            let array = try array()
            let name = "iqn.2026-11.com.example:backup"
            let own = try secret(array, "backup")
            let mapped = try inquiry(array, name, url(array, "a", user: "backup", own, lun: 5))
            #expect(mapped.status == 0 && mapped.output.contains("Peripheral Qualifier:CONNECTED"))
            let masked = try inquiry(array, name, url(array, "a", user: "backup", own, lun: 0))
            #expect(!masked.output.contains("Peripheral Qualifier:CONNECTED"), "\(masked.output)")
            let address = url(array, "a", user: "backup", own, lun: 5)
            let suite = try Program.run(
                ["iscsi-test-cu", "-i", name, "-d", "-V", "-t", "SCSI.ReadOnly", address], folder: array.folder)
            for command in ["WRITE10", "WRITE12", "WRITE16", "WRITEVERIFY10"] {
                let answer = "[OK] \(command) returned CHECK_CONDITION DATA PROTECTION(0x07) WRITE_PROTECTED(0x2700)"
                #expect(suite.output.contains(answer), "\(command): \(suite.output)")
            }
        }

        @Test func secretFilesThatAreNotRightStopTheStart() throws {
            let array = try RunningArray(target: "{access: [{chap: {user: host, secret_file: host.secret}}]}")
            let file = "\(array.folder)/state/host.secret"
            try FileManager.default.createDirectory(
                atPath: "\(array.folder)/state", withIntermediateDirectories: true)
            for (text, mode, code) in [("0123456789abcdef\n", mode_t(0o644), Int32(78)), ("short\n", 0o600, 66)] {
                try text.write(toFile: file, atomically: true, encoding: .utf8)
                chmod(file, mode)
                let outcome = try array.startAgain()
                #expect(outcome.status == code && outcome.output.contains(file), "\(outcome.output)")
                #expect(!outcome.output.contains(text.dropLast()))
            }
            let elsewhere = try RunningArray(target: "{access: [{chap: {user: host, secret_file: /nowhere/host}}]}")
            let outcome = try elsewhere.startAgain()
            #expect(outcome.status == 66 && outcome.output.contains("/nowhere/host"), "\(outcome.output)")
            #expect(!FileManager.default.fileExists(atPath: "\(elsewhere.folder)/state"), "nothing was touched")
        }

        @Test func theSameOverIPv6() throws {
            let array = try array(host: "[::1]")
            let own = try secret(array, "host")
            let outcome = try Program.run(
                ["iscsi-ls", "-i", Self.host, "-s", "iscsi://host%\(own)@\(array.portal("a"))"], folder: array.folder)
            #expect(outcome.status == 0, "\(outcome.output)")
            for controller in ["a", "b"] { #expect(outcome.output.contains(array.portal(controller))) }
            #expect(outcome.output.contains("DIRECT_ACCESS"))
        }
    }

    @Suite(.timeLimit(.minutes(3))) struct MaintenanceOfAController {
        @Test func loginsGoToTheOtherControllerUntilItIsOver() throws {
            let array = try RunningArray()
            try array.start()
            let load = try array.startLoad(through: ["a", "b"], seconds: 6)
            try array.command("maintenance", "a", "on")
            #expect(try array.status().controllers.first { $0.name == "a" }?.status?.maintenance == true)
            let login = try Self.login(array, "a", isid: 1)
            #expect(login.status == 0x0101)
            #expect(login.text == "TargetAddress=\(array.portal("b"))")
            // libiscsi follows the address.
            let outcome = try Program.run(["iscsi-inq", array.url("a")], folder: array.folder)
            #expect(outcome.status == 0, "\(outcome.output)")
            #expect(try Self.login(array, "b", isid: 1).status == 0, "no loop")
            #expect(try Self.login(array, "a", isid: 1).status == 0, "who comes back is served")
            let other = try Program.run(
                [try Product.gemel(), "maintenance", "b", "on", "--socket", array.socket], folder: array.folder)
            #expect(other.status == 1 && other.output.contains("controller a is in maintenance"), "\(other.output)")
            try array.command("maintenance", "a", "off")
            #expect(try Self.login(array, "a", isid: 2).status == 0)
            let result = try array.finish(load, seconds: 60)
            #expect(result.errors == 0 && result.operations > 0)
            #expect(try array.check(through: "b").mismatches == 0)
        }

        /// Hosts that are there log out when they are asked to, and go on through the partner: none sees an error.
        @Test func hostsThatAreThereMoveToThePartner() throws {
            let array = try RunningArray()
            try array.start()
            // One that has two paths and prefers the other controller, and one that knows only this one.
            let load = try array.startLoad(through: ["a", "b"], seconds: 10)
            let single = try Program(["iscsi-perf", "-m", "4", "-t", "8", array.url("a")], folder: array.folder)
            usleep(1_500_000)
            #expect(try array.sessions("a").count == 2)
            try array.command("maintenance", "a", "on")
            let end = Date().addingTimeInterval(5)
            while try !array.sessions("a").isEmpty, Date() < end { usleep(100_000) }
            #expect(try array.sessions("a").isEmpty, "somebody stayed")
            #expect(try array.sessions("b").count == 2)
            let result = try array.finish(load, seconds: 60)
            #expect(result.errors == 0 && result.longestGapMilliseconds < 2000)
            #expect(single.isRunning || !single.log.contains("rror"), "\(single.log)")
            single.end(after: 2)
            #expect(try array.check(through: "b").mismatches == 0)
        }

        @Test func withoutAPartnerThatServesLoginsAreServed() throws {
            let array = try RunningArray()
            try array.start()
            try array.command("maintenance", "a", "on")
            try array.command("fault", "add", "controller-kill", "--controller", "b")
            let end = Date().addingTimeInterval(15)
            var status: UInt16 = 0x0101
            var isid: UInt8 = 10
            while status != 0, Date() < end {
                isid += 1
                status = try Self.login(array, "a", isid: isid).status
                usleep(200_000)
            }
            #expect(status == 0, "a is alone, and sends nobody away")
            try array.command("fault", "reset")
            try array.waitUntilRedundant(seconds: 20)
            #expect(try Self.login(array, "a", isid: 200).status == 0x0101)
        }

        /// One login to a normal session; status and text of its answer.
        static func login(
            _ array: RunningArray, _ controller: String, isid: UInt8
        ) throws -> (status: UInt16, text: String) {
            let connection = try RawConnection(port: array.ports[controller] ?? 0)
            var bytes = HostileNetwork.login([
                "InitiatorName=iqn.2026-11.com.example:raw", "TargetName=\(RunningArray.target)",
            ])
            bytes[13] = isid
            connection.send(bytes)
            let answer = connection.receive(milliseconds: 300).bytes
            guard answer.count >= 48, answer[0] & 0x3F == 0x23 else { throw Failure("no Login Response: \(answer)") }
            let length = Int(answer[5]) << 16 | Int(answer[6]) << 8 | Int(answer[7])
            let text = answer.dropFirst(48).prefix(length).filter { $0 != 0 }
            return (UInt16(answer[36]) << 8 | UInt16(answer[37]), String(decoding: text, as: UTF8.self))
        }
    }
}
