import BlockModel
import Primitives
import SAM
import SCSIFormats

// The unit's state block: its pointers and its changes.

extension DeviceServer {
    /// Moves home of a unit (administrative): every nexus learns ASYMMETRIC ACCESS STATE CHANGED. `homeIsMoving` tells
    /// when it is done. Nothing happens for a unit that is not there, or whose home `controller` is already.
    package mutating func moveHome(_ unit: UnitIndex, to controller: ControllerID, at now: Instant) {
        self.now = now
        guard let ordinal = unitOrdinals[UInt64(unit.raw)].map(Int.init) else { return }
        if units[ordinal].homeChange >= 0 {
            changes[Int(units[ordinal].homeChange)].subject = UInt16(controller.rawValue)
        } else {
            add(StateChange(kind: .home, subject: UInt16(controller.rawValue)), to: ordinal)
            units[ordinal].homeChange = units[ordinal].lastChange
        }
        settle(ordinal)
    }

    /// Whether a `moveHome` of the unit is not committed yet.
    package func homeIsMoving(_ unit: UnitIndex) -> Bool {
        guard let ordinal = unitOrdinals[UInt64(unit.raw)].map(Int.init) else { return false }
        if units[ordinal].homeChange >= 0 { return true }
        var at = units[ordinal].firstApplied
        while at >= 0 {
            if changes[Int(at)].kind == .home { return true }
            at = changes[Int(at)].next
        }
        return false
    }

    /// Home of a unit, as its state block said when it was last here.
    package func home(of unit: UnitIndex) -> ControllerID {
        unitOrdinals[UInt64(unit.raw)].map { units[Int($0)].home } ?? controller
    }

    /// The membership's word: whether and until when hosts are answered.
    mutating func serve(_ condition: ServiceCondition) {
        self.condition = condition
        if condition.serving {
            if lifeEpoch == 0 { lifeEpoch = condition.epoch }
            if let lastPaired, lastPaired != condition.paired, controllers > 1 {
                for unit in 0..<noUnit { attend(.asymmetricAccessStateChanged, unit: unit) }
            }
            if lastPaired != condition.paired { lookForWork() }
            lastPaired = condition.paired
            for unit in 0..<noUnit where works[unit].operation != nil { work(unit) }
        }
        settleAll()
    }

    /// Establishes a unit attention for every nexus of this controller but one.
    mutating func attend(_ code: AdditionalSenseCode, unit: Int, except excluded: Int = -1) {
        for nexus in 0..<maxNexuses where nexusTargets[nexus] >= 0 && nexus != excluded {
            attentions.establish(code, nexus: nexus, unit: unit)
        }
    }

    // MARK: Pointers

    /// Gives, takes or asks for the unit's pointer as its commands and changes need it.
    mutating func movePointer(_ unit: Int) {
        let idle = units[unit].executing == 0
        let changing = units[unit].firstChange >= 0
        if units[unit].pointer == .recalled, idle {
            units[unit].pointer = .none
            blocks.append(.returnState(units[unit].index))
        }
        switch units[unit].pointer {
        case .none where changing, .granted where changing && idle:
            units[unit].pointer = .writeWanted
            blocks.append(.wantStateWrite(units[unit].index))
        case .none:
            // The partner may have taken it to ask for what this controller did.
            let mayBeAsked = units[unit].wasRecalled && units[unit].published != units[unit].activity
            guard someoneWaitsForState(unit) || (mayBeAsked && units[unit].live == 0) else { return }
            units[unit].wasRecalled = false
            units[unit].pointer = .wanted
            blocks.append(.wantState(units[unit].index))
        case .wanted, .granted, .recalled, .writeWanted, .committing: break
        }
    }

    private func someoneWaitsForState(_ unit: Int) -> Bool {
        if works[unit].wantsState { return true }
        var at = units[unit].firstWaiting
        while at >= 0 {
            if needsState(Int(at)) { return true }
            at = tasks[Int(at)].next
        }
        return false
    }

    mutating func stateGranted(_ index: UnitIndex, _ frame: FrameIndex) {
        guard let unit = unitOrdinals[UInt64(index.raw)].map(Int.init), units[unit].pointer == .wanted else { return }
        units[unit].pointer = .granted
        units[unit].stateFrame = frame
        learn(unit, StateBlock(frames.pointer(frame)))
        work(unit)
        settle(unit)
    }

    mutating func stateRecalled(_ index: UnitIndex) {
        guard let unit = unitOrdinals[UInt64(index.raw)].map(Int.init), units[unit].pointer == .granted else { return }
        units[unit].pointer = .recalled
        units[unit].wasRecalled = true
        settle(unit)
    }

    mutating func stateWritable(_ index: UnitIndex, _ frame: FrameIndex) {
        guard let unit = unitOrdinals[UInt64(index.raw)].map(Int.init), units[unit].pointer == .writeWanted
        else { return }
        let block = StateBlock(frames.pointer(frame))
        learn(unit, block)
        units[unit].firstApplied = units[unit].firstChange
        units[unit].firstChange = -1
        units[unit].lastChange = -1
        units[unit].homeChange = -1
        var at = units[unit].firstApplied
        while at >= 0 {
            apply(changes[Int(at)], to: block, unit)
            at = changes[Int(at)].next
        }
        units[unit].seen = block.eventNumber
        units[unit].adopt(block)
        noteThresholds(block, unit)
        noteReservation(unit, block)
        units[unit].pointer = .committing
        counters.stateCommits &+= 1
        blocks.append(.commitState(units[unit].index, durable: units[unit].isCommitDurable))
        units[unit].isCommitDurable = false
        settle(unit)
    }

    mutating func stateCommitted(_ index: UnitIndex, _ fault: BlockFault?) {
        guard let unit = unitOrdinals[UInt64(index.raw)].map(Int.init), units[unit].pointer == .committing
        else { return }
        units[unit].pointer = .none
        var at = units[unit].firstApplied
        units[unit].firstApplied = -1
        while at >= 0 {
            let change = changes[Int(at)]
            changes.giveBack(Int(at))
            finish(change, fault, unit)
            at = change.next
        }
        work(unit)
        settle(unit)
    }

    // MARK: Changes

    /// Queues a change; `settle` asks for the write pointer.
    mutating func add(_ change: StateChange, to unit: Int) {
        guard let place = changes.take() else { preconditionFailure("more state changes than `init` counted") }
        changes[place] = change
        changes[place].next = -1
        if units[unit].lastChange < 0 {
            units[unit].firstChange = Int32(place)
        } else {
            changes[Int(units[unit].lastChange)].next = Int32(place)
        }
        units[unit].lastChange = Int32(place)
    }

    /// The command in `slot` changes its unit's state block: it waits for the write pointer, and ends when the change
    /// is committed. Until then it relies on nothing.
    mutating func changeState(_ slot: Int) {
        tasks[slot].phase = .changingState
        tasks[slot].verdict = .done
        letStateGo(slot)
        beginPatience(slot)
        add(StateChange(kind: .command, subject: UInt16(slot)), to: Int(tasks[slot].unit))
    }

    /// Takes a command's change back; false when it is applied already.
    mutating func withdrawChange(_ slot: Int) -> Bool {
        let unit = Int(tasks[slot].unit)
        var previous: Int32 = -1
        var at = units[unit].firstChange
        while at >= 0 {
            let next = changes[Int(at)].next
            if changes[Int(at)].kind == .command, Int(changes[Int(at)].subject) == slot {
                if previous < 0 { units[unit].firstChange = next } else { changes[Int(previous)].next = next }
                if next < 0 { units[unit].lastChange = previous }
                changes.giveBack(Int(at))
                return true
            }
            previous = at
            at = next
        }
        return false
    }

    /// Makes a change in the draft, and tells the nexuses of this controller; the partner's learn it from the ring.
    private mutating func apply(_ change: StateChange, to block: StateBlock, _ unit: Int) {
        switch change.kind {
        case .home:
            let home = ControllerID(rawValue: UInt8(truncatingIfNeeded: change.subject)) ?? controller
            if block.home == home { return }
            block.home = home
            block.forgetAccessStates()
            announce(.asymmetricAccessStateChanged, scope: 0, block, unit)
        case .sweep: applySweep(block, unit)
        case .command:
            let slot = Int(change.subject)
            // Aborted by a change before it in the same draft.
            if tasks[slot].fate != .none { return }
            tasks[slot].verdict = self.change(slot, block, unit)
        case .counters: applyCounters(block, unit)
        case .work: applyWork(block, unit)
        case .queueError:
            units[unit].tellsFault = false
            announce(.commandsClearedByAnotherInitiator, scope: 1, block, unit)
        case .thresholds: applyThresholds(block, unit)
        case .taskManagement:
            guard management[Int(change.subject)].function != .clearTaskSet else {
                announce(.commandsClearedByAnotherInitiator, scope: 1, block, unit)
                return
            }
            // A reset takes mode parameters back to their saved values (SPC-4 §6.13.5).
            block.resetParameters()
            block.resetNexuses()
            standings.allow(unit: unit)
            announce(.busDeviceResetFunctionOccurred, scope: 1, block, unit)
        }
    }

    /// Makes a command's change in the draft of its unit's state block, under the write pointer: what it sees there is
    /// what every command before it on both controllers left. Answers how the command ends once that is committed.
    private mutating func change(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        switch commands[Int(tasks[slot].row)].handler {
        case .dataOut(let list): return changeByList(slot, list, block, unit)
        case .plain(.reserve): return applyReserve(slot, block)
        case .plain(.release): return applyRelease(slot, block)
        case .plain(.startStopUnit): return applyStartStop(slot, block, unit)
        case .plain(.preventAllowMediumRemoval): return applyPreventAllow(slot, block, unit)
        case .plain(.blockErase): return applyBegin(slot, block, unit)
        case .plain(.exitFailureMode): return applyExitFailureMode(block)
        case .medium: return applyMarks(slot, block, unit)
        case .plain, .dataIn: return .done
        }
    }

    mutating func announce(
        _ code: AdditionalSenseCode, scope: UInt8, _ block: StateBlock, _ unit: Int, except nexus: Int = -1
    ) {
        block.append(
            StateBlock.Event(
                code: code.code, qualifier: code.qualifier, scope: scope,
                controller: nexus < 0 ? 0xFF : controller.rawValue, nexus: nexus < 0 ? 0xFFFF : UInt16(nexus)))
        if code != .commandsClearedByAnotherInitiator { attend(code, unit: unit, except: nexus) }
    }

    /// The commit of a change was answered.
    private mutating func finish(_ change: StateChange, _ fault: BlockFault?, _ unit: Int) {
        switch change.kind {
        case .home, .counters, .sweep, .queueError, .thresholds: break
        case .work: workRecorded(unit, fault)
        case .command:
            let slot = Int(change.subject)
            if tasks[slot].fate != .none {
                endWithoutCompletion(slot)
            } else if let fault {
                // Not counted: that would be one more change.
                fail(slot, Self.sense(fault))
            } else {
                changed(slot)
            }
        case .taskManagement:
            management[Int(change.subject)].commits -= 1
            if fault != nil { management[Int(change.subject)].failed = true }
        }
    }

    /// A command's change is committed: the command ends as the change found.
    private mutating func changed(_ slot: Int) {
        switch tasks[slot].verdict {
        case .done: complete(slot, .good, total: tasks[slot].total)
        case .begun: begun(slot)
        case .moving(let home):
            tasks[slot].checksum = UInt32(home.rawValue)
            resume(slot, .home)
        case .refused(let status): complete(slot, status, total: 0)
        case .failed(let sense): fail(slot, sense, total: tasks[slot].limit)
        }
    }
}
