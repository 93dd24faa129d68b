/// A log page: what LOG SENSE, LOG SELECT and the lists of supported pages know of it. Its content is made where it is
/// known, as log parameters.
package struct LogPage: Sendable {
    /// What the page holds.
    package enum Content: UInt8, Sendable {
        case supportedPages, supportedSubpages, writeErrors, readErrors, verifyErrors, nonMediumErrors, temperature
        case startStopCycles, selfTests, backgroundScan, statistics, exceptions
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

    /// Every page, ascending by page and subpage code.
    package static let all: [LogPage] = [
        LogPage(
            code: 0x00, subpage: 0, name: "Supported Log Pages", clause: "SPC-4 7.3.18", content: .supportedPages),
        LogPage(
            code: 0x00, subpage: 0xFF, name: "Supported Log Pages and Subpages", clause: "SPC-4 7.3.19",
            content: .supportedSubpages, isRecent: true),
        LogPage(code: 0x02, subpage: 0, name: "Write Error Counters", clause: "SPC-4 7.3.6", content: .writeErrors),
        LogPage(code: 0x03, subpage: 0, name: "Read Error Counters", clause: "SPC-4 7.3.6", content: .readErrors),
        LogPage(code: 0x05, subpage: 0, name: "Verify Error Counters", clause: "SPC-4 7.3.6", content: .verifyErrors),
        LogPage(code: 0x06, subpage: 0, name: "Non-Medium Error", clause: "SPC-4 7.3.13", content: .nonMediumErrors),
        LogPage(code: 0x0D, subpage: 0, name: "Temperature", clause: "SPC-4 7.3.21", content: .temperature),
        LogPage(
            code: 0x0E, subpage: 0, name: "Start-Stop Cycle Counter", clause: "SPC-4 7.3.20",
            content: .startStopCycles),
        LogPage(code: 0x10, subpage: 0, name: "Self-Test Results", clause: "SPC-4 7.3.17", content: .selfTests),
        LogPage(code: 0x15, subpage: 0, name: "Background Scan", clause: "SBC-3 6.4.2", content: .backgroundScan),
        LogPage(
            code: 0x19, subpage: 0, name: "General Statistics and Performance", clause: "SPC-4 7.3.8",
            content: .statistics, isRecent: true),
        LogPage(code: 0x2F, subpage: 0, name: "Informational Exceptions", clause: "SPC-4 7.3.9", content: .exceptions),
    ]

    /// Whether a unit has the page.
    package func applies(_ traits: UnitTraits) -> Bool { !isRecent || !traits.contains(.legacy) }

    /// The pages of a unit with a page code; nil for all.
    package static func pages(_ traits: UnitTraits, code: UInt8? = nil) -> [LogPage] {
        all.filter { $0.applies(traits) && (code == nil || $0.code == code) }
    }

    /// Appends the head: DS one (no parameter is saved on request), SPF.
    package func writeHead(to writer: inout ParameterWriter) {
        let saves: UInt8 = code == 0 ? 0 : 0x80
        writer.put(saves | (subpage == 0 ? 0 : 0x40) | code)
        writer.put(subpage)
        writer.put(big16: 0)
    }

    /// Appends what pages 00h and 00h/FFh list.
    package static func writeList(_ pages: [LogPage], subpages: Bool, to writer: inout ParameterWriter) {
        for page in pages where subpages || page.subpage == 0 {
            writer.put(page.code)
            if subpages { writer.put(page.subpage) }
        }
    }
}

/// A log parameter (SPC-4 §7.3.2.2).
package struct LogParameter: Sendable {
    package var code: UInt16
    /// FORMAT AND LINKING 00b: a bounded data counter, which has thresholds and defaults; else a binary list.
    package var isCounter: Bool
    package var value: [UInt8]

    /// A parameter with its bytes behind the head.
    package init(code: UInt16, isCounter: Bool, value: [UInt8]) {
        self.code = code
        self.isCounter = isCounter
        self.value = value
    }

    /// A counter of `width` bytes.
    package static func counter(_ code: UInt16, _ value: UInt64, width: Int) -> LogParameter {
        let clamped = width < 8 ? min(value, 1 << UInt64(width * 8) - 1) : value
        let bytes = (0..<width).map { UInt8(truncatingIfNeeded: clamped >> UInt64((width - 1 - $0) * 8)) }
        return LogParameter(code: code, isCounter: true, value: bytes)
    }

    /// A list of bytes.
    package static func list(_ code: UInt16, _ value: [UInt8]) -> LogParameter {
        LogParameter(code: code, isCounter: false, value: value)
    }

    /// PC of LOG SENSE: which values.
    package enum Control: UInt8, Sendable { case threshold, cumulative, defaultThreshold, defaultCumulative }

    /// Appends the parameter. TSD one: nothing is saved by itself; ETC zero: a counter's threshold is out of reach.
    package func write(_ control: Control, to writer: inout ParameterWriter) {
        writer.put(big16: code)
        writer.put(isCounter ? 0x20 : 0x23)
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
