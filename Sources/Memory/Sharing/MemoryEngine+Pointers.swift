import BlockModel
import PagingFormats
import Primitives

// Pointers between the controllers: asking the home, being asked to give up, and what must be true before that.
extension MemoryEngine {
    /// Takes the pointers that an operation relies on; false when it now waits for one.
    @inline(__always) mutating func takePointers(_ id: Int, _ mode: PointerMode) -> Bool {
        let op = operations + id
        if op.pointee.usesPointers { return true }
        if !discards.isEmpty && waitsForDiscard(id) {
            op.pointee.phase = .pointer
            return false
        }
        if !condition.paired, !units[Int(op.pointee.unit.raw)].isMoving {
            op.pointee.usesPointers = true
            return true
        }
        return collectPointers(id, mode)
    }

    private mutating func collectPointers(_ id: Int, _ mode: PointerMode) -> Bool {
        let op = operations + id
        if units[Int(op.pointee.unit.raw)].isMoving {
            op.pointee.phase = .pointer
            held.append(UInt32(id))
            return false
        }
        if condition.paired {
            var key = PointerDirectory.granule(of: PageKey.data(op.pointee.unit, op.pointee.firstPage))
            let last = PageKey.data(op.pointee.unit, op.pointee.firstPage + UInt64(max(op.pointee.pageCount, 1) - 1))
            while key <= last {
                guard hasPointer(key, mode, for: id) else { return false }
                key += MemoryLimits.granulePages
            }
        }
        op.pointee.usesPointers = true
        return true
    }

    /// Whether this controller may use a granule in `mode` now; asks for it and queues the operation when not.
    private mutating func hasPointer(_ key: UInt64, _ mode: PointerMode, for id: Int) -> Bool {
        let unit = PageKey.unit(key)
        if isHome(unit) {
            guard let slot = pointers.find(key) else { return true }
            if pointers[slot].wanted != .none && mode.conflicts(with: pointers[slot].wanted) {
                waitForPointer(id, slot)
                return false
            }
            guard mode.conflicts(with: pointers[slot].theirs), !Planted.isOn(.ignorePointers) else { return true }
            recall(slot, keep: mode == .shared ? .shared : .none)
            waitForPointer(id, slot)
            return false
        }
        guard let slot = pointers.findOrAdd(key) else {
            giveBackIdlePointers()
            operations[id].phase = .pointer
            waitingForFrames.append(UInt32(id))
            return false
        }
        if pointers[slot].mine.covers(mode) && !(pointers[slot].isRecalled && !pointers[slot].keep.covers(mode)) {
            return true
        }
        pointers[slot].wantedPages = wantedPages(id, in: key)
        ask(slot, mode)
        waitForPointer(id, slot)
        return false
    }

    private mutating func waitForPointer(_ id: Int, _ slot: Int) {
        operations[id].phase = .pointer
        pointers[slot].waiters.append(UInt32(id), in: operations)
    }

    /// Asks the home for a pointer, unless that is done already or a recall must end first.
    mutating func ask(_ slot: Int, _ mode: PointerMode) {
        guard !pointers[slot].asked.covers(mode), !pointers[slot].isRecalled else { return }
        pointers[slot].asked = mode
        sendAsk(slot)
    }

    func pointerMessage(_ kind: MessageKind, _ key: UInt64, _ mode: PointerMode) -> PagingMessage {
        var message = PagingMessage(kind)
        message.unit = PageKey.unit(key).raw
        message.firstPage = PageKey.page(key)
        message.pageCount = PageKey.isState(key) ? 1 : UInt32(MemoryLimits.granulePages)
        message.argument = PageKey.isState(key) ? 1 : 0
        message.mode = mode
        return message
    }

    mutating func sendAsk(_ slot: Int) {
        guard membership.isChannelUp else { return }
        let record = pointers[slot]
        var message = pointerMessage(
            record.asked == .exclusive ? .allocateWrite : .allocateRead, record.key, record.asked)
        message.request = UInt32(slot) + 1
        if record.asked == .shared && !PageKey.isState(record.key) { message.argument2 = record.wantedPages }
        effects.append(.send(message, data: nil, stable: false))
    }

    /// Asks the partner to give up all but `keep`.
    mutating func recall(_ slot: Int, keep: PointerMode) {
        if pointers[slot].isRecalling && pointers[slot].recallKeep.rawValue <= keep.rawValue { return }
        pointers[slot].isRecalling = true
        pointers[slot].recallKeep = keep
        statistics.pointersRecalled += 1
        sendRecall(slot)
    }

    mutating func sendRecall(_ slot: Int) {
        guard membership.isChannelUp else { return }
        let message = pointerMessage(.lockRequest, pointers[slot].key, pointers[slot].recallKeep)
        effects.append(.send(message, data: nil, stable: false))
    }

    /// Looks again at every request and recall that waits for something here.
    mutating func evaluatePointers() {
        guard !pointers.attention.isEmpty else { return }
        pointers.awaitsClean = false
        for _ in 0..<pointers.attention.count {
            guard let next = pointers.attention.popFirst() else { return }
            let slot = Int(next)
            pointers[slot].isOnAttention = false
            evaluate(slot)
        }
    }

    private mutating func evaluate(_ slot: Int) {
        let record = pointers[slot]
        if record.wanted != .none {
            guard isFree(record.key, for: record.wanted) else { return pointers.putOnAttention(slot) }
            grant(slot)
        }
        if pointers[slot].isRecalled {
            let other: PointerMode = record.keep == .none ? .exclusive : .shared
            guard isFree(record.key, for: other) else { return pointers.putOnAttention(slot) }
            giveUp(slot)
        }
        if pointers[slot].isIdle { pointers.remove(slot) }
    }

    /// Whether nothing here stands in the way of the other side's holding `key` in `mode`: no command that relies on
    /// it, no dirty page in it (a pointer leaves after the destages of its range).
    private mutating func isFree(_ key: UInt64, for mode: PointerMode) -> Bool {
        // A joiner may see the record first and ask before this side is told: it waits until this side keeps pointers.
        guard condition.paired else { return false }
        if PageKey.isState(key) { return isStateFree(PageKey.unit(key), for: mode) }
        if units[Int(PageKey.unit(key).raw)].isMoving && isHome(PageKey.unit(key)) { return false }
        if isUsed(key, against: mode) { return false }
        if isGranuleDirty(key) && !Planted.isOn(.releaseDirty) {
            pointers.awaitsClean = true
            return false
        }
        if mode == .exclusive { dropGranule(key) }
        return true
    }

    /// Whether a command under way relies on the granule in a mode that excludes `mode`.
    func isUsed(_ key: UInt64, against mode: PointerMode) -> Bool {
        let unit = PageKey.unit(key)
        let first = PageKey.page(key)
        for id in 0..<lists.count {
            let op = operations[id]
            guard op.usesPointers, op.unit == unit, mode == .exclusive || op.kind != .read else { continue }
            if op.firstPage < first + MemoryLimits.granulePages && op.firstPage + UInt64(op.pageCount) > first {
                return true
            }
        }
        return false
    }

    private func isGranuleDirty(_ key: UInt64) -> Bool {
        for page in key..<(key + MemoryLimits.granulePages) {
            guard let slot = pages.find(page) else { continue }
            if pages[slot].isDeviceBusy || pages[slot].writer != .max { return true }
            if pages[slot].current != .none && pool[pages[slot].current].pointee.isDirty { return true }
        }
        return false
    }

    /// Forgets the (clean) cached pages of a granule that leaves; what is being staged is not kept either.
    mutating func dropGranule(_ key: UInt64) {
        for page in key..<(key + MemoryLimits.granulePages) {
            guard let slot = pages.find(page) else { continue }
            if pages[slot].isStaging { pages[slot].isDoomed = true }
            if pages[slot].current != .none { dropPage(of: pages[slot].current) }
        }
    }

    /// Home: the partner gets what it wanted.
    private mutating func grant(_ slot: Int) {
        let record = pointers[slot]
        if record.wanted == .shared && !PageKey.isState(record.key) { sendPages(slot) }
        lamport += 1
        pointers[slot].grant = lamport
        pointers[slot].theirs = record.wanted
        pointers[slot].wanted = .none
        if record.wanted == .exclusive { forgetRoom(record.key) }
        statistics.pointersGranted += 1
        var answer = pointerMessage(
            record.wanted == .exclusive ? .allocateWrite : .allocateRead, record.key, record.wanted)
        answer.isAnswer = true
        answer.request = record.wantedRequest
        answer.argument2 = lamport
        if PageKey.isState(record.key) {
            sendWithState(answer, PageKey.unit(record.key))
        } else {
            effects.append(.send(answer, data: nil, stable: false))
        }
        wakeWaiters(ofPointer: slot)
    }

    /// Not home: gives up what the home asked for.
    private mutating func giveUp(_ slot: Int) {
        let record = pointers[slot]
        let wasExclusive = record.mine == .exclusive
        pointers[slot].isRecalled = false
        if record.mine.rawValue > record.keep.rawValue { pointers[slot].mine = record.keep }
        pointers[slot].isReleasing = true
        forgetRoom(record.key)
        sendGiveUp(slot, modified: wasExclusive)
        wakeWaiters(ofPointer: slot)
        if PageKey.isState(record.key) { evaluateState(PageKey.unit(record.key)) }
    }

    mutating func sendGiveUp(_ slot: Int, modified: Bool) {
        guard membership.isChannelUp else { return }
        let record = pointers[slot]
        var message = pointerMessage(.releasePointer, record.key, record.mine)
        message.outcome = modified ? .modified : .unmodified
        message.argument2 = record.grant
        message.version = PageVersion(
            epoch: condition.epoch, counter: lamport, controller: configuration.controller.rawValue)
        if PageKey.isState(record.key) && modified {
            sendWithState(message, PageKey.unit(record.key))
        } else {
            effects.append(.send(message, data: nil, stable: false))
        }
    }

    /// The directory is full: idle pointers go back to the home, from any place in the table.
    private mutating func giveBackIdlePointers() {
        var returned = 0
        for slot in 0..<pointers.capacity where returned < 64 && pointers.isUsed(slot) {
            let record = pointers[slot]
            guard record.mine != .none, !record.isRecalled, record.waiters.isEmpty, record.asked == .none,
                !PageKey.isState(record.key)
            else { continue }
            pointers[slot].isRecalled = true
            pointers[slot].keep = .none
            pointers.putOnAttention(slot)
            returned += 1
        }
        evaluatePointers()
    }

    /// Who waits for a granule's pointer looks again.
    mutating func wakeWaiters(ofPointer slot: Int) {
        var waiters = pointers[slot].waiters
        pointers[slot].waiters = WaitList()
        wake(&waiters)
    }

    /// All pointers of both sides are void (epoch): whoever waits for one looks again.
    mutating func voidPointers(of unit: UnitIndex? = nil) {
        for index in configuration.units.indices where unit == nil || Int(unit?.raw ?? 0) == index {
            units[index].room.forgetAll()
        }
        for slot in 0..<pointers.capacity where pointers.isUsed(slot) {
            if let unit, PageKey.unit(pointers[slot].key) != unit || PageKey.isState(pointers[slot].key) { continue }
            dropPrefilled(slot)
            wakeWaiters(ofPointer: slot)
            let onAttention = pointers[slot].isOnAttention
            let key = pointers[slot].key
            if onAttention {
                pointers[slot] = PointerRecord()
                pointers[slot].key = key
                pointers[slot].isOnAttention = true
            } else {
                pointers.remove(slot)
            }
        }
        evaluatePointers()
    }
}
