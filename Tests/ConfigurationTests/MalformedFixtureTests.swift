import Foundation
import Testing

/// Every file of `fixtures/malformed` is refused with exactly the lines of the `.txt` beside it: all that is wrong, in
/// the order of the file, with line, column, the key, what is wrong, and what would be right.
@Suite struct MalformedFixtureTests {
    static let folder = repository.appending(path: "fixtures/malformed")

    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(5)) }.sorted()
    }

    @Test func thereAreFixtures() { #expect(Self.names.count >= 40) }

    @Test(arguments: names)
    func aMalformedFileGetsExactlyItsMessages(name: String) throws {
        let text = try String(contentsOf: Self.folder.appending(path: "\(name).yaml"), encoding: .utf8)
        let found = complaints(text).joined(separator: "\n") + "\n"
        #expect(found != "\n", "\(name).yaml was accepted")
        let golden = Self.folder.appending(path: "\(name).txt")
        // Set to write the golden files anew; then read the difference before it is committed.
        if ProcessInfo.processInfo.environment["GEMEL_WRITE_GOLDEN"] != nil {
            try found.write(to: golden, atomically: true, encoding: .utf8)
        }
        let expected = try String(contentsOf: golden, encoding: .utf8)
        #expect(found == expected, "\(name).yaml")
    }
}
