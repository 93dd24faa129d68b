/// Finds what somebody meant who mistyped a name.
package enum NearestName {
    /// The candidate with the smallest edit distance, if it is small enough to be a slip of the hand (a third of the
    /// length, at least one); the first of equals.
    package static func of(_ name: String, among candidates: [String]) -> String? {
        let limit = max(1, name.utf8.count / 3)
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = editDistance(Array(name.utf8), Array(candidate.utf8))
            if distance <= limit, distance < (best?.distance ?? .max) { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours count one each.
    private static func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        // Names are short; a longer one is no slip of the hand, and must not cost a quadratic table.
        guard a.count <= 64, b.count <= 64 else { return a == b ? 0 : .max }
        var table = Array(repeating: Array(repeating: 0, count: b.count + 1), count: a.count + 1)
        for i in 0...a.count { table[i][0] = i }
        for j in 0...b.count { table[0][j] = j }
        for i in a.indices {
            for j in b.indices {
                let substitution = table[i][j] + (a[i] == b[j] ? 0 : 1)
                var cost = min(substitution, table[i][j + 1] + 1, table[i + 1][j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, table[i - 1][j - 1] + 1) }
                table[i + 1][j + 1] = cost
            }
        }
        return table[a.count][b.count]
    }
}
