import ArgumentParser
import Configuration
import Foundation

/// Writing to the terminal: results to standard output, everything else to standard error, each line at once.
enum Console {
    static func say(_ text: String) { write(text, to: .standardOutput) }
    static func complain(_ text: String) { write(text, to: .standardError) }

    private static func write(_ text: String, to handle: FileHandle) {
        // A reader that has gone away is no reason to end.
        try? handle.write(contentsOf: Data((text + "\n").utf8))
    }

    /// A value as JSON, keys in order.
    static func sayJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        say(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}

/// `--output`, on everything that prints state.
struct OutputOptions: ParsableArguments {
    enum Form: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "How to print: text or json.") var output = Form.text
}

/// Columns as wide as their widest cell.
struct TextTable {
    private var rows: [[String]]

    init(_ heads: String...) { rows = [heads] }

    mutating func add(_ cells: String...) { rows.append(cells) }

    /// The lines, indented by two; none when there is nothing below the heads.
    var lines: [String] {
        guard rows.count > 1 else { return [] }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            let line = "  " + cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
