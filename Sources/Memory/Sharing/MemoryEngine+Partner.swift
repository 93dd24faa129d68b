import BlockModel
import PagingFormats
import Primitives

// Messages of the partner: each of the ten kinds but sense request (Pair's) and the answers to write page (the copy
// module's), as request and as answer.
extension MemoryEngine {
    /// A paging message that Pair has authenticated, and found to be of the present connection and epoch. `data` holds
    /// `dataLength` bytes and is valid during the call.
    package mutating func deliver(_ message: PagingMessage, data: UnsafeRawPointer?, at now: Instant) {
        self.now = now
        guard message.kind == .readHeader || Int(message.unit) < configuration.units.count else { return }
        raiseLamport(to: message.version.counter)
        if message.isAnswer { deliverAnswer(message, data) } else { deliverRequest(message, data) }
        run()
    }

    private mutating func deliverRequest(_ message: PagingMessage, _ data: UnsafeRawPointer?) {
        switch message.kind {
        case .spaceRequest: answerSpace(message)
        case .allocateMemory: allocateForPartner(message)
        case .releaseMemory: releaseForPartner(message)
        case .lockRequest: message.argument == 2 ? requestClean(message) : recalled(message)
        case .readHeader: headersAsked(message)
        case .writePage: receivePage(message, data)
        case .allocateRead, .allocateWrite: wanted(message)
        case .releasePointer:
            if message.outcome == .destaged { dropMirrored(message) } else { givenUp(message, data) }
        case .senseRequest: break
        }
    }

    private mutating func deliverAnswer(_ message: PagingMessage, _ data: UnsafeRawPointer?) {
        switch message.kind {
        case .spaceRequest: spaceGranted(message)
        case .lockRequest: if message.argument == 2 { partnerCleaned(message) }
        case .readHeader: headerAnswered(message)
        case .allocateRead, .allocateWrite: granted(message, data)
        case .releasePointer:
            if message.outcome == .destaged { releaseAnswered(message) } else { giveUpAnswered(message) }
        case .allocateMemory, .releaseMemory: blockAnswered(message)
        case .writePage, .senseRequest: break
        }
    }

    /// The directory key that a pointer message names, nil when its range is none of ours.
    private func key(of message: PagingMessage) -> UInt64? {
        let unit = UnitIndex(message.unit)
        if message.argument & 1 == 1 { return PageKey.state(unit) }
        guard message.firstPage < PageKey.stateFlag, message.firstPage % MemoryLimits.granulePages == 0,
            message.firstPage < units[Int(unit.raw)].pageCount
        else { return nil }
        return PageKey.data(unit, message.firstPage)
    }

    /// Home: the partner asks for a pointer.
    private mutating func wanted(_ message: PagingMessage) {
        guard let key = key(of: message), message.mode != .none, isHome(UnitIndex(message.unit)) else {
            return effects.append(.send(message.answer(.denied), data: nil, stable: false))
        }
        guard let slot = pointers.findOrAdd(key) else {
            return effects.append(.send(message.answer(.noSpace), data: nil, stable: false))
        }
        pointers[slot].wanted = message.mode
        pointers[slot].wantedRequest = message.request
        pointers[slot].wantedPages = message.argument2
        pointers.putOnAttention(slot)
        evaluatePointers()
    }

    /// Not home: the home has granted (or could not).
    private mutating func granted(_ message: PagingMessage, _ data: UnsafeRawPointer?) {
        if message.status == .exists { return pageFetched(message, data) }
        // A question that was repeated after a reconnect may be granted twice: the home goes by the second grant, so
        // it counts here too, wanted or not.
        guard let key = key(of: message), !isHome(UnitIndex(message.unit)), let slot = pointers.findOrAdd(key) else {
            return
        }
        if message.status == .done {
            if message.mode.covers(pointers[slot].asked) { pointers[slot].asked = .none }
            pointers[slot].mine = message.mode
            pointers[slot].isPrefilled = false
            pointers[slot].grant = message.argument2
            if PageKey.isState(key), let data, message.dataLength == PageSize.bytes {
                installState(PageKey.unit(key), data)
            }
        } else {
            pointers[slot].asked = .none
            dropPrefilled(slot)
        }
        wakeWaiters(ofPointer: slot)
        if PageKey.isState(key) { evaluateState(PageKey.unit(key)) }
        evaluatePointers()
    }

    /// Not home: the home wants something back. The answer says that it is queued; the release follows.
    private mutating func recalled(_ message: PagingMessage) {
        effects.append(.send(message.answer(.queued), data: nil, stable: false))
        guard let key = key(of: message), !isHome(UnitIndex(message.unit)), let slot = pointers.findOrAdd(key) else {
            return
        }
        if !pointers[slot].isRecalled || message.mode.rawValue < pointers[slot].keep.rawValue {
            pointers[slot].isRecalled = true
            pointers[slot].keep = message.mode
        }
        pointers.putOnAttention(slot)
        evaluatePointers()
    }

    /// Home: the partner has given up a pointer (or the home of the unit has moved here).
    private mutating func givenUp(_ message: PagingMessage, _ data: UnsafeRawPointer?) {
        effects.append(.send(message.answer(.done), data: nil, stable: false))
        guard let key = key(of: message) else { return }
        let unit = UnitIndex(message.unit)
        let content = PageKey.isState(key) && message.dataLength == PageSize.bytes ? data : nil
        if message.argument == 3 {
            // Said again after a reconnect, when it is long the home and has gone on.
            if condition.paired && isHome(unit) { return }
            if let content { installState(unit, content) }
            if !isHome(unit) { becomeHome(unit) }
            return
        }
        guard let slot = pointers.find(key), isHome(unit) else { return }
        guard message.argument2 == pointers[slot].grant else {
            // The release of an older grant crossed a newer one: the recall still stands, and is said again.
            if pointers[slot].isRecalling { sendRecall(slot) }
            return
        }
        // What is said again may be older than what has been written here since.
        if let content, pointers[slot].theirs != .none { installState(unit, content) }
        pointers[slot].theirs = message.mode
        if message.mode.rawValue <= pointers[slot].recallKeep.rawValue { pointers[slot].isRecalling = false }
        wakeWaiters(ofPointer: slot)
        if pointers[slot].isIdle { pointers.remove(slot) }
        if PageKey.isState(key) { evaluateState(unit) }
        evaluatePointers()
        evaluateMove(unit)
    }

    /// Not home: the home knows what we gave up.
    private mutating func giveUpAnswered(_ message: PagingMessage) {
        if message.argument == 3 {
            units[Int(message.unit)].isHandingOver = false
            return
        }
        guard let key = key(of: message), let slot = pointers.find(key) else { return }
        pointers[slot].isReleasing = false
        if pointers[slot].isIdle { pointers.remove(slot) }
    }

    // MARK: SYNCHRONIZE CACHE across controllers

    /// Asks the partner to have its dirty pages of the operation's range on the device.
    mutating func askPartnerToClean(_ id: Int) {
        guard membership.isChannelUp else { return }
        let op = operations[id]
        var message = PagingMessage(.lockRequest)
        message.unit = op.unit.raw
        message.firstPage = op.firstPage
        message.pageCount = op.extent.count == 0 ? 0 : UInt32(op.pageCount)
        message.mode = .shared
        message.argument = 2
        // A discard wants the copies of clean pages gone as well.
        message.argument2 = op.kind == .discard ? 1 : 0
        message.request = UInt32(id) + 1
        effects.append(.send(message, data: nil, stable: false))
    }

    private mutating func requestClean(_ message: PagingMessage) {
        guard cleanRequests.count < 1024 else {
            return effects.append(.send(message.answer(.busy), data: nil, stable: false))
        }
        var request = message
        request.version.counter = lamport
        cleanRequests.append(request)
        answerCleanRequests()
    }

    /// Answers the partner's requests whose ranges are clean up to what was dirty when they came.
    mutating func answerCleanRequests() {
        for _ in 0..<cleanRequests.count {
            guard let request = cleanRequests.popFirst() else { return }
            let end = request.pageCount == 0 ? UInt64.max : request.firstPage &+ UInt64(request.pageCount)
            let limit = request.argument2 == 1 ? UInt64.max : request.version.counter
            if isDirty(UnitIndex(request.unit), from: request.firstPage, to: end, upTo: limit)
                || request.argument2 == 1 && !hasReleased
            {
                cleanRequests.append(request)
            } else {
                effects.append(.send(request.answer(.done), data: nil, stable: false))
            }
        }
    }

    private mutating func partnerCleaned(_ message: PagingMessage) {
        guard message.request >= 1, Int(message.request) <= lists.count else { return }
        let id = Int(message.request) - 1
        let isWaiting = operations[id].kind == .synchronize || operations[id].kind == .discard
        guard isWaiting, !operations[id].partnerDone else { return }
        if message.status == .busy { return askPartnerToClean(id) }
        operations[id].partnerDone = true
        if message.status != .done { operations[id].fault = .unwritable }
        cleanChanged()
    }
}
