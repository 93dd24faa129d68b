import Primitives

/// SCSI Data-Out (RFC 7143 §11.7).
@usableFromInline
package struct DataOutPDU: Equatable, Sendable {
    /// F: the last PDU of its sequence.
    @usableFromInline package var final = true
    @usableFromInline package var lun: UInt64 = 0
    @usableFromInline package var initiatorTaskTag: UInt32 = 0
    /// The tag of the R2T that solicited it; `Tag.none`: unsolicited.
    @usableFromInline package var targetTransferTag: UInt32 = Tag.none
    @usableFromInline package var expStatSN: UInt32 = 0
    @usableFromInline package var dataSN: UInt32 = 0
    @usableFromInline package var bufferOffset: UInt32 = 0
    @usableFromInline package var dataSegmentLength: UInt32 = 0

    @inlinable package init() {}

    @inlinable package init(decoding base: UnsafeRawPointer) {
        final = base.byte(Field.flags) & 0x80 != 0
        lun = base.big64(Field.lun)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        targetTransferTag = base.big32(Field.targetTransferTag)
        expStatSN = base.big32(Field.expStatSN)
        dataSN = base.big32(Field.dataSN)
        bufferOffset = base.big32(Field.bufferOffset)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    @inlinable package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .dataOut, flags: final ? 0x80 : 0, initiatorTaskTag: initiatorTaskTag, dataSegmentLength: dataSegmentLength)
        base.put(big64: lun, Field.lun)
        base.put(big32: targetTransferTag, Field.targetTransferTag)
        base.put(big32: expStatSN, Field.expStatSN)
        base.put(big32: dataSN, Field.dataSN)
        base.put(big32: bufferOffset, Field.bufferOffset)
    }
}

/// SCSI Data-In (RFC 7143 §11.7).
@usableFromInline
package struct DataInPDU: Equatable, Sendable {
    /// F: the last PDU of its sequence.
    @usableFromInline package var final = true
    /// S: the PDU carries the command's status, and no SCSI Response follows.
    @usableFromInline package var hasStatus = false
    /// A: the initiator is to acknowledge all data up to this PDU (`requestAcknowledgement` sets it).
    @usableFromInline package var acknowledge = false
    @usableFromInline package var status: UInt8 = 0
    @usableFromInline package var residual = Residual()
    /// Only meaningful with `acknowledge`, as is the Target Transfer Tag.
    @usableFromInline package var lun: UInt64 = 0
    @usableFromInline package var targetTransferTag: UInt32 = Tag.none
    @usableFromInline package var initiatorTaskTag: UInt32 = 0
    /// StatSN is only meaningful with `hasStatus`.
    @usableFromInline package var serials = TargetSerialNumbers()
    @usableFromInline package var dataSN: UInt32 = 0
    @usableFromInline package var bufferOffset: UInt32 = 0
    @usableFromInline package var dataSegmentLength: UInt32 = 0

    @inlinable package init() {}

    @inlinable package init(decoding base: UnsafeRawPointer) {
        let flags = base.byte(Field.flags)
        final = flags & 0x80 != 0
        hasStatus = flags & 0x01 != 0
        acknowledge = flags & 0x40 != 0
        lun = base.big64(Field.lun)
        targetTransferTag = base.big32(Field.targetTransferTag)
        status = base.byte(Field.status)
        residual = Residual(
            overflow: flags & 0x04 != 0, underflow: flags & 0x02 != 0, count: base.big32(Field.residualCount))
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        serials = TargetSerialNumbers(decoding: base)
        dataSN = base.big32(Field.dataSN)
        bufferOffset = base.big32(Field.bufferOffset)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    @inlinable @inline(__always) package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .dataIn, flags: (final ? 0x80 : 0) | residual.flags | (hasStatus ? 0x01 : 0),
            initiatorTaskTag: initiatorTaskTag, dataSegmentLength: dataSegmentLength)
        base.put(byte: status, Field.status)
        base.put(big32: Tag.none, Field.targetTransferTag)
        serials.encode(into: base)
        base.put(big32: dataSN, Field.dataSN)
        base.put(big32: bufferOffset, Field.bufferOffset)
        base.put(big32: residual.count, Field.residualCount)
    }

    /// Sets the A bit of an encoded header, with the LUN and the tag by which the acknowledgement names the task
    /// (RFC 7143 §11.7.2, §11.7.4).
    package static func requestAcknowledgement(
        lun: UInt64, targetTransferTag: UInt32, in base: UnsafeMutableRawPointer
    ) {
        base.put(byte: UnsafeRawPointer(base).byte(Field.flags) | 0x40, Field.flags)
        base.put(big64: lun, Field.lun)
        base.put(big32: targetTransferTag, Field.targetTransferTag)
    }
}

/// Ready To Transfer (RFC 7143 §11.8).
@usableFromInline
package struct ReadyToTransferPDU: Equatable, Sendable {
    @usableFromInline package var lun: UInt64 = 0
    @usableFromInline package var initiatorTaskTag: UInt32 = 0
    @usableFromInline package var targetTransferTag: UInt32 = 0
    /// StatSN is the next one, and is not advanced by an R2T.
    @usableFromInline package var serials = TargetSerialNumbers()
    @usableFromInline package var r2tSN: UInt32 = 0
    @usableFromInline package var bufferOffset: UInt32 = 0
    @usableFromInline package var desiredDataTransferLength: UInt32 = 0

    @inlinable package init() {}

    @inlinable package init(decoding base: UnsafeRawPointer) {
        lun = base.big64(Field.lun)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        targetTransferTag = base.big32(Field.targetTransferTag)
        serials = TargetSerialNumbers(decoding: base)
        r2tSN = base.big32(Field.r2tSN)
        bufferOffset = base.big32(Field.bufferOffset)
        desiredDataTransferLength = base.big32(Field.desiredDataTransferLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    @inlinable package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(.readyToTransfer, flags: 0x80, initiatorTaskTag: initiatorTaskTag)
        base.put(big64: lun, Field.lun)
        base.put(big32: targetTransferTag, Field.targetTransferTag)
        serials.encode(into: base)
        base.put(big32: r2tSN, Field.r2tSN)
        base.put(big32: bufferOffset, Field.bufferOffset)
        base.put(big32: desiredDataTransferLength, Field.desiredDataTransferLength)
    }
}
