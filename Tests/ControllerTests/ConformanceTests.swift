import Controller
import Foundation
import Testing

@Suite struct ConformanceReportTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let page = root.appendingPathComponent("Sources/Controller/Documentation.docc/Conformance.md")

    /// Names of the test functions of the device server's tests.
    private static func tests() throws -> Set<String> {
        let folder = root.appendingPathComponent("Tests")
        var names: Set<String> = []
        for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where path.hasSuffix(".swift") {
            let lines = try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
                .split(separator: "\n", omittingEmptySubsequences: false)
            var isMarked = false
            for line in lines {
                if line.contains("@Test") { isMarked = true }
                guard let range = line.range(of: "func ") else { continue }
                if isMarked { names.insert(String(line[range.upperBound...].prefix { $0 != "(" })) }
                isMarked = false
            }
        }
        return names
    }

    @Test func theDocumentationHasTheReportOfTheTables() throws {
        if ProcessInfo.processInfo.environment["GEMEL_WRITE_GOLDEN"] != nil {
            try ConformanceReport.markdown.write(to: Self.page, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: Self.page, encoding: .utf8) == ConformanceReport.markdown)
    }

    @Test func everyRowThatIsThereNamesATestThatExists() throws {
        let tests = try Self.tests()
        #expect(tests.count > 100)
        for row in ConformanceReport.rows {
            let isThere = row.status.hasPrefix("yes")
            #expect(isThere == tests.contains(row.test), "\(row.section) \(row.code) \(row.name): '\(row.test)'")
        }
    }

    @Test func noRowIsThereTwice() {
        let keys = ConformanceReport.rows.map { "\($0.section) \($0.code)" }
        #expect(Set(keys).count == keys.count && keys.count > 60)
    }
}
