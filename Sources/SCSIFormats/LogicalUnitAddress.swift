/// What the eight bytes of a LUN name (SAM-6 §4.8.4).
package enum LogicalUnitAddress: Equatable, Sendable {
    /// A logical unit by its number: peripheral device or flat space addressing, one level.
    case unit(UInt16)
    /// The REPORT LUNS well-known logical unit.
    case reportLUNs
    /// Nothing that this device could have: another bus, another level, another addressing method.
    case unsupported

    /// The REPORT LUNS well-known logical unit as a LUN field.
    package static var reportLUNsField: UInt64 { 0xC101_0000_0000_0000 }

    /// Reads a LUN field, given as a big-endian number.
    package init(field: UInt64) {
        if field == Self.reportLUNsField {
            self = .reportLUNs
            return
        }
        let first = UInt16(truncatingIfNeeded: field >> 48)
        guard field & 0x0000_FFFF_FFFF_FFFF == 0 else {
            self = .unsupported
            return
        }
        switch first >> 14 {
        case 0b00 where first < 0x100: self = .unit(first)
        case 0b01: self = .unit(first & 0x3FFF)
        default: self = .unsupported
        }
    }

    /// The LUN field under which REPORT LUNS names unit `lun`: peripheral device addressing below 256, flat space
    /// addressing from there on.
    package static func field(lun: UInt16) -> UInt64 {
        UInt64(lun < 0x100 ? lun : 0x4000 | lun & 0x3FFF) << 48
    }
}
