/// iSCSI names as they come in a login (RFC 7143 §4.2.7): `iqn.` (a date, a reversed domain, a string), `eui.` (16
/// hexadecimal digits), `naa.` (16 or 32), with the characters that RFC 3722 leaves.
package enum NodeName {
    /// The name in the form in which names are compared: ASCII capitals in lower case. nil when it is no iSCSI name.
    package static func normalized(_ value: UnsafeRawBufferPointer) -> [UInt8]? {
        guard (1...TextLimits.name).contains(value.count) else { return nil }
        let name = value.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
        guard hasAllowedCharacters(name), name.count > 4 else { return nil }
        let body = name.dropFirst(4)
        let isWhole =
            switch String(decoding: name.prefix(4), as: UTF8.self) {
            case "iqn.": isQualified(Array(body))
            case "eui.": body.count == 16 && body.allSatisfy(isHexadecimal)
            case "naa.": (body.count == 16 || body.count == 32) && body.allSatisfy(isHexadecimal)
            default: false
            }
        return isWhole ? name : nil
    }

    /// RFC 7143 §4.2.7.4: `yyyy-mm.` and a naming authority.
    private static func isQualified(_ body: [UInt8]) -> Bool {
        guard body.count > 8, body[4] == UInt8(ascii: "-"), body[7] == UInt8(ascii: ".") else { return false }
        guard body[..<4].allSatisfy(isDigit), body[5..<7].allSatisfy(isDigit) else { return false }
        let month = Int(body[5] - 0x30) * 10 + Int(body[6] - 0x30)
        return (1...12).contains(month) && body[8] != UInt8(ascii: ":") && body[8] != UInt8(ascii: ".")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func isHexadecimal(_ byte: UInt8) -> Bool { isDigit(byte) || byte >= 0x61 && byte <= 0x66 }

    /// RFC 3722 §6: of ASCII letters, digits, `-`, `.` and `:`; beyond ASCII what its profile leaves as it is.
    private static func hasAllowedCharacters(_ name: [UInt8]) -> Bool {
        var isASCII = true
        for byte in name where !isDigit(byte) && !(byte >= 0x61 && byte <= 0x7A) {
            switch byte {
            case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"): continue
            case 0x80...: isASCII = false
            default: return false
            }
        }
        if isASCII { return true }
        guard let text = String(validating: name, as: UTF8.self) else { return false }
        return text.unicodeScalars.allSatisfy { $0.isASCII || isAllowed($0) }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        // U+3002, the ideographic full stop, is prohibited by name.
        if scalar.properties.changesWhenNFKCCaseFolded || scalar.value == 0x3002 { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .spaceSeparator, .lineSeparator,
            .paragraphSeparator:
            return false
        default: return true
        }
    }
}
