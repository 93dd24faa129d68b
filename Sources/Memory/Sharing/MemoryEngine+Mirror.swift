import BlockModel
import PagingFormats
import Primitives

// The partner's mirror area: space for our pages, and giving it back when their versions are clean or superseded.
extension MemoryEngine {
    /// Sets slots aside for the operation's pages, when its writes are mirrored; false when it now waits for space.
    mutating func reserveSlots(_ id: Int) -> Bool {
        let op = operations + id
        guard isMirroring, (units + Int(op.pointee.unit.raw)).pointee.mirrors & 1 << op.pointee.row != 0 else {
            return true
        }
        if op.pointee.reserved >= op.pointee.pageCount { return true }
        if slots.reserve(op.pointee.pageCount) {
            op.pointee.reserved = op.pointee.pageCount
            return true
        }
        op.pointee.phase = op.pointee.progress == 0 ? .space : .page
        waitingForSpace.append(UInt32(id))
        return false
    }

    /// Asks for more room when it gets scarce.
    mutating func askForSpace() {
        guard isMirroring, membership.isChannelUp, !slots.isAsking, !slots.isExhausted,
            slots.available < 4 * PageSize.operationPages
        else { return }
        slots.isAsking = true
        var message = PagingMessage(.spaceRequest)
        message.pageCount = MemoryLimits.spacePages
        message.argument = UInt64(slots.granted)
        message.mode = condition.joining ? .exclusive : .none
        effects.append(.send(message, data: nil, stable: false))
    }

    mutating func spaceGranted(_ answer: PagingMessage) {
        guard slots.isAsking else { return }
        slots.isAsking = false
        guard answer.status == .done, answer.pageCount > 0, answer.pageCount <= MemoryLimits.spacePages,
            answer.slot < UInt32.max - answer.pageCount
        else {
            slots.isExhausted = true
            return
        }
        slots.grant(first: answer.slot, count: answer.pageCount)
        while let waiting = waitingForSpace.popFirst() { runnable.append(waiting) }
    }

    /// The mirror copy of a frame is no longer needed: superseded, or clean.
    ///
    /// Order matters: a copy may go only after every older copy of the page has gone, else a takeover would find an
    /// old version alone. Both ways keep the order of calls, and the window is used only while no message waits.
    mutating func dropSlot(of frame: FrameIndex) {
        let record = pool[frame]
        let slot = record.pointee.slot
        guard slot != .max else { return }
        record.pointee.slot = .max
        guard isMirroring, !Planted.isOn(.keepMirrorCopy) else { return }
        if membership.isWindowOpen && membership.releasesPending == 0 {
            effects.clear(slot)
            membership.lastTouch = membership.batch
            slots.giveBack(slot)
            if !waitingForSpace.isEmpty { while let id = waitingForSpace.popFirst() { runnable.append(id) } }
        } else {
            sendRelease(slot: slot, count: 1, version: record.pointee.version)
        }
    }

    /// Tells the partner that mirror slots hold nothing any more ("destaged up to version").
    mutating func sendRelease(slot: UInt32, count: UInt32, version: PageVersion) {
        var message = PagingMessage(.releasePointer)
        message.outcome = .destaged
        message.slot = slot
        message.pageCount = count
        message.version = version
        message.request = UInt32.max
        membership.releasesPending += 1
        sendUntilAnswered(message)
    }

    /// Sends a message that is said again after a reconnect until it is answered.
    mutating func sendUntilAnswered(_ message: PagingMessage) {
        unanswered.append(message)
        if membership.isChannelUp { effects.append(.send(message, data: nil, stable: false)) }
    }

    /// The partner has dropped the oldest released slots; they may be used again.
    mutating func releaseAnswered(_ answer: PagingMessage) {
        guard let oldest = unanswered.first, oldest.kind == .releasePointer, oldest.slot == answer.slot,
            oldest.pageCount == answer.pageCount, let message = unanswered.popFirst()
        else { return }
        membership.releasesPending -= 1
        for slot in message.slot..<(message.slot + message.pageCount) { slots.giveBack(slot) }
        while let id = waitingForSpace.popFirst() { runnable.append(id) }
    }

    /// The window closed while the pair goes on: its last clears may not have arrived, so all free slots are released
    /// by messages before they are used again. Who had set some of them aside asks for others before it seals.
    mutating func releaseFreeSlots() {
        let free = slots.takeAllFree()
        forgetReservations()
        var index = 0
        while index < free.count {
            var count = 1
            while index + count < free.count, free[index + count] == free[index] + UInt32(count) { count += 1 }
            sendRelease(slot: free[index], count: UInt32(count), version: .none)
            index += count
        }
    }

    /// The partner's mirror area is not ours any more: it is gone, or another one.
    mutating func forgetGrants() {
        slots.reset()
        forgetReservations()
    }

    private mutating func forgetReservations() {
        for id in 0..<operationCount { operations[id].reserved = 0 }
    }

    // MARK: the partner's pages in our mirror area

    /// Grants the next part of the mirror area, all of it in time.
    mutating func answerSpace(_ message: PagingMessage) {
        if message.mode == .exclusive && !condition.paired && !membership.isBeingFilled {
            // A solo partner asks for room, and says why, before it reports that a joiner has everything.
            membership.isBeingFilled = true
            for index in configuration.units.indices { units[index].home = configuration.controller.partner }
        }
        // The sender names what it has; so a request that is repeated after a reconnect gets the same part again.
        let grantedSlots = UInt32(min(message.argument, UInt64(layout.mirrorFrames)))
        let left = UInt32(layout.mirrorFrames) - grantedSlots
        let count = min(left, message.pageCount)
        var answer = message.answer(count == 0 ? .noSpace : .done)
        answer.slot = UInt32(layout.mirrorStart) + grantedSlots
        answer.pageCount = count
        effects.append(.send(answer, data: nil, stable: false))
    }

    /// A page of the partner by message: into the slot that it names, sealed, unless something newer is there.
    mutating func receivePage(_ message: PagingMessage, _ data: UnsafeRawPointer?) {
        var answer = message.answer(.done)
        let slot = Int(message.slot)
        let hasTrailer = message.mode != .exclusive && message.unit < configuration.units.count
            && units[Int(message.unit)].isProtected
        let length = PageSize.bytes + (hasTrailer ? PageSize.trailerBytes : 0)
        guard let data, message.dataLength == length, slot >= layout.mirrorStart, slot < layout.frames,
            message.unit < configuration.units.count, pool.records[slot].state == .free
        else { return reply(&answer, .denied) }
        guard Checksum.crc32c(data, length) == message.checksum else { return reply(&answer, .unknown) }
        let base = region + layout.header(slot)
        if let present = FrameHeader(placed: base), present.version >= message.version {
            answer.version = present.version
            return reply(&answer, .done)
        }
        FrameHeader.open(at: base)
        frames.pointer(FrameIndex(message.slot)).copyMemory(from: data, byteCount: PageSize.bytes)
        if hasTrailer {
            (region + layout.trailer(slot)).copyMemory(
                from: data + PageSize.bytes, byteCount: PageSize.trailerBytes)
        }
        var header = FrameHeader()
        header.hasTrailer = hasTrailer
        header.version = message.version
        header.guid = message.guid
        header.unit = message.unit
        header.kind = message.mode == .exclusive ? .state : .data
        header.validMask = message.validMask
        header.dirtyMask = message.dirtyMask
        header.groupSize = message.groupSize
        header.page = message.firstPage
        header.checksum = message.checksum
        header.groupCounter = message.groupCounter
        if message.groupSize > 1 {
            header.role = message.version.counter == message.groupCounter ? .leader : .member
        }
        FrameHeader.seal(header.encode(to: base), at: base)
        if header.role == .leader { settleMembers(of: header) }
        if header.role == .member {
            if recentMembers.count == PageSize.operationPages { _ = recentMembers.popFirst() }
            recentMembers.append(message.slot)
        }
        partnerBlocks.hold(message.guid, at: slot - layout.mirrorStart)
        raiseLamport(to: message.version.counter)
        reply(&answer, .done)
    }

    private mutating func reply(_ answer: inout PagingMessage, _ status: MessageStatus) {
        answer.status = status
        effects.append(.send(answer, data: nil, stable: false))
    }

    /// The partner's pages in these slots are clean.
    mutating func dropMirrored(_ message: PagingMessage) {
        let first = Int(message.slot)
        let count = Int(message.pageCount)
        guard first >= layout.mirrorStart, count <= layout.mirrorFrames, first + count <= layout.frames else { return }
        if count == 0 { settleMirroredGroups() }
        for slot in first..<(first + count) where pool.records[slot].state == .free {
            FrameHeader.open(at: region + layout.header(slot))
            partnerBlocks.drop(at: slot - layout.mirrorStart)
        }
        effects.append(.send(message.answer(.done), data: nil, stable: false))
    }
}
