/// Identities that follow from names: the same file gives the same ones on every machine and at every start.
package enum Identity {
    /// FNV-1a of 64 bits: short, well known, and good enough to keep the names of one network apart.
    package static func hash(_ text: String) -> UInt64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 {
            value ^= UInt64(byte)
            value &*= 0x0000_0100_0000_01B3
        }
        return value
    }

    /// Which pair this is: its name, and what was drawn when its state folder was made. Two arrays with one name, or
    /// one folder under two names, are two pairs. Never zero.
    package static func pairID(array: String, drawn: String) -> UInt64 {
        let id = hash("\(array)\n\(drawn)")
        return id == 0 ? 1 : id
    }

    /// The company identifier in our NAA designators. Its local bit is set (`02-47-45`), so that it is nobody's that
    /// the IEEE registered.
    package static let companyID: UInt64 = 0x024745

    /// NAA IEEE Registered Extended (SPC-5, NAA 6h): 4 bits 6h, 24 bits company, 36 bits that the array's name gives,
    /// then 48 more of them, and the LUN.
    package static func naa(array: String, lun: UInt16) -> InlineArray<16, UInt8> {
        let high = hash("naa:\(array)")
        let low = hash("naa-extension:\(array)")
        let first = 6 << 60 | companyID << 36 | high & 0xF_FFFF_FFFF
        let second = low << 16 | UInt64(lun)
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        for index in 0..<8 {
            bytes[index] = UInt8(truncatingIfNeeded: first >> (56 - 8 * UInt64(index)))
            bytes[8 + index] = UInt8(truncatingIfNeeded: second >> (56 - 8 * UInt64(index)))
        }
        return bytes
    }

    /// 16 hexadecimal digits: twelve that the array's name gives, four of the LUN.
    package static func serial(array: String, lun: UInt16) -> String {
        hex(hash("serial:\(array)") >> 16, digits: 12) + hex(UInt64(lun), digits: 4)
    }

    /// Upper case, as disks print theirs.
    static func hex(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// `naa.` and 32 digits, or the digits alone, to bytes; nil when it is no NAA 6h designator.
    package static func parseNAA(_ text: String) -> InlineArray<16, UInt8>? {
        let digits = Array((text.hasPrefix("naa.") ? text.dropFirst(4) : text[...]).utf8)
        guard digits.count == 32, digits[0] == UInt8(ascii: "6") else { return nil }
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        for index in 0..<16 {
            guard let high = nibble(digits[2 * index]), let low = nibble(digits[2 * index + 1]) else { return nil }
            bytes[index] = high << 4 | low
        }
        return bytes
    }

    /// As `naa.` and 32 digits.
    package static func format(naa: InlineArray<16, UInt8>) -> String {
        "naa." + naa.indices.map { hex(UInt64(naa[$0]), digits: 2).lowercased() }.joined()
    }

    private static func nibble(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
