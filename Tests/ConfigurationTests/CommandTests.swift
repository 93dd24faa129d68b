import Foundation
import Testing

/// The command itself, as scripts meet it: exit codes, and what goes to which stream.
@Suite struct CommandTests {
    struct Outcome {
        var status: Int32
        var output: String
        var errors: String
    }

    /// Runs `gemel` of the same build as this test.
    func gemel(_ arguments: String..., environment: [String: String] = [:]) throws -> Outcome {
        let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let program = folder.appending(path: "gemel")
        try #require(
            FileManager.default.isExecutableFile(atPath: program.path), "\(program.path) is not built; run swift build")
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = repository
        process.environment = ["PATH": "/usr/bin:/bin", "HOME": "/nowhere"].merging(environment) { $1 }
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        let complained = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: String(decoding: printed, as: UTF8.self),
            errors: String(decoding: complained, as: UTF8.self))
    }

    @Test(arguments: ["chap", "pair", "single", "write-through"])
    func checkOfARightFileIs0AndSaysWhatItMeans(name: String) throws {
        let outcome = try gemel("check", "targets/\(name).yaml")
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
        #expect(outcome.output.contains("LUN 0: "))
    }

    @Test func checkOfAWrongFileIs78AndNamesFileLineAndColumn() throws {
        let outcome = try gemel("check", "fixtures/malformed/portals.yaml")
        #expect(outcome.status == 78 && outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("fixtures/malformed/portals.yaml:6:29: controllers.a.portals[0]: "))
        #expect(outcome.errors.split(separator: "\n").count == 7)
    }

    @Test func checkPrintsJSONWhenAsked() throws {
        struct Report: Decodable {
            struct Item: Decodable { var line: Int, column: Int, message: String }
            var file: String
            var errors: [Item]
        }
        let outcome = try gemel("check", "fixtures/malformed/portal-twice.yaml", "--output", "json")
        #expect(outcome.status == 78)
        let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
        #expect(report.errors.map(\.line) == [6])
        let right = try gemel("check", "targets/pair.yaml", "--output", "json")
        #expect(right.status == 0)
        #expect(try JSONDecoder().decode(Report.self, from: Data(right.output.utf8)).errors.isEmpty)
    }

    @Test func aWrongConfigurationIs78ForEveryCommandThatReadsOne() throws {
        #expect(try gemel("up", "fixtures/malformed/portals.yaml").status == 78)
        #expect(try gemel("serve", "fixtures/malformed/portals.yaml", "--controller", "a").status == 78)
        #expect(try gemel("check", "nowhere.yaml").status == 78)
    }

    @Test func mistakesOfUsageAre64() throws {
        #expect(try gemel("frobnicate").status == 64)
        #expect(try gemel("check").status == 64)
        #expect(try gemel("serve", "targets/pair.yaml", "--controller", "c").status == 64)
        #expect(try gemel("serve", "targets/single.yaml", "--controller", "b").status == 64)
        #expect(try gemel("failover", "--to", "c").status == 64)
        #expect(try gemel("fault", "add", "rain").status == 64)
        #expect(try gemel("fault", "add", "controller-kill").status == 64)
        #expect(try gemel("simulate", "--seeds", "0").status == 64)
        #expect(try gemel("up", "--management", "0.0.0.0:8080").status == 64)
    }

    @Test(arguments: ["ls", "top", "scenario", "lun", "trace", "log", "host-config", "save"])
    func commandsOfLaterVersionsAreRefusedByName(name: String) throws {
        let outcome = try gemel(name, "whatever", "--flag")
        #expect(outcome.status == 64)
        #expect(outcome.errors.hasPrefix("gemel: '\(name)' is not available in this version; "))
    }

    @Test func withoutARunningArrayItIs69() throws {
        #expect(try gemel("status", "--socket", "/tmp/gemel-nobody.sock").status == 69)
        #expect(try gemel("failover", "--to", "b", "--socket", "/tmp/gemel-nobody.sock").status == 69)
        #expect(try gemel("fault", "list", environment: ["GEMEL_SOCKET": "/tmp/gemel-nobody.sock"]).status == 69)
    }

    @Test func aGivenDeviceThatIsMissingIs66BeforeAnythingIsMade() throws {
        let folder = "/tmp/gemel-test-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let text = DescriptionTests.six.replacingOccurrences(
            of: "{size: 1GiB}", with: "{file: /nowhere/disk, size: 1GiB}")
        try text.write(toFile: folder + "/x.yaml", atomically: true, encoding: .utf8)
        let outcome = try gemel("up", folder + "/x.yaml", "--state", folder + "/state")
        #expect(outcome.status == 66)
        #expect(outcome.errors.contains("/nowhere/disk"))
        #expect(!FileManager.default.fileExists(atPath: folder + "/state"))
    }
}
