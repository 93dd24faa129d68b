import BlockModel
import PagingFormats
import Primitives

// Thin units: a write is acknowledged only when its room on the device is taken, so that what was acknowledged can
// always be destaged (07h/27h/07h comes before GOOD, never after it). Room is taken by granules.
extension MemoryEngine {
    /// Whether the write's granules have their room; false when it now waits for it, or has ended without.
    mutating func reserveRoom(_ id: Int) -> Bool {
        let op = operations + id
        let unit = units + Int(op.pointee.unit.raw)
        guard unit.pointee.room.isThin else { return true }
        if let fault = op.pointee.fault {
            undoWrite(id)
            responses.append(.completed(BlockToken(slot: id), fault))
            return false
        }
        let first = op.pointee.firstPage / MemoryLimits.granulePages
        let last = (op.pointee.firstPage + UInt64(op.pointee.pageCount) - 1) / MemoryLimits.granulePages
        for granule in first...last where !unit.pointee.room[granule] {
            op.pointee.phase = .room
            waitingForRoom.append(UInt32(id))
            askForRoom(op.pointee.unit, granule)
            return false
        }
        return true
    }

    private mutating func askForRoom(_ unit: UnitIndex, _ granule: UInt64) {
        let page = granule * MemoryLimits.granulePages
        for index in 0..<transfers.capacity
        where transfers[index].kind == .allocate && transfers[index].unit == unit
            && transfers[index].firstPage == page
        {
            return
        }
        guard let transfer = transfers.take() else { return }
        let map = units + Int(unit.raw)
        transfers[transfer] = Transfer(
            kind: .allocate, device: map.pointee.device, unit: unit, firstPage: page, count: 0)
        transfers[transfer].mark = map.pointee.room.generation
        let start = page * UInt64(PageSize.bytes)
        let bytes = min(MemoryLimits.granulePages * UInt64(PageSize.bytes), map.pointee.sectors * 512 - start)
        let range = deviceRange(unit, start: start, count: bytes)
        submit(transfer, .allocate, offset: range.offset, count: range.count)
    }

    /// Asks the device of a unit how much room it has.
    mutating func askForUsage(_ unit: UnitIndex) {
        guard let transfer = transfers.take() else {
            responses.append(.room(unit, nil))
            return
        }
        let device = units[Int(unit.raw)].device
        transfers[transfer] = Transfer(kind: .usage, device: device, unit: unit, firstPage: 0, count: 0)
        let slices = transferSlices + transfer * PageSize.operationPages
        slices[0] = ByteSlice(base: UnsafeMutableRawPointer(usages + Int(unit.raw) * 2), count: 16)
        effects.append(
            .storage(
                StorageRequest(
                    kind: .usage, id: UInt32(transfer), device: device, offset: 0, count: 0, slices: slices,
                    sliceCount: 1)))
    }

    /// The device has told, or does not.
    mutating func usageEnded(_ job: Transfer, fault: BlockFault?) {
        let raw = UnsafeRawPointer(usages + Int(job.unit.raw) * 2)
        let usage = RoomUsage(used: raw.little64(0), available: raw.little64(8))
        responses.append(.room(job.unit, fault == nil ? usage : nil))
    }

    /// A request without slices.
    mutating func submit(_ transfer: Int, _ kind: StorageRequest.Kind, offset: UInt64, count: UInt64) {
        effects.append(
            .storage(
                StorageRequest(
                    kind: kind, id: UInt32(transfer), device: transfers[transfer].device, offset: offset,
                    count: UInt32(count), slices: UnsafePointer(transferSlices), sliceCount: 0)))
    }

    /// The device has taken the room, or has none.
    mutating func roomEnded(_ job: Transfer, fault: BlockFault?) {
        let room = units + Int(job.unit.raw)
        let granule = job.firstPage / MemoryLimits.granulePages
        if fault == nil && room.pointee.room.generation == job.mark { room.pointee.room.set(granule) }
        for _ in 0..<waitingForRoom.count {
            guard let id = waitingForRoom.popFirst() else { break }
            let op = operations + Int(id)
            let end = op.pointee.firstPage + UInt64(op.pointee.pageCount)
            if let fault, op.pointee.unit == job.unit, op.pointee.firstPage < job.firstPage + MemoryLimits.granulePages,
                end > job.firstPage
            {
                op.pointee.fault = fault
            }
            runnable.append(id)
        }
    }

    /// The right to write a granule leaves this controller, or what it has is discarded.
    mutating func forgetRoom(_ key: UInt64) {
        guard !PageKey.isState(key) else { return }
        let unit = units + Int(PageKey.unit(key).raw)
        if unit.pointee.room.isThin { unit.pointee.room.forget(PageKey.page(key) / MemoryLimits.granulePages) }
    }
}
