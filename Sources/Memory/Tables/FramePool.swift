import BlockModel
import PagingFormats
import Primitives

/// What is known of a page frame beyond its persistent header.
struct FrameRecord {
    enum State: UInt8 {
        /// Nobody's.
        case free
        /// An operation's: host data lands in it.
        case filling
        /// Sealed here, not yet acknowledged; its page's pending version.
        case pending
        /// A device read lands in it.
        case staging
        /// The readable version of its page.
        case current
        /// Superseded or dropped, but still pinned or being written; free when that ends.
        case retired
    }
    // In this order a record is one cache line.
    var key: UInt64 = KeyIndex.noKey
    var version: PageVersion = .none
    var state: State = .free
    var validMask: UInt8 = 0
    /// 0: clean.
    var dirtyMask: UInt8 = 0
    var dirtySince: Instant = .zero
    /// Number of flushes begun when its device write completed.
    var writtenMark: UInt64 = 0
    /// The partner's mirror frame with this version; `none` for no copy there.
    var slot: UInt32 = .max
    var next: UInt32 = .max
    var previous: UInt32 = .max
    /// The operation that is sealing it.
    var operation: UInt32 = .max
    var pins: UInt16 = 0
    /// Pieces of it that device writes in flight carry.
    var writePieces: UInt8 = 0
    /// A device write of a piece failed.
    var hadWriteFault = false
    /// On the device, not yet flushed.
    var isWritten = false
    /// Used since the replacement's hand passed last.
    var isReferenced = false

    var isDirty: Bool { dirtyMask != 0 }
    /// A device write from this frame is in flight.
    var isWriting: Bool { writePieces > 0 }
    /// Dirty, and no device write of it was even begun.
    var neverWritten: Bool { isDirty && !isWritten && !isWriting }
}

/// The frames of the own area: free list and replacement. The mirror area's frames are in the same table, but belong to
/// the partner's slots; here they are only known when a takeover adopted them.
///
/// Replacement is a clock: the hand gives each referenced frame a second chance and takes the first clean, unpinned,
/// readable one that was not used since it last passed.
struct FramePool: ~Copyable {
    let records: UnsafeMutablePointer<FrameRecord>
    /// Frames of the own area.
    let ownCount: Int
    let count: Int
    private(set) var freeCount = 0
    private var freeHead: UInt32 = .max
    private var hand = 0

    init(layout: RegionLayout) {
        count = layout.frames
        ownCount = layout.mirrorStart
        assert(MemoryLayout<FrameRecord>.stride == 64)
        records = UnsafeMutableRawPointer.allocate(
            byteCount: layout.frames * MemoryLayout<FrameRecord>.stride, alignment: 64
        ).bindMemory(to: FrameRecord.self, capacity: layout.frames)
        records.initialize(repeating: FrameRecord(), count: layout.frames)
        for index in (0..<ownCount).reversed() { putFree(UInt32(index)) }
    }

    deinit { records.deallocate() }

    subscript(frame: FrameIndex) -> UnsafeMutablePointer<FrameRecord> {
        precondition(frame.raw < UInt32(count))
        return records + Int(frame.raw)
    }

    /// Takes a free frame; nil when there is none (then `victim` may help).
    mutating func takeFree() -> FrameIndex? {
        guard freeHead != .max else { return nil }
        let frame = FrameIndex(freeHead)
        freeHead = records[Int(frame.raw)].next
        freeCount -= 1
        records[Int(frame.raw)] = FrameRecord()
        return frame
    }

    /// Gives a frame back. One of the mirror area is only forgotten: its place is the partner's to fill.
    mutating func free(_ frame: FrameIndex) {
        precondition(self[frame].pointee.state != .free, "a frame was freed twice")
        records[Int(frame.raw)] = FrameRecord()
        if Int(frame.raw) < ownCount { putFree(frame.raw) }
    }

    private mutating func putFree(_ index: UInt32) {
        records[Int(index)].next = freeHead
        freeHead = index
        freeCount += 1
    }

    /// Takes a frame off the free list that a restart found to be in use.
    mutating func rebuildFreeList() {
        freeHead = .max
        freeCount = 0
        for index in (0..<ownCount).reversed() where records[index].state == .free { putFree(UInt32(index)) }
    }

    /// A clean frame that replacement gives up, nil when one whole turn of the hand finds none. It is still its page's.
    mutating func victim() -> FrameIndex? {
        for _ in 0..<(2 * ownCount) {
            let record = records + hand
            let index = hand
            hand = hand + 1 == ownCount ? 0 : hand + 1
            if record.pointee.state != .current || record.pointee.isDirty || record.pointee.pins > 0 { continue }
            if record.pointee.isReferenced {
                record.pointee.isReferenced = false
                continue
            }
            return FrameIndex(UInt32(index))
        }
        return nil
    }
}
