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
    /// The partner was asked to allocate it.
    var isAnnounced = false
}

/// The memory blocks of one controller, found by unit, size and number. Blocks of different sizes may overlap in
/// range; each page belongs to one.
struct BlockTable: ~Copyable {
    private var index: KeyIndex
    private var blocks: Table<MemoryBlock>
    private var counter: UInt64 = 0

    init(capacity: Int) {
        index = KeyIndex(entries: capacity)
        blocks = Table(capacity: capacity, initial: MemoryBlock())
    }

    var count: Int { blocks.count }

    subscript(slot: Int) -> MemoryBlock {
        _read { yield blocks[slot] }
        _modify { yield &blocks[slot] }
    }

    /// The block of size `pages` that holds page `page`, made if it is not there; nil when the table is full.
    mutating func findOrAdd(
        unit: UnitIndex, page: UInt64, pages: UInt32, row: UInt8, makeGUID: (UInt64) -> GUID
    ) -> (slot: Int, isNew: Bool)? {
        let number = page / UInt64(pages)
        let key = UInt64(unit.raw) << 48 | UInt64(pages.trailingZeroBitCount) << 40 | number
        if let known = index[key] { return (Int(known), false) }
        guard let slot = blocks.take() else { return nil }
        counter += 1
        blocks[slot] = MemoryBlock(
            guid: makeGUID(counter), key: key, firstPage: number * UInt64(pages), pages: pages, row: row)
        index.set(key, UInt32(slot))
        return (slot, true)
    }

    mutating func remove(_ slot: Int) {
        index.remove(blocks[slot].key)
        blocks.giveBack(slot)
    }
}
