/// Swift source with its comments and the text of its literals turned into spaces: what is left is code, at the same
/// lines and columns. Good enough for rules of tidiness; no parser.
struct SwiftText {
    private(set) var code: [UInt8]

    init(_ source: String) {
        let bytes = Array(source.utf8)
        code = bytes
        var at = 0
        while at < bytes.count {
            let end = Self.endOfBlank(bytes, at)
            if end == at {
                at += 1
                continue
            }
            for index in at..<min(end, bytes.count) where bytes[index] != UInt8(ascii: "\n") {
                code[index] = UInt8(ascii: " ")
            }
            at = end
        }
    }

    /// The code by lines.
    var lines: [String] {
        String(decoding: code, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// Where a comment or literal that begins at `at` ends; `at` itself when none begins there.
    private static func endOfBlank(_ bytes: [UInt8], _ at: Int) -> Int {
        func has(_ text: StaticString, _ place: Int) -> Bool {
            place + text.utf8CodeUnitCount <= bytes.count
                && (0..<text.utf8CodeUnitCount).allSatisfy { bytes[place + $0] == text.utf8Start[$0] }
        }
        if has("//", at) { return bytes[at...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count }
        if has("/*", at) {
            var (place, depth) = (at + 2, 1)
            while place < bytes.count, depth > 0 {
                if has("*/", place) { (depth, place) = (depth - 1, place + 2) }
                else if has("/*", place) { (depth, place) = (depth + 1, place + 2) }
                else { place += 1 }
            }
            return place
        }
        guard bytes[at] == UInt8(ascii: "\"") else { return at }
        let isBlock = has("\"\"\"", at)
        var place = at + (isBlock ? 3 : 1)
        while place < bytes.count {
            if has("\\(", place) {
                place = endOfInterpolation(bytes, place + 2)
            } else if bytes[place] == UInt8(ascii: "\\") {
                place += 2
            } else if isBlock ? has("\"\"\"", place) : bytes[place] == UInt8(ascii: "\"") {
                return place + (isBlock ? 3 : 1)
            } else if !isBlock, bytes[place] == UInt8(ascii: "\n") {
                return place
            } else {
                place += 1
            }
        }
        return place
    }

    /// Behind the parenthesis that closes an interpolation; literals inside are skipped whole.
    private static func endOfInterpolation(_ bytes: [UInt8], _ start: Int) -> Int {
        var (place, depth) = (start, 1)
        while place < bytes.count, depth > 0 {
            if bytes[place] == UInt8(ascii: "\"") {
                place = max(endOfBlank(bytes, place), place + 1)
                continue
            }
            if bytes[place] == UInt8(ascii: "(") { depth += 1 }
            if bytes[place] == UInt8(ascii: ")") { depth -= 1 }
            place += 1
        }
        return place
    }
}

/// A declaration at a line, its modifiers apart from its keyword.
struct Declaration {
    /// Line number from 0.
    var line: Int
    var modifiers: Set<String>
    /// `func`, `struct`, `init`, …
    var keyword: String
    /// The line from the keyword on.
    var rest: String

    private static let modifierWords: Set<String> = [
        "package", "public", "private", "fileprivate", "internal", "open", "static", "final", "mutating", "nonmutating",
        "override", "convenience", "required", "borrowing", "consuming", "nonisolated", "indirect", "lazy", "weak",
        "private(set)", "package(set)", "nonisolated(unsafe)", "unsafe",
    ]
    private static let keywords: Set<String> = [
        "func", "init", "deinit", "subscript", "struct", "enum", "class", "protocol", "extension", "var", "let",
        "typealias", "actor", "case", "associatedtype", "import",
    ]

    /// The declaration that a line of code begins, if it begins one.
    init?(_ text: String, line: Int) {
        self.line = line
        modifiers = []
        var words = text.split(separator: " ", omittingEmptySubsequences: true)[...]
        while let word = words.first, word.hasPrefix("@") || Self.modifierWords.contains(String(word)) {
            modifiers.insert(String(word))
            words = words.dropFirst()
        }
        guard let word = words.first else { return nil }
        let name = String(word.prefix { $0.isLetter })
        guard Self.keywords.contains(name) else { return nil }
        let tail = word.dropFirst(name.count)
        let mayEndInParenthesis = ["init", "subscript", "deinit"].contains(name)
        guard tail.isEmpty || (mayEndInParenthesis && "(<?!{".contains(tail.first ?? " ")) else { return nil }
        keyword = name
        rest = words.joined(separator: " ")
    }

    static func all(in lines: [String]) -> [Declaration] {
        lines.enumerated().compactMap { Declaration($1, line: $0) }
    }
}
