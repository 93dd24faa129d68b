import Primitives

/// A view of the part of a basic header segment that all PDUs share (RFC 7143 §11.2.1). It judges nothing; the bytes
/// belong to whoever received them, and 48 of them must be there.
@usableFromInline
package struct BasicHeaderSegment {
    @usableFromInline package let base: UnsafeRawPointer
    @inlinable package init(_ base: UnsafeRawPointer) { self.base = base }

    /// The opcode, nil when RFC 7143 defines none of this number.
    @inlinable package var opcode: Opcode? { Opcode(rawValue: base.byte(Field.opcode) & 0x3F) }
    /// The I bit: deliver at once, outside the command order (RFC 7143 §11.2.1.1).
    @inlinable package var immediate: Bool { base.byte(Field.opcode) & 0x40 != 0 }
    @inlinable package var flags: UInt8 { base.byte(Field.flags) }
    /// Bytes of additional header segments.
    @inlinable package var additionalLength: Int { Int(base.byte(Field.totalAHSLength)) * 4 }
    /// Bytes of data, without padding.
    @inlinable package var dataSegmentLength: Int { Int(base.big24(Field.dataSegmentLength)) }
    @inlinable package var lun: UInt64 { base.big64(Field.lun) }
    @inlinable package var initiatorTaskTag: UInt32 { base.big32(Field.initiatorTaskTag) }
    @inlinable package var cmdSN: SerialNumber { SerialNumber(base.big32(Field.cmdSN)) }
    @inlinable package var expStatSN: SerialNumber { SerialNumber(base.big32(Field.expStatSN)) }

    /// `length` rounded up to the four bytes to which data segments are padded (RFC 7143 §11.1).
    @inlinable package static func padded(_ length: Int) -> Int { (length + 3) & ~3 }
}

/// StatSN, ExpCmdSN and MaxCmdSN, which every PDU of a target carries at the same place (RFC 7143 §11.4.8).
@usableFromInline
package struct TargetSerialNumbers: Equatable, Sendable {
    @usableFromInline package var statSN: UInt32
    @usableFromInline package var expCmdSN: UInt32
    @usableFromInline package var maxCmdSN: UInt32
    @inlinable package init(statSN: UInt32 = 0, expCmdSN: UInt32 = 0, maxCmdSN: UInt32 = 0) {
        self.statSN = statSN
        self.expCmdSN = expCmdSN
        self.maxCmdSN = maxCmdSN
    }
    @inlinable package init(decoding base: UnsafeRawPointer) {
        statSN = base.big32(Field.statSN)
        expCmdSN = base.big32(Field.expCmdSN)
        maxCmdSN = base.big32(Field.maxCmdSN)
    }
    /// Writes StatSN, ExpCmdSN and MaxCmdSN to their places in the header at `base`.
    @inlinable package func encode(into base: UnsafeMutableRawPointer) {
        base.put(big32: statSN, Field.statSN)
        base.put(big32: expCmdSN, Field.expCmdSN)
        base.put(big32: maxCmdSN, Field.maxCmdSN)
    }
}

extension UnsafeMutableRawPointer {
    /// Begins a header: zeroes its 48 bytes, then sets what every PDU has.
    @inlinable package func beginHeader(
        _ opcode: Opcode, immediate: Bool = false, flags: UInt8, initiatorTaskTag: UInt32, dataSegmentLength: UInt32 = 0
    ) {
        for word in 0..<6 { storeBytes(of: 0, toByteOffset: word * 8, as: UInt64.self) }
        put(byte: opcode.rawValue | (immediate ? 0x40 : 0), Field.opcode)
        put(byte: flags, Field.flags)
        put(big24: dataSegmentLength, Field.dataSegmentLength)
        put(big32: initiatorTaskTag, Field.initiatorTaskTag)
    }
}
