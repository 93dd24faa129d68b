import Testing

/// Words that stand for something unfinished, something that traps on input, or something of one machine only.
@Suite struct WordTests {
    @Test func productDoesNotTrapOnPurpose() {
        let banned = ["try" + "!", "as" + "!", "fatalError" + "("]
        for path in Tree.sources {
            for (number, line) in SwiftText(Tree.text(path)).lines.enumerated() {
                for word in banned where line.contains(word) {
                    Issue.record("\(path):\(number + 1): \(word) ends a controller; its partner would follow")
                }
            }
        }
    }

    @Test func nothingIsLeftForLater() {
        let words = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]
        for path in Tree.files {
            for (number, line) in Tree.lines(path).enumerated() {
                for word in words where LayerTests.has(word, String(line)) || line.contains(word + ":") {
                    Issue.record("\(path):\(number + 1): \(word)")
                }
            }
        }
    }

    @Test func noFileSpeaksOfOneMachine() {
        let folders = ["work", "root", "home"].map { "/" + $0 + "/" }
        let hosts = ["registry", "artifactory", "nexus", "pypi", "npmjs"].map { "://" + $0 + "." }
        for path in Tree.files {
            for (number, line) in Tree.lines(path).enumerated() {
                for folder in folders where Self.hasPath(folder, line) {
                    Issue.record("\(path):\(number + 1): \(folder) is a place of one machine")
                }
                for host in hosts where line.contains(host) {
                    Issue.record("\(path):\(number + 1): \(host) is a registry: the package manager knows where it is")
                }
            }
        }
    }

    /// The folder at the beginning of a path, not in its middle.
    private static func hasPath(_ folder: String, _ line: Substring) -> Bool {
        var rest = line
        while let range = rest.firstRange(of: folder) {
            if range.lowerBound == line.startIndex { return true }
            let before = line[line.index(before: range.lowerBound)]
            if !before.isLetter && !before.isNumber && !"_-.~}".contains(before) { return true }
            rest = rest[range.upperBound...]
        }
        return false
    }
}
