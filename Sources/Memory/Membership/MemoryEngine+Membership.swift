import BlockModel
import PagingFormats
import Primitives

// Orders of Pair, and the reports that they are fulfilled.
extension MemoryEngine {
    /// An order of Pair; what it must be answered with says `MembershipOrder`.
    package mutating func handle(_ order: MembershipOrder, at now: Instant) {
        self.now = now
        switch order {
        case .begin: beginLife()
        case .freeze:
            membership.isFrozen = true
            condition.serving = false
            responses.append(.serving(condition))
        case .adoptMirror(let epoch):
            condition.epoch = max(condition.epoch, epoch)
            let adopted = adoptMirrorArea()
            rereadStateBlocks()
            effects.append(.report(.mirrorAdopted(pages: UInt32(adopted))))
        case .adoptForeign(let base, let layout, let epoch):
            condition.epoch = max(condition.epoch, epoch)
            let adopted = adoptForeign(base, layout)
            rereadStateBlocks()
            effects.append(.report(.foreignAdopted(pages: UInt32(adopted))))
        case .agreeHeaders(let epoch):
            condition.epoch = max(condition.epoch, epoch)
            beginAgreement()
        case .cyclePower:
            for index in configuration.units.indices { units[index].mustCyclePower = true }
        case .serve(let next):
            serve(next)
        case .catchUp:
            membership.isCatchingUp = true
            membership.catchUpReported = false
            forgetGrants()
            condition.joining = true
        case .abandonCatchUp:
            membership.isCatchingUp = false
            condition.joining = false
            partnerLost()
        case .quiesce:
            membership.isQuiescing = true
            membership.quiesceReported = false
            condition.serving = false
            responses.append(.serving(condition))
        case .drain:
            membership.isDraining = true
            membership.drainReported = false
        case .void:
            voidEverything()
        case .channelUp:
            membership.isChannelUp = true
            repeatUnanswered()
        case .channelDown:
            membership.isChannelUp = false
        case .window(let open):
            let wasOpen = membership.isWindowOpen
            membership.isWindowOpen = open
            if wasOpen && !open && isMirroring {
                // Settled first: a leader may be among what is released.
                sendSettle()
                releaseFreeSlots()
            }
        }
        run()
    }

    private mutating func serve(_ next: ServiceCondition) {
        let before = condition
        condition = next
        condition.joining = next.joining || (membership.isCatchingUp && !next.paired)
        if next.serving {
            membership.isFrozen = false
            membership.isQuiescing = false
            membership.isSettling = false
        }
        if next.paired && !before.paired { paired(wasSolo: membership.isCatchingUp) }
        if next.serving && !next.paired && before.paired || next.serving && !before.serving && !next.paired {
            partnerLost()
            membership.isBeingFilled = false
            for index in configuration.units.indices { units[index].mustClaim = true }
        }
        responses.append(.serving(condition))
        wakeHeld()
        for index in configuration.units.indices { evaluateState(UnitIndex(UInt16(index))) }
        evaluatePointers()
    }

    /// Two members from now on. The one that was solo tells every nexus that the other's ports serve again.
    private mutating func paired(wasSolo: Bool) {
        membership.isCatchingUp = false
        if wasSolo {
            for index in configuration.units.indices { units[index].mustClaim = true }
        } else {
            forgetGrants()
            forgetSlots()
        }
    }

    /// The partner's memory, locks and pointers are void.
    private mutating func partnerLost() {
        forgetPartnersMemory()
        membership.catchUpCopies = 0
        membership.isWindowOpen = false
        cleanRequests.removeAll()
        forgetSlots()
        voidPointers()
        for index in configuration.units.indices { units[index].isHandingOver = false }
        for id in 0..<operationCount {
            operations[id].partnerDone = true
            if operations[id].kind != .none && operations[id].phase == .mirror {
                operations[id].outstanding = 0
                operations[id].phase = .held
                held.append(UInt32(id))
            }
        }
        for index in configuration.units.indices { evaluateMove(UnitIndex(UInt16(index))) }
        cleanChanged()
    }

    /// What the two memories have agreed on is void, here and there: room, blocks, and messages about them.
    mutating func forgetPartnersMemory() {
        forgetGrants()
        unanswered.removeAll()
        blocks.forgetAnnouncements()
        partnerBlocks.removeAll()
        membership.releasesPending = 0
    }

    /// No frame has a copy at the partner any more.
    private mutating func forgetSlots() {
        for index in 0..<layout.frames where pool.records[index].state != .free {
            pool.records[index].slot = .max
        }
    }

    mutating func wakeHeld() {
        while let id = held.popFirst() { runnable.append(id) }
    }

    /// A new channel connection: everything that has no answer is said again (pair-rules 6).
    private mutating func repeatUnanswered() {
        if slots.isAsking {
            slots.isAsking = false
            askForSpace()
        }
        for index in 0..<unanswered.count { effects.append(.send(unanswered[index], data: nil, stable: false)) }
        for slot in 0..<pointers.capacity where pointers.isUsed(slot) {
            // A state block goes with its pointer; data are on the device by then.
            if pointers[slot].isReleasing { sendGiveUp(slot, modified: PageKey.isState(pointers[slot].key)) }
            dropPrefilled(slot)
            if pointers[slot].asked != .none { sendAsk(slot) }
            if pointers[slot].isRecalling { sendRecall(slot) }
        }
        for index in configuration.units.indices where units[index].isHandingOver {
            sendHandover(UnitIndex(UInt16(index)))
        }
        for id in 0..<lists.count where operations[id].kind == .synchronize && !operations[id].partnerDone {
            askPartnerToClean(id)
        }
        for place in 0..<discards.count where !operations[Int(discards[place])].partnerDone {
            askPartnerToClean(Int(discards[place]))
        }
        if membership.agreement.step != .none && membership.agreement.step != .agreed { askForHeaders() }
    }

    /// Progress that is looked at once a batch: reports that became true, and copies for a joiner.
    mutating func membershipSettle() {
        if membership.isCatchingUp { catchUp() }
        if membership.isQuiescing && !membership.quiesceReported && transfers.count == 0 {
            membership.quiesceReported = true
            effects.append(.report(.quiesced))
        }
        let isClean = dirtyPages == 0
        if membership.isDraining && !membership.drainReported && isClean && transfers.count == 0 {
            membership.drainReported = true
            effects.append(.report(.drained))
        }
        let isDirty = !isClean && !Planted.isOn(.acknowledgeBeforeDevice)
        if condition.serving && !condition.paired && membership.reportedDirty != isDirty {
            membership.reportedDirty = isDirty
            effects.append(.report(.dirty(isDirty)))
        }
        if condition.paired { membership.reportedDirty = true }
        settleAgreement()
        for index in configuration.units.indices {
            let unit = UnitIndex(UInt16(index))
            if !units[index].isLoaded && transfers.count == 0 { readStateBlocks() }
            if units[index].userWantsWrite || units[index].mustWrite { evaluateState(unit) }
            if units[index].isMoving || units[index].isPreparingMove { evaluateMove(unit) }
        }
    }

    /// Copies every dirty page that the joiner does not hold yet, and reports when there is none.
    private mutating func catchUp() {
        askForSpace()
        copyUncopied(dirty)
        for index in 0..<configuration.deviceCount { copyUncopied(devices[index].written) }
        if Planted.isOn(.skipCatchUp) && !membership.catchUpReported {
            membership.catchUpReported = true
            return effects.append(.report(.caughtUp))
        }
        let claims = configuration.units.indices.contains { units[$0].mustWrite || units[$0].isWriting }
        guard !membership.catchUpReported, membership.catchUpCopies == 0, !claims, membership.isChannelUp,
            slots.granted > 0, !isIncomplete(dirty),
            !(0..<configuration.deviceCount).contains(where: { isIncomplete(devices[$0].written) })
        else { return }
        membership.catchUpReported = true
        effects.append(.report(.caughtUp))
    }

    /// A page that the joiner does not hold, or one that a takeover adopted in place: the joiner's own pages will need
    /// that room as soon as it is a member.
    private func isIncomplete(_ list: FrameList) -> Bool {
        var next = list.head
        while next != .max {
            if pool.records[Int(next)].slot == .max || Int(next) >= pool.ownCount { return true }
            next = pool.records[Int(next)].next
        }
        return false
    }

    private mutating func copyUncopied(_ list: FrameList) {
        var next = list.head
        while next != .max, membership.catchUpCopies < PageSize.operationPages {
            let frame = FrameIndex(next)
            let record = pool[frame]
            next = record.pointee.next
            guard record.pointee.slot == .max, slots.reserve(1) else { continue }
            guard let slot = slots.take() else { continue }
            record.pointee.slot = slot
            record.pointee.pins += 1
            membership.catchUpCopies += 1
            let unit = PageKey.unit(record.pointee.key)
            let methods = copyPreference(unit, 0)
            if copiesByMessage(methods), let page = pages.find(record.pointee.key) { announceBlock(pages[page].block) }
            effects.append(.copy(frame: frame, slot: slot, methods: methods))
        }
    }

    /// A copy for a joiner is complete.
    mutating func catchUpCopied(_ frame: FrameIndex) {
        let record = pool[frame]
        guard membership.catchUpCopies > 0, record.pointee.pins > 0 else { return }
        membership.catchUpCopies -= 1
        unpin(frame)
    }
}
