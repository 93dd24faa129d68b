import BlockModel
import Primitives
import SAM
import SCSIFormats

// Reservation conflicts: what a nexus may do with a unit (SPC-5 §5.14.1, SBC-4 §4.17, SPC-2 §5.5.1).

extension DeviceServer {
    /// Takes over what a state block says about reservations, and sees to what is left of nexuses that are gone.
    mutating func learnReservation(_ unit: Int, _ block: StateBlock) {
        noteReservation(unit, block)
        let isStale = block.reserver.map { $0.controller == controller && !isPresent($0) } ?? false
        if isStale || block.preventing(controller) != standings.preventing(unit: unit) { sweep(unit) }
        learnBackground(unit)
    }

    /// Takes over what a state block says about reservations.
    mutating func noteReservation(_ unit: Int, _ block: StateBlock) {
        let changes = block.reservationChanges
        if units[unit].reservationChanges != changes {
            units[unit].reservationChanges = changes
            standings.stale(unit: unit)
        }
        units[unit].reservation = ReservationType(rawValue: block.reservationType)
        noteBackground(unit, block)
        noteAccess(unit, block)
        units[unit].isReserved = block.reserver != nil
    }

    /// What belonged to nexuses that are gone is to be taken out of the unit's state block.
    mutating func sweep(_ unit: Int) {
        if units[unit].isSweepWanted { return }
        units[unit].isSweepWanted = true
        add(StateChange(kind: .sweep, subject: 0), to: unit)
    }

    /// Takes it out, under the write pointer.
    mutating func applySweep(_ block: StateBlock, _ unit: Int) {
        units[unit].isSweepWanted = false
        if let reserver = block.reserver, reserver.controller == controller, !isPresent(reserver) {
            block.reserver = nil
        }
        block.set(preventing: standings.preventing(unit: unit), controller)
    }

    /// The session that a nexus has now, as a reservation by RESERVE names it.
    func sessionMark(_ nexus: Int) -> SessionMark {
        SessionMark(
            controller: controller, nexus: UInt16(truncatingIfNeeded: nexus), session: names.session(nexus),
            life: lifeEpoch)
    }

    private func isPresent(_ mark: SessionMark) -> Bool {
        let nexus = Int(mark.nexus)
        return nexus < maxNexuses && nexusTargets[nexus] >= 0 && mark == sessionMark(nexus)
    }

    /// A nexus of this controller, by its names.
    func named(_ nexus: Int) -> NamedNexus {
        names.named(
            nexus, target: UInt16(truncatingIfNeeded: max(0, nexusTargets[nexus])), port: controller.relativeTargetPort)
    }

    /// What the unit's state block says of a nexus; the read-only pointer is here.
    mutating func standing(_ nexus: Int, _ unit: Int) -> Standing {
        let present = standings[nexus, unit]
        if present.contains(.known) { return present }
        let block = StateBlock(frames.pointer(units[unit].stateFrame))
        var standing: Standing = present.intersection(.prevents).union(.known)
        if let place = block.place(of: named(nexus)) {
            standing.insert(.registered)
            if block.isHolder(place) { standing.insert(.holder) }
        }
        if block.reserver == sessionMark(nexus) { standing.insert(.reserver) }
        standings[nexus, unit] = standing
        return standing
    }

    /// Whether a reservation keeps a command from running.
    mutating func conflicts(_ slot: Int) -> Bool {
        let unit = Int(tasks[slot].unit)
        guard units[unit].reservation != nil || units[unit].isReserved else { return false }
        let traits = reservationTraits(slot)
        let nexus = Int(tasks[slot].nexus)
        if units[unit].isReserved {
            // With a reservation by RESERVE there is no PERSISTENT RESERVE for anybody (SPC-2 §5.5.1).
            if traits.contains(.persistentReserve) { return true }
            if traits.contains(.legacyUnreserved) { return false }
            return !standing(nexus, unit).contains(.reserver)
        }
        guard let type = units[unit].reservation, !traits.contains(.unreserved) else { return false }
        if type.admitsReaders, traits.contains(.sharedRead) { return false }
        let standing = standing(nexus, unit)
        if standing.contains(.holder) { return false }
        return !(type.admitsRegistrants && standing.contains(.registered))
    }

    /// The row's traits, for some commands by their CDB.
    private func reservationTraits(_ slot: Int) -> CommandTraits {
        let row = Int(tasks[slot].row)
        let byte = tasks[slot].cdb[4]
        switch commands[row].handler {
        case .plain(.startStopUnit) where byte & 0xF1 == 1, .plain(.preventAllowMediumRemoval) where byte & 3 == 0:
            return commands[row].traits.union([.unreserved, .legacyUnreserved])
        default: return commands[row].traits
        }
    }
}
