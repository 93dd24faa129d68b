import BlockModel
import Primitives
import SAM
import SCSIFormats

// RESERVE and RELEASE (SPC-2 §7.21, §7.16), with the exceptions that CRH announces (SPC-3 §5.6.3): whoever has access
// by a persistent reservation gets GOOD, and nothing happens.

extension DeviceServer {
    /// What RESERVE changes.
    func applyReserve(_ slot: Int, _ block: StateBlock) -> ChangeVerdict {
        if let verdict = compatibleVerdict(slot, block) { return verdict }
        let mine = sessionMark(Int(tasks[slot].nexus))
        if let reserver = block.reserver, reserver != mine { return .refused(.reservationConflict) }
        if block.reserver == nil { block.reserver = mine }
        return .done
    }

    /// What RELEASE changes; it is no error to release what one does not hold.
    func applyRelease(_ slot: Int, _ block: StateBlock) -> ChangeVerdict {
        if let verdict = compatibleVerdict(slot, block) { return verdict }
        if block.reserver == sessionMark(Int(tasks[slot].nexus)) { block.reserver = nil }
        return .done
    }

    /// What RESERVE and RELEASE come to while there are registrations; nil when there are none.
    private func compatibleVerdict(_ slot: Int, _ block: StateBlock) -> ChangeVerdict? {
        guard block.hasRegistrations else { return nil }
        guard let place = block.place(of: named(Int(tasks[slot].nexus))),
            let type = ReservationType(rawValue: block.reservationType)
        else { return .refused(.reservationConflict) }
        return block.isHolder(place) || type.admitsRegistrants ? .done : .refused(.reservationConflict)
    }
}
