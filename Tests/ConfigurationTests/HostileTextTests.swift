import Testing

/// Texts that are made to hurt are refused with a place, and quickly.
@Suite struct HostileTextTests {
    @Test func anAliasBombIsRefusedBeforeItUnfolds() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
        for level in 1...30 {
            let list = Array(repeating: "*a\(level - 1)", count: 9).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(list)]\n"
        }
        #expect(
            complaints(text) == [
                "1:5: anchors, aliases and tags are not taken; "
                    + "write the value out, or quote it if the character is meant"
            ])
    }

    @Test(arguments: [
        "a:\n  - *x\n", "? *x\n: 1\n", "{a: *x}", "- &x a\n", "a: b\nc: *d", "'it''s': *x", "\"a\\\"\": *x",
        "a: !!str &x b",
    ])
    func anAliasOrAnchorIsFoundWhereverANodeStarts(text: String) {
        #expect(complaints(text).count == 1)
        #expect(complaints(text)[0].contains("anchors, aliases and tags"), "\(text)")
    }

    @Test(arguments: ["a: R&D", "a: this & that", "a: 'x: &y'", "a: \"*x\"", "# &x\na: b", "a: b*c", "a: b # *c"])
    func anAmpersandInAValueIsText(text: String) {
        #expect(!complaints(text).joined().contains("anchors, aliases and tags"), "\(text)")
    }

    @Test func deepNestingIsRefused() {
        let deep = "a: " + String(repeating: "[", count: 100_000)
        #expect(complaints(deep).count == 1)
        let closed = "a: " + String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        #expect(complaints(closed)[0].contains("nested more than 16 deep"))
    }

    @Test func aHugeTextIsRefused() {
        let text = String(repeating: "# comment\n", count: 200_000)
        #expect(complaints(text) == ["1:1: the file has 2000000 bytes; a configuration has at most 1048576"])
    }

    @Test func nothingTruncatedOrCutUpTraps() {
        let whole = DescriptionTests.six
        for length in 0..<whole.count { _ = complaints(String(whole.prefix(length))) }
        for index in whole.indices {
            for replacement in ["", "{", "]", ":", "\t", "\u{0}", "\u{E000}", "\n", "é", "&", "'"] {
                var text = whole
                text.replaceSubrange(index...index, with: replacement)
                _ = complaints(text)
            }
        }
    }
}
