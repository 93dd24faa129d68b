import BlockModel
import PagingFormats
import Primitives

/// What the memory engine must know before it starts.
package struct MemoryConfiguration {
    package var controller: ControllerID
    /// The array's number in GUIDs.
    package var arrayID: UInt32
    /// By `UnitIndex`.
    package var units: [UnitMap]
    /// How many devices the units stand on.
    package var deviceCount: Int
    /// The array has two controllers.
    package var hasPartner = true

    package init(controller: ControllerID, arrayID: UInt32, units: [UnitMap], deviceCount: Int) {
        self.controller = controller
        self.arrayID = arrayID
        self.units = units
        self.deviceCount = deviceCount
    }
}

/// The bounds of the memory engine; `MemoryEngine.init` proves how they relate.
package enum MemoryLimits {
    /// Dirty pages with which a planned move of home holds its hosts, of so many frames: what a device takes in some
    /// ten milliseconds.
    package static func movePages(frames: Int) -> Int { min(512, frames / 16) }
    /// How long at most a planned move cleans while hosts are served.
    package static var movePreparation: Interval { .seconds(3) }
    /// How long a device that failed a request is left alone.
    package static var deviceRetry: Interval { .milliseconds(500) }
    /// Transfers to and from devices that are in flight at once.
    package static var transfers: Int { 256 }
    /// Of those, how many destaging may use; staging and host writes have the rest.
    package static var destageTransfers: Int { 128 }
    /// Pages in one granule: the range that a pointer between the controllers covers (1 MiB).
    package static var granulePages: UInt64 { 256 }
    /// Granules whose pointers are known at once; the oldest idle one is given back beyond that.
    package static var pointers: Int { 16_384 }
    /// Pages that one read-only pointer brings with it at most (64 KiB).
    package static var fetchedPages: UInt64 { 16 }
    /// Slots of the partner's mirror area asked for at once.
    package static var spacePages: UInt32 { 1024 }
    /// Release and allocate messages without an answer: a slot or block is in at most one of them, and no memory has
    /// more frames.
    package static var unanswered: Int { 1 << 26 }
    /// The most pages in a memory block (1 MiB).
    package static var blockPages: UInt32 { 256 }
    /// Blocks of the partner that are known by name; more are refused, and named by the headers of their pages alone.
    package static var partnerBlocks: Int { 16_384 }
    /// Headers in one answer to a read header message.
    package static var headersPerAnswer: Int { 64 }
    /// Bytes of dirty data looked at in one destage round.
    package static var destageCandidates: Int { 512 }
}

/// What the memory engine asks of others, in order.
package enum MemoryEffect {
    case storage(StorageRequest)
    /// A paging message for the partner. `data` (one page, `dataLength` bytes) stays as it is until the answer when
    /// `stable`, else it is valid until the effect is routed.
    case send(PagingMessage, data: UnsafeRawPointer?, stable: Bool)
    /// Copy a sealed frame to a slot of the partner's mirror area; the copy module chooses the method of `order` and
    /// answers `copied(frame)`.
    case copy(frame: FrameIndex, slot: UInt32, methods: CopyPreference)
    /// Open the header of a slot of the partner's mirror area through the window.
    case clear(slot: UInt32)
    /// Settle the header of a slot of the partner's mirror area through the window: its group is complete.
    case settle(slot: UInt32)
    case report(MembershipReport)
    /// A torn or corrupt frame was found, with its index and unit; it was not used.
    case tornFrame(FrameIndex, UnitIndex)
    /// A device failed a request.
    case deviceFault(DeviceIndex, BlockFault)
    /// A unit's home changed to this controller's knowledge.
    case homeChanged(UnitIndex, ControllerID)
}

/// A policy's order of copy methods as a trivial value: which of the two page-copy methods are allowed, DMA first
/// when it stands before messaging.
package struct CopyPreference: Equatable, Sendable {
    package var dma: Bool
    package var messaging: Bool
    package var dmaFirst: Bool

    package init(_ order: [CopyMethod]) {
        dma = order.contains(.dma)
        messaging = order.contains(.messaging)
        let first = order.first { $0 != .scsiCommand }
        dmaFirst = first == .dma
    }
}
