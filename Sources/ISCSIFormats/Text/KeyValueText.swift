/// Limits of text negotiation (RFC 7143 §6.1, §6.2).
package enum TextLimits {
    /// Bytes in a key name.
    package static let key = 63
    /// Bytes in a value, unless its key allows more.
    package static let value = 255
    /// Bytes in a value that may be long (binary values, lists).
    package static let longValue = 8192
    /// Bytes of one exchange, all its PDUs together; ours, against a stream that never ends.
    package static let exchange = 65_536
    /// Bytes of a data segment during login (RFC 7143 §13.12: the default holds until login is over).
    package static let loginSegment = 8192
    /// Bytes in a CHAP challenge (RFC 7143 §12.1.3).
    package static let challenge = 1024
    /// Bytes in an iSCSI name (RFC 7143 §4.2.7.1).
    package static let name = 223
}

/// What is wrong with a text.
package enum TextFault: Error, Equatable {
    /// A pair without its NUL at the end.
    case unterminated
    /// No `=` in a pair.
    case noEqualSign
    /// A key name that is empty, too long, or has a character that key names do not have (RFC 7143 §6.1).
    case badKey
    /// A value that is too long, not UTF-8, or has control characters.
    case badValue
}

/// Walks the `key=value` pairs of a text (RFC 7143 §6.1). The bytes belong to the caller; pairs point into them.
package struct KeyValueReader {
    /// One pair: the bytes before and after the first equals sign.
    package struct Pair {
        package let key: UnsafeRawBufferPointer
        package let value: UnsafeRawBufferPointer
    }

    private let text: UnsafeRawBufferPointer
    private var position = 0

    package init(_ text: UnsafeRawBufferPointer) { self.text = text }

    /// The next pair, nil at the end. NULs between and after pairs are padding of some initiators, and skipped.
    package mutating func next() throws(TextFault) -> Pair? {
        while position < text.count && text[position] == 0 { position += 1 }
        if position == text.count { return nil }
        let start = position
        var equal = -1
        while position < text.count && text[position] != 0 {
            if equal < 0 && text[position] == UInt8(ascii: "=") { equal = position }
            position += 1
        }
        if position == text.count { throw .unterminated }
        if equal < 0 { throw .noEqualSign }
        let key = UnsafeRawBufferPointer(rebasing: text[start..<equal])
        let value = UnsafeRawBufferPointer(rebasing: text[(equal + 1)..<position])
        if !Self.isKey(key) { throw .badKey }
        if !Self.isValue(value) { throw .badValue }
        return Pair(key: key, value: value)
    }

    /// Key names: a letter, then letters, digits, `.`, `-`, `+`, `@`, `_`, `/` and `#`. RFC 7143 §6.1 asks for a
    /// capital letter first, and yet there is a key iSCSIProtocolLevel.
    private static func isKey(_ key: UnsafeRawBufferPointer) -> Bool {
        guard let first = key.first, key.count <= TextLimits.key else { return false }
        guard (0x41...0x5A).contains(first & 0xDF) else { return false }
        for byte in key {
            switch byte {
            case 0x2B, 0x2D...0x39, 0x40...0x5A, 0x5F, 0x61...0x7A, 0x23: continue
            default: return false
            }
        }
        return true
    }

    private static func isValue(_ value: UnsafeRawBufferPointer) -> Bool {
        if value.count > TextLimits.longValue { return false }
        var ascii = true
        for byte in value {
            if byte < 0x20 || byte == 0x7F { return false }
            if byte >= 0x80 { ascii = false }
        }
        return ascii || String(validating: value, as: UTF8.self) != nil
    }
}

/// Builds a text of `key=value` pairs. Used in negotiation only, so it may allocate.
package struct KeyValueWriter {
    package private(set) var bytes: [UInt8] = []
    package init() {}

    /// Appends a pair and its terminating zero.
    package mutating func append(_ key: String, _ value: String) {
        bytes.append(contentsOf: key.utf8)
        bytes.append(UInt8(ascii: "="))
        bytes.append(contentsOf: value.utf8)
        bytes.append(0)
    }

    /// The same, with the key as the initiator spelled it.
    package mutating func append(_ key: UnsafeRawBufferPointer, _ value: String) {
        bytes.append(contentsOf: key)
        bytes.append(UInt8(ascii: "="))
        bytes.append(contentsOf: value.utf8)
        bytes.append(0)
    }

    /// Empties the text; the room stays.
    package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
}
