import Testing

/// `fixtures/claims.txt`: each of the thirty claims that the product is made from, and the test that shows it.
@Suite struct ClaimTests {
    /// Claims that may be open now. When the product is complete, only the last list may be left here.
    static let mayBeOpen: Set<Int> = [4, 12, 22, 24, 27]
    /// Claims that may be open in the end of this version: redundant devices, the copy by a SCSI command, and
    /// devices that each belong to one controller.
    static let mayStayOpen: Set<Int> = [4, 12, 22, 24, 27]

    struct Claim {
        var number: Int
        var state: String
        var test: String
        var text: String
    }

    static let claims: [Claim] = Tree.lines("fixtures/claims.txt").filter { !$0.isEmpty && !$0.hasPrefix("#") }
        .compactMap { line in
            let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true)
            guard words.count == 4, let number = Int(words[0]) else { return nil }
            return Claim(number: number, state: String(words[1]), test: String(words[2]), text: String(words[3]))
        }

    /// Names of all test functions.
    static let tests: Set<String> = {
        var names: Set<String> = []
        for path in Tree.swift where path.hasPrefix("Tests/") {
            var isMarked = false
            for line in SwiftText(Tree.text(path)).lines {
                if line.contains("@Test") { isMarked = true }
                guard let range = line.firstRange(of: "func ") else { continue }
                if isMarked { names.insert(String(line[range.upperBound...].prefix { $0 != "(" })) }
                isMarked = false
            }
        }
        return names
    }()

    @Test func allThirtyAreThereInOrder() {
        #expect(Self.claims.map(\.number) == Array(1...30))
    }

    @Test func everyLineCanBeRead() {
        let lines = Tree.lines("fixtures/claims.txt").filter { !$0.isEmpty && !$0.hasPrefix("#") }
        #expect(lines.count == Self.claims.count, "a line is not 'number state test words'")
        for claim in Self.claims {
            #expect(["done", "open"].contains(claim.state), "claim \(claim.number) is '\(claim.state)'")
            #expect(claim.state == "done" || claim.test == "-", "claim \(claim.number) is open and names a test")
        }
    }

    @Test func everyClaimThatIsDoneNamesATestThatExists() {
        for claim in Self.claims where claim.state == "done" {
            #expect(Self.tests.contains(claim.test), "claim \(claim.number): no test is called \(claim.test)")
        }
    }

    @Test func onlyTheListedClaimsAreOpen() {
        let open = Set(Self.claims.filter { $0.state == "open" }.map(\.number))
        let more = open.subtracting(Self.mayBeOpen)
        #expect(more.isEmpty, "open, but not allowed to be: \(more.sorted())")
        #expect(Self.mayStayOpen.isSubset(of: Self.mayBeOpen))
    }
}
