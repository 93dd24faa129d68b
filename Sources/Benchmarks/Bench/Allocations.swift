import Foundation

/// Heap allocations per command in steady state: the counting allocator is loaded before the program, and asked by
/// SIGUSR2 before and after a load of a known length.
struct Allocations {
    let bench: Bench
    static let operations = 50_000
    /// Allocations per thousand commands that a session and the clock may cost: none belongs to a command.
    static let goal = 1.0

    init(_ bench: Bench) { self.bench = bench }

    func run() throws -> Int32 {
        let counts = "\(bench.folder)/allocations"
        let library = bench.tool("libgemel-count-malloc.so")
        guard access(library, R_OK) == 0 else { throw BenchError("\(library) is not built") }
        let controller = try SingleController(
            bench, wrapper: [], environment: ["LD_PRELOAD": library, "GEMEL_MALLOC_COUNT": counts])
        defer { controller.stop() }
        try controller.load("write", operations: 8_192)
        try controller.load("read", operations: 8_192)
        var figures: [(String, Double)] = []
        for kind in ["read", "write"] {
            let before = try count(controller.pid, counts)
            try controller.load(kind, operations: Self.operations)
            figures.append((kind, Double(try count(controller.pid, counts) - before) / Double(Self.operations) * 1000))
        }
        for (kind, figure) in figures {
            if bench.options.json {
                print("{\"kind\":\"\(kind)\",\"allocationsPerThousand\":\(figure),\"goal\":\(Self.goal)}")
            } else {
                let text = String(format: "%.3f heap allocations per 1,000 4 KiB", figure)
                print("\(text) \(kind)s (goal: at most \(Self.goal))")
            }
        }
        return bench.options.check && figures.contains { $0.1 > Self.goal } ? 1 : 0
    }

    /// Asks the process for its counter.
    private func count(_ pid: Int32, _ file: String) throws -> Int {
        let before = lines(file).count
        kill(pid, SIGUSR2)
        for _ in 0..<200 {
            let after = lines(file)
            let words = after.last?.split(separator: " ") ?? []
            if after.count > before, words.count > 1, let number = Int(words[1]) { return number }
            usleep(10_000)
        }
        throw BenchError("process \(pid) did not answer SIGUSR2 with its allocations")
    }

    private func lines(_ file: String) -> [Substring] {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").filter { $0.hasPrefix("allocations ") }
    }
}
