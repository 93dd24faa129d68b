import BlockModel
import Primitives
import SAM
import SCSIFormats

// PERSISTENT RESERVE IN (SPC-5 §6.15), from the unit's state block.

extension DeviceServer {
    /// The answer. Only READ FULL STATUS may be longer than a parameter page: its parts must be of one state.
    mutating func persistentReserveIn(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let block = StateBlock(frames.pointer(units[Int(tasks[slot].unit)].stateFrame))
        guard let action = ReserveInAction(rawValue: tasks[slot].cdb[1] & 0x1F) else {
            return .invalidField(inCDB: 1, bit: 4)
        }
        if tasks[slot].moved == 0 {
            tasks[slot].checksum = block.reservationChanges
        } else if tasks[slot].checksum != block.reservationChanges {
            return SenseData(.abortedCommand, .noAdditionalSenseInformation)
        }
        let type = ReservationType(rawValue: block.reservationType)
        switch action {
        case .readKeys:
            PersistentReservations.openList(generation: block.reservationGeneration, to: &writer)
            for place in 0..<StateBlock.registrationCount where block.isRegistered(place) {
                writer.put(big64: block.key(place))
            }
            PersistentReservations.closeList(&writer)
        case .readReservation:
            PersistentReservations.writeReservation(
                generation: block.reservationGeneration, type: type, key: holderKey(block) ?? 0, to: &writer)
        case .reportCapabilities:
            PersistentReservations.writeCapabilities(outlivesPower: block.outlivesPower, to: &writer)
        case .readFullStatus: fullStatus(block, type, &writer)
        }
        return nil
    }

    /// The key of the one holder, nil when there is none, or more than one.
    func holderKey(_ block: StateBlock) -> UInt64? {
        guard let type = ReservationType(rawValue: block.reservationType), !type.isOfAllRegistrants else { return nil }
        for place in 0..<StateBlock.registrationCount where block.isRegistered(place) && block.isHolder(place) {
            return block.key(place)
        }
        return nil
    }

    private func fullStatus(_ block: StateBlock, _ type: ReservationType?, _ writer: inout ParameterWriter) {
        PersistentReservations.openList(generation: block.reservationGeneration, to: &writer)
        for place in 0..<StateBlock.registrationCount where block.isRegistered(place) {
            let nexus = block.nexus(place)
            PersistentReservations.writeStatus(
                key: block.key(place), type: block.isHolder(place) ? type : nil, port: nexus.port, name: nexus.name,
                isid: nexus.isid, to: &writer)
        }
        PersistentReservations.closeList(&writer)
    }
}
