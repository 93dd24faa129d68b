/// Names of iSCSI nodes, by RFC 7143 §4.2.7: `iqn.` (a date, a reversed domain, a string), `eui.` (16 hexadecimal
/// digits), `naa.` (16 or 32).
package enum ISCSIName {
    /// RFC 7143 §4.2.7.1: a name has at most 223 bytes.
    package static let bytesLimit = 223

    /// Why the text is no iSCSI name, and what would be right; nil when it is one.
    package static func violation(_ name: String) -> String? {
        if name.utf8.count > bytesLimit {
            return "has \(name.utf8.count) bytes; an iSCSI name has at most \(bytesLimit) (RFC 7143 §4.2.7.1)"
        }
        if let bad = name.unicodeScalars.first(where: { !isAllowed($0) }) {
            return "'\(bad)' is not allowed in an iSCSI name; lower-case letters, digits, '-', '.' and ':' are "
                + "(RFC 7143 §4.2.7.2)"
        }
        if name.hasPrefix("iqn.") { return iqnViolation(name.dropFirst(4)) }
        if name.hasPrefix("eui.") { return hexViolation(name.dropFirst(4), [16], "eui") }
        if name.hasPrefix("naa.") { return hexViolation(name.dropFirst(4), [16, 32], "naa") }
        return "an iSCSI name starts with iqn., eui. or naa., such as iqn.2026-11.io.gemel:demo (RFC 7143 §4.2.7.3)"
    }

    /// Whether a name that a configuration gives may have the character.
    static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "0"..."9", "-", ".", ":": true
        default: false
        }
    }

    /// RFC 7143 §4.2.7.4: `yyyy-mm.` then the reversed domain name, then optionally `:` and a string.
    private static func iqnViolation(_ rest: Substring) -> String? {
        let example = "such as iqn.2026-11.io.gemel:demo (RFC 7143 §4.2.7.4)"
        let date = rest.prefix(7)
        let parts = date.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 4, parts[1].count == 2, let year = Int(parts[0]),
            let month = Int(parts[1]), (1...12).contains(month), year >= 1970
        else { return "iqn. is followed by a year and a month, yyyy-mm, \(example)" }
        let authority = rest.dropFirst(7)
        guard authority.hasPrefix(".") else {
            return "the date is followed by a dot and a domain, reversed, \(example)"
        }
        let domain = authority.dropFirst().prefix { $0 != ":" }
        let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
        guard !domain.isEmpty, labels.allSatisfy({ !$0.isEmpty && !$0.hasPrefix("-") && !$0.hasSuffix("-") }) else {
            return "'\(domain)' is no domain name, reversed, \(example)"
        }
        if authority.count == domain.count + 2 {
            return "nothing follows the last ':', \(example)"
        }
        return nil
    }

    private static func hexViolation(_ rest: Substring, _ lengths: [Int], _ type: String) -> String? {
        if lengths.contains(rest.count), rest.allSatisfy(\.isHexDigit) { return nil }
        let wanted = lengths.map(String.init).joined(separator: " or ")
        return "\(type). is followed by \(wanted) hexadecimal digits; here are \(rest.count) characters"
    }
}
