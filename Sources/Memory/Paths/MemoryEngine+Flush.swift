import BlockModel
import PagingFormats
import Primitives

// Written is not clean: only a flush that began after a page's device write makes it so (pair-rules 6).
extension MemoryEngine {
    /// The device has taken the dirty version in `frame`; it waits for a flush now.
    mutating func wrote(_ frame: FrameIndex, mark: UInt64) {
        let record = pool[frame]
        dirty.remove(frame, in: pool.records)
        record.pointee.isWritten = true
        record.pointee.writtenMark = mark
        devices[Int(device(of: record.pointee.key).raw)].written.append(frame, in: pool.records)
    }

    /// The operation is answered when everything that the device has taken so far is flushed.
    mutating func waitForFlush(_ id: Int) {
        let device = devices + Int(device(of: pageKey(id, 0)).raw)
        operations[id].mark = device.pointee.flushesBegun
        device.pointee.waiters.append(UInt32(id), in: operations)
    }

    /// Begins flushes where somebody waits, or where enough was written and nothing more is on its way.
    mutating func flushDevices() {
        guard !membership.isFrozen else { return }
        let urgent = membership.isDraining || !waitingForClean.isEmpty || pointers.awaitsClean
            || !cleanRequests.isEmpty || !waitingForSpace.isEmpty || !waitingForFrames.isEmpty
        for index in 0..<configuration.deviceCount {
            let device = devices + index
            guard !device.pointee.isFlushing, now >= device.pointee.retryAt else { continue }
            let written = device.pointee.written.count
            let due = !device.pointee.waiters.isEmpty
                || written > 0 && (urgent || device.pointee.writing == 0 || written > MemoryLimits.destageCandidates)
            guard due, !membership.isQuiescing, let transfer = transfers.take() else { continue }
            transfers[transfer] = Transfer(kind: .flush, device: DeviceIndex(UInt16(index)))
            device.pointee.isFlushing = true
            device.pointee.flushesBegun += 1
            statistics.flushes += 1
            effects.append(
                .storage(
                    StorageRequest(
                        kind: .flush, id: UInt32(transfer), device: DeviceIndex(UInt16(index)), offset: 0, count: 0,
                        slices: UnsafePointer(transferSlices), sliceCount: 0)))
        }
    }

    mutating func flushEnded(_ index: DeviceIndex, fault: BlockFault?) {
        let device = devices + Int(index.raw)
        device.pointee.isFlushing = false
        let covered = device.pointee.flushesBegun
        while let frame = device.pointee.written.first, pool[frame].pointee.writtenMark < covered {
            if fault == nil {
                clean(frame)
            } else {
                // What a failed flush covered counts as not written: it is still in memory and is written again.
                unlist(frame)
                pool[frame].pointee.isWritten = false
                dirty.append(frame, in: pool.records)
            }
        }
        if let fault { deviceFailed(index, fault) }
        endFlushWaiters(device, covered, fault)
        cleanChanged()
    }

    private mutating func endFlushWaiters(
        _ device: UnsafeMutablePointer<DeviceState>, _ covered: UInt64, _ fault: BlockFault?
    ) {
        var id = device.pointee.waiters.head
        device.pointee.waiters = WaitList()
        while id != .max {
            let next = operations[Int(id)].next
            if operations[Int(id)].mark < covered {
                flushed(Int(id), fault)
            } else {
                device.pointee.waiters.append(id, in: operations)
            }
            id = next
        }
    }

    private mutating func flushed(_ id: Int, _ fault: BlockFault?) {
        if let fault {
            operations[id].fault = fault
            operations[id].isThrough = false
        } else {
            operations[id].isFlushed = true
        }
        if operations[id].kind == .synchronize { finishSynchronize(id) } else { finishWrite(id) }
    }

    /// The device has the page durably: no memory needs to keep it.
    mutating func clean(_ frame: FrameIndex) {
        let record = pool[frame]
        unlist(frame)
        record.pointee.dirtyMask = 0
        dropSlot(of: frame)
        FrameHeader.open(at: region + layout.header(Int(frame.raw)))
        // A page that a takeover adopted in place goes back to the partner's area; the next read stages it.
        if Int(frame.raw) >= pool.ownCount { dropPage(of: frame) }
    }

    /// Dirty pages became clean: whoever waits for that looks again.
    mutating func cleanChanged() {
        while let id = waitingForClean.popFirst() { runnable.append(id) }
        evaluatePointers()
        answerCleanRequests()
        wakeForFrames()
        while let id = waitingForSpace.popFirst() { runnable.append(id) }
    }

    // MARK: synchronize

    mutating func beginSynchronize(_ id: Int, _ unit: UnitIndex, _ extent: BlockExtent) {
        start(id, .synchronize, unit, extent)
        operations[id].mark = lamport
        operations[id].phase = .clean
        operations[id].partnerDone = !condition.paired
        if condition.paired { askPartnerToClean(id) }
        runnable.append(UInt32(id))
    }

    mutating func advanceSynchronize(_ id: Int) {
        let op = operations + id
        if op.pointee.phase == .flush || op.pointee.phase == .device { return }
        if op.pointee.phase == .held { return finishSynchronize(id) }
        let first = op.pointee.extent.firstPage
        let end = op.pointee.extent.count == 0 ? UInt64.max : first + UInt64(op.pointee.pageCount)
        if isDirty(op.pointee.unit, from: first, to: end, upTo: op.pointee.mark) || !op.pointee.partnerDone {
            op.pointee.phase = .clean
            waitingForClean.append(UInt32(id))
            return
        }
        if op.pointee.isQuery { return askDevice(id) }
        if op.pointee.isVerify { return readBack(id) }
        op.pointee.phase = .flush
        let device = devices + Int(units[Int(op.pointee.unit.raw)].device.raw)
        op.pointee.mark = device.pointee.flushesBegun
        device.pointee.waiters.append(UInt32(id), in: operations)
    }

    /// Everything of the extent is on the device: which parts it has, it knows itself.
    private mutating func askDevice(_ id: Int) {
        let op = operations + id
        guard transfers.capacity - transfers.count > 8, let transfer = transfers.take() else {
            waitingForClean.append(UInt32(id))
            return
        }
        let map = units + Int(op.pointee.unit.raw)
        transfers[transfer] = Transfer(
            kind: .query, device: map.pointee.device, unit: op.pointee.unit, firstPage: op.pointee.firstPage, count: 0,
            operation: UInt32(id))
        op.pointee.phase = .device
        let start = op.pointee.extent.start * 512
        let left = op.pointee.extent.count == 0
            ? map.pointee.sectors * 512 - start : UInt64(op.pointee.extent.count) * 512
        let range = deviceRange(op.pointee.unit, start: start, count: min(left, 2 << 30))
        let slices = transferSlices + transfer * PageSize.operationPages
        slices[0] = ByteSlice(base: frames.pointer(Frames.parameter(id)), count: PageSize.bytes)
        effects.append(
            .storage(
                StorageRequest(
                    kind: .query, id: UInt32(transfer), device: map.pointee.device,
                    offset: range.offset, count: UInt32(range.count), slices: slices, sliceCount: 1)))
    }

    /// The device's answer is in the parameter page: places on the device become places in the unit.
    mutating func queryEnded(_ job: Transfer, fault: BlockFault?) {
        let id = Int(job.operation)
        let base = frames.pointer(Frames.parameter(id))
        let offset = units[Int(job.unit.raw)].dataOffset
        if fault == nil, (units + Int(job.unit.raw)).pointee.isProtected {
            translateEntries(id, base)
        } else if fault == nil {
            let raw = UnsafeRawPointer(base)
            for entry in 0..<min(Int(raw.little64(0)), (PageSize.bytes - 8) / 16) {
                let (start, length) = (raw.little64(8 + entry * 16), raw.little64(16 + entry * 16))
                base.put(little64: (start &- offset) / 512, 8 + entry * 16)
                base.put(little64: (length & ~(1 << 63)) / 512 | length & 1 << 63, 16 + entry * 16)
            }
        }
        operations[id].fault = fault
        finishSynchronize(id)
    }

    /// A device could not write or flush: it is tried again in a while, and whoever waits for its pages to be durable
    /// hears now that they are not.
    mutating func deviceFailed(_ device: DeviceIndex, _ fault: BlockFault) {
        devices[Int(device.raw)].retryAt = now + MemoryLimits.deviceRetry
        for _ in 0..<waitingForClean.count {
            guard let id = waitingForClean.popFirst() else { break }
            guard units[Int(operations[Int(id)].unit.raw)].device == device else {
                waitingForClean.append(id)
                continue
            }
            operations[Int(id)].fault = fault
            if operations[Int(id)].kind == .discard { finishDiscard(Int(id)) } else { finishSynchronize(Int(id)) }
        }
        for _ in 0..<cleanRequests.count {
            guard let request = cleanRequests.popFirst() else { break }
            if units[Int(request.unit)].device == device {
                effects.append(.send(request.answer(.unknown), data: nil, stable: false))
            } else {
                cleanRequests.append(request)
            }
        }
    }

    mutating func finishSynchronize(_ id: Int) {
        guard mayAnswer else {
            operations[id].phase = .held
            held.append(UInt32(id))
            return
        }
        let fault = operations[id].fault
        end(id)
        responses.append(.completed(BlockToken(slot: id), fault))
    }

    /// Whether any page of the range has a dirty version with a counter up to `limit`.
    func isDirty(_ unit: UnitIndex, from first: UInt64, to end: UInt64, upTo limit: UInt64) -> Bool {
        if contains(dirty, unit, first, end, limit) { return true }
        return contains(devices[Int(units[Int(unit.raw)].device.raw)].written, unit, first, end, limit)
    }

    private func contains(
        _ list: FrameList, _ unit: UnitIndex, _ first: UInt64, _ end: UInt64, _ limit: UInt64
    ) -> Bool {
        var next = list.head
        while next != .max {
            let record = pool.records[Int(next)]
            if PageKey.unit(record.key) == unit, !PageKey.isState(record.key), PageKey.page(record.key) >= first,
                PageKey.page(record.key) < end, record.version.counter <= limit
            {
                return true
            }
            next = record.next
        }
        return false
    }
}
