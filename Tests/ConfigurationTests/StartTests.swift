import BlockModel
import Configuration
import Controller
import Foundation
import Testing

import enum Configuration.ExitStatus

/// What is checked before a start, and what a first start makes.
@Suite struct StartTests {
    /// A folder that is there during the test only, and a configuration whose state is in it.
    func inFolder(_ body: (String) throws -> Void) throws {
        let folder = "/tmp/gemel-test-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    func configuration(
        _ folder: String, devices: String = "{disk0: {size: 64MiB}}", more: String = ""
    ) throws -> Configuration {
        try Configuration.parse(
            """
            array: {name: start-test}
            devices: \(devices)
            storage: {pool0: {members: [disk0]}}
            logical_units: {0: {pool: pool0}}
            targets: {iqn.2026-11.io.gemel:demo: {}}
            controllers:
              a: {portals: [127.0.0.1:3290], memory: {file: memory/a}}
              b: {portals: [127.0.0.1:3291], memory: {file: memory/b}}
            \(more)
            """, file: "x.yaml", state: folder + "/state")
    }

    func status(_ body: () throws -> Void) -> ExitStatus? {
        do {
            try body()
            return nil
        } catch { return (error as? StartError)?.status }
    }

    func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test func aFirstStartMakesFolderSecretPairIDAndSparseDevices() throws {
        try inFolder { folder in
            let prepared = try StateFolder(folder + "/state").prepare(try configuration(folder))
            #expect(try mode(folder + "/state") == 0o700)
            #expect(try mode(folder + "/state/secret") == 0o600)
            let secret = try String(contentsOfFile: folder + "/state/secret", encoding: .utf8)
            #expect(secret.count == 65 && secret.dropLast().allSatisfy(\.isHexDigit))
            let device = folder + "/state/disk0.img"
            let attributes = try FileManager.default.attributesOfItem(atPath: device)
            #expect((attributes[.size] as? UInt64) == (64 << 20) + DeviceLayout.labelArea)
            var information = stat()
            #expect(stat(device, &information) == 0 && information.st_blocks == 0, "sparse")
            #expect(prepared.description.pairID != 0)
            #expect(FileManager.default.fileExists(atPath: folder + "/state/memory"))
        }
    }

    @Test func aSecondStartChangesNothingAndKnowsThePairAgain() throws {
        try inFolder { folder in
            let state = StateFolder(folder + "/state")
            let first = try state.prepare(try configuration(folder))
            let secret = try String(contentsOfFile: folder + "/state/secret", encoding: .utf8)
            try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/state/witness"))
            let second = try state.prepare(try configuration(folder))
            #expect(second.description.pairID == first.description.pairID)
            #expect(try String(contentsOfFile: folder + "/state/secret", encoding: .utf8) == secret)
            #expect(try state.identified(try configuration(folder)).description.pairID == first.description.pairID)
        }
    }

    @Test func aDeviceOfOursGrowsAndNeverShrinks() throws {
        try inFolder { folder in
            let state = StateFolder(folder + "/state")
            func size() throws -> UInt64? {
                try FileManager.default.attributesOfItem(atPath: folder + "/state/disk0.img")[.size] as? UInt64
            }
            _ = try state.prepare(try configuration(folder))
            _ = try state.prepare(try configuration(folder, devices: "{disk0: {size: 128MiB}}"))
            #expect(try size() == 129 << 20)
            _ = try state.prepare(try configuration(folder))
            #expect(try size() == 129 << 20)
        }
    }

    @Test func twoStateFoldersAreTwoPairs() throws {
        try inFolder { one in
            try inFolder { two in
                let first = try StateFolder(one + "/state").prepare(try configuration(one))
                let second = try StateFolder(two + "/state").prepare(try configuration(two))
                #expect(first.description.pairID != second.description.pairID)
            }
        }
    }

    @Test func aPairIDThatIsGoneOrDamagedIsMissingInput() throws {
        try inFolder { folder in
            let state = StateFolder(folder + "/state")
            let configuration = try configuration(folder)
            #expect(status { _ = try state.identified(configuration) } == .noInput)
            _ = try state.prepare(configuration)
            try Data("short".utf8).write(to: URL(fileURLWithPath: folder + "/state/pair-id"))
            #expect(status { _ = try state.identified(configuration) } == .noInput)
        }
    }

    @Test func aGivenDeviceThatIsMissingOrShortIsNamed() throws {
        try inFolder { folder in
            let file = folder + "/disk"
            let configuration = try configuration(folder, devices: "{disk0: {file: \(file), size: 8MiB}}")
            #expect(status { try StartChecks.devices(configuration) } == .noInput)
            _ = FileManager.default.createFile(atPath: file, contents: Data(count: 8 << 20))
            let error = #expect(throws: StartError.self) { try StartChecks.devices(configuration) }
            #expect(error?.status == .noInput)
            #expect(error?.message.contains("has 8388608 bytes and needs 9437184") == true)
            _ = FileManager.default.createFile(atPath: file, contents: Data(count: 9 << 20))
            #expect(status { try StartChecks.devices(configuration) } == nil)
        }
    }

    @Test func aFileIsNoBlockDeviceAndTheReverse() throws {
        try inFolder { folder in
            let file = folder + "/disk"
            _ = FileManager.default.createFile(atPath: file, contents: Data(count: 9 << 20))
            let block = try configuration(folder, devices: "{disk0: {block: \(file), size: 8MiB}}")
            #expect(status { try StartChecks.devices(block) } == .noInput)
            let null = try configuration(folder, devices: "{disk0: {file: /dev/null, size: 8MiB}}")
            #expect(status { try StartChecks.devices(null) } == .noInput)
        }
    }

    @Test func aSecretThatOthersCanReadIsAConfigurationError() throws {
        try inFolder { folder in
            let configuration = try configuration(folder)
            #expect(status { try StartChecks.secret(configuration) } == nil, "none yet: it will be made")
            _ = try StateFolder(folder + "/state").prepare(configuration)
            #expect(status { try StartChecks.secret(configuration) } == nil)
            chmod(folder + "/state/secret", 0o644)
            #expect(status { try StartChecks.secret(configuration) } == .configuration)
            chmod(folder + "/state/secret", 0o600)
            truncate(folder + "/state/secret", 31)
            #expect(status { try StartChecks.secret(configuration) } == .noInput)
        }
    }

    @Test func aSecretOfTheUsersMustBeThere() throws {
        try inFolder { folder in
            let configuration = try configuration(folder, more: "pair: {secret: \(folder)/mine}")
            #expect(status { try StartChecks.secret(configuration) } == .noInput)
        }
    }

    @Test func aTakenPortIsNamed() throws {
        try inFolder { folder in
            let configuration = try configuration(folder, more: "management: none")
            let address = try NetworkAddress(parsing: "127.0.0.1:3291")
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(listener) }
            try #require(address.withSocketAddress { bind(listener, $0, $1) } == 0 && listen(listener, 1) == 0)
            let error = #expect(throws: StartError.self) { try StartChecks.ports(configuration) }
            #expect(error?.status == .temporary)
            #expect(error?.message.contains("portal of controller b: port 127.0.0.1:3291 is taken") == true)
        }
    }

    @Test func anAddressOfAnotherMachineIsAConfigurationError() throws {
        try inFolder { folder in
            var configuration = try configuration(folder, more: "management: none")
            configuration.description.controllers[0].portals = ["192.0.2.1:3290"]
            #expect(status { try StartChecks.ports(configuration) } == .configuration)
        }
    }

    @Test func aLockIsHeldOnceAndNamesItsHolder() throws {
        try inFolder { folder in
            var lock: ProcessLock? = try ProcessLock(folder: folder, name: "a.lock", what: "controller a")
            let error = #expect(throws: StartError.self) {
                _ = try ProcessLock(folder: folder, name: "a.lock", what: "controller a")
            }
            #expect(error?.status == .temporary)
            #expect(error?.message.contains("controller a runs already (process \(getpid()))") == true)
            withExtendedLifetime(lock) {}
            lock = nil
            _ = try ProcessLock(folder: folder, name: "a.lock", what: "controller a")
        }
    }

    @Test func socketsAreWhereTheUserMayHaveThem() {
        func base(_ root: Bool, _ environment: [String: String] = [:]) -> String {
            RuntimeFolder(isRoot: root, environment: environment, user: 1000).base
        }
        #expect(base(true) == "/run/gemel")
        #expect(base(false, ["XDG_RUNTIME_DIR": "/run/user/1000"]) == "/run/user/1000/gemel")
        #expect(base(false, ["XDG_RUNTIME_DIR": "relative"]) == "/tmp/gemel-1000")
        #expect(base(false) == "/tmp/gemel-1000")
    }
}
