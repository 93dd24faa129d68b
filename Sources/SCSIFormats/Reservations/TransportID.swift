import Primitives

/// TransportID of an iSCSI initiator (SPC-5 §7.6.4.6): its name, with format 01b the ISID too.
package struct TransportID {
    /// The name as it came; it stays where it was parsed.
    package var name: UnsafeRawBufferPointer
    /// Nil with TPID FORMAT 00b: every initiator port of that name.
    package var isid: UInt64?
    /// Bytes of the TransportID.
    package var length: Int

    /// PROTOCOL IDENTIFIER of iSCSI (SPC-5 table 467).
    package static var protocolIdentifier: UInt8 { 5 }
    /// What stands between name and ISID.
    private static var separator: [UInt8] { Array(",i,0x".utf8) }

    /// The TransportID at `base`, of which at most `count` bytes are there; nil when it is not well-formed.
    package init?(_ base: UnsafeRawPointer, count: Int) {
        guard count >= 24, base.byte(0) & 0x3F == Self.protocolIdentifier,
            base.byte(0) >> 6 <= 1
        else { return nil }
        length = Int(base.big16(2)) + 4
        guard length >= 24, length % 4 == 0, length <= count else { return nil }
        var end = 4
        while end < length, base.byte(end) != 0 { end += 1 }
        // The text ends with a null byte.
        guard end < length else { return nil }
        let text = UnsafeRawBufferPointer(start: base + 4, count: end - 4)
        name = text
        if base.byte(0) >> 6 == 1 {
            guard let at = Self.separatorPlace(text), let number = Self.hexadecimal(text, from: at + 5) else {
                return nil
            }
            name = UnsafeRawBufferPointer(rebasing: text[0..<at])
            isid = number
        }
        guard (1...223).contains(name.count) else { return nil }
    }

    /// Splits an initiator port name (RFC 7143 §4.2.7.1) into name and ISID; nil when it is none.
    package static func split(_ portName: UnsafeRawBufferPointer) -> (name: UnsafeRawBufferPointer, isid: UInt64)? {
        guard let at = separatorPlace(portName), let isid = hexadecimal(portName, from: at + 5) else { return nil }
        return (UnsafeRawBufferPointer(rebasing: portName[0..<at]), isid)
    }

    private static func separatorPlace(_ text: UnsafeRawBufferPointer) -> Int? {
        let separator = separator
        guard text.count > separator.count else { return nil }
        for at in stride(from: text.count - separator.count, through: 0, by: -1) {
            if text[at..<at + separator.count].elementsEqual(separator) { return at }
        }
        return nil
    }

    /// Up to twelve hexadecimal digits.
    private static func hexadecimal(_ text: UnsafeRawBufferPointer, from start: Int) -> UInt64? {
        guard (1...12).contains(text.count - start) else { return nil }
        var value: UInt64 = 0
        for index in start..<text.count {
            switch text[index] {
            case 0x30...0x39: value = value << 4 | UInt64(text[index] - 0x30)
            case 0x41...0x46: value = value << 4 | UInt64(text[index] - 0x37)
            case 0x61...0x66: value = value << 4 | UInt64(text[index] - 0x57)
            default: return nil
            }
        }
        return value
    }

    /// Bytes of the TransportID of format 01b for a name.
    package static func length(name: UnsafeRawBufferPointer) -> Int {
        4 + max(20, (name.count + 5 + 12 + 1 + 3) / 4 * 4)
    }

    /// Appends the TransportID of format 01b.
    package static func write(name: UnsafeRawBufferPointer, isid: UInt64, to writer: inout ParameterWriter) {
        let end = writer.count + length(name: name)
        writer.put(0x40 | protocolIdentifier)
        writer.put(0)
        writer.put(big16: UInt16(truncatingIfNeeded: length(name: name) - 4))
        for byte in name { writer.put(byte) }
        writer.put(separator)
        for digit in stride(from: 44, through: 0, by: -4) {
            let value = UInt8(truncatingIfNeeded: isid >> UInt64(digit) & 0xF)
            writer.put(value < 10 ? 0x30 + value : 0x57 + value)
        }
        writer.zeros(upTo: end)
    }
}
