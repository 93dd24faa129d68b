import Primitives

/// A session of one life of a controller: what a reservation by RESERVE belongs to.
package struct SessionMark: Equatable, Sendable {
    package var controller: ControllerID
    /// The nexus on that controller, the count of its sessions, and the epoch in which the controller's life began.
    package var nexus: UInt16
    package var session: UInt32
    package var life: UInt32
    package init(controller: ControllerID, nexus: UInt16, session: UInt32, life: UInt32) {
        self.controller = controller
        self.nexus = nexus
        self.session = session
        self.life = life
    }
}

// What in a state block belongs to nexuses, and goes with them, with a reset, or with the power.
extension StateBlock {
    /// Who holds the reservation of RESERVE (SPC-2 §7.21).
    package var reserver: SessionMark? {
        get {
            let at = Self.reservationOffset
            guard raw.byte(at) == 1 else { return nil }
            return SessionMark(
                controller: raw.byte(at + 1) == 1 ? .b : .a, nexus: raw.little16(at + 2),
                session: raw.little32(at + 4), life: raw.little32(at + 8))
        }
        nonmutating set {
            let at = Self.reservationOffset
            base.put(byte: newValue == nil ? 0 : 1, at)
            base.put(byte: newValue?.controller.rawValue ?? 0, at + 1)
            base.put(little16: newValue?.nexus ?? 0, at + 2)
            base.put(little32: newValue?.session ?? 0, at + 4)
            base.put(little32: newValue?.life ?? 0, at + 8)
            countReservationChange()
        }
    }

    /// A controller is gone, and its nexuses with it: what belonged to them goes.
    package func forgetNexuses(of controller: ControllerID) {
        if reserver?.controller == controller { reserver = nil }
        set(preventing: 0, controller)
    }

    /// A reset of the logical unit: what RESERVE and PREVENT ALLOW MEDIUM REMOVAL left; persistent reservations stay.
    package func resetNexuses() {
        if reserver != nil { reserver = nil }
        for controller in ControllerID.allCases { set(preventing: 0, controller) }
    }

    /// Both controllers were down together: a power cycle. PRGENERATION starts anew; registrations and reservation
    /// are kept if APTPL said so (SPC-5 §5.14.5).
    package func cyclePower() {
        powerCycles &+= 1
        cyclePowerOfParameters()
        resetNexuses()
        medium.remove(.stopped)
        forgetAccessStates()
        reservationGeneration = 0
        if !outlivesPower {
            releaseReservation()
            for place in 0..<Self.registrationCount where isRegistered(place) { unregister(place) }
        }
        countReservationChange()
    }
}
