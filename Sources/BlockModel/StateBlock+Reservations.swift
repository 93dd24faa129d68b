import Primitives

// Persistent reservations in a state block (SPC-5 §5.14), and the reservation of RESERVE (SPC-2 §5.5.1).
//
//     24  PRgeneration   28 place of the holder's registration: 0xFFFF none, 0xFFFE every registration
//     30  type, 0 none (the scope is always the logical unit)                                   31  APTPL
//    192  1: reserved by RESERVE     193 controller     194 nexus     196 session     200 life of the controller
//    204  count of changes of anything here
//   1536  registrations of 24 bytes: key 8, ISID 6, place of the name 2, target 2, relative port 2, 1 for used, 0
//   3072  names: length, bytes; the first length 0 ends them

/// An I_T nexus by its names: an initiator port (iSCSI name and ISID) and a target port. The name belongs to whoever
/// made the value, and is valid only as long as that says.
package struct NamedNexus {
    package var name: UnsafeRawBufferPointer
    /// 48 bits.
    package var isid: UInt64
    /// Index of the target in the array's description.
    package var target: UInt16
    /// RELATIVE TARGET PORT IDENTIFIER.
    package var port: UInt16
    package init(name: UnsafeRawBufferPointer, isid: UInt64, target: UInt16, port: UInt16) {
        self.name = name
        self.isid = isid
        self.target = target
        self.port = port
    }

    /// A number that stands for the initiator port in an event (FNV-1a). Two ports with one number would only share a
    /// unit attention.
    package var mark: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for index in 0..<6 { hash = (hash ^ (isid >> UInt64(index * 8) & 0xFF)) &* 0x100_0000_01B3 }
        return hash
    }

    /// Whether both are the same initiator port.
    package func isPort(_ other: NamedNexus) -> Bool {
        guard isid == other.isid, name.count == other.name.count else { return false }
        for index in 0..<name.count where name[index] != other.name[index] { return false }
        return true
    }

    /// Whether both are the same nexus.
    package func isNexus(_ other: NamedNexus) -> Bool {
        target == other.target && port == other.port && isPort(other)
    }
}

extension StateBlock {
    /// The most registrations.
    package static var registrationCount: Int { 64 }
    static var registrationBytes: Int { 24 }
    static var nameBytes: Int { 1024 }
    static var noHolder: UInt16 { 0xFFFF }
    static var allHolders: UInt16 { 0xFFFE }

    /// PRGENERATION.
    package var reservationGeneration: UInt32 {
        get { raw.little32(24) }
        nonmutating set { base.put(little32: newValue, 24) }
    }
    /// TYPE of the persistent reservation, 0 when there is none.
    package var reservationType: UInt8 { raw.byte(30) }
    /// APTPL of the last registration: what is here outlives a power cycle.
    package var outlivesPower: Bool {
        get { raw.byte(31) != 0 }
        nonmutating set { base.put(byte: newValue ? 1 : 0, 31) }
    }
    /// Changes with everything here: whoever keeps something derived from it compares.
    package var reservationChanges: UInt32 { raw.little32(Self.reservationOffset + 12) }

    /// Something here has changed.
    package func countReservationChange() {
        base.put(little32: reservationChanges &+ 1, Self.reservationOffset + 12)
    }

    /// Whether the registration at `place` holds the reservation.
    package func isHolder(_ place: Int) -> Bool {
        guard reservationType != 0 else { return false }
        let holder = raw.little16(28)
        return holder == Self.allHolders || Int(holder) == place
    }

    /// Places the reservation with a registration, or with all of them (`holder` nil: an all registrants type).
    package func reserve(type: UInt8, holder: Int?) {
        base.put(little16: holder.map { UInt16(truncatingIfNeeded: $0) } ?? Self.allHolders, 28)
        base.put(byte: type, 30)
    }

    /// There is no persistent reservation any more.
    package func releaseReservation() {
        base.put(little16: Self.noHolder, 28)
        base.put(byte: 0, 30)
    }

    // MARK: Registrations

    private func entry(_ place: Int) -> Int { Self.registrationOffset + place * Self.registrationBytes }

    /// Whether there is a registration at `place`.
    package func isRegistered(_ place: Int) -> Bool { raw.byte(entry(place) + 20) == 1 }

    /// Whether there is any registration.
    package var hasRegistrations: Bool { (0..<Self.registrationCount).contains { isRegistered($0) } }

    /// Reservation key of the registration at `place`.
    package func key(_ place: Int) -> UInt64 { raw.little64(entry(place)) }

    /// Gives the registration at `place` another key.
    package func set(key: UInt64, _ place: Int) { base.put(little64: key, entry(place)) }

    /// Whose registration it is; the name is in the page.
    package func nexus(_ place: Int) -> NamedNexus {
        let at = entry(place)
        let isid = UInt64(raw.little32(at + 8)) | UInt64(raw.little16(at + 12)) << 32
        return NamedNexus(
            name: name(Int(raw.little16(at + 14))), isid: isid, target: raw.little16(at + 16),
            port: raw.little16(at + 18))
    }

    /// The registration of a nexus, nil when it has none.
    package func place(of nexus: NamedNexus) -> Int? {
        (0..<Self.registrationCount).first { isRegistered($0) && self.nexus($0).isNexus(nexus) }
    }

    /// Registers a nexus that is not registered; nil when there is no place for it or its name.
    package func register(_ nexus: NamedNexus, key: UInt64) -> Int? {
        guard let place = (0..<Self.registrationCount).first(where: { !isRegistered($0) }),
            let name = placeName(nexus.name)
        else { return nil }
        let at = entry(place)
        base.put(little64: key, at)
        base.put(little32: UInt32(truncatingIfNeeded: nexus.isid), at + 8)
        base.put(little16: UInt16(truncatingIfNeeded: nexus.isid >> 32), at + 12)
        base.put(little16: UInt16(truncatingIfNeeded: name), at + 14)
        base.put(little16: nexus.target, at + 16)
        base.put(little16: nexus.port, at + 18)
        base.put(byte: 1, at + 20)
        return place
    }

    /// Removes a registration; its name goes with the last one that has it.
    package func unregister(_ place: Int) {
        let at = entry(place)
        let name = Int(raw.little16(at + 14))
        (base + at).initializeMemory(as: UInt8.self, repeating: 0, count: Self.registrationBytes)
        for other in 0..<Self.registrationCount where isRegistered(other) {
            if Int(raw.little16(entry(other) + 14)) == name { return }
        }
        removeName(name)
    }

    // MARK: Names

    private func name(_ place: Int) -> UnsafeRawBufferPointer {
        guard place < Self.nameBytes else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let count = min(Int(raw.byte(Self.nameOffset + place)), Self.nameBytes - place - 1)
        return UnsafeRawBufferPointer(start: raw + (Self.nameOffset + place + 1), count: count)
    }

    /// The place after the last name.
    private var namesEnd: Int {
        var at = 0
        while at < Self.nameBytes, raw.byte(Self.nameOffset + at) != 0 { at += 1 + name(at).count }
        return min(at, Self.nameBytes)
    }

    private func placeName(_ wanted: UnsafeRawBufferPointer) -> Int? {
        let end = namesEnd
        var at = 0
        while at < end {
            let present = name(at)
            if present.elementsEqual(wanted) { return at }
            at += 1 + present.count
        }
        guard (1...255).contains(wanted.count), end + 1 + wanted.count <= Self.nameBytes else { return nil }
        base.put(byte: UInt8(truncatingIfNeeded: wanted.count), Self.nameOffset + end)
        for index in 0..<wanted.count { base.put(byte: wanted[index], Self.nameOffset + end + 1 + index) }
        return end
    }

    private func removeName(_ place: Int) {
        let end = namesEnd
        let length = 1 + name(place).count
        guard place + length <= end else { return }
        let names = base + Self.nameOffset
        (names + place).copyMemory(from: names + place + length, byteCount: end - place - length)
        (names + (end - length)).initializeMemory(as: UInt8.self, repeating: 0, count: length)
        for other in 0..<Self.registrationCount where isRegistered(other) {
            let at = entry(other) + 14
            let present = Int(raw.little16(at))
            if present > place { base.put(little16: UInt16(truncatingIfNeeded: present - length), at) }
        }
    }
}
