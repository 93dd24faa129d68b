import Foundation
import Testing

extension Acceptance {
    /// What cannot start says why, with the exit code that scripts rely on, before anything is touched.
    @Suite(.timeLimit(.minutes(2))) struct Start {
        @Test func secondStartOfTheSameArrayExitsWith75() throws {
            let array = try RunningArray()
            try array.start()
            let outcome = try array.startAgain()
            #expect(outcome.status == 75, "\(outcome.output)")
            #expect(try array.status().ready, "the first one was disturbed")
        }

        @Test func takenPortExitsWith75AndNamesIt() throws {
            let array = try RunningArray()
            let other = try #require(Listener())
            let portal = try #require(array.ports["b"])
            let text = try String(contentsOfFile: array.configurationFile, encoding: .utf8)
            try text.replacingOccurrences(of: ":\(portal)\"", with: ":\(other.port)\"")
                .write(toFile: array.configurationFile, atomically: true, encoding: .utf8)
            let outcome = try array.startAgain()
            #expect(outcome.status == 75, "\(outcome.output)")
            #expect(outcome.output.contains("\(other.port)"), "\(outcome.output)")
        }

        @Test func missingDeviceExitsWith66AndNamesIt() throws {
            let array = try RunningArray(device: "{file: /nowhere/disk0.image, size: 80MiB}")
            let outcome = try array.startAgain()
            #expect(outcome.status == 66, "\(outcome.output)")
            #expect(outcome.output.contains("/nowhere/disk0.image"), "\(outcome.output)")
        }

        @Test func shortDeviceExitsWith66AndNamesIt() throws {
            let folder = NSTemporaryDirectory()
            let path = "\(folder)short-\(getpid()).image"
            try Data(count: 1 << 20).write(to: URL(fileURLWithPath: path))
            defer { unlink(path) }
            let array = try RunningArray(device: "{file: \(path), size: 80MiB}")
            let outcome = try array.startAgain()
            #expect(outcome.status == 66, "\(outcome.output)")
            #expect(outcome.output.contains(path), "\(outcome.output)")
        }

        @Test func brokenConfigurationExitsWith78AndSaysWhere() throws {
            let array = try RunningArray(more: "logical_untis: {}\n")
            for command in ["up", "check"] {
                let outcome = try Program.run(
                    [try Product.gemel(), command, array.configurationFile], folder: array.folder, seconds: 20)
                #expect(outcome.status == 78, "\(command): \(outcome.output)")
                #expect(outcome.output.contains("array.yaml:"), "no file, line and column: \(outcome.output)")
                #expect(outcome.output.contains("logical_untis"), "\(outcome.output)")
            }
        }

        @Test func nothingRunningExitsWith69() throws {
            let outcome = try Program.run(
                [try Product.gemel(), "status", "--socket", "/nowhere/pair.sock"], folder: NSTemporaryDirectory(),
                seconds: 20)
            #expect(outcome.status == 69, "\(outcome.output)")
        }

        @Test func oneControllerServesAlone() throws {
            let array = try RunningArray(controllers: ["a"])
            try array.start()
            _ = try array.finish(try array.startLoad(through: ["a"], seconds: 1), seconds: 30)
            #expect(try array.check(through: "a").blocksChecked > 0)
        }
    }
}
