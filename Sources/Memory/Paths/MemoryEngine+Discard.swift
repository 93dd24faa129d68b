import BlockModel
import PagingFormats
import Primitives

// Discarding (UNMAP, SANITIZE, FORMAT UNIT). No version may rise again behind it (pair-rules 6): both controllers have
// the extent's dirty pages on the device and their copies in each other's memory dropped before the device is told, and
// until it has answered nobody stages, seals or destages there.
extension MemoryEngine {
    /// Whether an operation must stay out of an extent that is being discarded; it waits then.
    mutating func waitsForDiscard(_ id: Int) -> Bool {
        for place in 0..<discards.count where Int(discards[place]) != id && overlaps(id, Int(discards[place])) {
            waitingForDiscard.append(UInt32(id))
            return true
        }
        return false
    }

    /// Whether a page is in an extent that is being discarded.
    func isBeingDiscarded(_ unit: UnitIndex, _ page: UInt64) -> Bool {
        for place in 0..<discards.count {
            let op = operations + Int(discards[place])
            if op.pointee.unit == unit, page >= op.pointee.firstPage,
                page < op.pointee.firstPage + UInt64(op.pointee.pageCount)
            {
                return true
            }
        }
        return false
    }

    private func overlaps(_ a: Int, _ b: Int) -> Bool {
        let (a, b) = (operations + a, operations + b)
        return a.pointee.unit == b.pointee.unit
            && a.pointee.firstPage < b.pointee.firstPage + UInt64(b.pointee.pageCount)
            && b.pointee.firstPage < a.pointee.firstPage + UInt64(a.pointee.pageCount)
    }

    mutating func advanceDiscard(_ id: Int) {
        let op = operations + id
        if op.pointee.phase == .device { return }
        if op.pointee.phase == .held { return finishDiscard(id) }
        if op.pointee.isReleased {
            op.pointee.fault = .aborted
            return finishDiscard(id)
        }
        guard !membership.isFrozen, !membership.isQuiescing else {
            op.pointee.phase = .space
            held.append(UInt32(id))
            return
        }
        guard takePointers(id, .exclusive) else { return }
        if !isRegistered(id) {
            discards.append(UInt32(id))
            op.pointee.partnerDone = !condition.paired
            if condition.paired { askPartnerToClean(id) }
        }
        guard op.pointee.fault == nil, op.pointee.partnerDone, hasReleased, isQuiet(id) else {
            if op.pointee.fault != nil { return finishDiscard(id) }
            op.pointee.phase = .clean
            waitingForClean.append(UInt32(id))
            return
        }
        dropExtent(id)
        beginDiscard(id)
    }

    /// No copy of a clean page is left in the partner's memory, as far as we have a word in that: a takeover would take
    /// it for the newest version.
    var hasReleased: Bool {
        !isMirroring || membership.releasesPending == 0 && membership.batch > membership.lastTouch + 1
    }

    /// Somebody waits for `hasReleased`.
    var awaitsRelease: Bool { !discards.isEmpty || !cleanRequests.isEmpty }

    private func isRegistered(_ id: Int) -> Bool {
        for place in 0..<discards.count where Int(discards[place]) == id { return true }
        return false
    }

    /// Nothing of the extent is dirty, on its way, or relied on by another operation.
    private func isQuiet(_ id: Int) -> Bool {
        let op = operations + id
        let end = op.pointee.firstPage + UInt64(op.pointee.pageCount)
        if isDirty(op.pointee.unit, from: op.pointee.firstPage, to: end, upTo: .max) { return false }
        for other in 0..<lists.count where other != id && operations[other].kind != .none {
            let isActive = operations[other].usesPointers && operations[other].phase != .lent
            if isActive && overlaps(id, other) { return false }
        }
        for page in op.pointee.firstPage..<end {
            guard let slot = pages.find(PageKey.data(op.pointee.unit, page)) else { continue }
            if pages[slot].isStaging || pages[slot].isDeviceBusy || pages[slot].writer != .max { return false }
        }
        return true
    }

    private mutating func dropExtent(_ id: Int) {
        let op = operations + id
        let end = op.pointee.firstPage + UInt64(op.pointee.pageCount)
        for page in op.pointee.firstPage..<end {
            guard let slot = pages.find(PageKey.data(op.pointee.unit, page)) else { continue }
            if pages[slot].current != .none { dropPage(of: pages[slot].current) }
        }
        for granule in op.pointee.firstPage / MemoryLimits.granulePages...(end - 1) / MemoryLimits.granulePages {
            forgetRoom(PageKey.data(op.pointee.unit, granule * MemoryLimits.granulePages))
        }
    }

    private mutating func beginDiscard(_ id: Int) {
        let op = operations + id
        guard transfers.capacity - transfers.count > 8, let transfer = transfers.take() else {
            op.pointee.phase = .clean
            waitingForClean.append(UInt32(id))
            return
        }
        let map = units + Int(op.pointee.unit.raw)
        transfers[transfer] = Transfer(
            kind: .discard, device: map.pointee.device, unit: op.pointee.unit, firstPage: op.pointee.firstPage,
            count: 0, operation: UInt32(id))
        op.pointee.phase = .device
        devices[Int(map.pointee.device.raw)].writing += 1
        statistics.discardedBytes += UInt64(op.pointee.extent.count) * 512
        let range = deviceRange(
            op.pointee.unit, start: op.pointee.extent.start * 512, count: UInt64(op.pointee.extent.count) * 512)
        submit(transfer, .discard, offset: range.offset, count: range.count)
    }

    /// The device has discarded the extent, or could not.
    mutating func discardEnded(_ job: Transfer, fault: BlockFault?) {
        devices[Int(job.device.raw)].writing -= 1
        let id = Int(job.operation)
        operations[id].fault = fault
        finishDiscard(id)
    }

    mutating func finishDiscard(_ id: Int) {
        let op = operations + id
        guard mayAnswer || op.pointee.fault == .aborted else {
            op.pointee.phase = .held
            held.append(UInt32(id))
            return
        }
        for _ in 0..<discards.count {
            guard let next = discards.popFirst() else { break }
            if Int(next) != id { discards.append(next) }
        }
        let fault = op.pointee.fault
        end(id)
        while let waiting = waitingForDiscard.popFirst() { runnable.append(waiting) }
        responses.append(.completed(BlockToken(slot: id), fault))
    }
}
