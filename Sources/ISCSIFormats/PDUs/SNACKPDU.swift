import Primitives

/// Types of a SNACK Request (RFC 7143 §11.16.1).
package enum SNACKType: UInt8, Sendable {
    case dataOrR2T = 0
    case status = 1
    case dataACK = 2
    case rData = 3
}

/// SNACK Request (RFC 7143 §11.16). A target with ErrorRecoveryLevel 0 refuses it.
package struct SNACKRequestPDU: Equatable, Sendable {
    /// As it came; see `SNACKType`.
    package var type: UInt8 = 0
    package var lun: UInt64 = 0
    package var initiatorTaskTag: UInt32 = Tag.none
    package var snackTag: UInt32 = Tag.none
    package var expStatSN: UInt32 = 0
    package var begRun: UInt32 = 0
    package var runLength: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        type = base.byte(Field.flags) & 0x0F
        lun = base.big64(Field.lun)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        snackTag = base.big32(Field.snackTag)
        expStatSN = base.big32(Field.expStatSN)
        begRun = base.big32(Field.begRun)
        runLength = base.big32(Field.runLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(.snackRequest, flags: 0x80 | type, initiatorTaskTag: initiatorTaskTag)
        base.put(big64: lun, Field.lun)
        base.put(big32: snackTag, Field.snackTag)
        base.put(big32: expStatSN, Field.expStatSN)
        base.put(big32: begRun, Field.begRun)
        base.put(big32: runLength, Field.runLength)
    }
}
