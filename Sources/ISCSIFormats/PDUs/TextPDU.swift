import Primitives

/// Text Request (RFC 7143 §11.10).
package struct TextRequestPDU: Equatable, Sendable {
    package var immediate = false
    package var final = true
    package var continues = false
    package var lun: UInt64 = 0
    package var initiatorTaskTag: UInt32 = 0
    /// `Tag.none` begins an exchange; otherwise the tag of the response that it goes on from.
    package var targetTransferTag: UInt32 = Tag.none
    package var cmdSN: UInt32 = 0
    package var expStatSN: UInt32 = 0
    package var dataSegmentLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        immediate = base.byte(Field.opcode) & 0x40 != 0
        final = base.byte(Field.flags) & 0x80 != 0
        continues = base.byte(Field.flags) & 0x40 != 0
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
            .textRequest, immediate: immediate, flags: (final ? 0x80 : 0) | (continues ? 0x40 : 0),
            initiatorTaskTag: initiatorTaskTag, dataSegmentLength: dataSegmentLength)
        base.put(big64: lun, Field.lun)
        base.put(big32: targetTransferTag, Field.targetTransferTag)
        base.put(big32: cmdSN, Field.cmdSN)
        base.put(big32: expStatSN, Field.expStatSN)
    }
}

/// Text Response (RFC 7143 §11.11).
package struct TextResponsePDU: Equatable, Sendable {
    package var final = true
    package var continues = false
    package var lun: UInt64 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var targetTransferTag: UInt32 = Tag.none
    package var serials = TargetSerialNumbers()
    package var dataSegmentLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        final = base.byte(Field.flags) & 0x80 != 0
        continues = base.byte(Field.flags) & 0x40 != 0
        lun = base.big64(Field.lun)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        targetTransferTag = base.big32(Field.targetTransferTag)
        serials = TargetSerialNumbers(decoding: base)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .textResponse, flags: (final ? 0x80 : 0) | (continues ? 0x40 : 0), initiatorTaskTag: initiatorTaskTag,
            dataSegmentLength: dataSegmentLength)
        base.put(big64: lun, Field.lun)
        base.put(big32: targetTransferTag, Field.targetTransferTag)
        serials.encode(into: base)
    }
}
