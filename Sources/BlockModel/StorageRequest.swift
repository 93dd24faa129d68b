import Primitives

/// Index of a storage device in the array's description.
package struct DeviceIndex: Hashable, Sendable {
    @usableFromInline package var raw: UInt16
    @inlinable package init(_ raw: UInt16) { self.raw = raw }
}

/// What Memory asks of storage, and a driver performs: one asynchronous transfer or flush.
///
/// `slices` stay valid and unchanged until the completion with the same `id`. Offsets and lengths are multiples of
/// 512 bytes. A write is complete when the device has taken it; it is durable only after a later `flush`.
package struct StorageRequest {
    package enum Kind: UInt8, Sendable {
        case read, write, flush
        /// The range reads as zeros afterwards, and gives its room back where the device is thin.
        case discard
        /// Room for the whole range on a thin device; `spaceExhausted` when there is none. What is there stays.
        case allocate
        /// Which parts of the range have been written. The one slice gets a count of entries, and then for each entry
        /// its byte offset on the device and its bytes, bit 63 set when it is mapped; all 64 bits, little-endian. What
        /// does not fit is left out.
        case query
        /// How many bytes of its file system a thin device has taken for data, and how many more it can have. The one
        /// slice gets the two numbers, 64 bits each, little-endian; offset and count are 0.
        case usage
    }
    @usableFromInline package var kind: Kind
    /// Chosen by the asker, given back in the completion; one outstanding request an id.
    @usableFromInline package var id: UInt32
    @usableFromInline package var device: DeviceIndex
    /// Byte offset on the device, its label area included.
    @usableFromInline package var offset: UInt64
    /// Bytes; the sum of the slices.
    @usableFromInline package var count: UInt32
    @usableFromInline package var slices: UnsafePointer<ByteSlice>
    @usableFromInline package var sliceCount: UInt32
    package init(
        kind: Kind, id: UInt32, device: DeviceIndex, offset: UInt64, count: UInt32,
        slices: UnsafePointer<ByteSlice>, sliceCount: UInt32
    ) {
        self.kind = kind
        self.id = id
        self.device = device
        self.offset = offset
        self.count = count
        self.slices = slices
        self.sliceCount = sliceCount
    }
}

/// The end of a storage request. `fault` nil: all bytes were moved. A flush that failed is never asked for again as
/// if nothing had happened: what it covered counts as not written.
package struct StorageCompletion: Sendable {
    @usableFromInline package var id: UInt32
    @usableFromInline package var fault: BlockFault?
    package init(id: UInt32, fault: BlockFault?) {
        self.id = id
        self.fault = fault
    }
}
