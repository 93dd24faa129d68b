import BlockModel
import PagingFormats
import Primitives

// Allocation of memory blocks: by policy and size, with a GUID, on both sides when the partner is told by messages.
extension MemoryEngine {
    /// The block that holds a page, one more page in use; nil when the table of blocks is full.
    mutating func joinBlock(_ unit: UnitIndex, _ page: UInt64, row: UInt8) -> Int? {
        let blockPages = units[Int(unit.raw)].blockPages[Int(row)]
        let controller = configuration.controller
        let array = configuration.arrayID
        let epoch = condition.epoch
        guard
            let (slot, isNew) = blocks.findOrAdd(
                unit: unit, page: page, pages: blockPages, row: row,
                makeGUID: { GUID(array: array, controller: controller, epoch: epoch, counter: $0) })
        else { return nil }
        blocks[slot].use += 1
        if isNew { announce(slot, unit) }
        return slot
    }

    /// One page of the block less; an empty block is released, here and at the partner.
    mutating func leaveBlock(_ slot: Int) {
        blocks[slot].use -= 1
        guard blocks[slot].use == 0 else { return }
        if blocks[slot].isAnnounced && isMirroring {
            var message = PagingMessage(.releaseMemory)
            message.guid = blocks[slot].guid
            effects.append(.send(message, data: nil, stable: false))
        }
        blocks.remove(slot)
    }

    /// Asks the partner to allocate the block as well. A block whose pages go through the window needs no word: its
    /// headers there name it.
    private mutating func announce(_ slot: Int, _ unit: UnitIndex) {
        guard isMirroring, !(membership.isWindowOpen && copyPreference(unit, blocks[slot].row).dmaFirst) else { return }
        blocks[slot].isAnnounced = true
        var message = PagingMessage(.allocateMemory)
        message.guid = blocks[slot].guid
        message.unit = unit.raw
        message.firstPage = blocks[slot].firstPage
        message.pageCount = blocks[slot].pages
        effects.append(.send(message, data: nil, stable: false))
    }

    func copyPreference(_ unit: UnitIndex, _ row: UInt8) -> CopyPreference {
        copyOrders[Int(unit.raw) * UnitState.rowLimit + Int(row)]
    }
}
