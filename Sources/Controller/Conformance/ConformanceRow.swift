/// One row of the conformance document: a command, page or key, where its standard describes it, whether it is there,
/// and the test that shows it. `gemel conformance` prints the rows, and the documentation has them as a page.
package struct ConformanceRow: Codable, Equatable, Sendable {
    /// What kind of thing the row is about; one table each.
    package enum Section: String, Codable, CaseIterable, Sendable {
        case command, vitalProductData, modePage, logPage

        /// Title of the table, and of its first column.
        var title: (table: String, code: String) {
            switch self {
            case .command: ("Commands", "Code")
            case .vitalProductData: ("Vital product data pages", "Page")
            case .modePage: ("Mode pages", "Page")
            case .logPage: ("Log pages", "Page")
            }
        }
    }
    package var section: Section
    /// Operation code and service action, or page and subpage code, in hexadecimal.
    package var code: String
    package var name: String
    package var clause: String
    /// `yes`, with what it depends on; or `no`, with the reason.
    package var status: String
    /// The test function; `-` for what is not there.
    package var test: String

    /// The row of something that is not there.
    static func absent(_ section: Section, _ code: String, _ name: String, _ clause: String, _ reason: String) -> Self {
        ConformanceRow(
            section: section, code: code, name: name, clause: clause, status: "no: \(reason)", test: "-")
    }
}
