import Primitives

/// SCSI Command (RFC 7143 §11.3).
@usableFromInline
package struct SCSICommandPDU: Sendable {
    @usableFromInline package var immediate = false
    /// F: no unsolicited data follows this PDU.
    @usableFromInline package var final = true
    @usableFromInline package var read = false
    @usableFromInline package var write = false
    /// ATTR (RFC 7143 §11.3.1): 0 untagged, 1 simple, 2 ordered, 3 head of queue, 4 ACA.
    @usableFromInline package var attribute: UInt8 = 1
    @usableFromInline package var lun: UInt64 = 0
    @usableFromInline package var initiatorTaskTag: UInt32 = 0
    @usableFromInline package var expectedDataTransferLength: UInt32 = 0
    @usableFromInline package var cmdSN: UInt32 = 0
    @usableFromInline package var expStatSN: UInt32 = 0
    @usableFromInline package var cdb = InlineArray<16, UInt8>(repeating: 0)
    /// Additional header segments, in words of four bytes.
    @usableFromInline package var totalAHSLength: UInt8 = 0
    @usableFromInline package var dataSegmentLength: UInt32 = 0

    @inlinable package init() {}

    @inlinable @inline(__always) package init(decoding base: UnsafeRawPointer) {
        let flags = base.byte(Field.flags)
        immediate = base.byte(Field.opcode) & 0x40 != 0
        final = flags & 0x80 != 0
        read = flags & 0x40 != 0
        write = flags & 0x20 != 0
        attribute = flags & 0x07
        lun = base.big64(Field.lun)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        expectedDataTransferLength = base.big32(Field.expectedDataTransferLength)
        cmdSN = base.big32(Field.cmdSN)
        expStatSN = base.big32(Field.expStatSN)
        cdb = base.loadUnaligned(fromByteOffset: Field.cdb, as: InlineArray<16, UInt8>.self)
        totalAHSLength = base.byte(Field.totalAHSLength)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    @inlinable package func encode(into base: UnsafeMutableRawPointer) {
        let flags: UInt8 = (final ? 0x80 : 0) | (read ? 0x40 : 0) | (write ? 0x20 : 0) | attribute & 0x07
        base.beginHeader(
            .scsiCommand, immediate: immediate, flags: flags, initiatorTaskTag: initiatorTaskTag,
            dataSegmentLength: dataSegmentLength)
        base.put(byte: totalAHSLength, Field.totalAHSLength)
        base.put(big64: lun, Field.lun)
        base.put(big32: expectedDataTransferLength, Field.expectedDataTransferLength)
        base.put(big32: cmdSN, Field.cmdSN)
        base.put(big32: expStatSN, Field.expStatSN)
        base.storeBytes(of: cdb, toByteOffset: Field.cdb, as: InlineArray<16, UInt8>.self)
    }
}

/// What is left of the expected data transfer length (RFC 7143 §11.4.5): more was to be transferred (overflow), or
/// less (underflow).
@usableFromInline
package struct Residual: Equatable, Sendable {
    @usableFromInline package var overflow: Bool
    @usableFromInline package var underflow: Bool
    @usableFromInline package var count: UInt32
    @inlinable package init(overflow: Bool = false, underflow: Bool = false, count: UInt32 = 0) {
        self.overflow = overflow
        self.underflow = underflow
        self.count = count
    }
    /// - Parameters:
    ///   - total: bytes that the command transfers by its CDB.
    ///   - expected: bytes that the initiator expects.
    @inlinable package init(total: UInt32, expected: UInt32) {
        overflow = total > expected
        underflow = total < expected
        count = overflow ? total &- expected : expected &- total
    }
    /// The O and U bits of SCSI Response and SCSI Data-In.
    @inlinable package var flags: UInt8 { (overflow ? 0x04 : 0) | (underflow ? 0x02 : 0) }
}

/// SCSI Response (RFC 7143 §11.4). Sense data follow as a data segment, after their two-byte length.
@usableFromInline
package struct SCSIResponsePDU: Equatable, Sendable {
    /// 0: command completed at target; 1: target failure.
    @usableFromInline package var response: UInt8 = 0
    @usableFromInline package var status: UInt8 = 0
    @usableFromInline package var residual = Residual()
    @usableFromInline package var initiatorTaskTag: UInt32 = 0
    /// Tag of the last R-Data SNACK of the task, 0 when there was none (RFC 7143 §11.4.4).
    @usableFromInline package var snackTag: UInt32 = 0
    @usableFromInline package var serials = TargetSerialNumbers()
    /// How many Data-In PDUs were sent for the command.
    @usableFromInline package var expDataSN: UInt32 = 0
    @usableFromInline package var dataSegmentLength: UInt32 = 0

    @inlinable package init() {}

    @inlinable package init(decoding base: UnsafeRawPointer) {
        let flags = base.byte(Field.flags)
        response = base.byte(Field.response)
        status = base.byte(Field.status)
        residual = Residual(
            overflow: flags & 0x04 != 0, underflow: flags & 0x02 != 0, count: base.big32(Field.residualCount))
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        snackTag = base.big32(Field.snackTag)
        serials = TargetSerialNumbers(decoding: base)
        expDataSN = base.big32(Field.expDataSN)
        dataSegmentLength = base.big24(Field.dataSegmentLength)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    @inlinable package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .scsiResponse, flags: 0x80 | residual.flags, initiatorTaskTag: initiatorTaskTag,
            dataSegmentLength: dataSegmentLength)
        base.put(byte: response, Field.response)
        base.put(byte: status, Field.status)
        base.put(big32: snackTag, Field.snackTag)
        serials.encode(into: base)
        base.put(big32: expDataSN, Field.expDataSN)
        base.put(big32: residual.count, Field.residualCount)
    }
}
