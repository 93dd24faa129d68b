import BlockModel
import PagingFormats
import Primitives

// Allocation of memory blocks: by policy and size, with a GUID, on both sides when the partner is told by messages.
extension MemoryEngine {
    /// The block that holds a page, one more page in use; nil when the table of blocks is full. A new block's GUID
    /// takes the next value of the Lamport clock, which is kept in the region: no later life gives it again.
    mutating func joinBlock(_ unit: UnitIndex, _ page: UInt64, row: UInt8) -> Int? {
        let blockPages = units[Int(unit.raw)].blockPages[Int(row)]
        guard let (slot, isNew) = blocks.findOrAdd(unit: unit, page: page, pages: blockPages, row: row) else {
            return nil
        }
        blocks[slot].use += 1
        if isNew {
            blocks[slot].guid = GUID(
                array: configuration.arrayID, controller: configuration.controller, epoch: condition.epoch,
                counter: nextCounter())
        }
        return slot
    }

    /// One page of the block less; an empty block is released, here and at the partner.
    mutating func leaveBlock(_ slot: Int) {
        blocks[slot].use -= 1
        guard blocks[slot].use == 0 else { return }
        if blocks.isAnnounced(slot) && isMirroring {
            var message = PagingMessage(.releaseMemory)
            message.guid = blocks[slot].guid
            sendUntilAnswered(message)
        }
        blocks.remove(slot)
    }

    /// Whether pages go to the partner by messages now. A block whose pages go through the window needs no word: the
    /// headers there name it.
    func copiesByMessage(_ methods: CopyPreference) -> Bool { !(membership.isWindowOpen && methods.dmaFirst) }

    /// Asks the partner to allocate a block as well, before the first of its pages goes there by a message.
    mutating func announceBlock(_ block: UInt32) {
        let slot = Int(block)
        guard block != .max, !blocks.isAnnounced(slot) else { return }
        blocks.setAnnounced(slot)
        var message = PagingMessage(.allocateMemory)
        message.guid = blocks[slot].guid
        message.unit = PageKey.unit(blocks[slot].key).raw
        message.firstPage = blocks[slot].firstPage
        message.pageCount = blocks[slot].pages
        sendUntilAnswered(message)
    }

    /// The partner has allocated or released a block, or cannot. A block that it has no space for is named by the
    /// headers of its pages alone; one that it calls busy has a page whose release is still on its way: asked again.
    mutating func blockAnswered(_ answer: PagingMessage) {
        guard let oldest = unanswered.first, oldest.kind == answer.kind, oldest.guid == answer.guid,
            let message = unanswered.popFirst()
        else { return }
        switch answer.status {
        case .busy: sendUntilAnswered(message)
        case .noSpace: statistics.blocksRefused += 1
        default: break
        }
    }

    // MARK: the partner's blocks

    /// Allocate memory: a block of the partner, by name and place.
    mutating func allocateForPartner(_ message: PagingMessage) {
        let unit = units + Int(message.unit)
        let isInside = message.firstPage < unit.pointee.pageCount && message.pageCount <= MemoryLimits.blockPages
        let status = isInside
            ? partnerBlocks.allocate(
                message.guid, unit: message.unit, firstPage: message.firstPage, pages: message.pageCount)
            : .denied
        effects.append(.send(message.answer(status), data: nil, stable: false))
    }

    /// Release memory: a block of the partner is forgotten, unless one of its pages is still held.
    mutating func releaseForPartner(_ message: PagingMessage) {
        let start = layout.mirrorStart
        let base = region
        let map = layout
        let guid = message.guid
        let status = partnerBlocks.release(guid) { FrameHeader(sealed: base + map.header(start + $0))?.guid == guid }
        effects.append(.send(message.answer(status), data: nil, stable: false))
    }

    func copyPreference(_ unit: UnitIndex, _ row: UInt8) -> CopyPreference {
        copyOrders[Int(unit.raw) * UnitState.rowLimit + Int(row)]
    }
}
