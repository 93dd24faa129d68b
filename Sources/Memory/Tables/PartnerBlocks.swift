import PagingFormats
import Primitives

/// A memory block of the partner, as its allocate memory message described it.
struct PartnerBlock {
    var guid = GUID.none
    var unit: UInt16 = 0
    var firstPage: UInt64 = 0
    var pages: UInt32 = 0
    /// The first mirror slot that holds a page of the block which came by a message.
    var head: UInt32 = .max
}

/// The partner's memory blocks that this controller was asked to allocate (claim 6: one GUID names a block on both),
/// with the mirror slots that hold their pages, so that a release can tell whether a page is still pinned.
///
/// Pages that the partner placed through the window are not in it: the headers in their slots name their blocks.
struct PartnerBlocks: ~Copyable {
    private var index: KeyIndex
    private var blocks: Table<PartnerBlock>
    /// By slot from the first of the mirror area: its block, and its neighbours in the block's list.
    private var links: [Link]

    private struct Link {
        var block: UInt32 = .max
        var next: UInt32 = .max
        var previous: UInt32 = .max
    }

    /// - Parameter mirrorFrames: slots in the mirror area.
    init(mirrorFrames: Int) {
        let capacity = min(max(mirrorFrames, 16), MemoryLimits.partnerBlocks)
        index = KeyIndex(entries: capacity)
        blocks = Table(capacity: capacity, initial: PartnerBlock())
        links = Array(repeating: Link(), count: mirrorFrames)
    }

    var count: Int { blocks.count }

    /// The partner's memory is another one now, or it is gone.
    mutating func removeAll() {
        guard blocks.count > 0 else { return }
        for slot in 0..<blocks.capacity where blocks[slot].guid != .none { remove(slot) }
    }

    /// Allocate memory: `done`, `exists` when it is known already, `noSpace`, `denied` for a GUID of another place.
    mutating func allocate(_ guid: GUID, unit: UInt16, firstPage: UInt64, pages: UInt32) -> MessageStatus {
        guard guid != .none, pages > 0 else { return .denied }
        if let known = index[Self.key(guid)] {
            let block = blocks[Int(known)]
            guard block.guid == guid else { return .noSpace }
            return block.unit == unit && block.firstPage == firstPage && block.pages == pages ? .exists : .denied
        }
        guard let slot = blocks.take() else { return .noSpace }
        blocks[slot] = PartnerBlock(guid: guid, unit: unit, firstPage: firstPage, pages: pages)
        index.set(Self.key(guid), UInt32(slot))
        return .done
    }

    /// A page of block `guid` came by a message into mirror slot `at` (counted from the area's first).
    mutating func hold(_ guid: GUID, at: Int) {
        drop(at: at)
        guard let block = find(guid) else { return }
        let next = blocks[block].head
        links[at] = Link(block: UInt32(block), next: next, previous: .max)
        if next != .max { links[Int(next)].previous = UInt32(at) }
        blocks[block].head = UInt32(at)
    }

    /// What mirror slot `at` held is clean or superseded.
    mutating func drop(at: Int) {
        let link = links[at]
        guard link.block != .max else { return }
        if link.previous == .max {
            blocks[Int(link.block)].head = link.next
        } else {
            links[Int(link.previous)].next = link.next
        }
        if link.next != .max { links[Int(link.next)].previous = link.previous }
        links[at] = Link()
    }

    /// Release memory: `done`, `busy` while a slot holds a sealed page of it, `unknown` when it was not allocated.
    ///
    /// - Parameter holds: whether the slot's header is sealed and names this block (the window may have cleared it).
    mutating func release(_ guid: GUID, holds: (Int) -> Bool) -> MessageStatus {
        guard let block = find(guid) else { return .unknown }
        while blocks[block].head != .max {
            let at = Int(blocks[block].head)
            if holds(at) { return .busy }
            drop(at: at)
        }
        remove(block)
        return .done
    }

    private func find(_ guid: GUID) -> Int? {
        guard let slot = index[Self.key(guid)], blocks[Int(slot)].guid == guid else { return nil }
        return Int(slot)
    }

    private mutating func remove(_ block: Int) {
        while blocks[block].head != .max { drop(at: Int(blocks[block].head)) }
        index.remove(Self.key(blocks[block].guid))
        blocks[block] = PartnerBlock()
        blocks.giveBack(block)
    }

    /// Two GUIDs with one key cannot both be held: the second has no space, and is named by its pages' headers alone.
    private static func key(_ guid: GUID) -> UInt64 {
        let key = guid.low ^ (guid.high &* 0x9E37_79B9_7F4A_7C15)
        return key == KeyIndex.noKey ? 0 : key
    }
}
