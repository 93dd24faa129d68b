import Foundation

/// One controller run directly, without its supervisor, under a tool that watches it: `gemel serve` below valgrind, or
/// with the counting allocator. Without the product, the limit takes its place, so that the tool itself can be tried.
final class SingleController {
    private let bench: Bench
    private let child: Child
    let url: String
    let usesLimit: Bool
    private let array: String

    /// - Parameters:
    ///   - wrapper: words before the command, such as `valgrind …`.
    ///   - stripped: run a copy without debug information, which Debian's valgrind cannot read from this compiler.
    init(_ bench: Bench, wrapper: [String], stripped: Bool = false, environment: [String: String] = [:]) throws {
        self.bench = bench
        let port = try bench.freePort()
        usesLimit = bench.options.shapes.isEmpty
        array = "bench-\(getpid())-\(port)"
        var words: [String]
        if usesLimit {
            words = [bench.tool("gemel-limit"), "\(port)", "64"]
            url = "iscsi://127.0.0.1:\(port)/iqn.2026-11.io.gemel:limit/0"
        } else {
            let file = "\(bench.folder)/single-\(port).yaml"
            let text = """
                array: {name: \(array)}
                devices: {disk0: {size: 80MiB}}
                storage: {pool0: {members: [disk0]}}
                policies: {bench: {rows: [{write: back, alone: back}]}}
                logical_units: {0: {pool: pool0, policy: bench, size: 64MiB}}
                targets: {"\(GemelContender.target)": {}}
                management: none
                controllers: {a: {portals: ["127.0.0.1:\(port)"], memory: {size: 128MiB}}}

                """
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            words = [bench.gemel, "serve", file, "--controller", "a", "--state", "\(bench.folder)/single-\(port)"]
            url = "iscsi://127.0.0.1:\(port)/\(GemelContender.target)/0"
        }
        if stripped {
            guard Child.find("strip") != nil else { throw BenchError("strip is not there: apt-get install binutils") }
            let copy = "\(bench.folder)/stripped-\(port)"
            try Child.run(["strip", "--strip-debug", "-o", copy, words[0]])
            words[0] = copy
        }
        child = try Child("single-\(port)", wrapper + words, folder: bench.folder, environment: environment)
    }

    var pid: Int32 { child.pid }

    /// Runs a load of exactly `operations` commands in a span that is written before.
    func load(_ kind: String, operations: Int) throws {
        try Child.run([
            bench.tool("gemel-load"), "--rw", kind, "--qd", "32", "--ops", "\(operations)", "--span", "16m",
            "--recover", "60", "--timeout", "60", url,
        ])
    }

    func stop() {
        child.stop(seconds: 30)
        GemelContender.removeMemory(of: array)
    }
}
