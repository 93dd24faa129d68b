/// A log page: what LOG SENSE, LOG SELECT and the lists of supported pages know of it. Its content is made where it is
/// known, as log parameters.
package struct LogPage: Sendable {
    /// What the page holds.
    package enum Content: UInt8, Sendable {
        case supportedPages, supportedSubpages, writeErrors, readErrors, verifyErrors, nonMediumErrors, temperature
        case startStopCycles, selfTests, backgroundScan, statistics, groupStatistics, exceptions
        case provisioning
    }
    /// PAGE CODE and SUBPAGE CODE.
    package var code: UInt8
    package var subpage: UInt8
    package var name: StaticString
    /// Where the standard describes it.
    package var clause: StaticString
    package var content: Content
    /// It came with SPC-4: units of VERSION 05h do not have it.
    package var isRecent = false
    /// Each controller of a pair would answer for itself only: units of pairs do not have it.
    package var isOfOneController = false
    /// Only units that are all of this have it.
    package var needs: UnitTraits = []

    /// Every page, ascending by page and subpage code.
    package static let all: [LogPage] = [
        LogPage(
            code: 0x00, subpage: 0, name: "Supported Log Pages", clause: "SPC-4 7.3.18", content: .supportedPages),
        LogPage(
            code: 0x00, subpage: 0xFF, name: "Supported Log Pages and Subpages", clause: "SPC-4 7.3.19",
            content: .supportedSubpages, isRecent: true),
        LogPage(code: 0x02, subpage: 0, name: "Write Error Counters", clause: "SPC-4 7.3.23", content: .writeErrors),
        LogPage(code: 0x03, subpage: 0, name: "Read Error Counters", clause: "SPC-4 7.3.14", content: .readErrors),
        LogPage(code: 0x05, subpage: 0, name: "Verify Error Counters", clause: "SPC-4 7.3.22", content: .verifyErrors),
        LogPage(code: 0x06, subpage: 0, name: "Non-Medium Error", clause: "SPC-4 7.3.11", content: .nonMediumErrors),
        LogPage(
            code: 0x0C, subpage: 0, name: "Logical Block Provisioning", clause: "SBC-3 6.4.4", content: .provisioning,
            isRecent: true, needs: .thin),
        LogPage(code: 0x0D, subpage: 0, name: "Temperature", clause: "SPC-4 7.3.21", content: .temperature),
        LogPage(
            code: 0x0E, subpage: 0, name: "Start-Stop Cycle Counter", clause: "SPC-4 7.3.17",
            content: .startStopCycles),
        LogPage(code: 0x10, subpage: 0, name: "Self-Test Results", clause: "SPC-4 7.3.16", content: .selfTests),
        LogPage(code: 0x15, subpage: 0, name: "Background Scan", clause: "SBC-3 6.4.2", content: .backgroundScan),
        LogPage(
            code: 0x19, subpage: 0, name: "General Statistics and Performance", clause: "SPC-4 7.3.6",
            content: .statistics, isRecent: true),
    ] + groups + [
        LogPage(code: 0x2F, subpage: 0, name: "Informational Exceptions", clause: "SPC-4 7.3.8", content: .exceptions),
    ]

    /// Statistics of groups 1 to 31, a subpage each.
    private static var groups: [LogPage] {
        (1...31).map {
            LogPage(
                code: 0x19, subpage: $0, name: "Group Statistics and Performance", clause: "SPC-4 7.3.7",
                content: .groupStatistics, isRecent: true, isOfOneController: true)
        }
    }

    /// Whether a unit has the page.
    package func applies(_ traits: UnitTraits) -> Bool {
        traits.isSuperset(of: needs) && !(isRecent && traits.contains(.legacy))
            && !(isOfOneController && traits.contains(.pair))
    }

    /// The pages of a unit with a page code; nil for all.
    package static func pages(_ traits: UnitTraits, code: UInt8? = nil) -> [LogPage] {
        all.filter { $0.applies(traits) && (code == nil || $0.code == code) }
    }

    /// A page of a unit by its codes; nil when there is none. Subpage FFh of each page code lists its subpages (SPC-4
    /// §7.3.20).
    package static func find(_ code: UInt8, _ subpage: UInt8, _ traits: UnitTraits) -> LogPage? {
        let coded = pages(traits, code: code)
        if let page = coded.first(where: { $0.subpage == subpage }) { return page }
        guard subpage == 0xFF, !coded.isEmpty, !traits.contains(.legacy) else { return nil }
        return LogPage(
            code: code, subpage: 0xFF, name: "Supported Subpages", clause: "SPC-4 7.3.20",
            content: .supportedSubpages, isRecent: true)
    }

    /// Appends the head: DS one (no parameter is saved on request) where there are parameters, SPF.
    package func writeHead(to writer: inout ParameterWriter) {
        let isList = content == .supportedPages || content == .supportedSubpages
        writer.put((isList ? 0 : 0x80) | (subpage == 0 ? 0 : 0x40) | code)
        writer.put(subpage)
        writer.put(big16: 0)
    }

    /// Appends what a list of pages (00h), of pages and subpages (00h/FFh), or of a page's subpages has for a unit.
    package func writeList(_ traits: UnitTraits, to writer: inout ParameterWriter) {
        if content == .supportedPages {
            for page in Self.pages(traits) where page.subpage == 0 { writer.put(page.code) }
            return
        }
        let listed = Self.pages(traits, code: code == 0 ? nil : code).filter { $0.subpage != 0xFF }
        for (index, page) in listed.enumerated() {
            writer.put(page.code)
            writer.put(page.subpage)
            if index + 1 < listed.count, listed[index + 1].code == page.code { continue }
            writer.put(page.code)
            writer.put(0xFF)
        }
    }
}

/// A log parameter (SPC-4 §7.3.2.2).
package struct LogParameter: Sendable {
    /// FORMAT AND LINKING.
    package enum Form: UInt8, Sendable {
        /// Stops at its largest value.
        case boundedCounter = 0
        case unboundedCounter = 2
        case binaryList = 3
    }
    package var code: UInt16
    package var form: Form
    package var value: [UInt8]

    /// Counters have thresholds and defaults.
    package var isCounter: Bool { form != .binaryList }

    /// A parameter with its bytes behind the head.
    package init(code: UInt16, form: Form, value: [UInt8]) {
        self.code = code
        self.form = form
        self.value = value
    }

    /// A bounded counter of `width` bytes.
    package static func counter(_ code: UInt16, _ value: UInt64, width: Int) -> LogParameter {
        let clamped = width < 8 ? min(value, 1 << UInt64(width * 8) - 1) : value
        let bytes = (0..<width).map { UInt8(truncatingIfNeeded: clamped >> UInt64((width - 1 - $0) * 8)) }
        return LogParameter(code: code, form: .boundedCounter, value: bytes)
    }

    /// A list of bytes.
    package static func list(_ code: UInt16, _ value: [UInt8]) -> LogParameter {
        LogParameter(code: code, form: .binaryList, value: value)
    }

    /// PC of LOG SENSE: which values.
    package enum Control: UInt8, Sendable { case threshold, cumulative, defaultThreshold, defaultCumulative }

    /// Appends the parameter. TSD one: nothing is saved by itself; ETC zero: a counter's threshold is out of reach.
    package func write(_ control: Control, to writer: inout ParameterWriter) {
        writer.put(big16: code)
        writer.put(0x20 | form.rawValue)
        writer.put(UInt8(truncatingIfNeeded: value.count))
        for byte in value {
            switch control {
            case .threshold where isCounter, .defaultThreshold where isCounter: writer.put(0xFF)
            case .defaultCumulative where isCounter: writer.put(0)
            case .cumulative, .threshold, .defaultThreshold, .defaultCumulative: writer.put(byte)
            }
        }
    }
}
