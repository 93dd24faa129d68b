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

    /// Only the power condition 0h is there. IMMED asks for an earlier answer; none is given. A medium that stops or
    /// leaves has everything that was written, unless NO_FLUSH allows otherwise.
    mutating func startStop(_ slot: Int) {
        let cdb = tasks[slot].cdb
        let unit = Int(tasks[slot].unit)
        if cdb[4] & 0xF0 != 0 { return fail(slot, .invalidField(inCDB: 4, bit: 7)) }
        if cdb[3] != 0 { return fail(slot, .invalidField(inCDB: 3, bit: 3)) }
        if cdb[4] & 2 != 0, !units[unit].profile.removable { return fail(slot, .invalidField(inCDB: 4, bit: 1)) }
        let stops = cdb[4] & 1 == 0
        guard stops, cdb[4] & 4 == 0, units[unit].medium.isDisjoint(with: [.stopped, .ejected])
        else { return changeState(slot) }
        tasks[slot].phase = .synchronizing
        blocks.append(.synchronize(tasks[slot].token, units[unit].index, BlockExtent(start: 0, count: 0)))
    }

    /// What START STOP UNIT changes.
    mutating func applyStartStop(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        let loads = tasks[slot].cdb[4] & 2 != 0
        let medium = block.medium
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
