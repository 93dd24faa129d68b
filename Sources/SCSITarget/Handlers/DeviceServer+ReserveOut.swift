import BlockModel
import Primitives
import SAM
import SCSIFormats

// PERSISTENT RESERVE OUT (SPC-5 §5.14, §6.16): the checks before and around each change. What it changes is done in the
// draft of the state block; a refused command leaves the draft as it was.

extension DeviceServer {
    /// The lists of all service actions but two have 24 bytes; no list is an error here.
    func checkReserveOut(_ slot: Int) -> SenseData? {
        let cdb = tasks[slot].cdb
        guard cdb.big32(5) >= UInt32(ReserveOutList.length), tasks[slot].dataOutLength >= UInt32(ReserveOutList.length)
        else { return SenseData(.illegalRequest, .parameterListLengthError) }
        guard let action = ReserveOutAction(rawValue: cdb[1] & 0x1F) else { return .invalidField(inCDB: 1, bit: 4) }
        switch action {
        case .reserve, .release:
            if cdb[2] >> 4 != 0 { return .invalidField(inCDB: 2, bit: 7) }
            return ReservationType(rawValue: cdb[2] & 0xF) == nil ? .invalidField(inCDB: 2, bit: 3) : nil
        case .register, .clear, .preempt, .preemptAndAbort, .registerAndIgnoreExistingKey, .registerAndMove:
            return nil
        }
    }

    /// The list is here: what can be seen of it without the state block is checked.
    mutating func reserveListReceived(_ slot: Int) {
        guard let action = ReserveOutAction(rawValue: tasks[slot].cdb[1] & 0x1F) else { return }
        let list = reserveOutList(slot)
        let isPlain = action != .registerAndMove && !(action.takesPorts && list.specifiesPorts)
        if isPlain, tasks[slot].cdb.big32(5) != UInt32(ReserveOutList.length) {
            fail(slot, SenseData(.illegalRequest, .parameterListLengthError), total: tasks[slot].limit)
            return
        }
        if tasks[slot].limit < tasks[slot].total {
            fail(slot, SenseData(.illegalRequest, .parameterListLengthError), total: tasks[slot].limit)
            return
        }
        changeState(slot)
    }

    /// The list in the command's parameter page.
    func reserveOutList(_ slot: Int) -> ReserveOutList {
        ReserveOutList(
            UnsafeRawPointer(frames.pointer(Frames.parameter(slot))), count: Int(tasks[slot].limit))
    }

    /// Makes the change in the draft, all of it or nothing.
    mutating func applyReserveOut(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        guard let action = ReserveOutAction(rawValue: tasks[slot].cdb[1] & 0x1F), block.reserver == nil else {
            return .refused(.reservationConflict)
        }
        let outlived = block.outlivesPower
        draftCopy.copyMemory(from: block.base, byteCount: PageSize.bytes)
        let verdict = perform(action, slot, block, unit)
        guard case .done = verdict else {
            block.base.copyMemory(from: draftCopy, byteCount: PageSize.bytes)
            return verdict
        }
        block.countReservationChange()
        if outlived || block.outlivesPower { units[unit].isCommitDurable = true }
        return verdict
    }

    private mutating func perform(
        _ action: ReserveOutAction, _ slot: Int, _ block: StateBlock, _ unit: Int
    ) -> ChangeVerdict {
        let list = reserveOutList(slot)
        switch action {
        case .register: return register(slot, list, ignoring: false, block, unit)
        case .registerAndIgnoreExistingKey: return register(slot, list, ignoring: true, block, unit)
        case .reserve, .release, .clear, .preempt, .preemptAndAbort, .registerAndMove: break
        }
        guard let place = block.place(of: named(Int(tasks[slot].nexus))), block.key(place) == list.key else {
            return .refused(.reservationConflict)
        }
        switch action {
        case .reserve: return reserve(slot, place, block)
        case .release: return release(slot, place, block, unit)
        case .clear: return clear(slot, place, block, unit)
        case .preempt, .preemptAndAbort:
            return preempt(slot, place, list.serviceActionKey, aborting: action == .preemptAndAbort, block, unit)
        case .registerAndMove: return move(slot, place, list, block, unit)
        case .register, .registerAndIgnoreExistingKey: return .done
        }
    }

    /// TYPE of the CDB.
    func reservationType(_ slot: Int) -> ReservationType? { ReservationType(rawValue: tasks[slot].cdb[2] & 0xF) }

    /// RESERVE (SPC-5 §5.14.9).
    private func reserve(_ slot: Int, _ place: Int, _ block: StateBlock) -> ChangeVerdict {
        guard let type = reservationType(slot) else { return .failed(.invalidField(inCDB: 2, bit: 3)) }
        if block.reservationType == 0 {
            block.reserve(type: type.rawValue, holder: type.isOfAllRegistrants ? nil : place)
            return .done
        }
        let isSame = block.isHolder(place) && block.reservationType == type.rawValue
        return isSame ? .done : .refused(.reservationConflict)
    }

    /// RELEASE (SPC-5 §5.14.11.2).
    private mutating func release(_ slot: Int, _ place: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        guard block.isHolder(place) else { return .done }
        guard let type = reservationType(slot), type.rawValue == block.reservationType else {
            return .failed(SenseData(.illegalRequest, .invalidReleaseOfPersistentReservation))
        }
        block.releaseReservation()
        if type.admitsRegistrants { tellRegistrants(.reservationsReleased, slot, block, unit) }
        return .done
    }

    /// CLEAR (SPC-5 §5.14.11.6).
    private mutating func clear(_ slot: Int, _ place: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        tellRegistrants(.reservationsPreempted, slot, block, unit)
        block.releaseReservation()
        for place in 0..<StateBlock.registrationCount where block.isRegistered(place) { block.unregister(place) }
        block.reservationGeneration &+= 1
        return .done
    }

    /// A unit attention for every registered nexus but the command's.
    mutating func tellRegistrants(_ code: AdditionalSenseCode, _ slot: Int, _ block: StateBlock, _ unit: Int) {
        let own = named(Int(tasks[slot].nexus))
        for place in 0..<StateBlock.registrationCount where block.isRegistered(place) {
            let nexus = block.nexus(place)
            if !nexus.isNexus(own) { tell(nexus, code, aborting: false, slot, block, unit) }
        }
    }

    /// A unit attention for one nexus of either controller, and the abort of its commands.
    mutating func tell(
        _ nexus: NamedNexus, _ code: AdditionalSenseCode, aborting: Bool, _ slot: Int, _ block: StateBlock, _ unit: Int
    ) {
        if nexus.port == controller.relativeTargetPort {
            for index in 0..<maxNexuses where nexusTargets[index] >= 0 && named(index).isNexus(nexus) {
                attentions.establish(code, nexus: index, unit: unit)
                if aborting { clearTasks(unit, nexus: index, except: slot) }
            }
            return
        }
        block.append(
            StateBlock.Event(
                code: code.code, qualifier: code.qualifier, scope: aborting ? 4 : 3,
                controller: controller.partner.rawValue, nexus: 0xFFFF, target: nexus.target, mark: nexus.mark))
    }
}

extension ReserveOutAction {
    /// SPEC_I_PT and ALL_TG_PT have a meaning.
    var takesPorts: Bool { self == .register || self == .registerAndIgnoreExistingKey }
}
