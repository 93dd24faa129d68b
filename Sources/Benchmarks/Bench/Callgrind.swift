import Foundation

/// User-space instructions per cached 4 KiB read at queue depth 32: the difference of two runs of different length
/// under callgrind, so that start and login cancel out. The kernel is not counted; the figure does not depend on what
/// else the machine does.
struct Callgrind {
    let bench: Bench
    static let short = 2_000
    static let long = 22_000

    init(_ bench: Bench) { self.bench = bench }

    func run() throws -> Int32 {
        guard Child.find("valgrind") != nil else { throw BenchError("valgrind is not there: apt-get install valgrind") }
        let few = try instructions(reads: Self.short)
        let many = try instructions(reads: Self.long)
        let each = Double(many - few) / Double(Self.long - Self.short)
        let what = bench.options.shapes.isEmpty ? "limit" : "gemel"
        if bench.options.json {
            print("{\"column\":\"\(what)\",\"instructionsPerRead\":\(each),\"goal\":\(Cell.instructionGoal)}")
        } else {
            print(String(format: "%@: %.0f user instructions per cached 4 KiB read, QD 32 (goal 900)", what, each))
        }
        return bench.options.check && each > Cell.instructionGoal ? 1 : 0
    }

    /// All instructions of a process that starts, answers `reads` reads, and is stopped.
    private func instructions(reads: Int) throws -> Int {
        let output = "\(bench.folder)/callgrind-\(reads).out"
        let controller = try SingleController(
            bench, wrapper: ["valgrind", "--tool=callgrind", "--callgrind-out-file=\(output)", "-q"], stripped: true)
        defer { controller.stop() }
        try controller.load("write", operations: 4_096)
        try controller.load("read", operations: reads)
        // The limit has no clean stop; both are asked for their counters while they run.
        try Child.run(["callgrind_control", "--dump", "\(controller.pid)"])
        let text = try String(contentsOfFile: "\(output).1", encoding: .utf8)
        guard let line = text.split(separator: "\n").last(where: { $0.hasPrefix("summary:") }),
            let number = line.split(separator: " ").last.flatMap({ Int($0) })
        else { throw BenchError("callgrind wrote no totals") }
        return number
    }
}
