import Primitives

// The waist between those who use blocks (the device server) and those who store them (Memory). Units of 512 bytes are
// called sectors here, whatever a unit's logical block length is.
//
// Life of a request: the token is a command's slot; it also names the page list of the operation. One operation a
// token at a time. `read` and `prepareWrite` are answered by `pagesReady` (or `completed` with a fault); then the pages
// belong to the user until `release`, or until `commitWrite` is answered by `completed`. A `release` that comes before
// the answer is itself answered: `completed(token, .aborted)` when the operation ended without effect, or
// `completed(token, nil)` when a commit could not be called back any more. A `release` after `pagesReady` takes effect
// at once and is not answered. Nor is one that was on its way when the operation's last answer came: it finds nothing.

/// A token of one operation: the command slot of SAM's `CommandHandle`.
@usableFromInline
package struct BlockToken: Hashable, Sendable {
    @usableFromInline package var slot: UInt16
    @inlinable package init(slot: Int) { self.slot = UInt16(slot) }
}

/// A range of a unit in sectors of 512 bytes. One operation spans at most `PageSize.operationPages` pages.
@usableFromInline
package struct BlockExtent: Hashable, Sendable {
    @usableFromInline package var start: UInt64
    @usableFromInline package var count: UInt32
    @inlinable package init(start: UInt64, count: UInt32) {
        self.start = start
        self.count = count
    }
    @inlinable package var end: UInt64 { start + UInt64(count) }
    @inlinable package var firstPage: UInt64 { start / UInt64(PageSize.sectors) }
    /// Pages that the extent touches; 0 for an empty one.
    @inlinable package var pageCount: Int {
        count == 0 ? 0 : Int((end - 1) / UInt64(PageSize.sectors) - firstPage) + 1
    }
    /// Sectors from the start of the first page to the start of the extent.
    @inlinable package var leadingSectors: Int { Int(start % UInt64(PageSize.sectors)) }
}

/// What can go wrong below the device server; its sense data are the device server's business.
@usableFromInline
package enum BlockFault: UInt8, Sendable {
    /// The operation was released before it had an effect.
    case aborted
    /// A device could not read (MEDIUM ERROR, unrecovered read error).
    case unreadable
    /// A device could not write (MEDIUM ERROR, write error).
    case unwritable
    /// The device is gone or answers nothing (HARDWARE ERROR / NOT READY).
    case deviceGone
    /// No room on a thin device (DATA PROTECT 07/27/07).
    case spaceExhausted
    /// The controller may not serve at the moment and the host's patience is over (NOT READY 02/04/0A or BUSY).
    case notServing
}

/// What a commit does with what was in the extent before.
@usableFromInline
package enum CommitMode: UInt8, Sendable {
    /// The new data take its place.
    case replace
    /// It must equal the compare data in the scratch pages (COMPARE AND WRITE); else nothing is written, and
    /// `miscompared` is the answer.
    case compare
    /// What is written is new data OR old data (ORWRITE).
    case or
}

/// How a write is committed.
@usableFromInline
package struct CommitOptions: Equatable, Sendable {
    /// FUA, WCE=0 or another reason to answer only after the device has it and was flushed.
    @usableFromInline package var durable: Bool
    @usableFromInline package var mode: CommitMode
    /// All pages of the extent become the new version at once, for readers and through any failure that the memory
    /// outlives.
    @usableFromInline package var isAtomic: Bool
    @inlinable package init(durable: Bool, mode: CommitMode = .replace, isAtomic: Bool = false) {
        self.durable = durable
        self.mode = mode
        self.isAtomic = isAtomic
    }
}

@usableFromInline
package enum BlockRequest {
    /// Pages of an extent for reading. `sequential`: the stream detector's hint that what follows will be wanted.
    case read(BlockToken, UnitIndex, BlockExtent, sequential: Bool)
    /// Fresh page frames for host data of an extent. With `scratch` the page list goes on with as many pages again, for
    /// compare data; the extent then touches at most half of `PageSize.operationPages`.
    case prepareWrite(BlockToken, UnitIndex, BlockExtent, scratch: Bool)
    /// All host data is in the pages: lock, seal, mirror.
    case commitWrite(BlockToken, CommitOptions)
    /// The user is done with the pages, or does not want the operation any more.
    case release(BlockToken)
    /// SYNCHRONIZE CACHE: every dirty page of the extent, on both controllers, then a flush. `count` 0: to the end.
    case synchronize(BlockToken, UnitIndex, BlockExtent)
    /// VERIFY: what both controllers have of the extent goes to the device, as with `synchronize`, and then all of it
    /// is read back from there. The token's parameter page is spoilt.
    case verify(BlockToken, UnitIndex, BlockExtent)
    /// The extent, whole pages, reads as zeros from the answer on; a thin unit gives the room back.
    case discard(BlockToken, UnitIndex, BlockExtent)
    /// Which parts of the extent have been written. The answer is in the token's parameter page: a count of entries,
    /// and then for each its first sector in the unit and its sectors, bit 63 set when it is mapped; 64 bits each,
    /// little-endian. What does not fit, or lies beyond 2 GiB, is left out.
    case provisioning(BlockToken, UnitIndex, BlockExtent)
    /// How much room the unit's device has; answered by `room`. One such question a unit at a time.
    case room(UnitIndex)
    /// A read-only pointer to the unit's state block is wanted; answered by `stateGranted`, now or later.
    case wantState(UnitIndex)
    /// The read-only pointer is given back (after `stateRecalled`, when the last command that relied on it ended).
    case returnState(UnitIndex)
    /// The write pointer is wanted; the user has no command under way that relies on its read-only pointer, and
    /// counts that one as given back. Answered by `stateWritable`.
    case wantStateWrite(UnitIndex)
    /// The draft is complete; it is sealed and mirrored, answered by `stateCommitted`, and the write pointer is gone.
    /// `durable`: the device has it, and was flushed, before the answer.
    case commitState(UnitIndex, durable: Bool)
}

/// What the units of a thin device have taken of its room, all together, and what they can have beside that: bytes.
@usableFromInline
package struct RoomUsage: Equatable, Sendable {
    @usableFromInline package var used: UInt64
    @usableFromInline package var available: UInt64
    @inlinable package init(used: UInt64, available: UInt64) {
        self.used = used
        self.available = available
    }
}

@usableFromInline
package enum BlockResponse {
    /// The pages of a `read` or `prepareWrite`: `run` begins at the extent's first byte.
    case pagesReady(BlockToken, PageRun)
    /// The operation is over without effect: the byte at `offset` of the extent is the first that differs.
    case miscompared(BlockToken, offset: UInt32)
    /// The operation is over; nil is success.
    case completed(BlockToken, BlockFault?)
    /// The operation is over, by a fault whose first sector of the unit is known as nearly as the device's transfers
    /// tell: the first of the page that cannot be read, or of the run that could not be written.
    case failed(BlockToken, BlockFault, sector: UInt64)
    /// The answer to `room`; nil: the device does not say.
    case room(UnitIndex, RoomUsage?)
    /// The read-only pointer, and the frame that holds the state block's content while it lasts.
    case stateGranted(UnitIndex, FrameIndex)
    /// Somebody wants to write: start no further command on it, and `returnState` when the last one has ended.
    case stateRecalled(UnitIndex)
    /// The write pointer: a frame with a copy of the present content, to be changed in place, then `commitState`.
    case stateWritable(UnitIndex, FrameIndex)
    /// Both memories hold the new state (or the one memory that there is, and the device).
    case stateCommitted(UnitIndex, BlockFault?)
    /// Whether commands may be answered at all, and until when (the lease). Comes whenever it changes.
    case serving(ServiceCondition)
}

/// What the pair's membership allows at the moment; a value that Pair decides and others obey.
@usableFromInline
package struct ServiceCondition: Equatable, Sendable {
    /// Hosts may be answered, as long as `now < leaseEnd`.
    @usableFromInline package var serving: Bool
    /// Two members: writes are mirrored, and reads need the lease.
    @usableFromInline package var paired: Bool
    /// A joiner is catching up: new writes go to it as well.
    @usableFromInline package var joining: Bool
    @usableFromInline package var epoch: UInt32
    /// Exclusive end of the lease; `never` when none is needed (solo, fenced).
    @usableFromInline package var leaseEnd: Instant
    @inlinable package init(serving: Bool, paired: Bool, joining: Bool, epoch: UInt32, leaseEnd: Instant) {
        self.serving = serving
        self.paired = paired
        self.joining = joining
        self.epoch = epoch
        self.leaseEnd = leaseEnd
    }
    /// Nothing is answered.
    package static var stopped: ServiceCondition {
        ServiceCondition(serving: false, paired: false, joining: false, epoch: 0, leaseEnd: .zero)
    }
}
