import Foundation

/// One target of the comparison.
protocol Contender: AnyObject {
    /// Its column.
    var name: String { get }
    /// Starts it and returns the addresses of one unit, the preferred path first.
    func start() throws -> [String]
    /// Processes whose CPU time is the target's.
    var processes: [Int32] { get }
    /// Processes of the partner, shown apart.
    var partners: [Int32] { get }
    func stop()
}

/// The limit: `gemel-limit`, RAM and nothing else.
final class LimitContender: Contender {
    let name = "limit"
    private let bench: Bench
    private var child: Child?
    init(_ bench: Bench) { self.bench = bench }

    var processes: [Int32] { child.map { [$0.pid] } ?? [] }
    var partners: [Int32] { [] }

    func start() throws -> [String] {
        let port = try bench.freePort()
        let started = try Child(
            "limit", bench.placement.target([bench.tool("gemel-limit"), "\(port)", "\(bench.unitMebibytes)"]),
            folder: bench.folder)
        child = started
        try started.waitForLine("READY", seconds: 10)
        return ["iscsi://127.0.0.1:\(port)/iqn.2026-11.io.gemel:limit/0"]
    }

    func stop() { child?.stop() }
}

/// The peer that everybody has: Debian's tgt with a file on tmpfs behind it.
final class TgtContender: Contender {
    let name = "tgt"
    private let bench: Bench
    private var child: Child?
    /// Number of the control socket: tgtd's own default is 0, so a daemon of the machine is left alone.
    private let control = 8000 + Int(getpid()) % 1000
    private var image: String { "/dev/shm/gemel-bench-\(getpid()).image" }
    init(_ bench: Bench) { self.bench = bench }

    var processes: [Int32] { child.map { [$0.pid] } ?? [] }
    var partners: [Int32] { [] }

    func start() throws -> [String] {
        let port = try bench.freePort()
        let target = "iqn.2026-11.io.gemel:tgt"
        guard FileManager.default.createFile(atPath: image, contents: nil),
            truncate(image, bench.unitMebibytes << 20) == 0
        else { throw BenchError("cannot make \(image)") }
        child = try Child(
            "tgt",
            bench.placement.target(["tgtd", "-f", "-C", "\(control)", "--iscsi", "portal=127.0.0.1:\(port)"]),
            folder: bench.folder)
        let settings = [
            ["--mode", "target", "--op", "new", "--tid", "1", "-T", target],
            ["--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "1", "-b", image],
            ["--mode", "target", "--op", "bind", "--tid", "1", "-I", "ALL"],
        ]
        for words in settings { try administer(words) }
        return ["iscsi://127.0.0.1:\(port)/\(target)/1"]
    }

    /// tgtd takes a moment until it listens to tgtadm.
    private func administer(_ words: [String]) throws {
        for attempt in 0..<50 {
            do {
                try Child.run(["tgtadm", "-C", "\(control)", "--lld", "iscsi"] + words)
                return
            } catch where attempt < 49 && child?.isRunning == true {
                usleep(50_000)
            }
        }
    }

    func stop() {
        child?.stop(seconds: 2)
        unlink(image)
    }
}
