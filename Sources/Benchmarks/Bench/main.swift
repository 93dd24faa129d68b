import Foundation

// gemel-bench: the product's speed beside the limit and beside a peer. See `BenchOptions.usage`.

func complain(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

func run(_ options: BenchOptions) throws -> Int32 {
    let bench = try Bench(options)
    defer { bench.stopAll() }
    if options.callgrind { return try Callgrind(bench).run() }
    if options.allocations { return try Allocations(bench).run() }
    try bench.startAll()
    bench.measureAll { if !options.json { complain($0) } }
    let report = BenchReport(bench)
    if options.json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        print(String(decoding: try encoder.encode(report), as: UTF8.self))
    } else {
        print(report.text)
    }
    return options.check && (!report.missed.isEmpty || !report.missing.isEmpty) ? 1 : 0
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.contains("--help") || arguments.contains("-h") {
    print(BenchOptions.usage)
    exit(0)
}
let options: BenchOptions
do {
    options = try BenchOptions(arguments)
} catch {
    complain("gemel-bench: \(error)\n\n\(BenchOptions.usage)")
    exit(64)
}
do {
    exit(try run(options))
} catch {
    complain("gemel-bench: \(error)")
    exit(2)
}
