/// REPORT LUNS parameter data (SPC-4 §6.33).
package enum LogicalUnitList {
    /// SELECT REPORT values that are supported.
    package enum Selection: UInt8, Sendable {
        /// Every logical unit that is not well known.
        case units = 0x00
        /// Only well-known logical units.
        case wellKnown = 0x01
        /// All of them.
        case all = 0x02
        /// Only administrative logical units: there are none.
        case administrative = 0x10
        /// Those, and logical units outside of conglomerates: every unit.
        case outsideConglomerates = 0x11
    }

    /// Appends the list of `luns`, ascending.
    package static func write(_ luns: [UInt16], _ selection: Selection, to writer: inout ParameterWriter) {
        writer.put(big64: 0)
        if selection == .wellKnown || selection == .all { writer.put(big64: LogicalUnitAddress.reportLUNsField) }
        if selection != .wellKnown, selection != .administrative {
            for lun in luns { writer.put(big64: LogicalUnitAddress.field(lun: lun)) }
        }
        writer.patch(big32: UInt32(truncatingIfNeeded: writer.count - 8), at: 0)
    }
}
