import BlockModel
import PagingFormats
import Primitives

/// A memory block: the unit of allocation, with the GUID that names it on both controllers (claim 6), the size that its
/// policy gives (claim 7), and how many of its pages are in the memory.
struct MemoryBlock {
    var guid: GUID = .none
    var key: UInt64 = KeyIndex.noKey
    var firstPage: UInt64 = 0
    var pages: UInt32 = 0
    var row: UInt8 = 0
    /// Pages of the block that have a record.
    var use: UInt32 = 0
    /// The membership in which the partner was asked to allocate it; 0 for never.
    var announcedIn: UInt32 = 0
}

/// The memory blocks of one controller, found by unit, size and number. Blocks of different sizes may overlap in
/// range; each page belongs to one.
struct BlockTable: ~Copyable {
    private var index: KeyIndex
    private var blocks: Table<MemoryBlock>
    /// Grows when the partner's memory is lost, and with it all that it was asked to allocate.
    private(set) var membership: UInt32 = 1

    init(capacity: Int) {
        index = KeyIndex(entries: capacity)
        blocks = Table(capacity: capacity, initial: MemoryBlock(), lazily: true)
    }

    var count: Int { blocks.count }

    subscript(slot: Int) -> MemoryBlock {
        @inline(__always) unsafeAddress { UnsafePointer(blocks.pointer(slot)) }
        @inline(__always) unsafeMutableAddress { blocks.pointer(slot) }
    }

    /// The block of size `pages` that holds page `page`, made (still without a GUID) if it is not there; nil when the
    /// table is full.
    mutating func findOrAdd(unit: UnitIndex, page: UInt64, pages: UInt32, row: UInt8) -> (slot: Int, isNew: Bool)? {
        let number = page / UInt64(pages)
        let key = UInt64(unit.raw) << 48 | UInt64(pages.trailingZeroBitCount) << 40 | number
        if let known = index[key] { return (Int(known), false) }
        guard let slot = blocks.take() else { return nil }
        blocks[slot] = MemoryBlock(key: key, firstPage: number * UInt64(pages), pages: pages, row: row)
        index.set(key, UInt32(slot))
        return (slot, true)
    }

    /// Whether the partner was asked to allocate the block, and has not lost its memory since.
    func isAnnounced(_ slot: Int) -> Bool { blocks[slot].announcedIn == membership }

    mutating func setAnnounced(_ slot: Int) { blocks[slot].announcedIn = membership }

    /// The partner knows none of the blocks any more.
    mutating func forgetAnnouncements() { membership += 1 }

    mutating func remove(_ slot: Int) {
        index.remove(blocks[slot].key)
        blocks.giveBack(slot)
    }
}
