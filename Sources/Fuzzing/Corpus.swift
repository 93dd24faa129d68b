import Foundation

/// The committed inputs: `fixtures/corpus/TARGET/NAME.hex` is hexadecimal with comments behind `#`, any other file of
/// the folder is the input itself.
package enum Corpus {
    /// An input and the name of its file.
    package struct Entry: Sendable {
        package var name: String
        package var bytes: [UInt8]
    }

    /// Every input of a target in `folder` (`fixtures/corpus`), in the order of the names.
    package static func entries(_ target: FuzzTarget, in folder: URL) throws -> [Entry] {
        let place = folder.appending(path: target.rawValue)
        let names = try FileManager.default.contentsOfDirectory(atPath: place.path).sorted()
        return try names.filter { !$0.hasPrefix(".") }.map { name in
            let content = try Data(contentsOf: place.appending(path: name))
            guard name.hasSuffix(".hex") else { return Entry(name: name, bytes: Array(content)) }
            guard let bytes = decode(String(decoding: content, as: UTF8.self)) else {
                throw CocoaError(.fileReadCorruptFile, userInfo: [NSFilePathErrorKey: "\(target.rawValue)/\(name)"])
            }
            return Entry(name: name, bytes: bytes)
        }
    }

    /// The bytes of a hexadecimal text; nil when something else is in it.
    package static func decode(_ text: String) -> [UInt8]? {
        var digits: [UInt8] = []
        for line in text.split(separator: "\n") {
            for character in line.prefix(while: { $0 != "#" }) where !character.isWhitespace {
                guard let digit = character.hexDigitValue else { return nil }
                digits.append(UInt8(digit))
            }
        }
        guard digits.count % 2 == 0 else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// Hexadecimal in lines of 32 bytes, under a comment.
    package static func encode(_ bytes: [UInt8], comment: String) -> String {
        var lines = ["# \(comment)"]
        for start in stride(from: 0, to: bytes.count, by: 32) {
            let line = bytes[start..<min(bytes.count, start + 32)]
            lines.append(line.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined())
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
