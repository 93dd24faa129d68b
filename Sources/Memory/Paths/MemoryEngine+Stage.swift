import BlockModel
import PagingFormats
import Primitives

// Staging: device to frames, in runs of consecutive missing pages, and the frames for it.
extension MemoryEngine {
    /// Stages the missing pages from `first` up to `end` (exclusive), as far as frames and transfers go. False when not
    /// even the first could be begun.
    mutating func stage(_ unit: UnitIndex, from first: UInt64, upTo end: UInt64) -> Bool {
        var page = first
        var begun = false
        while page < end {
            guard isMissing(unit, page) else {
                page += 1
                continue
            }
            guard transfers.capacity - transfers.count > 8, let transfer = transfers.take() else { break }
            var count = 0
            let most = PageSize.operationPages / ((units + Int(unit.raw)).pointee.isProtected ? 2 : 1)
            while count < most, page < end, isMissing(unit, page), let slot = addPage(unit, page) {
                guard let frame = takeFrame() else {
                    forgetIfIdle(slot)
                    break
                }
                pool[frame].pointee.state = .staging
                pool[frame].pointee.key = PageKey.data(unit, page)
                pages[slot].isStaging = true
                transferFrames[transfer * PageSize.operationPages + count] = frame
                count += 1
                page += 1
            }
            if count == 0 {
                transfers.giveBack(transfer)
                break
            }
            submitStage(transfer, unit, page - UInt64(count), count)
            begun = true
        }
        return begun
    }

    /// Nothing of the page is present or under way, or a part of it is not valid and nobody writes it.
    private func isMissing(_ unit: UnitIndex, _ page: UInt64) -> Bool {
        // Read-ahead reaches beyond the extent of its operation, which alone waits for discards.
        if !discards.isEmpty && isBeingDiscarded(unit, page) { return false }
        guard let slot = pages.find(PageKey.data(unit, page)) else { return true }
        if pages[slot].isStaging || pages[slot].writer != .max { return false }
        let current = pages[slot].current
        return current == .none || pool[current].pointee.validMask != PageSize.fullMask
    }

    private mutating func submitStage(_ transfer: Int, _ unit: UnitIndex, _ first: UInt64, _ count: Int) {
        let map = units + Int(unit.raw)
        transfers[transfer] = Transfer(
            kind: .stage, device: map.pointee.device, unit: unit, firstPage: first, count: count)
        if map.pointee.isProtected { return submitProtectedStage(transfer, map.pointee.offset(ofPage: first), count) }
        let slices = transferSlices + transfer * PageSize.operationPages
        // The last page of a unit may reach beyond it.
        let bytes = min(
            count * PageSize.bytes,
            Int(map.pointee.sectors * 512 - first * UInt64(PageSize.bytes)))
        var left = bytes
        for index in 0..<count {
            let frame = transferFrames[transfer * PageSize.operationPages + index]
            slices[index] = ByteSlice(base: frames.pointer(frame), count: min(left, PageSize.bytes))
            left -= PageSize.bytes
        }
        statistics.stagedBytes += UInt64(bytes)
        effects.append(
            .storage(
                StorageRequest(
                    kind: .read, id: UInt32(transfer), device: map.pointee.device,
                    offset: map.pointee.dataOffset + first * UInt64(PageSize.bytes), count: UInt32(bytes),
                    slices: slices, sliceCount: UInt32(count))))
    }

    /// A staging read ended: its frames become their pages, or complete what was there in part.
    mutating func stageEnded(_ transfer: Int, fault: BlockFault?) {
        let job = transfers[transfer]
        for index in 0..<job.count {
            let frame = transferFrames[transfer * PageSize.operationPages + index]
            let key = PageKey.data(job.unit, job.firstPage + UInt64(index))
            guard let slot = pages.find(key) else {
                pool.free(frame)
                continue
            }
            let doomed = pages[slot].isDoomed
            pages[slot].isStaging = false
            pages[slot].isDoomed = false
            if fault != nil || doomed {
                pool.free(frame)
                if let fault, !doomed { failWaiters(slot, fault, isAlone: job.count == 1) }
            } else {
                if hasTrailer(key) { takeTrailer(frame, transfer, index) }
                install(frame, slot, key)
            }
            pageChanged(slot)
        }
        wakeForFrames()
    }

    /// Makes a staged frame the page; what was valid before is laid over it and keeps its version.
    mutating func install(_ frame: FrameIndex, _ slot: Int, _ key: UInt64) {
        let record = pool[frame]
        record.pointee.state = .current
        record.pointee.key = key
        record.pointee.validMask = PageSize.fullMask
        record.pointee.isReferenced = true
        let older = pages[slot].current
        pages[slot].current = frame
        guard older != .none else { return }
        let old = pool[older].pointee
        copySectors(from: older, to: frame, mask: old.validMask)
        if hasTrailer(key) { copyTuples(from: older, to: frame, mask: old.validMask) }
        guard old.isDirty else { return retire(older) }
        // The same version in a fuller frame: it takes over the older one's place everywhere.
        record.pointee.version = old.version
        record.pointee.dirtyMask = old.dirtyMask
        record.pointee.dirtySince = old.dirtySince
        record.pointee.slot = old.slot
        record.pointee.isWritten = old.isWritten
        record.pointee.writtenMark = old.writtenMark
        sealHeader(frame, block: Int(pages[slot].block), groupCounter: old.version.counter)
        if old.isWritten {
            devices[Int(device(of: key).raw)].written.replace(older, by: frame, in: pool.records)
        } else {
            dirty.replace(older, by: frame, in: pool.records)
        }
        pool[older].pointee.dirtyMask = 0
        pool[older].pointee.isWritten = false
        pool[older].pointee.slot = .max
        retire(older)
    }

    /// Who waits for the page fails, if it was read by itself; else who waits reads on page by page.
    private mutating func failWaiters(_ slot: Int, _ fault: BlockFault, isAlone: Bool) {
        let sector = PageKey.page(pages[slot].key) * UInt64(PageSize.sectors)
        var id = pages[slot].waiters.head
        while id != .max {
            let op = operations + Int(id)
            if isAlone {
                op.pointee.fault = fault
                op.pointee.faultSector = max(sector, op.pointee.extent.start)
            } else {
                op.pointee.isNarrowing = true
            }
            id = op.pointee.next
        }
    }

    /// The last word about an operation that failed.
    func failure(_ id: Int) -> BlockResponse {
        let op = operations + id
        guard let fault = op.pointee.fault, op.pointee.faultSector != .max else {
            return .completed(BlockToken(slot: id), op.pointee.fault)
        }
        return .failed(BlockToken(slot: id), fault, sector: op.pointee.faultSector)
    }

    /// Copies the sectors of `mask` from one frame to the same places of another.
    func copySectors(from: FrameIndex, to: FrameIndex, mask: UInt8) {
        if mask == PageSize.fullMask {
            frames.pointer(to).copyMemory(from: frames.pointer(from), byteCount: PageSize.bytes)
            return
        }
        for sector in 0..<PageSize.sectors where mask & (1 << UInt8(sector)) != 0 {
            (frames.pointer(to) + sector * 512).copyMemory(from: frames.pointer(from) + sector * 512, byteCount: 512)
        }
    }

    /// A frame for new content: a free one, or one that replacement gives up.
    mutating func takeFrame() -> FrameIndex? {
        if let frame = pool.takeFree() { return frame }
        guard let victim = pool.victim() else { return nil }
        dropPage(of: victim)
        return pool.takeFree()
    }

    /// Forgets the clean page in `frame`.
    mutating func dropPage(of frame: FrameIndex) {
        statistics.evictions += 1
        guard let slot = pages.find(pool[frame].pointee.key) else { return }
        pages[slot].current = .none
        retire(frame)
        forgetIfIdle(slot)
    }

    /// The record of a page, made with its memory block if it was not known; nil when a table is full.
    mutating func addPage(_ unit: UnitIndex, _ page: UInt64, row: UInt8 = 0) -> Int? {
        let key = PageKey.data(unit, page)
        if let known = pages.find(key) { return known }
        guard let block = joinBlock(unit, page, row: row) else { return nil }
        guard let slot = pages.findOrAdd(key) else {
            leaveBlock(block)
            return nil
        }
        pages[slot].block = UInt32(block)
        return slot
    }
}
