import Foundation

/// What to measure, from the command line.
struct BenchOptions {
    var gemel = ProcessInfo.processInfo.environment["GEMEL_BINARY"] ?? ".build/release/gemel"
    var rounds = 3
    var seconds = 0.8
    var warmup = 0.2
    var json = false
    var pins = true
    var tgt = true
    var keep = false
    var callgrind = false
    var allocations = false
    var check = false
    var shapes: [GemelContender.Shape] = [.single, .mirroredDMA, .mirroredMessaging]
    var only: String?

    var cells: [Cell] {
        Cell.all.filter { cell in only.map { cell.name.localizedCaseInsensitiveContains($0) } ?? true }
    }

    static let usage = """
        usage: gemel-bench [options]
          Measures the limit (gemel-limit = 1), Debian's tgt and the product side by side, in interleaved rounds.
          --gemel PATH      the product (GEMEL_BINARY, else .build/release/gemel)
          --rounds N (3)    --seconds N a cell (0.8)    --warmup N (0.2)
          --quick           2 rounds of 0.3 s
          --only TEXT       cells whose name contains TEXT
          --no-tgt          without the peer            --no-gemel    without the product
          --no-pin          leave the scheduler alone   --keep        keep the folder with the logs
          --callgrind       user instructions per cached 4 KiB read, under valgrind, instead
          --allocations     heap allocations per read and per write of a controller, instead
          --check           exit with 1 when a goal is missed
          --json            the result as one JSON object
        """

    init() {}

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            switch word {
            case "--json": json = true
            case "--quick": (rounds, seconds, warmup) = (2, 0.3, 0.1)
            case "--no-tgt": tgt = false
            case "--no-gemel": shapes = []
            case "--no-pin": pins = false
            case "--keep": keep = true
            case "--callgrind": callgrind = true
            case "--allocations": allocations = true
            case "--check": check = true
            case "--gemel": gemel = try Self.value(word, &rest)
            case "--only": only = try Self.value(word, &rest)
            case "--rounds": rounds = Int(try Self.number(word, &rest, 1...1000))
            case "--seconds": seconds = try Self.number(word, &rest, 0.05...600)
            case "--warmup": warmup = try Self.number(word, &rest, 0...60)
            default: throw BenchError("\(word): unknown option")
            }
        }
        if cells.isEmpty { throw BenchError("no cell is called \(only ?? "")") }
    }

    private static func value(_ word: String, _ rest: inout ArraySlice<String>) throws -> String {
        guard let value = rest.popFirst() else { throw BenchError("\(word) needs a value") }
        return value
    }

    private static func number(
        _ word: String, _ rest: inout ArraySlice<String>, _ range: ClosedRange<Double>
    ) throws -> Double {
        let text = try value(word, &rest)
        guard let number = Double(text), range.contains(number) else {
            throw BenchError("\(word) \(text): must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}
