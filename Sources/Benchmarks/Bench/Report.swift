import Foundation

/// A column of a cell: the median of the rounds, with the lowest and the highest.
struct Column: Codable {
    var name: String
    var median: Double
    var minimum: Double
    var maximum: Double
    /// Median over the rounds of the ratio to the limit in the same round.
    var ratio: Double
    var targetMicrosecondsPerOperation: Double
    var ownMicrosecondsPerOperation: Double
}

/// A row of the table.
struct Row: Codable {
    var cell: String
    /// `iops`, or `p50` in µs.
    var figure: String
    var goal: Double
    var columns: [Column]
    /// nil: the product was not measured.
    var met: Bool?
}

/// The result of a run.
struct BenchReport: Codable {
    struct Missing: Codable {
        var name: String
        var reason: String
    }
    var placement: String
    var rounds: Int
    var seconds: Double
    var rows: [Row]
    var missing: [Missing]

    init(_ bench: Bench) {
        placement = bench.placement.sentence
        rounds = bench.options.rounds
        seconds = bench.options.seconds
        missing = bench.missing.map { Missing(name: $0.name, reason: $0.reason) }
        rows = bench.options.cells.enumerated().map { index, cell in
            Self.row(cell, bench.samples[index] ?? [:], bench.columns(of: cell).map(\.contender.name))
        }
    }

    private static func row(_ cell: Cell, _ samples: [String: [Sample]], _ names: [String]) -> Row {
        let limit = (samples["limit"] ?? []).map { $0.figure(cell.figure) }
        let columns = names.compactMap { name -> Column? in
            guard let own = samples[name], !own.isEmpty else { return nil }
            let values = own.map { $0.figure(cell.figure) }
            let ratios = zip(values, limit).map { $1 > 0 ? $0 / $1 : 0 }
            return Column(
                name: name, median: values.median, minimum: values.min() ?? 0, maximum: values.max() ?? 0,
                ratio: ratios.median,
                targetMicrosecondsPerOperation: own.map(\.targetMicrosecondsPerOperation).median,
                ownMicrosecondsPerOperation: own.map(\.ownMicrosecondsPerOperation).median)
        }
        let product = columns.first { $0.name.hasPrefix("gemel") }
        let met = product.map { cell.figure == .iops ? $0.ratio >= cell.goal : $0.ratio <= cell.goal }
        return Row(
            cell: cell.name, figure: cell.figure == .iops ? "iops" : "p50", goal: cell.goal, columns: columns, met: met)
    }

    /// Goals that were measured and missed.
    var missed: [Row] { rows.filter { $0.met == false } }

    /// The table for people.
    var text: String {
        var lines = ["\(placement); median of \(rounds) rounds of \(seconds) s; limit = 1", ""]
        lines.append(
            Self.pad("cell", 44) + Self.pad("column", 11)
                + "    median      min       max   ratio   goal  CPU us  client us")
        for row in rows {
            for (index, column) in row.columns.enumerated() {
                let isProduct = column.name.hasPrefix("gemel")
                let mark = isProduct ? (row.met == true ? "  ok" : "  MISSED") : ""
                let goal = isProduct ? (row.figure == "iops" ? ">=" : "<=") + String(format: "%.2f", row.goal) : ""
                lines.append(
                    Self.pad(index == 0 ? row.cell : "", 44) + Self.pad(column.name, 11)
                        + String(
                            format: "%10.1f %9.1f %9.1f %7.3f ", column.median, column.minimum, column.maximum,
                            column.ratio) + Self.pad(goal, 7)
                        + String(
                            format: "%6.2f %8.2f", column.targetMicrosecondsPerOperation,
                            column.ownMicrosecondsPerOperation) + mark)
            }
        }
        lines += missing.map { "not measured: \($0.name): \($0.reason)" }
        return lines.joined(separator: "\n")
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text.count >= width ? text + " " : text + String(repeating: " ", count: width - text.count)
    }
}
