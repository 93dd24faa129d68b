import Foundation

/// A process that the benchmark started, and ends by its id.
final class Child {
    let name: String
    private let process = Process()
    let logFile: String

    var pid: Int32 { process.processIdentifier }
    var isRunning: Bool { process.isRunning }

    /// Starts `words` with the output in a file of `folder`.
    init(_ name: String, _ words: [String], folder: String, environment: [String: String] = [:]) throws {
        self.name = name
        logFile = "\(folder)/\(name).log"
        _ = FileManager.default.createFile(atPath: logFile, contents: nil)
        guard let log = FileHandle(forWritingAtPath: logFile) else { throw BenchError("cannot write \(logFile)") }
        guard let path = Child.find(words[0]) else { throw BenchError("\(words[0]) is not there") }
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = Array(words.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try process.run()
    }

    /// Waits until the log has a line that begins with `word`.
    func waitForLine(_ word: String, seconds: Double) throws {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if log.split(separator: "\n").contains(where: { $0.hasPrefix(word) }) { return }
            if !process.isRunning { throw BenchError("\(name) ended: \(log.suffix(600))") }
            usleep(20_000)
        }
        throw BenchError("\(name) was not ready after \(seconds) s: \(log.suffix(600))")
    }

    var log: String { (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? "" }

    /// SIGTERM, and SIGKILL when that does not end it in time. Only this process, by its id.
    func stop(seconds: Double = 5) {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGTERM)
        let end = Date().addingTimeInterval(seconds)
        while process.isRunning, Date() < end { usleep(10_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// The path of a program: itself when it has a slash, else from PATH and the system folders.
    static func find(_ program: String) -> String? {
        if program.contains("/") { return access(program, X_OK) == 0 ? program : nil }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return (folders + ["/usr/sbin", "/sbin", "/usr/bin", "/bin"]).map { "\($0)/\(program)" }
            .first { access($0, X_OK) == 0 }
    }

    /// Runs to the end; the output when it exits with 0.
    @discardableResult
    static func run(_ words: [String], accept: Set<Int32> = [0]) throws -> String {
        guard let path = find(words[0]) else { throw BenchError("\(words[0]) is not there") }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = Array(words.dropFirst())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationReason == .exit, accept.contains(process.terminationStatus) else {
            throw BenchError("\(words.joined(separator: " ")) exited with \(process.terminationStatus): \(text)")
        }
        return text
    }

    /// Direct children of a process, with their command lines.
    static func children(of pid: Int32) -> [(pid: Int32, command: String)] {
        let folder = "/proc/\(pid)/task"
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return tasks.flatMap { task in
            let list = (try? String(contentsOfFile: "\(folder)/\(task)/children", encoding: .utf8)) ?? ""
            return list.split(separator: " ").compactMap { Int32($0) }
        }.map { child in
            let line = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(child)/cmdline"))) ?? Data()
            return (child, String(decoding: line.map { $0 == 0 ? 32 : $0 }, as: UTF8.self))
        }
    }
}

/// Why the benchmark cannot go on, as a sentence.
struct BenchError: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Where processes run: the generator on the first CPU, what is measured on the second, both with real-time priority
/// when the system allows it. Without it a busy machine measures its scheduler.
struct Placement {
    let pins: Bool
    let realTime: Bool

    init(pins: Bool) {
        self.pins = pins && ProcessInfo.processInfo.activeProcessorCount > 1
        realTime = pins && (try? Child.run(["chrt", "-r", "1", "true"])) != nil
    }

    private func wrap(_ words: [String], cpu: Int) -> [String] {
        (pins ? ["taskset", "-c", "\(cpu)"] : []) + (realTime ? ["chrt", "-r", "1"] : []) + words
    }

    func generator(_ words: [String]) -> [String] { wrap(words, cpu: 0) }
    func target(_ words: [String]) -> [String] { wrap(words, cpu: 1) }

    /// Moves a running process with all its threads.
    func move(_ pid: Int32, toGeneratorSide: Bool) {
        guard pins else { return }
        _ = try? Child.run(["taskset", "-a", "-c", "-p", toGeneratorSide ? "0" : "1", "\(pid)"])
    }

    var sentence: String {
        pins ? "generator on CPU 0, targets on CPU 1\(realTime ? ", SCHED_RR" : ", normal priority")" : "not pinned"
    }
}
