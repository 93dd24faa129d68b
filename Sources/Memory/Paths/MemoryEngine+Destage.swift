import BlockModel
import PagingFormats
import Primitives

/// What is known of a device.
struct DeviceState {
    /// Frames whose version the device has taken and no flush has covered yet, in the order of their writes.
    var written = FrameList()
    /// Operations that wait for a flush.
    var waiters = WaitList()
    /// Flushes begun so far: a frame written at mark m is covered by the flush that makes the count m + 1.
    var flushesBegun: UInt64 = 0
    var isFlushing = false
    /// Device writes in flight.
    var writing = 0
    /// Somebody waits for pages of it to be clean.
    var isFlushUrgent = false
    /// After a fault, destaging waits until then.
    var retryAt = Instant.zero
}

// Destaging: which dirty pages go to the device, in storage order and in runs.
extension MemoryEngine {
    /// Starts device writes when pages are old enough, too many are dirty, or somebody waits for clean ones.
    mutating func destage() {
        guard dirty.count > 0, !membership.isFrozen, !membership.isQuiescing, mayDestage else { return }
        let urgent = membership.isDraining || !waitingForClean.isEmpty || !waitingForFrames.isEmpty
            || !waitingForSpace.isEmpty || pointers.awaitsClean || !cleanRequests.isEmpty
        // The partner's room is asked for as it is needed: what was granted bounds it only when there is no more.
        let capacity = isMirroring && slots.isExhausted ? min(pool.ownCount, slots.granted) : pool.ownCount
        let policy = units[0].watermarks
        let tooMany = dirty.count * 100 > capacity * Int(policy.high)
        let floor = urgent ? 0 : (tooMany ? capacity * Int(policy.low) / 100 : Int.max)
        let budget = MemoryLimits.destageTransfers - destagesInFlight
        var chosen = 0
        var looked = 0
        var next = dirty.first
        while let frame = next, chosen < budget, looked < MemoryLimits.destageCandidates {
            let record = pool[frame].pointee
            next = record.next == .max ? nil : FrameIndex(record.next)
            looked += 1
            let old = record.dirtySince + destageAge(of: record.key) <= now
            guard old || urgent || isSurvivor || dirty.count - looked >= floor else { break }
            if record.isWriting || now < devices[Int(device(of: record.key).raw)].retryAt { continue }
            candidates[chosen] = record.key
            chosen += 1
        }
        // Storage order: ascending by unit and page, each extended to the longest run around it.
        var order = UnsafeMutableBufferPointer(start: candidates, count: chosen)
        order.sort()
        for index in 0..<chosen {
            guard transfers.capacity - transfers.count > 16 else { return }
            beginDestage(around: candidates[index])
        }
    }

    /// What this memory alone has goes to the devices at once, unless the array never had another.
    private var isSurvivor: Bool {
        !condition.paired && configuration.hasPartner && !Planted.isOn(.acknowledgeBeforeDevice)
    }

    /// Only a member with a lease, or a fenced survivor, writes to devices.
    private var mayDestage: Bool {
        membership.isSettling || ((condition.serving || membership.isDraining) && now < condition.leaseEnd)
    }

    func destageAge(of key: UInt64) -> Interval { units[Int(PageKey.unit(key).raw)].destageAge }

    func device(of key: UInt64) -> DeviceIndex { units[Int(PageKey.unit(key).raw)].device }

    /// Destages the longest run of dirty pages around the page `key`, ascending.
    private mutating func beginDestage(around key: UInt64) {
        guard canDestage(key: key) else { return }
        var first = key
        var count = 1
        if !PageKey.isState(key) {
            while count < PageSize.operationPages, PageKey.page(first) > 0, canDestage(key: first - 1) {
                first -= 1
                count += 1
            }
            while count < PageSize.operationPages, canDestage(key: first + UInt64(count)) { count += 1 }
        }
        var transfer: Int?
        for index in 0..<count {
            guard transfers.capacity - transfers.count > 8, let slot = pages.find(first + UInt64(index)) else { break }
            pages[slot].isDeviceBusy = true
            transfer = addToTransfer(transfer, pages[slot].current, .destage, .max)
        }
        if let transfer { submitWrite(transfer) }
    }

    private func canDestage(key: UInt64) -> Bool { pages.find(key).map { canDestage($0) } ?? false }

    private func canDestage(_ slot: Int) -> Bool {
        let record = pages[slot]
        guard record.current != .none, !record.isDeviceBusy else { return false }
        let frame = pool[record.current].pointee
        return frame.isDirty && !frame.isWritten && !frame.isWriting
    }

    /// Device writes of an operation's pending frames.
    mutating func submitWrites(_ id: Int, _ kind: Transfer.Kind, count: Int) {
        var transfer: Int?
        for index in 0..<count { transfer = addToTransfer(transfer, frame(id, index), kind, UInt32(id)) }
        if let transfer { submitWrite(transfer) }
    }

    /// Adds the dirty sectors of a frame to a write transfer under construction; begins a new one where the run of
    /// sectors breaks. Answers the transfer now under construction, nil when none was free.
    private mutating func addToTransfer(
        _ open: Int?, _ frame: FrameIndex, _ kind: Transfer.Kind, _ operation: UInt32
    ) -> Int? {
        var transfer = open
        let record = pool[frame].pointee
        if hasTrailer(record.key) { return addProtected(open, frame, kind, operation) }
        var sector = 0
        while sector < PageSize.sectors {
            guard record.dirtyMask & (1 << UInt8(sector)) != 0 else {
                sector += 1
                continue
            }
            var end = sector
            while end < PageSize.sectors, record.dirtyMask & (1 << UInt8(end)) != 0 { end += 1 }
            let offset = deviceOffset(record.key) + UInt64(sector) * 512
            transfer = openTransfer(transfer, record.key, kind, operation, at: offset)
            guard let current = transfer else { return nil }
            let at = current * PageSize.operationPages + transfers[current].count
            transferFrames[at] = frame
            transferSlices[at] = ByteSlice(base: frames.pointer(frame) + sector * 512, count: (end - sector) * 512)
            transfers[current].count += 1
            transfers[current].bytes += (end - sector) * 512
            pool[frame].pointee.writePieces += 1
            sector = end
        }
        return transfer
    }

    /// A write transfer that `pieces` more pieces at `offset` can be added to: the one under construction, or a new one
    /// behind it; nil when none was free.
    mutating func openTransfer(
        _ open: Int?, _ key: UInt64, _ kind: Transfer.Kind, _ operation: UInt32, at offset: UInt64, pieces: Int = 1
    ) -> Int? {
        if let open {
            let job = transfers[open]
            if job.offset + UInt64(job.bytes) == offset, job.count + pieces <= PageSize.operationPages { return open }
            submitWrite(open)
        }
        guard let fresh = transfers.take() else { return nil }
        transfers[fresh] = Transfer(
            kind: kind, device: device(of: key), unit: PageKey.unit(key), firstPage: 0, count: 0, operation: operation)
        transfers[fresh].offset = offset
        return fresh
    }

    func deviceOffset(_ key: UInt64) -> UInt64 {
        let unit = units + Int(PageKey.unit(key).raw)
        return PageKey.isState(key)
            ? unit.pointee.stateOffset : unit.pointee.offset(ofPage: PageKey.page(key))
    }

    mutating func submitWrite(_ transfer: Int) {
        let job = transfers[transfer]
        if job.operation != .max { operations[Int(job.operation)].outstanding += 1 } else { destagesInFlight += 1 }
        devices[Int(job.device.raw)].writing += 1
        statistics.destagedBytes += UInt64(job.bytes)
        effects.append(
            .storage(
                StorageRequest(
                    kind: .write, id: UInt32(transfer), device: job.device, offset: job.offset,
                    count: UInt32(job.bytes), slices: transferSlices + transfer * PageSize.operationPages,
                    sliceCount: UInt32(job.count))))
    }

    /// A storage request ended.
    mutating func transferEnded(_ transfer: Int, fault: BlockFault?) {
        guard transfer < transfers.capacity, transfers[transfer].kind != .none else { return }
        let job = transfers[transfer]
        if let fault, fault != .spaceExhausted { effects.append(.deviceFault(job.device, fault)) }
        switch job.kind {
        case .none: return
        case .stage: stageEnded(transfer, fault: fault)
        case .stateRead:
            stateReadEnded(job.unit, transferFrames[transfer * PageSize.operationPages], fault: fault)
        case .flush: flushEnded(job.device, fault: fault)
        case .destage, .operation: writeEnded(transfer, fault: fault)
        case .discard: discardEnded(job, fault: fault)
        case .allocate: roomEnded(job, fault: fault)
        case .query: queryEnded(job, fault: fault)
        case .verify: readBackEnded(job, fault: fault)
        case .usage: usageEnded(job, fault: fault)
        }
        transfers[transfer].kind = .none
        transfers.giveBack(transfer)
        wakeForFrames()
    }

    private mutating func writeEnded(_ transfer: Int, fault: BlockFault?) {
        let job = transfers[transfer]
        let device = devices + Int(job.device.raw)
        device.pointee.writing -= 1
        if let fault { deviceFailed(job.device, fault) }
        for index in 0..<job.count {
            let frame = transferFrames[transfer * PageSize.operationPages + index]
            let record = pool[frame]
            record.pointee.writePieces -= 1
            if fault != nil { record.pointee.hadWriteFault = true }
            if job.kind == .destage && record.pointee.writePieces == 0 { destaged(frame) }
        }
        if job.operation != .max {
            let id = Int(job.operation)
            if let fault {
                operations[id].fault = fault
                let sector = (job.offset &- units[Int(job.unit.raw)].dataOffset) / 512
                let first = min(operations[id].faultSector, sector)
                if operations[id].kind == .write { operations[id].faultSector = first }
            }
            operations[id].outstanding -= 1
            if operations[id].outstanding == 0 { deviceWritten(id) }
        } else {
            destagesInFlight -= 1
        }
    }

    /// The last piece of a frame's destage ended: its version is written, if it still is the page's.
    private mutating func destaged(_ frame: FrameIndex) {
        let record = pool[frame]
        let failed = record.pointee.hadWriteFault
        record.pointee.hadWriteFault = false
        let version = record.pointee.version
        if let slot = pages.find(record.pointee.key) {
            pages[slot].isDeviceBusy = false
            let current = pages[slot].current
            // The same version may meanwhile stand in a fuller frame; a newer one stays dirty.
            if !failed, current != .none, pool[current].pointee.isDirty, !pool[current].pointee.isWritten,
                pool[current].pointee.version == version
            {
                wrote(current, mark: devices[Int(device(of: record.pointee.key).raw)].flushesBegun)
            }
            pageChanged(slot)
        }
        freeIfRetired(frame)
    }
}
