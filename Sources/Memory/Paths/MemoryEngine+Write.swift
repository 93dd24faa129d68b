import BlockModel
import PagingFormats
import Primitives

// The way of a write: frames for the host's data; then, when the data is there: space at the partner, pointer, page
// locks, seal, mirror, and (by the acknowledgement table) device and flush; then the version is readable and answered.
extension MemoryEngine {
    mutating func beginWrite(_ id: Int, _ unit: UnitIndex, _ extent: BlockExtent, scratch: Bool) {
        start(id, .write, unit, extent)
        if scratch { operations[id].frameCount *= 2 }
        precondition(operations[id].frameCount <= PageSize.operationPages, "a write with more frames than a page list")
        pages.expect(PageKey.data(unit, extent.firstPage))
        if runnable.isEmpty { lendFrames(id) } else { runnable.append(UInt32(id)) }
    }

    /// All host data is in the frames.
    mutating func commit(_ id: Int, _ options: CommitOptions) {
        precondition(operations[id].kind == .write && operations[id].phase == .lent, "commit of a write not lent")
        operations[id].durable = options.durable
        operations[id].mode = options.mode
        operations[id].isGroup = options.isAtomic && operations[id].pageCount > 1
        operations[id].phase = .space
        if runnable.isEmpty { advanceCommit(id) } else { runnable.append(UInt32(id)) }
    }

    mutating func advanceWrite(_ id: Int) {
        let op = operations + id
        if op.pointee.isReleased && !op.pointee.isSealed { return abandonWrite(id) }
        switch op.pointee.phase {
        case .frames: lendFrames(id)
        case .space, .pointer, .room, .page: advanceCommit(id)
        case .deviceTurn: writeThrough(id)
        case .held: finishWrite(id)
        case .idle, .lent, .mirror, .device, .flush, .clean: break
        }
    }

    /// Gives the user fresh frames for the operation's pages.
    private mutating func lendFrames(_ id: Int) {
        let op = operations + id
        guard admit(id) else {
            waitingForFrames.append(UInt32(id))
            return
        }
        while op.pointee.progress < op.pointee.frameCount {
            guard let frame = takeFrame() else {
                waitingForFrames.append(UInt32(id))
                return
            }
            pool[frame].pointee.state = .filling
            // Its header is sealed when the host's data are here.
            CacheHint.soon(region + layout.header(Int(frame.raw)))
            CacheHint.soon(region + layout.header(Int(frame.raw)) + 64)
            lists[id][op.pointee.progress] = frame
            op.pointee.progress += 1
        }
        op.pointee.phase = .lent
        let run = PageRun(
            list: id, offset: op.pointee.extent.leadingSectors * 512, count: Int(op.pointee.extent.count) * 512)
        responses.append(.pagesReady(BlockToken(slot: id), run))
    }

    /// Order of pair-rules 7: space, pointers, pages ascending; then everything is sealed at once.
    private mutating func advanceCommit(_ id: Int) {
        let op = operations + id
        if op.pointee.phase == .space { op.pointee.progress = 0 }
        guard !membership.isFrozen, !membership.isQuiescing else {
            op.pointee.phase = op.pointee.progress == 0 ? .space : .page
            held.append(UInt32(id))
            return
        }
        guard reserveSlots(id) else { return }
        guard op.pointee.kind == .stateWrite || takePointers(id, .exclusive) && reserveRoom(id) else { return }
        while op.pointee.progress < op.pointee.pageCount {
            guard lockPage(id, op.pointee.progress) else { return }
            op.pointee.progress += 1
        }
        if op.pointee.mode == .replace, !op.pointee.isProtected { return seal(id) }
        if op.pointee.kind != .stateWrite, !keptContent(id) { return }
        if op.pointee.mode == .compare, !compares(id) { return }
        let count = op.pointee.pageCount
        seal(id)
        for index in 0..<count { letOlderGo(id, index) }
    }

    /// Takes the lock of page `index`; false when the operation now waits for it.
    private mutating func lockPage(_ id: Int, _ index: Int) -> Bool {
        let op = operations + id
        let key = pageKey(id, index)
        let found: Int?
        if op.pointee.kind == .stateWrite {
            found = pages.findOrAdd(key)
        } else {
            found = addPage(op.pointee.unit, op.pointee.firstPage + UInt64(index), row: op.pointee.row)
        }
        guard let slot = found else {
            // The tables have twice the frames' entries: a clean page's place comes free with the next eviction.
            if let victim = pool.victim() { dropPage(of: victim) }
            op.pointee.phase = .page
            waitingForFrames.append(UInt32(id))
            return false
        }
        if pages[slot].writer != .max || pages[slot].isStaging {
            wait(id, onPage: slot)
            return false
        }
        if needsContent(op, index) {
            guard hasContent(id, index, slot) else { return false }
            keepOlder(id, index, slot)
        }
        pages[slot].writer = UInt32(id)
        pageSlots[id * PageSize.operationPages + index] = UInt32(slot)
        let older = pages[slot].current
        if older != .none {
            // Both are looked at when this version takes the older one's place.
            CacheHint.soon(pool[older])
            CacheHint.soon(region + layout.header(Int(older.raw)))
        }
        return true
    }

    /// The record of a page that the operation has locked.
    func lockedPage(_ id: Int, _ index: Int, _ key: UInt64) -> Int {
        let known = pageSlots[id * PageSize.operationPages + index]
        if known != .max, pages[Int(known)].key == key { return Int(known) }
        guard let slot = pages.find(key) else { preconditionFailure("a locked page has no record") }
        return slot
    }

    func pageKey(_ id: Int, _ index: Int) -> UInt64 {
        let op = operations + id
        return op.pointee.kind == .stateWrite
            ? PageKey.state(op.pointee.unit) : PageKey.data(op.pointee.unit, op.pointee.firstPage + UInt64(index))
    }

    /// A copy at the partner is complete.
    mutating func copyEnded(_ frame: FrameIndex) {
        let record = pool[frame]
        guard record.pointee.state == .pending, record.pointee.operation != .max else { return catchUpCopied(frame) }
        let id = Int(record.pointee.operation)
        operations[id].outstanding -= 1
        if operations[id].outstanding == 0 && operations[id].phase == .mirror { copiesEnded(id) }
    }

    /// Both memories hold the version (or there is one memory): acknowledge, or write through first.
    mutating func mirrored(_ id: Int) {
        let op = operations + id
        if op.pointee.isGroup { settleGroup(id) }
        let row = UInt8(1) << op.pointee.row
        let unit = units + Int(op.pointee.unit.raw)
        let bothHold = condition.paired && unit.pointee.mirrorsBack & row != 0
        if Planted.isOn(.acknowledgeBeforeDevice) && !condition.paired && !op.pointee.durable { return finishWrite(id) }
        let keepsBack = !condition.paired && !condition.joining && unit.pointee.keepsBackAlone & row != 0
        if op.pointee.durable || !(bothHold || keepsBack) || op.pointee.kind == .stateWrite && !condition.paired {
            op.pointee.phase = .deviceTurn
            writeThrough(id)
        } else {
            finishWrite(id)
        }
    }

    /// Puts the operation's pages on the device, when no older version of them is under way there.
    mutating func writeThrough(_ id: Int) {
        let op = operations + id
        op.pointee.phase = .deviceTurn
        if membership.isFrozen || membership.isQuiescing {
            held.append(UInt32(id))
            return
        }
        for index in 0..<op.pointee.pageCount {
            guard let slot = pages.find(pageKey(id, index)) else { continue }
            if pages[slot].isDeviceBusy && !op.pointee.hasDeviceTurn {
                pages[slot].waiters.append(UInt32(id), in: operations)
                return
            }
        }
        guard transfers.capacity - transfers.count >= 2 * op.pointee.pageCount + 2 || transfers.count == 0 else {
            waitingForFrames.append(UInt32(id))
            return
        }
        op.pointee.phase = .device
        op.pointee.outstanding = 0
        op.pointee.hasDeviceTurn = true
        for index in 0..<op.pointee.pageCount {
            if let slot = pages.find(pageKey(id, index)) { pages[slot].isDeviceBusy = true }
        }
        submitWrites(id, .operation, count: op.pointee.pageCount)
    }

    /// The device has the operation's pages, or could not take them.
    mutating func deviceWritten(_ id: Int) {
        let op = operations + id
        op.pointee.isThrough = op.pointee.fault == nil
        op.pointee.writtenMark = devices[Int(device(of: pageKey(id, 0)).raw)].flushesBegun
        if op.pointee.fault == nil && (op.pointee.durable || op.pointee.kind == .stateWrite) {
            op.pointee.phase = .flush
            waitForFlush(id)
            return
        }
        finishWrite(id)
    }

    /// The version becomes the readable one and the operation is answered, if answers are allowed.
    mutating func finishWrite(_ id: Int) {
        let op = operations + id
        guard mayAnswer else {
            op.pointee.phase = .held
            held.append(UInt32(id))
            return
        }
        // Under the row of the state that holds now: a version mirrored in a pair that is no more is written through.
        if op.pointee.phase == .held && !condition.paired && !op.pointee.isThrough {
            op.pointee.phase = .mirror
            return mirrored(id)
        }
        for index in 0..<op.pointee.pageCount { publish(frame(id, index), id, index) }
        if op.pointee.wasGroup { (units + Int(op.pointee.unit.raw)).pointee.groupsPublished &+= 1 }
        let kind = op.pointee.kind
        let unit = op.pointee.unit
        let fault = op.pointee.fault
        let answer = failure(id)
        end(id)
        if kind == .stateWrite {
            stateCommitted(unit, fault)
        } else {
            responses.append(answer)
        }
    }
}
