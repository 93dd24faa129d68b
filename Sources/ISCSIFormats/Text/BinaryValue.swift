/// Binary values of texts (RFC 7143 §6.1): hexadecimal after `0x`, base64 (RFC 4648) after `0b`.
package enum BinaryValue {
    /// The bytes of a value; nil when it is neither, has an odd digit or wrong padding, or is longer than `limit`.
    package static func decode(_ value: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
        guard value.count > 2, value[0] == UInt8(ascii: "0") else { return nil }
        let digits = UnsafeRawBufferPointer(rebasing: value[2...])
        let bytes: [UInt8]? =
            switch value[1] | 0x20 {
            case UInt8(ascii: "x"): hexadecimal(digits, limit)
            case UInt8(ascii: "b"): base64(digits, limit)
            default: nil
            }
        guard let bytes, !bytes.isEmpty, bytes.count <= limit else { return nil }
        return bytes
    }

    /// `0x` and two lower-case digits a byte.
    package static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        var text = Array("0x".utf8)
        for byte in bytes {
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 0xF)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func hexadecimal(_ digits: UnsafeRawBufferPointer, _ limit: Int) -> [UInt8]? {
        guard digits.count % 2 == 0, digits.count / 2 <= limit else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = TextValue.digit(digits[place]), let low = TextValue.digit(digits[place + 1]) else {
                return nil
            }
            bytes.append(UInt8(high << 4 | low))
        }
        return bytes
    }

    private static func base64(_ digits: UnsafeRawBufferPointer, _ limit: Int) -> [UInt8]? {
        guard digits.count % 4 == 0, digits.count / 4 <= (limit + 2) / 3 else { return nil }
        let padding = digits.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 4 * 3)
        var bits: UInt32 = 0
        var count = 0
        for digit in digits.dropLast(padding) {
            guard let value = sextet(digit) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
                bits &= (1 << UInt32(count)) - 1
            }
        }
        // What is left over must be zero, or two texts would mean the same bytes (RFC 4648 §3.5).
        return bits == 0 ? bytes : nil
    }

    private static func sextet(_ digit: UInt8) -> UInt32? {
        switch digit {
        case 0x41...0x5A: UInt32(digit - 0x41)
        case 0x61...0x7A: UInt32(digit - 0x61 + 26)
        case 0x30...0x39: UInt32(digit - 0x30 + 52)
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
