import BlockModel
import Primitives
import SAM
import SCSIFormats

// PREEMPT and PREEMPT AND ABORT (SPC-5 §5.14.11.4, §5.14.11.5).

extension DeviceServer {
    /// Takes registrations with a key away, and with the holder's key (or, when all registrants hold it, key 0) the
    /// reservation too.
    mutating func preempt(
        _ slot: Int, _ place: Int, _ key: UInt64, aborting: Bool, _ block: StateBlock, _ unit: Int
    ) -> ChangeVerdict {
        let type = ReservationType(rawValue: block.reservationType)
        let everyone = type?.isOfAllRegistrants == true && key == 0
        if key == 0, !everyone { return .failed(.invalidField(inList: 8)) }
        if everyone || (key != 0 && holderKey(block) == key) {
            return takeOver(slot, place, everyone ? nil : key, aborting: aborting, block, unit)
        }
        var found = false
        for other in 0..<StateBlock.registrationCount where block.isRegistered(other) && block.key(other) == key {
            found = true
            remove(other, tells: other != place, aborting: aborting, slot, block, unit)
        }
        guard found else { return .refused(.reservationConflict) }
        // Of all registrants nobody may be left.
        if type != nil, !block.hasRegistrations { block.releaseReservation() }
        block.reservationGeneration &+= 1
        return .done
    }

    /// The reservation becomes the preempting nexus', of the type that it asks for; `key` nil: from all registrants.
    private mutating func takeOver(
        _ slot: Int, _ place: Int, _ key: UInt64?, aborting: Bool, _ block: StateBlock, _ unit: Int
    ) -> ChangeVerdict {
        if tasks[slot].cdb[2] >> 4 != 0 { return .failed(.invalidField(inCDB: 2, bit: 7)) }
        guard let type = reservationType(slot) else { return .failed(.invalidField(inCDB: 2, bit: 3)) }
        let isAnother = type.rawValue != block.reservationType
        for other in 0..<StateBlock.registrationCount where block.isRegistered(other) && other != place {
            guard key == nil || block.key(other) == key else { continue }
            remove(other, tells: true, aborting: aborting, slot, block, unit)
        }
        block.reserve(type: type.rawValue, holder: type.isOfAllRegistrants ? nil : place)
        if isAnother { tellRegistrants(.reservationsReleased, slot, block, unit) }
        block.reservationGeneration &+= 1
        return .done
    }

    private mutating func remove(
        _ place: Int, tells: Bool, aborting: Bool, _ slot: Int, _ block: StateBlock, _ unit: Int
    ) {
        if tells { tell(block.nexus(place), .registrationsPreempted, aborting: aborting, slot, block, unit) }
        block.unregister(place)
    }
}
