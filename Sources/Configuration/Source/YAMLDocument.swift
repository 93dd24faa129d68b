import Yams

/// A YAML text as a tree of nodes with their places, for people's files: one document, no aliases, bounded. Keys that
/// are given twice are found in every mapping, not only in the first.
struct YAMLDocument {
    /// More than the largest array needs, and quick to refuse.
    static let bytesLimit = 1 << 20
    /// Deeper than any section is.
    static let depthLimit = 16
    /// Keys given twice that are looked for before giving up.
    private static let duplicatesLimit = 64

    let root: Node
    /// Keys that stand a second time in their mapping; the nodes of the tree are otherwise usable.
    let duplicates: [Diagnostic]

    /// Whether the character stands for the first one of a key that is given twice.
    static func isMask(_ scalar: Unicode.Scalar) -> Bool {
        (MaskedText.firstMask..<MaskedText.firstMask + UInt32(duplicatesLimit)).contains(scalar.value)
    }

    /// Reads the text, or throws why it is no usable YAML.
    init(_ text: String, file: String) throws(ConfigurationError) {
        func refusal(_ line: Int, _ column: Int, _ message: String) -> ConfigurationError {
            let found = Diagnostic(line: line, column: column, message: message)
            return ConfigurationError(file: file, diagnostics: [found.inside(text)])
        }
        guard text.utf8.count <= Self.bytesLimit else {
            throw refusal(1, 1, "the file has \(text.utf8.count) bytes; a configuration has at most \(Self.bytesLimit)")
        }
        if let place = AnchorScan.first(in: text) {
            throw refusal(
                place.line, place.column,
                "anchors, aliases and tags are not taken; write the value out, or quote it if the character is meant")
        }
        var masked = MaskedText(text)
        while true {
            do throws(YAMLFailure) {
                let node = try Self.compose(masked.text)
                guard let node else { throw YAMLFailure(1, 1, Self.emptyMessage) }
                if let deep = Self.tooDeep(node, depth: 0) {
                    throw YAMLFailure(
                        deep.line, deep.column, "nested more than \(Self.depthLimit) deep; no section is")
                }
                root = node
                duplicates = masked.duplicates(in: node)
                return
            } catch {
                let repeated = error.duplicatedKey && masked.count < Self.duplicatesLimit
                guard repeated, masked.maskKey(line: error.line, column: error.column) else {
                    throw refusal(error.line, error.column, error.message)
                }
            }
        }
    }

    static let emptyMessage =
        "the file is empty; the least is array, devices, storage, logical_units, targets and controllers"

    private static func compose(_ text: String) throws(YAMLFailure) -> Node? {
        do {
            // The basic resolver gives every scalar as the text that it is: types are decided by the key.
            // A short string has no storage of its own for the parser to point to, so it is made longer.
            let stored = text.utf8.count < 64 ? text + "\n#" + String(repeating: " ", count: 64) + "\n" : text
            return try Yams.compose(yaml: stored, .basic, .default, .utf8)
        } catch let error as YamlError {
            throw YAMLFailure(error, text: text)
        } catch {
            throw YAMLFailure(1, 1, "not readable as YAML: \(error)")
        }
    }

    /// The first node below the depth limit.
    private static func tooDeep(_ node: Node, depth: Int) -> Mark? {
        guard depth <= depthLimit else { return node.mark }
        switch node {
        case .scalar, .alias: return nil
        case .sequence(let sequence):
            return sequence.lazy.compactMap { tooDeep($0, depth: depth + 1) }.first
        case .mapping(let mapping):
            return mapping.lazy.compactMap { tooDeep($0.key, depth: depth + 1) ?? tooDeep($0.value, depth: depth + 1) }
                .first
        }
    }
}

/// Why Yams could not compose a text, in our words.
private struct YAMLFailure: Error {
    var line: Int
    var column: Int
    var message: String
    /// The place is the first of two equal keys of one mapping.
    var duplicatedKey = false

    init(_ line: Int, _ column: Int, _ message: String) {
        self.line = max(1, line)
        self.column = max(1, column)
        self.message = message
    }

    init(_ error: YamlError, text: String) {
        switch error {
        case .composer(_, let problem, let mark, _) where problem.contains("another document"):
            self.init(mark.line, mark.column, "a second document starts here; a file holds one array")
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let during = context.map { " (\($0.text))" } ?? ""
            self.init(mark.line, mark.column, "not YAML: \(problem)\(during); \(Self.advice(problem))")
        case .reader(let problem, let offset, _, _):
            let place = Self.place(of: offset, in: text)
            self.init(place.line, place.column, "not YAML: \(problem); the file must be UTF-8 text")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let names = duplicates.map { "'\($0)'" }.joined(separator: ", ")
            self.init(context.mark.line, context.mark.column, "\(names) is given twice in one section; keep one")
            duplicatedKey = true
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            self.init(1, 1, "not readable as YAML: \(error)")
        }
    }

    /// What is mostly the matter.
    private static func advice(_ problem: String) -> String {
        if problem.contains("tab") || problem.contains("cannot start any token") { return "indent with spaces" }
        return "check the indentation, and that every { [ and quote is closed"
    }

    private static func place(of offset: Int?, in text: String) -> (line: Int, column: Int) {
        guard let offset else { return (1, 1) }
        let before = text.prefix(offset).unicodeScalars
        let line = before.count { $0 == "\n" } + 1
        let column =
            (before.lastIndex(of: "\n").map { before.distance(from: $0, to: before.endIndex) - 1 } ?? before.count)
        return (line, column + 1)
    }
}

/// The text with keys that Yams refuses as given twice made different, one character each, so that composing goes on
/// and every other error is found too. Lines and columns stay the same.
private struct MaskedText {
    /// The start of Unicode's private use area: characters that no configuration has a use for.
    static let firstMask: UInt32 = 0xE000

    private(set) var text: String
    private var masked: [Place: Unicode.Scalar] = [:]

    private struct Place: Hashable {
        var line: Int
        var column: Int
    }

    init(_ text: String) { self.text = text }

    var count: Int { masked.count }

    /// Makes the key that starts there differ from every other; false when that is not possible.
    mutating func maskKey(line: Int, column: Int) -> Bool {
        guard masked[Place(line: line, column: column)] == nil else { return false }
        var scalars = Array(text.unicodeScalars)
        var index = 0
        var lineNow = 1
        while lineNow < line, index < scalars.count {
            if scalars[index] == "\n" { lineNow += 1 }
            index += 1
        }
        index += column - 1
        guard index < scalars.count else { return false }
        if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
        guard index < scalars.count, Self.isOrdinary(scalars[index]),
            let mask = Unicode.Scalar(Self.firstMask + UInt32(masked.count))
        else { return false }
        masked[Place(line: line, column: column)] = scalars[index]
        scalars[index] = mask
        text = String(String.UnicodeScalarView(scalars))
        return true
    }

    private static func isOrdinary(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
    }

    /// A diagnostic at every second (third, …) key of its name.
    func duplicates(in node: Node) -> [Diagnostic] {
        guard !masked.isEmpty else { return [] }
        switch node {
        case .scalar, .alias: return []
        case .sequence(let sequence): return sequence.flatMap(duplicates(in:))
        case .mapping(let mapping):
            var first: [String: Mark] = [:]
            var found: [Diagnostic] = []
            for (key, value) in mapping {
                found += duplicates(in: value)
                guard let name = name(of: key), let mark = key.mark else { continue }
                guard let earlier = first[name] else {
                    first[name] = mark
                    continue
                }
                found.append(
                    Diagnostic(
                        line: mark.line, column: mark.column,
                        message: "'\(name)' is given twice: first in line \(earlier.line); keep one"))
            }
            return found
        }
    }

    /// The key as the user wrote it.
    private func name(of key: Node) -> String? {
        guard let scalar = key.scalar, let mark = scalar.mark else { return nil }
        guard let original = masked[Place(line: mark.line, column: mark.column)] else { return scalar.string }
        return String(String.UnicodeScalarView([original] + scalar.string.unicodeScalars.dropFirst()))
    }
}
