import BlockModel
import Primitives
import SAM
import SCSIFormats

// Registrations (SPC-5 §5.14.7, §5.14.8): REGISTER, REGISTER AND IGNORE EXISTING KEY, REGISTER AND MOVE.

extension DeviceServer {
    /// REGISTER and REGISTER AND IGNORE EXISTING KEY (SPC-5 tables 70 and 71). With ALL_TG_PT it is as if the same
    /// command had come through each target port.
    mutating func register(
        _ slot: Int, _ list: ReserveOutList, ignoring: Bool, _ block: StateBlock, _ unit: Int
    ) -> ChangeVerdict {
        let own = named(Int(tasks[slot].nexus))
        let isRegistered = block.place(of: own) != nil
        for port in ports(all: list.allTargetPorts) {
            var nexus = own
            nexus.port = port
            if !ignoring, block.place(of: nexus).map({ block.key($0) }) ?? 0 != list.key {
                return .refused(.reservationConflict)
            }
        }
        if list.specifiesPorts, ignoring || isRegistered { return .failed(.invalidField(inList: 20, bit: 3)) }
        // An unregistered nexus that asks for no registration: nothing happens.
        if !isRegistered, list.serviceActionKey == 0 { return .done }
        for port in ports(all: list.allTargetPorts) {
            var nexus = own
            nexus.port = port
            guard set(nexus, list.serviceActionKey, slot, block, unit) else { return Self.noRoom }
        }
        if list.specifiesPorts, let verdict = registerPorts(slot, list, block) { return verdict }
        block.outlivesPower = list.outlivesPower
        block.reservationGeneration &+= 1
        return .done
    }

    static var noRoom: ChangeVerdict { .failed(SenseData(.illegalRequest, .insufficientRegistrationResources)) }

    /// Relative target ports that a registration is for.
    private func ports(all: Bool) -> [UInt16] {
        guard all, controllers > 1 else { return [controller.relativeTargetPort] }
        return ControllerID.allCases.map(\.relativeTargetPort)
    }

    /// Gives a nexus a key, or takes its registration away (key 0); false when there is no room.
    private mutating func set(
        _ nexus: NamedNexus, _ key: UInt64, _ slot: Int, _ block: StateBlock, _ unit: Int
    ) -> Bool {
        guard let place = block.place(of: nexus) else { return key == 0 || block.register(nexus, key: key) != nil }
        if key != 0 {
            block.set(key: key, place)
            return true
        }
        let type = ReservationType(rawValue: block.reservationType)
        let held = block.isHolder(place)
        block.unregister(place)
        guard held, let type, !type.isOfAllRegistrants || !block.hasRegistrations else { return true }
        block.releaseReservation()
        if type == .writeExclusiveRegistrantsOnly || type == .exclusiveAccessRegistrantsOnly {
            tellRegistrants(.reservationsReleased, slot, block, unit)
        }
        return true
    }

    /// SPEC_I_PT: registers each named initiator port that is not registered. The names are in the parameter page.
    private mutating func registerPorts(_ slot: Int, _ list: ReserveOutList, _ block: StateBlock) -> ChangeVerdict? {
        let target = named(Int(tasks[slot].nexus)).target
        do throws(SenseDataRefusal) {
            try list.forEachPort { transport throws(SenseDataRefusal) in
                lower(transport.name)
                for port in ports(all: list.allTargetPorts) {
                    var nexus = NamedNexus(name: transport.name, isid: transport.isid ?? 0, target: target, port: port)
                    if transport.isid != nil {
                        try add(nexus, list.serviceActionKey, block)
                        continue
                    }
                    // Every port of that name that is known here.
                    for index in 0..<maxNexuses where nexusTargets[index] >= 0 {
                        guard named(index).name.elementsEqual(nexus.name) else { continue }
                        nexus.isid = named(index).isid
                        try add(nexus, list.serviceActionKey, block)
                    }
                }
            }
        } catch {
            return .failed(error.sense)
        }
        return nil
    }

    private func add(_ nexus: NamedNexus, _ key: UInt64, _ block: StateBlock) throws(SenseDataRefusal) {
        if block.place(of: nexus) == nil, block.register(nexus, key: key) == nil {
            throw SenseDataRefusal(SenseData(.illegalRequest, .insufficientRegistrationResources))
        }
    }

    /// A name in the parameter page in lower case.
    private func lower(_ name: UnsafeRawBufferPointer) {
        let bytes = UnsafeMutableRawBufferPointer(mutating: name)
        for index in bytes.indices { bytes[index] = NexusNames.lowered(bytes[index]) }
    }

    /// REGISTER AND MOVE (SPC-5 §5.14.8) by the registered nexus at `place`, whose key is right.
    mutating func move(
        _ slot: Int, _ place: Int, _ list: ReserveOutList, _ block: StateBlock, _ unit: Int
    ) -> ChangeVerdict {
        guard let type = ReservationType(rawValue: block.reservationType) else {
            return .failed(.invalidField(inCDB: 1, bit: 4))
        }
        if type.isOfAllRegistrants || !block.isHolder(place) { return .refused(.reservationConflict) }
        if list.serviceActionKey == 0 { return .failed(.invalidField(inList: 8)) }
        let known = controllers > 1 ? ControllerID.allCases : [controller]
        guard known.contains(where: { $0.relativeTargetPort == list.movePort }) else {
            return .failed(.invalidField(inList: 18))
        }
        do throws(SenseDataRefusal) {
            let transport = try list.moveTransportID()
            guard let isid = transport.isid else { return .failed(.invalidField(inList: 24, bit: 7)) }
            lower(transport.name)
            let own = named(Int(tasks[slot].nexus))
            let nexus = NamedNexus(name: transport.name, isid: isid, target: own.target, port: list.movePort)
            if nexus.isNexus(own) { return .failed(.invalidField(inList: 24)) }
            let present = block.place(of: nexus)
            if list.moveUnregisters { block.unregister(place) }
            guard let moved = present ?? block.register(nexus, key: list.serviceActionKey) else { return Self.noRoom }
            block.set(key: list.serviceActionKey, moved)
            block.reserve(type: type.rawValue, holder: moved)
        } catch {
            return .failed(error.sense)
        }
        block.outlivesPower = list.moveOutlivesPower
        block.reservationGeneration &+= 1
        return .done
    }
}
