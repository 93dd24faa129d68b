import BlockModel
import Primitives
import SAM
import SCSIFormats

// START STOP UNIT (SBC-4 §5.27) and PREVENT ALLOW MEDIUM REMOVAL (SPC-5 §6.13). What they do stands in the state block:
// a unit that was stopped or whose medium was ejected is so through both controllers.

extension DeviceServer {
    /// Why a unit's medium cannot be used, nil when it can.
    func notReady(_ unit: Int) -> SenseData? {
        let medium = units[unit].medium
        if !medium.isDisjoint(with: .isBusy) { return inProgress(unit) }
        if medium.contains(.sanitizeFailed) { return SenseData(.mediumError, .sanitizeCommandFailed) }
        if medium.contains(.ejected) { return SenseData(.notReady, .mediumNotPresentTrayOpen) }
        if medium.contains(.stopped) { return SenseData(.notReady, .initializingCommandRequired) }
        return medium.contains(.formatCorrupt) ? SenseData(.mediumError, .mediumFormatCorrupted) : nil
    }

    /// Whether a command is refused by a unit that is not ready. Without a medium there is no capacity either. While a
    /// format or sanitize operation goes on, and in the sanitize failure mode, only what tells of it is answered (SBC-4
    /// §4.33.2, §4.11.2).
    func notReady(_ slot: Int, _ unit: Int) -> SenseData? {
        if units[unit].medium.isEmpty { return nil }
        let row = Int(tasks[slot].row)
        let medium = units[unit].medium
        switch commands[row].handler {
        case .dataIn(.inquiry), .dataIn(.reportLUNs), .plain(.requestSense): return nil
        case .dataOut(.overwrite), .plain(.blockErase), .plain(.exitFailureMode):
            if medium.isDisjoint(with: .isBusy.union([.stopped, .ejected])) { return nil }
        case .dataOut(.formatUnit):
            let others: MediumState = .isBusy.union([.stopped, .ejected, .sanitizeFailed])
            if medium.isDisjoint(with: others) { return nil }
        case .medium, .dataIn, .dataOut, .plain: break
        }
        if !medium.isDisjoint(with: .isBusy.union(.sanitizeFailed)) { return notReady(unit) }
        if case .medium = commands[row].handler { return notReady(unit) }
        if commands[row].traits.contains(.needsMedium) { return notReady(unit) }
        let isCapacity = commands[row].traits.contains(.needsLoadedMedium)
        return isCapacity && units[unit].medium.contains(.ejected) ? notReady(unit) : nil
    }

    /// A command that has waited for its host, or for its turn, meets a format or sanitize operation: it ends here.
    mutating func isOvertaken(_ slot: Int) -> Bool {
        guard tasks[slot].resume != .home, tasks[slot].resume != .parameters,
            !units[Int(tasks[slot].unit)].medium.isDisjoint(with: .isBusy),
            let sense = inProgress(Int(tasks[slot].unit))
        else { return false }
        fail(slot, sense, total: tasks[slot].moved)
        return true
    }

    /// There are no idle and standby conditions, as the Power Condition mode page says, and no timers for them: what
    /// asks for one is refused. ACTIVE is the condition that a started unit is in always, and LU_CONTROL gives control
    /// to timers that are not there (SBC-3 §5.25, SPC-4 §5.12). IMMED asks for an earlier answer; none is given. A
    /// medium that stops or leaves has everything that was written, unless NO_FLUSH allows otherwise.
    mutating func startStop(_ slot: Int) {
        let cdb = tasks[slot].cdb
        let unit = Int(tasks[slot].unit)
        let condition = cdb[4] >> 4
        // A unit as SBC-2 has it names conditions 1h, 2h, 3h, 5h otherwise, and has none of them.
        let isKnown = condition == 0 || (condition == 1 || condition == 7) && !units[unit].traits.contains(.legacy)
        if !isKnown { return fail(slot, .invalidField(inCDB: 4, bit: 7)) }
        if cdb[3] != 0 { return fail(slot, .invalidField(inCDB: 3, bit: 3)) }
        // With a power condition START and LOEJ have no meaning (SBC-3 table 79).
        if condition == 7 { return complete(slot, .good, total: 0) }
        if condition == 1 { return changeState(slot) }
        if cdb[4] & 2 != 0, !units[unit].profile.removable { return fail(slot, .invalidField(inCDB: 4, bit: 1)) }
        let stops = cdb[4] & 1 == 0
        guard stops, cdb[4] & 4 == 0, units[unit].medium.isDisjoint(with: [.stopped, .ejected])
        else { return changeState(slot) }
        tasks[slot].phase = .synchronizing
        blocks.append(.synchronize(tasks[slot].token, units[unit].index, BlockExtent(start: 0, count: 0)))
    }

    /// What START STOP UNIT changes.
    mutating func applyStartStop(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        let loads = tasks[slot].cdb[4] & 0xF2 == 2
        let medium = block.medium
        if tasks[slot].cdb[4] >> 4 == 1 {
            if medium.contains(.ejected) { return .failed(SenseData(.notReady, .mediumNotPresentTrayOpen)) }
            block.medium = []
            return .done
        }
        if tasks[slot].cdb[4] & 1 == 0 {
            if loads, block.isRemovalPrevented, !medium.contains(.ejected) {
                return .failed(SenseData(.illegalRequest, .mediumRemovalPrevented))
            }
            block.medium = loads ? [.ejected] : medium.union(.stopped)
            return .done
        }
        if medium.contains(.ejected), !loads { return .failed(SenseData(.notReady, .mediumNotPresentTrayOpen)) }
        block.medium = []
        if medium.contains(.ejected) {
            announce(.notReadyToReadyChange, scope: 0, block, unit, except: Int(tasks[slot].nexus))
        }
        return .done
    }

    /// What PREVENT ALLOW MEDIUM REMOVAL changes: the nexus' own bit, and how many there are.
    mutating func applyPreventAllow(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        let nexus = Int(tasks[slot].nexus)
        if tasks[slot].cdb[4] & 1 != 0 {
            standings[nexus, unit].insert(.prevents)
        } else {
            standings[nexus, unit].remove(.prevents)
        }
        block.set(preventing: standings.preventing(unit: unit), controller)
        return .done
    }
}
