import Primitives

/// NOP-Out (RFC 7143 §11.18).
package struct NOPOutPDU: Equatable, Sendable {
    package var immediate = true
    package var lun: UInt64 = 0
    /// `Tag.none`: no answer is wanted.
    package var initiatorTaskTag: UInt32 = 0
    /// The tag of the NOP-In that it answers, or `Tag.none`.
    package var targetTransferTag: UInt32 = Tag.none
    package var cmdSN: UInt32 = 0
    package var expStatSN: UInt32 = 0
    package var dataSegmentLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        immediate = base.byte(Field.opcode) & 0x40 != 0
        lun = base.big64(Field.lun)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        targetTransferTag = base.big32(Field.targetTransferTag)
        cmdSN = base.big32(Field.cmdSN)
        expStatSN = base.big32(Field.expStatSN)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .nopOut, immediate: immediate, flags: 0x80, initiatorTaskTag: initiatorTaskTag,
            dataSegmentLength: dataSegmentLength)
        base.put(big64: lun, Field.lun)
        base.put(big32: targetTransferTag, Field.targetTransferTag)
        base.put(big32: cmdSN, Field.cmdSN)
        base.put(big32: expStatSN, Field.expStatSN)
    }
}

/// NOP-In (RFC 7143 §11.19).
package struct NOPInPDU: Equatable, Sendable {
    package var lun: UInt64 = 0
    package var initiatorTaskTag: UInt32 = Tag.none
    /// Not `Tag.none`: the target wants a NOP-Out with this tag as an answer.
    package var targetTransferTag: UInt32 = Tag.none
    package var serials = TargetSerialNumbers()
    package var dataSegmentLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        lun = base.big64(Field.lun)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        targetTransferTag = base.big32(Field.targetTransferTag)
        serials = TargetSerialNumbers(decoding: base)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .nopIn, flags: 0x80, initiatorTaskTag: initiatorTaskTag, dataSegmentLength: dataSegmentLength)
        base.put(big64: lun, Field.lun)
        base.put(big32: targetTransferTag, Field.targetTransferTag)
        serials.encode(into: base)
    }
}
