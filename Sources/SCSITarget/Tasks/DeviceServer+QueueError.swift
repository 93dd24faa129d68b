import BlockModel
import Primitives
import SAM
import SCSIFormats

// What a status means beyond its command: QERR and UA_INTLCK_CTRL of the Control mode page (SPC-4 §7.5.8).

extension DeviceServer {
    /// The command in `slot` ended with CHECK CONDITION: QERR 01b aborts every command of the unit's task set, which is
    /// one for all nexuses (TST 000b), 11b those of its nexus. They are marked here, and aborted by `settle`: whoever
    /// called may be walking over their list.
    mutating func doomOthers(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        guard unit != noUnit, !units[unit].flags.isDisjoint(with: [.errorAbortsAll, .errorAbortsNexus]) else { return }
        let isForAll = units[unit].flags.contains(.errorAbortsAll)
        for other in 0..<tasks.capacity
        where tasks[other].phase != .free && Int(tasks[other].unit) == unit && tasks[other].doom == .none {
            let isSame = tasks[other].nexus == tasks[slot].nexus
            if isSame || isForAll { tasks[other].doom = isSame ? .ofItsNexus : .ofAnother }
        }
        units[unit].hasFaulted = true
        guard isForAll, controllers > 1, condition.paired, !units[unit].tellsFault else { return }
        units[unit].tellsFault = true
        add(StateChange(kind: .queueError), to: unit)
    }

    /// Aborts what was marked. Its own nexus is told nothing, as by a task management function of its own.
    mutating func abortDoomed(_ unit: Int) {
        units[unit].hasFaulted = false
        for slot in 0..<tasks.capacity
        where tasks[slot].phase != .free && Int(tasks[slot].unit) == unit && tasks[slot].doom != .none {
            let isOwn = tasks[slot].doom == .ofItsNexus
            tasks[slot].doom = .none
            if isOwn { abort(slot, .aborted) } else { clear(slot, tells: true) }
        }
    }

    /// UA_INTLCK_CTRL 11b: a command that ends with one of these statuses leaves a unit attention.
    mutating func attendStatus(_ nexus: Int, _ unit: Int, _ status: Status) {
        guard unit != noUnit, units[unit].flags.contains(.attendsStatus) else { return }
        let code: AdditionalSenseCode? =
            switch status {
            case .busy: .previousBusyStatus
            case .taskSetFull: .previousTaskSetFullStatus
            case .reservationConflict: .previousReservationConflictStatus
            default: nil
            }
        if let code { attentions.establish(code, nexus: nexus, unit: unit) }
    }

    // MARK: A full task set

    /// Counts a new command into its unit's task set, or refuses it when that is full: from half of the limit on a
    /// nexus has its share of it. TASK SET FULL tells a nexus to wait until one of its commands ends; a nexus that has
    /// none there gets BUSY (SAM-5 §5.3.1).
    mutating func enters(_ command: SCSICommand, _ unit: Int) -> Bool {
        let limit = Int(units[unit].profile.taskSetLimit)
        let place = Int(command.nexus.raw) * noUnit + unit
        let own = Int(nexusTasks[place])
        let isFull = units[unit].taskSetCount >= limit
        let share = max(1, limit / max(1, nexusCount))
        guard isFull || (units[unit].taskSetCount >= limit / 2 && own >= share) else {
            units[unit].taskSetCount += 1
            nexusTasks[place] += 1
            return true
        }
        let status: Status = own == 0 ? .busy : .taskSetFull
        attendStatus(Int(command.nexus.raw), unit, status)
        transport.append(
            .sendCommandComplete(
                command.handle, status, sense: PageRun(parameter: Frames.parameter(command.handle.slot), count: 0),
                total: 0))
        return false
    }
}
