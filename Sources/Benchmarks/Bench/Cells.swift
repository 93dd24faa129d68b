/// One row of the table: a workload, who runs it, and what is wanted.
struct Cell {
    enum Figure {
        case iops
        case p50
    }

    var name: String
    /// Arguments of gemel-load.
    var load: [String]
    var figure: Figure
    var bytes: String = "4k"
    /// The goal, as a ratio to the limit: at least for rates, at most for latencies.
    var goal: Double
    /// The shape of the product that the goal is for.
    var shape: GemelContender.Shape

    private static let single = ["--qd", "32", "--sessions", "1"]
    private static let one = ["--qd", "1", "--sessions", "1"]
    private static let stream = ["--qd", "8", "--sessions", "1", "--sequential", "--bs", "256k"]

    static let all: [Cell] = [
        Cell(
            name: "4 KiB random read QD32", load: ["--rw", "read"] + single, figure: .iops, goal: 0.85,
            shape: .single),
        Cell(
            name: "4 KiB random read 4 x QD32", load: ["--rw", "read", "--qd", "32", "--sessions", "4"], figure: .iops,
            goal: 0.90, shape: .single),
        Cell(name: "4 KiB random read QD1 p50", load: ["--rw", "read"] + one, figure: .p50, goal: 1.10, shape: .single),
        Cell(
            name: "4 KiB random write QD32", load: ["--rw", "write"] + single, figure: .iops, goal: 0.85,
            shape: .single),
        Cell(
            name: "4 KiB random write QD32 mirrored, DMA", load: ["--rw", "write"] + single, figure: .iops, goal: 0.68,
            shape: .mirroredDMA),
        Cell(
            name: "4 KiB random write QD32 mirrored, messaging", load: ["--rw", "write"] + single, figure: .iops,
            goal: 0.45, shape: .mirroredMessaging),
        Cell(
            name: "4 KiB write QD1 p50 mirrored, DMA", load: ["--rw", "write"] + one, figure: .p50, goal: 1.15,
            shape: .mirroredDMA),
        Cell(
            name: "256 KiB sequential read QD8", load: ["--rw", "read"] + stream, figure: .iops, goal: 0.95,
            shape: .single),
        Cell(
            name: "256 KiB sequential write QD8", load: ["--rw", "write"] + stream, figure: .iops, goal: 0.90,
            shape: .single),
        Cell(
            name: "256 KiB sequential write QD8 mirrored, DMA", load: ["--rw", "write"] + stream, figure: .iops,
            goal: 0.65, shape: .mirroredDMA),
        // The limit and the peer answer None: the goal is 0.75 of the first cell's.
        Cell(
            name: "4 KiB random read QD32 with digests",
            load: ["--rw", "read", "--header-digest", "--data-digest"] + single, figure: .iops, goal: 0.64,
            shape: .single),
    ]

    /// Target CPU per cached 4 KiB read at QD 32, µs, against the limit's: the goal of the first cell.
    static let cpuGoal = 2.4 / 1.9
    /// User instructions per cached 4 KiB read at QD 32.
    static let instructionGoal = 900.0
}

/// What gemel-load measured once.
struct Sample: Codable {
    var iops: Double
    var megabytesPerSecond: Double
    var p50Microseconds: Double
    var p99Microseconds: Double
    var ownMicrosecondsPerOperation: Double
    var targetMicrosecondsPerOperation: Double
    var operations: UInt64
    var errors: UInt64

    func figure(_ figure: Cell.Figure) -> Double { figure == .iops ? iops : p50Microseconds }
}

extension [Double] {
    var median: Double {
        let ordered = sorted()
        if isEmpty { return 0 }
        return count % 2 == 1 ? ordered[count / 2] : (ordered[count / 2 - 1] + ordered[count / 2]) / 2
    }
}
