/// Reading of values (RFC 7143 §6.1): numbers, Booleans and lists.
package enum TextValue {
    /// A decimal or hexadecimal (`0x`) number; nil when it is neither, or does not fit.
    package static func number(_ value: UnsafeRawBufferPointer) -> UInt64? {
        let hexadecimal = value.count > 2 && value[0] == UInt8(ascii: "0") && value[1] | 0x20 == UInt8(ascii: "x")
        let radix: UInt64 = hexadecimal ? 16 : 10
        var result: UInt64 = 0
        if value.isEmpty { return nil }
        for byte in value.dropFirst(hexadecimal ? 2 : 0) {
            guard let digit = digit(byte), digit < radix else { return nil }
            let (product, overflow) = result.multipliedReportingOverflow(by: radix)
            let (sum, carry) = product.addingReportingOverflow(digit)
            if overflow || carry { return nil }
            result = sum
        }
        return result
    }

    /// The value of a hexadecimal digit.
    static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case 0x30...0x39: UInt64(byte - 0x30)
        case 0x41...0x46: UInt64(byte - 0x41 + 10)
        case 0x61...0x66: UInt64(byte - 0x61 + 10)
        default: nil
        }
    }

    /// `Yes` or `No`, nil for anything else.
    package static func boolean(_ value: UnsafeRawBufferPointer) -> Bool? {
        if equal(value, "Yes") { return true }
        if equal(value, "No") { return false }
        return nil
    }

    /// Whether the value's bytes are exactly `text`.
    package static func equal(_ value: UnsafeRawBufferPointer, _ text: String) -> Bool {
        value.elementsEqual(text.utf8)
    }

    /// The first element of a comma-separated list that is among `acceptable`: the offering party's order decides
    /// (RFC 7143 §6.2.1).
    package static func choose(_ list: UnsafeRawBufferPointer, among acceptable: [String]) -> String? {
        for element in list.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false) {
            let bytes = UnsafeRawBufferPointer(rebasing: element)
            for choice in acceptable where equal(bytes, choice) { return choice }
        }
        return nil
    }
}
