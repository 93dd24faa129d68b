import Testing

/// Sizes that keep a file readable at one sitting and a function on one screen.
@Suite struct SizeTests {
    static let columns = 120
    static let aim = 300
    static let stop = 500
    static let functionStop = 70

    /// Files above the aim, and how long each may be: numbers here only go down.
    static let longFiles: [String: Int] = [
        "Sources/CLinux/include/CLinux.h": 329, "Tests/PairTests/ChannelTests.swift": 479,
        "Tests/PairTests/ScenarioTests.swift": 306, "Tests/PairTests/World/FakeMemory.swift": 313,
        "Tests/PairTests/World/Node.swift": 381, "Tests/SimulationTests/ReferenceTarget.swift": 327,
    ]

    @Test func linesFitIn120Columns() {
        for path in Tree.code {
            for (number, line) in Tree.lines(path).enumerated() where line.count > Self.columns {
                Issue.record("\(path):\(number + 1) has \(line.count) columns, more than \(Self.columns)")
            }
        }
    }

    @Test func filesAreShort() {
        for path in Tree.code {
            let count = Tree.lines(path).count - 1
            let allowed = min(Self.longFiles[path] ?? Self.aim, Self.stop)
            #expect(count <= allowed, "\(path) has \(count) lines, more than \(allowed): split it by concept")
        }
        for (path, allowed) in Self.longFiles {
            #expect(Tree.files.contains(path), "\(path) is not there any more: take it off the list")
            #expect(allowed > Self.aim, "\(path) needs no exception")
        }
    }

    @Test func functionsFitOnOneScreen() {
        for path in Tree.swift {
            let text = SwiftText(Tree.text(path)).lines
            for declaration in Declaration.all(in: text)
            where ["func", "init", "deinit", "subscript"].contains(declaration.keyword) {
                let count = Self.length(of: declaration, in: text)
                #expect(
                    count <= Self.functionStop,
                    "\(path):\(declaration.line + 1) is a function of \(count) lines, more than \(Self.functionStop)")
            }
        }
    }

    /// Lines from the declaration to the brace that closes its body; 0 without a body.
    private static func length(of declaration: Declaration, in lines: [String]) -> Int {
        var depth = 0
        var parentheses = 0
        var began = false
        for index in declaration.line..<lines.count {
            let isNext = index > declaration.line && Declaration(lines[index], line: index) != nil
            if isNext, !began, parentheses == 0 { return 0 }
            for byte in lines[index].utf8 {
                switch byte {
                case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
                case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
                case UInt8(ascii: "{"):
                    depth += 1
                    began = began || parentheses == 0
                case UInt8(ascii: "}"):
                    depth -= 1
                    if depth < 0 { return 0 }
                    if depth == 0, began { return index - declaration.line + 1 }
                default: break
                }
            }
        }
        return 0
    }
}
