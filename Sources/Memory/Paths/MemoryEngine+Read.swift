import BlockModel
import PagingFormats
import Primitives

// The way of a read: admission, pointer, then page by page: present and not being written, or staged; then the pages
// are pinned and lent to the user.
extension MemoryEngine {
    mutating func beginRead(_ id: Int, _ unit: UnitIndex, _ extent: BlockExtent, _ sequential: Bool) {
        start(id, .read, unit, extent)
        operations[id].isSequential = sequential
        // Nobody is before it: it need not go through the queue.
        if runnable.isEmpty { advanceRead(id) } else { runnable.append(UInt32(id)) }
    }

    /// Fills an operation's record; the user has checked the extent against the unit.
    mutating func start(_ id: Int, _ kind: Operation.Kind, _ unit: UnitIndex, _ extent: BlockExtent) {
        precondition(operations[id].kind == .none, "a token was used for two operations at once")
        let op = operations + id
        op.pointee = Operation()
        op.pointee.kind = kind
        op.pointee.phase = .frames
        op.pointee.unit = unit
        op.pointee.extent = extent
        op.pointee.firstPage = extent.firstPage
        op.pointee.pageCount = extent.pageCount
        op.pointee.frameCount = op.pointee.pageCount
        op.pointee.isProtected = (units + Int(unit.raw)).pointee.isProtected
        op.pointee.row = (units + Int(unit.raw)).pointee.row(forSectors: extent.count)
    }

    /// Counts the operation's pages against the frames; false when it has to wait its turn.
    @inline(__always) mutating func admit(_ id: Int) -> Bool {
        if operations[id].isAdmitted { return true }
        let pages = operations[id].frameCount
        guard admittedPages + pages <= pool.ownCount / 4 * 3 else { return false }
        admittedPages += pages
        operations[id].isAdmitted = true
        return true
    }

    /// The operation is over: its slot is the user's again. Whoever waited for what it held may go on.
    mutating func end(_ id: Int) {
        let op = operations + id
        if op.pointee.isAdmitted { admittedPages -= op.pointee.frameCount }
        if op.pointee.reserved > 0 { slots.unreserve(op.pointee.reserved) }
        let usedPointers = op.pointee.usesPointers
        // The rest is set when the slot is used anew.
        op.pointee.kind = .none
        op.pointee.phase = .idle
        op.pointee.outstanding = 0
        op.pointee.reserved = 0
        op.pointee.isAdmitted = false
        op.pointee.usesPointers = false
        if usedPointers { evaluatePointers() }
        // A discard may have waited for this one.
        if !discards.isEmpty { while let waiting = waitingForClean.popFirst() { runnable.append(waiting) } }
        wakeForFrames()
    }

    mutating func advanceRead(_ id: Int) {
        let op = operations + id
        if op.pointee.isReleased && op.pointee.phase != .lent { return abandonRead(id) }
        guard admit(id) else {
            waitingForFrames.append(UInt32(id))
            return
        }
        guard takePointers(id, .shared) else { return }
        let published = (units + Int(op.pointee.unit.raw)).pointee.groupsPublished
        if op.pointee.progress > 0 && op.pointee.groupsSeen != published { unpinRead(id) }
        op.pointee.groupsSeen = published
        while op.pointee.progress < op.pointee.pageCount {
            guard readPage(id, op.pointee.progress) else { return }
            op.pointee.progress += 1
        }
        answerRead(id)
    }

    /// Pins page `index` of the operation; false when the operation now waits for it.
    private mutating func readPage(_ id: Int, _ index: Int) -> Bool {
        let op = operations + id
        let key = PageKey.data(op.pointee.unit, op.pointee.firstPage + UInt64(index))
        let needed = op.pointee.mask(of: index)
        if let slot = pages.find(key) {
            if pages[slot].writer != .max || pages[slot].isStaging {
                wait(id, onPage: slot)
                return false
            }
            let current = pages[slot].current
            if current != .none {
                let record = pool[current]
                if record.pointee.validMask & needed == needed {
                    record.pointee.pins += 1
                    record.pointee.isReferenced = true
                    lists[id][index] = current
                    if op.pointee.phase != .page { statistics.readHits += 1 }
                    return true
                }
            }
        }
        if op.pointee.fault != nil { return failRead(id) }
        statistics.readMisses += 1
        guard stage(op.pointee.unit, from: op.pointee.firstPage + UInt64(index), upTo: stageEnd(id)) else {
            op.pointee.phase = .frames
            waitingForFrames.append(UInt32(id))
            return false
        }
        // The record is there now, and staging.
        if let slot = pages.find(key) { wait(id, onPage: slot) } else { runnable.append(UInt32(id)) }
        return false
    }

    /// The page behind the last one that a miss of this operation stages: its own end, and the read-ahead of its policy
    /// for a stream.
    private func stageEnd(_ id: Int) -> UInt64 {
        let op = operations[id]
        if op.isNarrowing { return op.firstPage + UInt64(op.progress) + 1 }
        let end = op.firstPage + UInt64(op.pageCount)
        guard op.isSequential, isHome(op.unit), pointers.isEmpty else { return end }
        let ahead = UInt64(units[Int(op.unit.raw)].readAhead[Int(op.row)])
        return min(end + ahead, units[Int(op.unit.raw)].pageCount)
    }

    mutating func answerRead(_ id: Int) {
        let op = operations + id
        guard mayAnswer else {
            op.pointee.phase = .held
            held.append(UInt32(id))
            return
        }
        op.pointee.phase = .lent
        if op.pointee.usesPointers {
            // The value was taken under the pointer; the frames are pinned, so the pointer may go.
            op.pointee.usesPointers = false
            evaluatePointers()
        }
        let run = PageRun(
            list: id, offset: op.pointee.extent.leadingSectors * 512, count: Int(op.pointee.extent.count) * 512)
        responses.append(.pagesReady(BlockToken(slot: id), run))
    }

    private mutating func failRead(_ id: Int) -> Bool {
        let failure = failure(id)
        unpinRead(id)
        end(id)
        responses.append(failure)
        return false
    }

    private mutating func abandonRead(_ id: Int) {
        unpinRead(id)
        end(id)
        responses.append(.completed(BlockToken(slot: id), .aborted))
    }

    @inline(__always) mutating func unpinRead(_ id: Int) {
        for index in 0..<operations[id].progress { unpin(lists[id][index]) }
        operations[id].progress = 0
    }

    /// The user lets go of an operation.
    mutating func release(_ id: Int) {
        let op = operations + id
        switch (op.pointee.kind, op.pointee.phase) {
        case (.none, _): return
        case (.read, .lent):
            unpinRead(id)
            end(id)
        case (.write, .lent):
            dropFilling(id)
            end(id)
        default:
            // An answer is owed. An operation is in at most one queue, whose link is in its record: it stays there, and
            // finds the mark when it comes up.
            op.pointee.isReleased = true
        }
    }

    // MARK: pins and waiting

    @inline(__always) mutating func unpin(_ frame: FrameIndex) {
        let record = pool[frame]
        record.pointee.pins -= 1
        if record.pointee.pins == 0 { freeIfRetired(frame) }
    }

    /// Frees a superseded frame that nothing needs any more.
    @inline(__always) mutating func freeIfRetired(_ frame: FrameIndex) {
        let record = pool[frame]
        guard record.pointee.state == .retired, record.pointee.pins == 0, !record.pointee.isWriting else { return }
        pool.free(frame)
        wakeForFrames()
    }

    mutating func wait(_ id: Int, onPage slot: Int) {
        operations[id].phase = .page
        pages[slot].waiters.append(UInt32(id), in: operations)
    }

    /// All that wait in the list may look again, in their order.
    mutating func wake(_ list: inout WaitList) {
        var id = list.head
        list = WaitList()
        while id != .max {
            runnable.append(id)
            id = operations[Int(id)].next
        }
    }

    /// Wakes who waits for a page, and forgets the page if nothing keeps it.
    mutating func pageChanged(_ slot: Int) {
        if !pages[slot].waiters.isEmpty {
            var waiters = pages[slot].waiters
            pages[slot].waiters = WaitList()
            wake(&waiters)
        }
        forgetIfIdle(slot)
    }

    mutating func forgetIfIdle(_ slot: Int) {
        guard pages[slot].isIdle else { return }
        let block = pages[slot].block
        pages.remove(slot)
        if block != .max { leaveBlock(Int(block)) }
    }

    @inline(__always) mutating func wakeForFrames() {
        while let id = waitingForFrames.popFirst() { runnable.append(id) }
    }
}
