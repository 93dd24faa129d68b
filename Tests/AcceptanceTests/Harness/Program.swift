import Foundation

/// A process under test. It is always ended by its id, at the latest when the last reference goes.
final class Program {
    struct Outcome {
        var status: Int32
        var signalled: Bool
        var output: String
    }

    private let process = Process()
    private let logPath: String
    let name: String

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }
    /// The output so far; some programs print bytes that are no text.
    var log: String { String(decoding: FileManager.default.contents(atPath: logPath) ?? Data(), as: UTF8.self) }

    /// Starts `words`; the output of both kinds goes to one file in `folder`.
    init(_ words: [String], folder: String, environment: [String: String] = [:]) throws {
        name = (words[0] as NSString).lastPathComponent
        logPath = "\(folder)/\(name)-\(UUID().uuidString.prefix(8)).log"
        _ = FileManager.default.createFile(atPath: logPath, contents: nil)
        guard let log = FileHandle(forWritingAtPath: logPath) else { throw Failure("cannot write \(logPath)") }
        process.executableURL = URL(fileURLWithPath: try Program.find(words[0]))
        process.arguments = Array(words.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try process.run()
    }

    deinit { end(after: 1) }

    /// Waits for the end; after `seconds` it is killed, and that is a failure.
    func wait(seconds: Double) throws -> Outcome {
        let end = Date().addingTimeInterval(seconds)
        while process.isRunning, Date() < end { usleep(10_000) }
        guard !process.isRunning else {
            kill(pid, SIGKILL)
            process.waitUntilExit()
            throw Failure("\(name) did not end within \(seconds) s: \(log.suffix(2000))")
        }
        return Outcome(
            status: process.terminationStatus, signalled: process.terminationReason == .uncaughtSignal, output: log)
    }

    /// SIGTERM, then SIGKILL when it does not end in time.
    func end(after seconds: Double = 10) {
        guard process.isRunning else { return }
        kill(pid, SIGTERM)
        let end = Date().addingTimeInterval(seconds)
        while process.isRunning, Date() < end { usleep(10_000) }
        if process.isRunning { kill(pid, SIGKILL) }
        process.waitUntilExit()
    }

    /// Waits until a line of the output begins with `word`.
    func waitForLine(_ word: String, seconds: Double) throws {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if log.split(separator: "\n").contains(where: { $0.hasPrefix(word) }) { return }
            guard process.isRunning else { throw Failure("\(name) ended instead of '\(word)': \(log.suffix(2000))") }
            usleep(20_000)
        }
        throw Failure("\(name) did not say '\(word)' within \(seconds) s: \(log.suffix(2000))")
    }

    /// Runs to the end.
    static func run(
        _ words: [String], folder: String, seconds: Double = 60, environment: [String: String] = [:]
    ) throws -> Outcome {
        try Program(words, folder: folder, environment: environment).wait(seconds: seconds)
    }

    /// Debian packages of the programs that the tests use: what a failure names.
    private static let packages = [
        "iscsi-ls": "libiscsi-bin", "iscsi-inq": "libiscsi-bin", "iscsi-readcapacity16": "libiscsi-bin",
        "iscsi-test-cu": "libiscsi-bin", "iscsi-perf": "libiscsi-bin", "qemu-img": "qemu-utils",
        "qemu-io": "qemu-utils", "mkfs.ext4": "e2fsprogs", "sg_inq": "sg3-utils",
        "sg_vpd": "sg3-utils", "sg_logs": "sg3-utils", "sg_decode_sense": "sg3-utils",
    ]

    /// Path of a program; a missing one is a failure that says what to install.
    static func find(_ program: String) throws -> String {
        if program.contains("/") {
            guard access(program, X_OK) == 0 else { throw Failure("\(program) is not there: build it first") }
            return program
        }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let places = (folders + ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]).map { "\($0)/\(program)" }
        if let path = places.first(where: { access($0, X_OK) == 0 }) { return path }
        throw Failure("\(program) is missing: apt-get install \(packages[program] ?? program)")
    }
}
