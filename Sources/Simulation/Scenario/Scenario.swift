/// A hand-written story: commands, a line `----`, and what they answer, block after block with empty lines between.
/// Running one gives the same text with the present answers, so a test compares two texts and a person can let the
/// file be written anew. Lines that begin with `#` are for people.
package struct Scenario {
    /// One block: the lines before `----` and the answer that the file expects.
    struct Block {
        var lines: [String]
        var expected: [String]
    }

    let blocks: [Block]

    package init(_ text: String) {
        var blocks: [Block] = []
        var current = Block(lines: [], expected: [])
        var isAnswer = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) + [""] {
            if line == "----" {
                isAnswer = true
            } else if line == "" && (isAnswer || current.lines.isEmpty) {
                if isAnswer { blocks.append(current) }
                current = Block(lines: [], expected: [])
                isAnswer = false
            } else if isAnswer {
                current.expected.append(line)
            } else {
                current.lines.append(line)
            }
        }
        self.blocks = blocks
    }

    /// Runs the story with the product's controllers.
    package func run() -> String { run { ControllerProcess($0) } }

    /// Runs the story with processes of the caller's making; the answer is the whole text with present answers.
    package func run(makeProcess: @escaping ProcessFactory) -> String {
        let stage = ScenarioStage(makeProcess)
        var texts: [String] = []
        for block in blocks {
            var answers: [String] = []
            for line in block.lines where !line.hasPrefix("#") && line != "" { answers += stage.perform(line) }
            if let failure = stage.takeFailure() { answers.append(failure) }
            texts.append((block.lines + ["----"] + answers).joined(separator: "\n"))
        }
        return texts.joined(separator: "\n\n") + "\n"
    }

    /// The text of the file as `run` writes it when every answer is the expected one.
    package var expectedText: String {
        blocks.map { ($0.lines + ["----"] + $0.expected).joined(separator: "\n") }.joined(separator: "\n\n") + "\n"
    }
}

/// The words of a command line: a verb, plain words, and `key=value` pairs.
struct ScenarioCommand {
    var verb: String
    var words: [String] = []
    var pairs: [(key: String, value: String)] = []

    init(_ line: String) {
        var parts = line.split(separator: " ").map(String.init)
        verb = parts.isEmpty ? "" : parts.removeFirst()
        for part in parts {
            if let mark = part.firstIndex(of: "=") {
                pairs.append((String(part[..<mark]), String(part[part.index(after: mark)...])))
            } else {
                words.append(part)
            }
        }
    }

    func text(_ key: String) -> String? { pairs.first { $0.key == key }?.value }
    func number(_ key: String, _ otherwise: Int) -> Int { text(key).flatMap { Int($0) } ?? otherwise }
    func has(_ word: String) -> Bool { words.contains(word) }

    /// The controller that is named: 0 for `a`, 1 for `b`.
    var host: Int? { words.contains("a") ? 0 : words.contains("b") ? 1 : nil }

    /// A time such as `5s` or `200ms` in nanoseconds.
    static func time(_ text: String) -> UInt64? {
        if text.hasSuffix("ms") { return UInt64(text.dropLast(2)).map { $0 * 1_000_000 } }
        if text.hasSuffix("s") { return UInt64(text.dropLast()).map { $0 * 1_000_000_000 } }
        return nil
    }
}
