import SCSIFormats
import SCSITarget

/// The conformance document, from the tables that the device server works by.
package enum ConformanceReport {
    /// Every row, section by section, ascending by code.
    package static var rows: [ConformanceRow] {
        let all = commands + vitalProductData + modePages + logPages + absent + iSCSIRows
        return ConformanceRow.Section.allCases.flatMap { section in
            all.filter { $0.section == section }.sorted { $0.code < $1.code }
        }
    }

    static func row(
        _ section: ConformanceRow.Section, _ code: String, _ name: String, _ clause: String, _ status: String
    ) -> ConformanceRow {
        ConformanceRow(
            section: section, code: code, name: name, clause: clause, status: status,
            test: evidence(section, code) ?? "")
    }

    private static var commands: [ConformanceRow] {
        CommandTable.rows.map { command in
            let action = command.serviceAction.map { "/" + hex(UInt64($0), command.isVariableLength ? 4 : 2) } ?? ""
            return row(
                .command, hex(UInt64(command.opcode), 2) + action, "\(command.name)", "\(command.clause)",
                Self.status(command.traits))
        }
    }

    /// Which units have a command.
    private static func status(_ traits: CommandTraits) -> String {
        let conditions: [(CommandTraits, String)] = [
            (.pair, "in a pair"), (.atomic, "units with atomic writes"), (.thin, "thin units"),
            (.type2, "units with type 2 protection"),
        ]
        return (["yes"] + conditions.filter { traits.contains($0.0) }.map(\.1)).joined(separator: ", ")
    }

    private static var vitalProductData: [ConformanceRow] {
        VitalProductDataPage.allCases.map { page in
            let status = status { page.applies($0) }
            return row(
                .vitalProductData, hex(UInt64(page.rawValue), 2), page.reference.name, page.reference.clause, status)
        }
    }

    private static var modePages: [ConformanceRow] {
        var rows: [ConformanceRow] = []
        for page in ModePage.all {
            let code = self.code(page.code, page.subpage)
            if rows.contains(where: { $0.code == code }) { continue }
            let forms = ModePage.all.filter { $0.code == page.code && $0.subpage == page.subpage }
            let fields = forms.contains { !$0.fields.isEmpty } ? ", can be changed and saved" : ""
            let status = status { traits in forms.contains { $0.applies(traits) } } + fields
            rows.append(row(.modePage, code, "\(page.name)", "\(page.clause)", status))
        }
        rows.append(row(.modePage, "3F", "all pages", "SPC-4 6.13.1", "yes"))
        rows.append(row(.modePage, "3F/FF", "all pages and subpages", "SPC-4 6.13.1", "yes"))
        return rows
    }

    private static var logPages: [ConformanceRow] {
        LogPage.all.filter { $0.subpage <= 1 || $0.subpage == 0xFF }.map { page in
            row(
                .logPage, code(page.code, page.subpage), "\(page.name)", "\(page.clause)",
                status { page.applies($0) })
        }
    }

    /// Which units have a page.
    private static func status(_ applies: (UnitTraits) -> Bool) -> String {
        let full: UnitTraits = [.pair, .thin, .managed]
        guard applies(full) else { return applies(full.subtracting(.pair)) ? "yes, not in a pair" : "no" }
        var conditions: [String] = []
        if !applies(full.subtracting(.pair)) { conditions.append("in a pair") }
        if !applies(full.subtracting(.thin)) { conditions.append("thin units") }
        if !applies(full.subtracting(.managed)) { conditions.append("with a management address") }
        if !applies(full.union(.legacy)) { conditions.append("not with VERSION 05h") }
        return (["yes"] + conditions).joined(separator: ", ")
    }

    private static func code(_ code: UInt8, _ subpage: UInt8) -> String {
        hex(UInt64(code), 2) + (subpage == 0 ? "" : "/" + hex(UInt64(subpage), 2))
    }

    static func hex(_ value: UInt64, _ digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }

    /// The page of the documentation.
    package static var markdown: String {
        var lines = [
            "# Conformance", "",
            "What the device server and the iSCSI target support, with the clause that describes it and the test that",
            "shows it.", "",
            "## Overview", "",
            "`gemel conformance` prints this page from the tables that both work by. What is not there is refused as",
            "the standards ask, and reported nowhere.",
        ]
        for section in ConformanceRow.Section.allCases {
            lines += [
                "", "## \(section.title.table)", "", "| \(section.title.code) | Name | Clause | Supported | Test |",
            ]
            lines.append("|---|---|---|---|---|")
            for row in rows where row.section == section {
                let test = row.test == "-" ? "" : "`\(row.test)`"
                lines.append("| \(row.code) | \(row.name) | \(row.clause) | \(row.status) | \(test) |")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
