import SAM
import SCSIFormats

/// Which code performs a command, by what it exchanges with its host.
package enum CommandHandler: Equatable, Sendable {
    /// It works on a range of logical blocks.
    case medium(MediumCommand)
    /// It answers with parameter data, built when it starts.
    case dataIn(ParameterData)
    /// It takes a parameter list, and acts when that is here.
    case dataOut(ParameterList)
    /// Neither.
    case plain(PlainCommand)
}

/// Commands on a range of logical blocks.
package enum MediumCommand: UInt8, Sendable {
    case read, write, writeAndVerify, verify, preFetch, synchronizeCache
    case compareAndWrite, orWrite, writeAtomic, writeSame, readLong, writeLong
}

/// Commands that answer with parameter data.
package enum ParameterData: UInt8, Sendable {
    case inquiry, reportLUNs, readCapacity10, readCapacity16, modeSense, lbaStatus, persistentReserveIn
    case reportTargetPortGroups, reportSupportedOperationCodes, reportSupportedTaskManagementFunctions
    case reportReferrals, reportIdentifyingInformation, reportTimestamp
    case logSense, receiveDiagnosticResults, readBuffer, readDefectData10, readDefectData12
}

/// Commands that take a parameter list.
package enum ParameterList: UInt8, Sendable {
    case modeSelect, unmap, logSelect, sendDiagnostic, writeBuffer, setIdentifyingInformation, setTimestamp
    case persistentReserveOut, setTargetPortGroups, formatUnit, overwrite
}

/// Commands without data, or with an answer of their own.
package enum PlainCommand: UInt8, Sendable {
    case testUnitReady, requestSense, startStopUnit, preventAllowMediumRemoval, reserve, release, blockErase
    case exitFailureMode
}

/// What holds for a command beside its CDB.
package struct CommandTraits: OptionSet, Sendable {
    package var rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    /// It runs without the unit's state pointer.
    package static var stateless: Self { Self(rawValue: 1) }
    /// A pending unit attention does not stop it (SAM-6 §5.14).
    package static var attentionExempt: Self { Self(rawValue: 2) }
    /// It changes the medium: refused on a write-protected unit.
    package static var writes: Self { Self(rawValue: 4) }
    /// It exists only in an array of two controllers.
    package static var pair: Self { Self(rawValue: 8) }
    /// It exists only on units with atomic writes.
    package static var atomic: Self { Self(rawValue: 32) }
    /// It exists only on thin units.
    package static var thin: Self { Self(rawValue: 64) }
    /// It exists only on units with type 2 protection.
    package static var type2: Self { Self(rawValue: 1 << 26) }
    /// The operation code has service actions; the row is one of them.
    package static var serviceAction: Self { Self(rawValue: 16) }

    /// It exists only on units whose medium can be removed.
    package static var removable: Self { Self(rawValue: 1 << 20) }
    /// It needs a medium, loaded and started, as every command on blocks does.
    package static var needsMedium: Self { Self(rawValue: 1 << 21) }
    /// It needs a medium, stopped or not.
    package static var needsLoadedMedium: Self { Self(rawValue: 1 << 22) }

    /// It exists only on units of SPC-4 and SBC-3.
    package static var recent: Self { Self(rawValue: 1 << 25) }

    /// A target port in standby, or an unavailable one, lets it pass (SPC-5 §5.17.2.5, §5.17.2.6).
    package static var inStandby: Self { Self(rawValue: 1 << 23) }
    package static var inUnavailable: Self { [.inStandby, Self(rawValue: 1 << 24)] }

    // Reservations (SPC-5 tables 66 and 67, SBC-4 table 15, SPC-2 table 10). Without one of these a command conflicts
    // with every reservation that keeps its nexus out.

    /// Others than the holder may do it under a Write Exclusive reservation.
    package static var sharedRead: Self { Self(rawValue: 1 << 16) }
    /// Anybody may do it under any persistent reservation.
    package static var unreserved: Self { Self(rawValue: 1 << 17) }
    /// Anybody may do it under a reservation by RESERVE.
    package static var legacyUnreserved: Self { Self(rawValue: 1 << 18) }
    /// Nobody may do it under a reservation by RESERVE.
    package static var persistentReserve: Self { Self(rawValue: 1 << 19) }
}

/// One command: everything that dispatch, CDB checks and REPORT SUPPORTED OPERATION CODES know of it.
package struct CommandRow: Sendable {
    /// CDB USAGE DATA (SPC-4 §6.35.3): operation code, service action, and a one for each bit that is evaluated. Only
    /// the first `length` bytes count.
    package var usage: InlineArray<32, UInt8>
    /// Bytes of the CDB.
    package var length: UInt8
    /// The bits that must be zero, eight bytes of the CDB an element: what `usage` says, for one look.
    private var forbidden = InlineArray<4, UInt64>(repeating: 0)
    package var handler: CommandHandler
    package var traits: CommandTraits
    /// Byte of the ALLOCATION LENGTH or PARAMETER LIST LENGTH field, and its width; width 0: there is none.
    package var lengthField: (byte: UInt8, width: UInt8)
    /// RECOMMENDED COMMAND TIMEOUT in seconds.
    package var timeout: UInt32
    package var name: StaticString
    /// Where the standard describes it.
    package var clause: StaticString

    package var opcode: UInt8 { usage[0] }
    /// OPERATION CODE 7Fh: a CDB with the service action in bytes 8 and 9 (SPC-4 §4.2.3).
    package static var variableLength: UInt8 { 0x7F }
    package var isVariableLength: Bool { opcode == Self.variableLength }
    package var serviceAction: UInt16? {
        guard traits.contains(.serviceAction) else { return nil }
        return isVariableLength ? UInt16(usage[8]) << 8 | UInt16(usage[9]) : UInt16(usage[1] & 0x1F)
    }
    /// Operation code and service action as one number, by which the table is ordered.
    package var key: Int { Int(opcode) << 16 | Int(serviceAction ?? 0) }
    /// The byte with DPO, FUA, the protection field and BYTCHK.
    @inline(__always) package var flagsByte: Int { isVariableLength ? 10 : 1 }

    /// Its CDB has RDPROTECT, WRPROTECT, VRPROTECT or ORPROTECT in the highest bits of the flags byte.
    var hasProtectionField: Bool {
        guard length > 6, case .medium(let command) = handler else { return false }
        return switch command {
        case .preFetch, .synchronizeCache, .readLong, .writeLong: false
        case .read, .write, .writeAndVerify, .verify, .compareAndWrite, .orWrite, .writeAtomic, .writeSame: true
        }
    }

    /// A row from its usage data in hexadecimal, bytes separated by spaces.
    init(
        _ hexadecimal: StaticString, _ handler: CommandHandler, _ traits: CommandTraits,
        length field: (UInt8, UInt8) = (0, 0), timeout: UInt32 = 30, _ name: StaticString, _ clause: StaticString
    ) {
        usage = InlineArray(repeating: 0)
        var digits = 0
        for index in 0..<hexadecimal.utf8CodeUnitCount {
            guard let digit = Self.digit(hexadecimal.utf8Start[index]) else { continue }
            precondition(digits < 64, "usage data of a command row is longer than 32 bytes")
            usage[digits / 2] = usage[digits / 2] << 4 | digit
            digits += 1
        }
        self.length = UInt8(digits / 2)
        self.handler = handler
        self.traits = traits
        lengthField = field
        self.timeout = timeout
        self.name = name
        self.clause = clause
        for index in 1..<digits / 2 {
            forbidden[index / 8] |= UInt64(~allowed(index)) << UInt64(56 - index % 8 * 8)
        }
    }

    /// The bits of a CDB byte that are evaluated.
    private func allowed(_ index: Int) -> UInt8 {
        if isVariableLength { return (7...9).contains(index) ? 0xFF : usage[index] }
        return index == 1 && traits.contains(.serviceAction) ? usage[index] | 0x1F : usage[index]
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case 0x30...0x39: character - 0x30
        case 0x41...0x46: character - 0x37
        default: nil
        }
    }

    /// The allocation or parameter list length that `cdb` gives.
    package func lengthValue(_ cdb: CDB) -> UInt32 {
        let at = Int(lengthField.byte)
        switch lengthField.width {
        case 1: return UInt32(cdb[at])
        case 2: return UInt32(cdb.big16(at))
        case 3: return UInt32(cdb[at]) << 16 | UInt32(cdb.big16(at + 1))
        case 4: return cdb.big32(at)
        default: return 0
        }
    }

    /// The first reserved bit that `cdb` sets: a field pointer's byte and bit.
    package func violation(_ cdb: CDB) -> (byte: Int, bit: Int)? {
        var wrong = cdb.big64(0) & forbidden[0] | cdb.big64(8) & forbidden[1]
        if length > 16 {
            // ADDITIONAL CDB LENGTH.
            if cdb[7] != length - 8 { return (7, 7) }
            wrong |= cdb.big64(16) & forbidden[2] | cdb.big64(24) & forbidden[3]
        }
        if wrong == 0 { return nil }
        for index in 1..<Int(length) {
            let wrong = cdb[index] & ~allowed(index)
            if wrong != 0 { return (index, 7 - wrong.leadingZeroBitCount) }
        }
        return nil
    }

    /// Logical block address and count of a medium access command; the fields' places follow from the CDB's length.
    @inline(__always) package func range(_ cdb: CDB) -> (address: UInt64, blocks: UInt32) {
        switch length {
        case 16 where opcode == 0x89:
            // COMPARE AND WRITE has a NUMBER OF LOGICAL BLOCKS of one byte.
            return (cdb.big64(2), UInt32(cdb[13]))
        case 16 where opcode == 0x9C: return (cdb.big64(2), UInt32(cdb.big16(12)))
        case 6:
            let address = UInt64(cdb.big32(0) & 0x1F_FFFF)
            return (address, cdb[4] == 0 ? 256 : UInt32(cdb[4]))
        case 10: return (UInt64(cdb.big32(2)), UInt32(cdb.big16(7)))
        case 12: return (UInt64(cdb.big32(2)), cdb.big32(6))
        case 32: return (cdb.big64(12), cdb.big32(28))
        default: return (cdb.big64(2), cdb.big32(10))
        }
    }

    /// The byte of the transfer length field, for a field pointer.
    package var transferLengthByte: Int {
        switch length {
        case 16 where opcode == 0x89: 13
        case 16 where opcode == 0x9C: 12
        case 6: 4
        case 10: 7
        case 12: 6
        case 32: 28
        default: 10
        }
    }

    /// GROUP NUMBER of a medium access command; 0 is no group.
    @inline(__always) func group(_ cdb: CDB) -> UInt8 {
        switch length {
        case 10, 32: cdb[6] & 0x1F
        case 12: cdb[10] & 0x1F
        case 16: cdb[14] & 0x1F
        default: 0
        }
    }

    /// What REPORT SUPPORTED OPERATION CODES says of it.
    package var supported: SupportedOperationCode {
        SupportedOperationCode(
            opcode: opcode, serviceAction: serviceAction, length: length, usage: usage, timeout: timeout)
    }
}
