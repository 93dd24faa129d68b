import Foundation
import Testing

/// Golden files under `fixtures`. `GEMEL_WRITE_GOLDEN=1` writes them anew, to be read before they are committed.
enum Golden {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("fixtures")

    static func expect(_ text: String, equals path: String, _ location: SourceLocation = #_sourceLocation) throws {
        let file = folder.appendingPathComponent(path)
        if ProcessInfo.processInfo.environment["GEMEL_WRITE_GOLDEN"] != nil {
            try text.write(to: file, atomically: true, encoding: .utf8)
        }
        let golden = try String(contentsOf: file, encoding: .utf8)
        #expect(text == golden, "fixtures/\(path)", sourceLocation: location)
    }

    /// The bytes of a `.hex` file: hexadecimal digits up to a `;`, where the comment begins.
    static func bytes(_ path: String) throws -> [UInt8] {
        let text = try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
        let digits = text.split(separator: "\n").map { $0.prefix { $0 != ";" } }.joined().filter { !$0.isWhitespace }
        return stride(from: 0, to: digits.count, by: 2).compactMap { at in
            let start = digits.index(digits.startIndex, offsetBy: at)
            return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16)
        }
    }
}

func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
