import Primitives

/// Sizes as people write them: `1GiB`, `64KiB`, `4096`.
package enum ByteCount {
    /// Powers of 1024 by suffix. The decimal ones (`GB`) are refused: half of the readers take them for binary ones.
    private static let units: [(suffix: String, shift: UInt64)] = [
        ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0), ("", 0),
    ]

    /// The number of bytes; nil when the text is no size, or does not fit in 63 bits.
    package static func parse(_ text: String) -> UInt64? {
        guard let (digits, suffix) = splitNumber(text), let number = UInt64(digits),
            let unit = units.first(where: { $0.suffix == suffix })
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << unit.shift)
        return overflow || bytes > UInt64(Int64.max) ? nil : bytes
    }

    /// The shortest exact way to write it, such as `256MiB`.
    package static func format(_ bytes: UInt64) -> String {
        for unit in units.prefix(4) where bytes > 0 && bytes % (1 << unit.shift) == 0 {
            return "\(bytes >> unit.shift)\(unit.suffix)"
        }
        return "\(bytes)"
    }

    static let form = "write bytes, or a whole number with KiB, MiB, GiB or TiB, such as 1GiB"
}

/// Durations as people write them: `3s`, `250ms`, `1m`.
package enum TimeSpan {
    private static let units: [(suffix: String, nanoseconds: UInt64)] = [
        ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000), ("us", 1000),
    ]

    /// The length of time; nil when the text is none. A number without a unit is refused: it could be either.
    package static func parse(_ text: String) -> Interval? {
        guard let (digits, suffix) = splitNumber(text), let number = UInt64(digits),
            let unit = units.first(where: { $0.suffix == suffix })
        else { return nil }
        let (total, overflow) = number.multipliedReportingOverflow(by: unit.nanoseconds)
        return overflow || total > UInt64(Int64.max) ? nil : Interval(nanoseconds: total)
    }

    /// The way to write it in messages.
    package static func format(_ interval: Interval) -> String {
        let nanoseconds = interval.nanoseconds
        if nanoseconds % 1_000_000_000 == 0 { return "\(nanoseconds / 1_000_000_000)s" }
        if nanoseconds % 1_000_000 == 0 { return "\(nanoseconds / 1_000_000)ms" }
        return "\(nanoseconds / 1000)us"
    }

    static let form = "write a whole number with its unit, such as 3s or 250ms"
}

/// `12MiB` → (`12`, `MiB`); nil without a digit in front.
private func splitNumber(_ text: String) -> (digits: String, suffix: String)? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    guard !digits.isEmpty else { return nil }
    return (String(digits), text.dropFirst(digits.count).trimmingBlanks)
}

extension Substring {
    fileprivate var trimmingBlanks: String { String(drop { $0 == " " }) }
}

extension Entry {
    /// A size within bounds that is a multiple of `multiple`; anything else is refused.
    func size(multipleOf multiple: UInt64, _ range: ClosedRange<UInt64>) -> UInt64? {
        guard let text = text("size; \(ByteCount.form)") else { return nil }
        guard let bytes = ByteCount.parse(text) else {
            refuse("'\(text)' is no size; \(ByteCount.form)")
            return nil
        }
        guard range.contains(bytes) else {
            refuse(
                "\(text) is out of range; from \(ByteCount.format(range.lowerBound)) "
                    + "to \(ByteCount.format(range.upperBound))")
            return nil
        }
        guard bytes % multiple == 0 else {
            let lower = max(bytes / multiple * multiple, range.lowerBound)
            refuse(
                "\(text) is not a multiple of \(multiple) bytes; "
                    + "the nearest ones are \(lower) and \(bytes / multiple * multiple + multiple)")
            return nil
        }
        return bytes
    }

    /// A length of time within bounds.
    func duration(_ range: ClosedRange<Interval>) -> Interval? {
        guard let text = text("length of time; \(TimeSpan.form)") else { return nil }
        guard let interval = TimeSpan.parse(text) else {
            refuse("'\(text)' is no length of time; \(TimeSpan.form)")
            return nil
        }
        guard range.contains(interval) else {
            refuse(
                "\(text) is out of range; from \(TimeSpan.format(range.lowerBound)) "
                    + "to \(TimeSpan.format(range.upperBound))")
            return nil
        }
        return interval
    }

    /// `true` or `false`.
    func flag() -> Bool? {
        switch text("true or false") {
        case "true": return true
        case "false": return false
        case nil: return nil
        case .some(let other):
            refuse("'\(other)' is neither true nor false")
            return nil
        }
    }

    /// One of a table of words.
    func choice<Value>(_ table: [(String, Value)]) -> Value? {
        let names = table.map(\.0)
        guard let text = text("choice; one of \(names.joined(separator: ", "))") else { return nil }
        if let row = table.first(where: { $0.0 == text }) { return row.1 }
        let nearest = NearestName.of(text, among: names)
        refuse(
            nearest.map { "'\(text)' is not known; did you mean '\($0)'?" }
                ?? "'\(text)' is not known; one of \(names.joined(separator: ", "))")
        return nil
    }

    /// A whole number in a range.
    func number(_ range: ClosedRange<Int>) -> Int? {
        guard let text = text("number") else { return nil }
        guard let number = Int(text), range.contains(number) else {
            refuse("'\(text)' is no whole number from \(range.lowerBound) to \(range.upperBound)")
            return nil
        }
        return number
    }
}
