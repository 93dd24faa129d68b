import Testing

/// `fixtures/hostile.txt`: each way to hurt that is known, and the tests that show what becomes of it.
@Suite struct HostileListTests {
    /// Lines that wait for a part of the product that is not there.
    static let mayWait: Set<String> = ["S4", "M4"]
    static let groups = [("L", 20), ("F", 16), ("S", 14), ("M", 6)]

    struct Line {
        var name: String
        var tests: [String]
    }

    static let text = Tree.lines("fixtures/hostile.txt").filter { !$0.isEmpty && !$0.hasPrefix("#") }
    static let lines: [Line] = text.compactMap { line in
        let words = line.split(separator: " ", maxSplits: 2)
        guard words.count == 3 else { return nil }
        let tests = words[1] == "-" ? [] : words[1].split(separator: ",").map(String.init)
        return Line(name: String(words[0]), tests: tests)
    }

    @Test func everyLineIsThereOnceInOrder() {
        #expect(Self.lines.count == Self.text.count, "a line is not 'name tests words'")
        let expected = Self.groups.flatMap { group in (1...group.1).map { "\(group.0)\($0)" } }
        #expect(Self.lines.map(\.name) == expected)
    }

    @Test func everyLineNamesTestsThatExist() {
        for line in Self.lines {
            #expect(!line.tests.isEmpty || Self.mayWait.contains(line.name), "\(line.name) has no test")
            #expect(Set(line.tests).count == line.tests.count, "\(line.name) names a test twice")
            for test in line.tests {
                #expect(ClaimTests.tests.contains(test), "\(line.name): no test is called \(test)")
            }
        }
    }

    @Test func whatIsThereDoesNotWait() {
        for line in Self.lines where Self.mayWait.contains(line.name) {
            #expect(line.tests.isEmpty, "\(line.name) has tests: take it from the list of what may wait")
        }
    }
}
