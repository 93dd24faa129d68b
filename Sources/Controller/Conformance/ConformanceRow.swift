/// One row of the conformance document: a command, page or key, where its standard describes it, whether it is there,
/// and the test that shows it. `gemel conformance` prints the rows, and the documentation has them as a page.
package struct ConformanceRow: Codable, Equatable, Sendable {
    /// What kind of thing the row is about; one table each.
    package enum Section: String, Codable, CaseIterable, Sendable {
        case command, vitalProductData, modePage, logPage
        case textKey, protocolDataUnit, taskManagement, asynchronousEvent, loginStatus, rejectReason

        /// Title of the table, and of its first column.
        var title: (table: String, code: String) {
            switch self {
            case .command: ("Commands", "Code")
            case .vitalProductData: ("Vital product data pages", "Page")
            case .modePage: ("Mode pages", "Page")
            case .logPage: ("Log pages", "Page")
            case .textKey: ("iSCSI text keys", "Key")
            case .protocolDataUnit: ("iSCSI protocol data units", "Opcode")
            case .taskManagement: ("Task management functions", "Function")
            case .asynchronousEvent: ("iSCSI asynchronous events", "Event")
            case .loginStatus: ("iSCSI login status", "Status")
            case .rejectReason: ("iSCSI reject reasons", "Reason")
            }
        }
    }
    package var section: Section
    /// Operation code and service action, page and subpage code, or another number, in hexadecimal; a key's name.
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
