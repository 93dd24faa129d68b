import BlockModel
import PagingFormats
import Primitives

// State blocks: one page a unit, shared by the same pointers as data; its content is always in a frame of this memory.
// The device server holds a standing read-only pointer, and is asked for it when somebody wants to write.
extension MemoryEngine {
    /// The state block's content is in `frame`, which stays pinned.
    mutating func loaded(_ unit: UnitIndex, _ frame: FrameIndex) {
        let state = units + Int(unit.raw)
        state.pointee.isLoaded = true
        state.pointee.content = frame
        if !membership.isBeingFilled { setHome(unit, StateBlock(frames.pointer(frame)).home) }
        evaluateState(unit)
    }

    private mutating func setHome(_ unit: UnitIndex, _ home: ControllerID) {
        guard units[Int(unit.raw)].home != home else { return }
        units[Int(unit.raw)].home = home
        effects.append(.homeChanged(unit, home))
    }

    /// Gives the state block to whoever may have it now: a claim or a writer first, then the standing reader.
    mutating func evaluateState(_ unit: UnitIndex) {
        let state = units + Int(unit.raw)
        guard state.pointee.isLoaded, condition.serving, !membership.isFrozen, !state.pointee.isWriting,
            !state.pointee.isHandingOver
        else { return }
        // The home counts the power cycle.
        if state.pointee.mustCyclePower && !isHome(unit) { state.pointee.mustCyclePower = false }
        let mustWrite = state.pointee.mustWrite || isMoveAsked(unit)
        if state.pointee.userWantsWrite || mustWrite {
            if state.pointee.userHolds { return recallUser(unit) }
            guard stateAvailable(unit, .exclusive), let draft = takeFrame() else { return }
            pool[draft].pointee.state = .filling
            copySectors(from: state.pointee.content, to: draft, mask: PageSize.fullMask)
            state.pointee.draft = draft
            state.pointee.isWriting = true
            state.pointee.writerIsUser = !mustWrite
            if mustWrite { return claim(unit) }
            state.pointee.userWantsWrite = false
            responses.append(.stateWritable(unit, draft))
        } else if state.pointee.userWants && !state.pointee.userHolds {
            guard stateAvailable(unit, .shared) else { return }
            state.pointee.userWants = false
            state.pointee.userHolds = true
            responses.append(.stateGranted(unit, state.pointee.content))
        }
    }

    /// Whether the home has something to write before anybody, the partner too, reads the state block.
    private func mustWriteFirst(_ unit: UnitIndex) -> Bool { units[Int(unit.raw)].mustCyclePower || isMoveAsked(unit) }

    /// Whether the state block asks this home to move to the partner.
    private func isMoveAsked(_ unit: UnitIndex) -> Bool {
        guard condition.paired, isHome(unit) else { return false }
        let block = StateBlock(frames.pointer(units[Int(unit.raw)].content))
        return block.wantedHome == configuration.controller.partner
    }

    /// Whether this controller has asked the home to move here.
    private func isMoveWanted(_ unit: UnitIndex) -> Bool {
        guard condition.paired, !isHome(unit) else { return false }
        let block = StateBlock(frames.pointer(units[Int(unit.raw)].content))
        return block.wantedHome == configuration.controller
    }

    private mutating func recallUser(_ unit: UnitIndex) {
        guard !units[Int(unit.raw)].userRecalled else { return }
        units[Int(unit.raw)].userRecalled = true
        responses.append(.stateRecalled(unit))
    }

    /// This controller becomes (or stays) home after the membership changed, and every nexus learns of it: ASYMMETRIC
    /// ACCESS STATE CHANGED (SPC-5 §5.18.2.1; 2Ah/06h).
    ///
    /// Alone, it also forgets what belonged to the partner's nexuses; after a power cycle, what did not outlive that.
    private mutating func claim(_ unit: UnitIndex) {
        let state = units + Int(unit.raw)
        let block = StateBlock(frames.pointer(state.pointee.draft))
        if state.pointee.mustCyclePower { block.cyclePower() }
        state.pointee.mustCyclePower = false
        if !condition.paired {
            block.forgetNexuses(of: configuration.controller.partner)
            block.forgetAccessStates()
        }
        let wanted = block.wantedHome
        block.wantedHome = nil
        if state.pointee.mustClaim {
            block.home = configuration.controller
            block.append(.init(code: 0x2A, qualifier: 0x06, scope: 0, controller: 0xFF, nexus: 0xFFFF))
        }
        // Whoever asked for the move has told every nexus.
        if condition.paired, !state.pointee.mustClaim, isHome(unit), let wanted { block.home = wanted }
        state.pointee.mustClaim = false
        commitState(unit, durable: false)
    }

    /// Whether the pointer between the controllers allows `mode` here; asks or recalls when not.
    private mutating func stateAvailable(_ unit: UnitIndex, _ mode: PointerMode) -> Bool {
        guard condition.paired else { return true }
        let key = PageKey.state(unit)
        if isHome(unit) {
            guard let slot = pointers.find(key) else { return true }
            if mode.conflicts(with: pointers[slot].wanted) && !mustWriteFirst(unit) { return false }
            guard mode.conflicts(with: pointers[slot].theirs) else { return true }
            recall(slot, keep: mode == .shared ? .shared : .none)
            return false
        }
        guard let slot = pointers.findOrAdd(key) else { return false }
        if pointers[slot].mine.covers(mode) && !pointers[slot].isRecalled { return true }
        ask(slot, mode)
        return false
    }

    /// Whether the partner may have the state block in `mode`: no writer here, the user's standing pointer given back
    /// for a writer there, our own version clean.
    mutating func isStateFree(_ unit: UnitIndex, for mode: PointerMode) -> Bool {
        let state = units + Int(unit.raw)
        if !state.pointee.isLoaded || state.pointee.isWriting || mustWriteFirst(unit) { return false }
        if mode == .exclusive && state.pointee.userHolds {
            recallUser(unit)
            return false
        }
        let frame = pool[state.pointee.content].pointee
        if frame.isDirty || pages.find(PageKey.state(unit)).map({ pages[$0].isDeviceBusy }) ?? false {
            pointers.awaitsClean = true
            return false
        }
        return true
    }

    /// Sends an answer or release with the state block's content as its data.
    mutating func sendWithState(_ message: PagingMessage, _ unit: UnitIndex) {
        var message = message
        let data = frames.pointer(units[Int(unit.raw)].content)
        message.dataLength = UInt32(PageSize.bytes)
        message.checksum = Checksum.crc32c(data, PageSize.bytes)
        effects.append(.send(message, data: UnsafeRawPointer(data), stable: false))
    }

    /// The partner's content of a state block, which came with a pointer.
    mutating func installState(_ unit: UnitIndex, _ data: UnsafeRawPointer) {
        let state = units + Int(unit.raw)
        guard state.pointee.isLoaded, !state.pointee.isWriting,
            !pool[state.pointee.content].pointee.isDirty
        else { return }
        frames.pointer(state.pointee.content).copyMemory(from: data, byteCount: PageSize.bytes)
        let wasHome = isHome(unit)
        setHome(unit, StateBlock(frames.pointer(state.pointee.content)).home)
        // The content may come with a pointer that was granted behind the move, before the word of the move itself.
        if condition.paired && !wasHome && isHome(unit) { becomeHome(unit) }
    }

    // MARK: committing and moving home

    /// The draft is complete. A change of home first clears everything that the old home keeps for the unit.
    mutating func commitState(_ unit: UnitIndex, durable: Bool) {
        let state = units + Int(unit.raw)
        precondition(state.pointee.isWriting && state.pointee.draft != .none, "commit of a state block not lent")
        // Only the home hands a unit over, and only to a partner: a move that was asked for before the membership or
        // the home changed is void.
        let draft = StateBlock(frames.pointer(state.pointee.draft))
        if !condition.paired { draft.home = configuration.controller } else if !isHome(unit) {
            draft.home = state.pointee.home
        }
        let newHome = draft.home
        if condition.paired && newHome != state.pointee.home && isHome(unit) {
            state.pointee.isPreparingMove = true
            state.pointee.moveBy = now + MemoryLimits.movePreparation
            evaluateMove(unit)
        } else {
            beginStateCommit(unit, durable: durable)
        }
    }

    private mutating func beginStateCommit(_ unit: UnitIndex, durable: Bool) {
        let id = lists.count + Int(unit.raw)
        start(id, .stateWrite, unit, BlockExtent(start: 0, count: UInt32(PageSize.sectors)))
        operations[id].phase = .space
        operations[id].durable = durable
        operations[id].isAdmitted = false
        runnable.append(UInt32(id))
    }

    /// Goes on with a move of home when nothing of the unit is in use, dirty, cached or lent any more.
    mutating func evaluateMove(_ unit: UnitIndex) {
        let state = units + Int(unit.raw)
        guard state.pointee.isMoving || state.pointee.isPreparingMove, state.pointee.isWriting,
            operations[lists.count + Int(unit.raw)].kind == .none
        else { return }
        if state.pointee.isPreparingMove {
            // Hosts wait while the rest is cleaned: let it be little first.
            let isMuch = dirtyPages > MemoryLimits.movePages(frames: pool.ownCount)
            if condition.paired && now < state.pointee.moveBy && isMuch {
                pointers.awaitsClean = true
                return
            }
            state.pointee.isPreparingMove = false
            state.pointee.isMoving = true
        }
        if condition.paired {
            for id in 0..<lists.count where operations[id].usesPointers && operations[id].unit == unit { return }
            var lent = false
            for slot in 0..<pointers.capacity where pointers.isUsed(slot) {
                guard PageKey.unit(pointers[slot].key) == unit, pointers[slot].theirs != .none else { continue }
                recall(slot, keep: .none)
                lent = true
            }
            if lent { return }
            if isDirty(unit, from: 0, to: .max, upTo: .max) {
                pointers.awaitsClean = true
                return
            }
            dropUnit(unit)
        }
        beginStateCommit(unit, durable: true)
    }

    /// Forgets every cached page of a unit, adopted ones in the mirror area too; all are clean.
    mutating func dropUnit(_ unit: UnitIndex) {
        for index in 0..<layout.frames {
            let record = pool.records[index]
            guard record.state == .current || record.state == .staging, PageKey.unit(record.key) == unit,
                !PageKey.isState(record.key)
            else { continue }
            if record.state == .current {
                dropPage(of: FrameIndex(UInt32(index)))
            } else if let slot = pages.find(record.key) {
                pages[slot].isDoomed = true
            }
        }
    }

    /// The state version is on both sides (or on the device): it is the content now.
    mutating func stateCommitted(_ unit: UnitIndex, _ fault: BlockFault?) {
        let state = units + Int(unit.raw)
        let older = state.pointee.content
        state.pointee.content = state.pointee.draft
        state.pointee.draft = .none
        state.pointee.isWriting = false
        pool[state.pointee.content].pointee.pins += 1
        unpin(older)
        setHome(unit, StateBlock(frames.pointer(state.pointee.content)).home)
        if state.pointee.isMoving {
            state.pointee.isMoving = false
            if condition.paired {
                voidPointers(of: unit)
                forgetStateHolders(unit)
                state.pointee.isHandingOver = true
                sendHandover(unit)
            }
            wakeHeld()
        }
        if state.pointee.writerIsUser { responses.append(.stateCommitted(unit, fault)) }
        if isMoveWanted(unit), let slot = pointers.find(PageKey.state(unit)) {
            // The home learns of the wish by getting the state block.
            pointers[slot].isRecalled = true
            pointers[slot].keep = .none
            pointers.putOnAttention(slot)
        }
        evaluateState(unit)
        evaluatePointers()
    }

    /// The new home gets the state block, and with it the lock directory: everything is its own.
    mutating func sendHandover(_ unit: UnitIndex) {
        guard membership.isChannelUp else { return }
        var message = pointerMessage(.releasePointer, PageKey.state(unit), .none)
        message.outcome = .modified
        message.argument = 3
        sendWithState(message, unit)
    }

    /// The home moves: who held the state block, or asked for it, did so of another home. On either side, what is
    /// wanted is asked for anew.
    private mutating func forgetStateHolders(_ unit: UnitIndex) {
        guard let slot = pointers.find(PageKey.state(unit)) else { return }
        wakeWaiters(ofPointer: slot)
        let onAttention = pointers[slot].isOnAttention
        pointers[slot] = PointerRecord()
        pointers[slot].key = PageKey.state(unit)
        pointers[slot].isOnAttention = onAttention
    }

    /// The old home has handed the unit over: what was asked of it is void.
    mutating func becomeHome(_ unit: UnitIndex) {
        voidPointers(of: unit)
        forgetStateHolders(unit)
        evaluateState(unit)
        evaluatePointers()
    }
}
