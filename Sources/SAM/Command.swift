/// Task attribute of a command (SAM-6 §8.6).
@usableFromInline
package enum TaskAttribute: UInt8, Sendable { case simple, ordered, headOfQueue, aca }

/// Status of a command (SAM-6 §5.3.1).
@usableFromInline
package enum Status: UInt8, Sendable {
    case good = 0x00
    case checkCondition = 0x02
    case conditionMet = 0x04
    case busy = 0x08
    case reservationConflict = 0x18
    case taskSetFull = 0x28
    case acaActive = 0x30
    case taskAborted = 0x40
}

/// A command descriptor block of up to 32 bytes; unused bytes are zero. A longer one (variable-length, over 32) is
/// refused by the transport's caller with INVALID COMMAND OPERATION CODE.
@usableFromInline
package struct CDB: Sendable {
    @usableFromInline package var bytes: InlineArray<32, UInt8>
    @inlinable package init() { bytes = InlineArray(repeating: 0) }
    /// The 16 bytes at `base`, and zeros.
    @inlinable package init(sixteen base: UnsafeRawPointer) {
        bytes = InlineArray(repeating: 0)
        withUnsafeMutableBytes(of: &bytes) { bytes in
            bytes.storeBytes(of: base.loadUnaligned(as: UInt64.self), toByteOffset: 0, as: UInt64.self)
            let second = base.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            bytes.storeBytes(of: second, toByteOffset: 8, as: UInt64.self)
        }
    }
    @inlinable package subscript(index: Int) -> UInt8 {
        get { bytes[index] }
        set { bytes[index] = newValue }
    }
    @inlinable package func big16(_ i: Int) -> UInt16 { UInt16(bigEndian: load(i)) }
    @inlinable package func big32(_ i: Int) -> UInt32 { UInt32(bigEndian: load(i)) }
    @inlinable package func big64(_ i: Int) -> UInt64 { UInt64(bigEndian: load(i)) }

    @inlinable @inline(__always) func load<Number: FixedWidthInteger & BitwiseCopyable>(_ i: Int) -> Number {
        precondition(i >= 0 && i + MemoryLayout<Number>.size <= 32)
        return withUnsafeBytes(of: bytes) { $0.loadUnaligned(fromByteOffset: i, as: Number.self) }
    }
}

/// What SCSI Command Received carries (SAM-6 §5.4.2): the I_T_L_Q nexus, the CDB and the lengths the initiator expects.
@usableFromInline
package struct SCSICommand: Sendable {
    @usableFromInline package var handle: CommandHandle
    @usableFromInline package var nexus: NexusIndex
    @usableFromInline package var attribute: TaskAttribute
    /// The eight bytes of the LUN field, as a big-endian number (SAM-6 §4.8).
    @usableFromInline package var lun: UInt64
    @usableFromInline package var cdb: CDB
    /// Bytes that the initiator expects to receive; 0 when the command is not flagged as a read.
    @usableFromInline package var dataInLength: UInt32
    /// Bytes that the initiator offers to send; 0 when the command is not flagged as a write.
    @usableFromInline package var dataOutLength: UInt32

    @inlinable package init(
        handle: CommandHandle, nexus: NexusIndex, attribute: TaskAttribute, lun: UInt64, cdb: CDB,
        dataInLength: UInt32, dataOutLength: UInt32
    ) {
        self.handle = handle
        self.nexus = nexus
        self.attribute = attribute
        self.lun = lun
        self.cdb = cdb
        self.dataInLength = dataInLength
        self.dataOutLength = dataOutLength
    }
}
