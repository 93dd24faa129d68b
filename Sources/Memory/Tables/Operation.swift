import BlockModel
import Primitives

/// One block operation from its request to its last word: what a token stands for, or the commit of a state block
/// (those have the slots behind the tokens').
struct Operation {
    enum Kind: UInt8 { case none, read, write, synchronize, stateWrite, discard }
    /// What the operation waits for, or who has it.
    enum Phase: UInt8 {
        case idle
        /// Queued for admission or for frames.
        case frames
        /// The user fills or reads the pages.
        case lent
        /// Slots of the partner's mirror area.
        case space
        /// A pointer between the controllers.
        case pointer
        /// Room on a thin device.
        case room
        /// A page's lock or its staging.
        case page
        /// Copies to the partner.
        case mirror
        /// Its page's older device write, before its own.
        case deviceTurn
        /// Its own device writes.
        case device
        /// A flush.
        case flush
        /// Done, but may not be answered at the moment.
        case held
        /// Older dirty pages of a range must become clean.
        case clean
    }
    var kind: Kind = .none
    var phase: Phase = .idle
    var unit = UnitIndex(0)
    var extent = BlockExtent(start: 0, count: 0)
    var firstPage: UInt64 = 0
    var pageCount = 0
    /// Frames that the user has or will have: `pageCount`, or twice that with scratch pages.
    var frameCount = 0
    /// Pages done in the present phase.
    var progress = 0
    /// Copies or transfers that have not answered.
    var outstanding = 0
    /// Slots of the partner's mirror area set aside for it.
    var reserved = 0
    var durable = false
    /// Its unit has protection information: what it writes of a page in part needs the rest of it.
    var isProtected = false
    var mode = CommitMode.replace
    /// Its pages are one group that is not settled yet …
    var isGroup = false
    /// … or one that is.
    var wasGroup = false
    /// The group's leader has gone to the partner.
    var hasLeaderSent = false
    /// Of a read: the groups that its unit had published when it pinned its first page.
    var groupsSeen: UInt64 = 0
    /// The user let go before the answer.
    var isReleased = false
    var isSequential = false
    /// A synchronize that ends with the question what the device has, instead of a flush.
    var isQuery = false
    /// A synchronize that ends with reading the extent back from the device.
    var isVerify = false
    var isAdmitted = false
    /// It relies on pointers between the controllers at the moment.
    var usesPointers = false
    /// Its pages are sealed: it can no longer end without effect.
    var isSealed = false
    /// Its pages are on the device …
    var isThrough = false
    /// … since this number of flushes had begun …
    var writtenMark: UInt64 = 0
    /// Its pages' device turn is its own until its version is published: an older version must not follow it there.
    var hasDeviceTurn = false
    /// … and were flushed.
    var isFlushed = false
    var fault: BlockFault?
    /// The sector of the unit that the fault is at; `max`: not known.
    var faultSector = UInt64.max
    /// A run of pages could not be read: each is read by itself, to find out which.
    var isNarrowing = false
    var row: UInt8 = 0
    /// What a flush must cover, or the newest version counter that must become clean.
    var mark: UInt64 = 0
    /// The partner has cleaned its part of a synchronize.
    var partnerDone = false
    var next: UInt32 = .max

    /// The sectors of page `index` of the operation that it covers, as a mask.
    @inline(__always) func mask(of index: Int) -> UInt8 {
        let pageStart = (firstPage + UInt64(index)) * UInt64(PageSize.sectors)
        let from = max(extent.start, pageStart) - pageStart
        let to = min(extent.end, pageStart + UInt64(PageSize.sectors)) - pageStart
        return UInt8(truncatingIfNeeded: (UInt16(1) << to) - (UInt16(1) << from))
    }
}

/// One transfer between frames and a device, or a flush.
struct Transfer {
    enum Kind: UInt8 { case none, stage, destage, operation, flush, stateRead, discard, allocate, query, usage, verify }
    var kind: Kind = .none
    var device = DeviceIndex(0)
    var unit = UnitIndex(0)
    /// First page; the frames of consecutive pages are in the transfer's frame list.
    var firstPage: UInt64 = 0
    var count = 0
    /// Of a write: where on the device, and how much so far.
    var offset: UInt64 = 0
    var bytes = 0
    /// Of a request for room: the generation of the unit's map when it was asked for.
    var mark: UInt64 = 0
    var operation: UInt32 = .max
}
