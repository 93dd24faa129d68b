/// TYPE of a persistent reservation (SPC-5 §6.16.3.4).
package enum ReservationType: UInt8, Sendable, CaseIterable {
    case writeExclusive = 1
    case exclusiveAccess = 3
    case writeExclusiveRegistrantsOnly = 5
    case exclusiveAccessRegistrantsOnly = 6
    case writeExclusiveAllRegistrants = 7
    case exclusiveAccessAllRegistrants = 8

    /// Every registered nexus holds it.
    package var isOfAllRegistrants: Bool { rawValue >= 7 }
    /// Every registered nexus has access, whether it holds the reservation or not.
    package var admitsRegistrants: Bool { rawValue >= 5 }
    /// Others may read.
    package var admitsReaders: Bool {
        switch self {
        case .writeExclusive, .writeExclusiveRegistrantsOnly, .writeExclusiveAllRegistrants: true
        case .exclusiveAccess, .exclusiveAccessRegistrantsOnly, .exclusiveAccessAllRegistrants: false
        }
    }
}

/// Service actions of PERSISTENT RESERVE OUT (SPC-5 §6.16.2). There is no REPLACE LOST RESERVATION: the state block is
/// never lost apart from the unit.
package enum ReserveOutAction: UInt8, Sendable, CaseIterable {
    case register = 0
    case reserve = 1
    case release = 2
    case clear = 3
    case preempt = 4
    case preemptAndAbort = 5
    case registerAndIgnoreExistingKey = 6
    case registerAndMove = 7
}

/// Service actions of PERSISTENT RESERVE IN (SPC-5 §6.15.1).
package enum ReserveInAction: UInt8, Sendable, CaseIterable {
    case readKeys = 0
    case readReservation = 1
    case reportCapabilities = 2
    case readFullStatus = 3
}

/// Parameter data of PERSISTENT RESERVE IN (SPC-5 §6.15).
package enum PersistentReservations {
    /// READ KEYS and READ FULL STATUS begin so; `closeList` puts the length.
    package static func openList(generation: UInt32, to writer: inout ParameterWriter) {
        writer.put(big32: generation)
        writer.put(big32: 0)
    }

    /// All is appended: ADDITIONAL LENGTH.
    package static func closeList(_ writer: inout ParameterWriter) {
        writer.patch(big32: UInt32(truncatingIfNeeded: writer.count - 8), at: 4)
    }

    /// READ RESERVATION; `type` nil: there is none. `key` is 0 for an all registrants type.
    package static func writeReservation(
        generation: UInt32, type: ReservationType?, key: UInt64, to writer: inout ParameterWriter
    ) {
        openList(generation: generation, to: &writer)
        if let type {
            writer.put(big64: key)
            writer.put(big32: 0)
            writer.put(0)
            // SCOPE 0h: the logical unit.
            writer.put(type.rawValue)
            writer.put(big16: 0)
        }
        closeList(&writer)
    }

    /// REPORT CAPABILITIES. `outlivesPower`: PTPL_A.
    package static func writeCapabilities(outlivesPower: Bool, to writer: inout ParameterWriter) {
        writer.put(big16: 8)
        // CRH, SIP_C, ATP_C, PTPL_C.
        writer.put(0x1D)
        // TMV; ALLOW COMMANDS 000b: nothing is said about it; PTPL_A.
        writer.put(0x80 | (outlivesPower ? 1 : 0))
        // WR_EX_AR, EX_AC_RO, WR_EX_RO, EX_AC, WR_EX; EX_AC_AR.
        writer.put(big16: 0xEA01)
        writer.put(big16: 0)
    }

    /// A full status descriptor. `type` is nil for a registration that does not hold the reservation.
    package static func writeStatus(
        key: UInt64, type: ReservationType?, port: UInt16, name: UnsafeRawBufferPointer, isid: UInt64,
        to writer: inout ParameterWriter
    ) {
        writer.put(big64: key)
        writer.put(big32: 0)
        // ALL_TG_PT zero: one descriptor a nexus. R_HOLDER.
        writer.put(type == nil ? 0 : 1)
        writer.put(type?.rawValue ?? 0)
        writer.put(big32: 0)
        writer.put(big16: port)
        writer.put(big32: UInt32(truncatingIfNeeded: TransportID.length(name: name)))
        TransportID.write(name: name, isid: isid, to: &writer)
    }
}
