import Primitives

/// The state block of a unit: 4 KiB that both controllers share by locks and pointers, and that survives with the
/// memory. Little-endian; a view over the page, owned by whoever holds the pointer.
///
///      0  magic "GSTB"      4  format version (1)      8  event number
///     16  home (0 a, 1 b)  17  access-state generation 18  reserved
///     20  count of power cycles                        24  persistent reservation generation
///     28  holder's registration (0xFFFF none), 30 type, 31 APTPL
///     32  activity of controller a: 30 bytes            62  poll, reset of the activity
///     64  mode parameters: 32 bytes of current values, 32 of saved ones
///    128  self-test results: 20 of 3 bytes, latest first
///    192  reservations beside registrations: 64 bytes
///    256  event ring: 64 events of 16 bytes
///   1280  device: medium, background operation: 64 bytes
///   1344  length of the identifying information, 1345 origin of the timestamp, 1348 its offset in milliseconds
///   1356  start-stop cycles
///   1360  identifying information: 64 bytes          1424  error counters: 4 of 4 bytes
///   1442  activity of controller b: 30 bytes
///   1472  blocks marked by WRITE LONG: 9 groups of 7 bytes
///   1536  registrations: 64 of 24 bytes
///   3072  iSCSI names of registered initiators: 1024 bytes
package struct StateBlock {
    package static var magic: UInt32 { 0x4254_5347 }
    package static var ringCount: Int { 64 }
    static var reservationOffset: Int { 192 }
    static var ringOffset: Int { 256 }
    static var deviceOffset: Int { 1280 }
    static var registrationOffset: Int { 1536 }
    static var nameOffset: Int { 3072 }

    /// First byte of the 4 KiB.
    package let base: UnsafeMutableRawPointer
    package init(_ base: UnsafeMutableRawPointer) { self.base = base }

    /// Whether the page holds a state block of a format that we know.
    package var isValid: Bool { raw.little32(0) == Self.magic && raw.little32(4) == 1 }

    /// Makes the page the state block of a new unit.
    package func format(home: ControllerID) {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: PageSize.bytes)
        base.put(little32: Self.magic, 0)
        base.put(little32: 1, 4)
        base.put(byte: home.rawValue, 16)
        base.put(little16: 0xFFFF, 28)
    }

    var raw: UnsafeRawPointer { UnsafeRawPointer(base) }

    /// Number of the last event in the ring; the first event of a unit has number 1.
    package var eventNumber: UInt64 { raw.little64(8) }
    package var home: ControllerID {
        get { raw.byte(16) == 1 ? .b : .a }
        nonmutating set { base.put(byte: newValue.rawValue, 16) }
    }
    package var powerCycles: UInt32 {
        get { raw.little32(20) }
        nonmutating set { base.put(little32: newValue, 20) }
    }

    /// An entry of the ring: what the nexuses of the unit must learn.
    package struct Event: Equatable, Sendable {
        /// ADDITIONAL SENSE CODE and qualifier of the unit attention.
        package var code: UInt8
        package var qualifier: UInt8
        /// 0: unit attention for every nexus but the excluded one; 1: abort of all tasks of the unit as well;
        /// 2: abort of the tasks of the named nexus; 3: unit attention for the nexus of a named initiator port; 4:
        /// abort of its tasks as well.
        package var scope: UInt8
        /// Controller of the excluded (scope 0, 1) or named (scope 2 to 4) nexus; 0xFF for none.
        package var controller: UInt8
        /// That nexus on that controller.
        package var nexus: UInt16
        /// Target and `NamedNexus.mark` of the named initiator port (scope 3, 4).
        package var target: UInt16
        package var mark: UInt64
        package init(
            code: UInt8, qualifier: UInt8, scope: UInt8, controller: UInt8, nexus: UInt16, target: UInt16 = 0,
            mark: UInt64 = 0
        ) {
            self.target = target
            self.mark = mark
            self.code = code
            self.qualifier = qualifier
            self.scope = scope
            self.controller = controller
            self.nexus = nexus
        }
    }

    /// The event with `number`, nil when the ring no longer (or not yet) holds it.
    package func event(_ number: UInt64) -> Event? {
        guard number >= 1, number <= eventNumber, eventNumber - number < UInt64(Self.ringCount) else { return nil }
        let at = Self.ringOffset + Int(number % UInt64(Self.ringCount)) * 16
        return Event(
            code: raw.byte(at), qualifier: raw.byte(at + 1), scope: raw.byte(at + 2), controller: raw.byte(at + 3),
            nexus: raw.little16(at + 4), target: raw.little16(at + 6), mark: raw.little64(at + 8))
    }

    /// Adds an event under the write pointer and returns its number.
    @discardableResult
    package func append(_ event: Event) -> UInt64 {
        let number = eventNumber &+ 1
        let at = Self.ringOffset + Int(number % UInt64(Self.ringCount)) * 16
        base.put(byte: event.code, at)
        base.put(byte: event.qualifier, at + 1)
        base.put(byte: event.scope, at + 2)
        base.put(byte: event.controller, at + 3)
        base.put(little16: event.nexus, at + 4)
        base.put(little16: event.target, at + 6)
        base.put(little64: event.mark, at + 8)
        base.put(little64: number, 8)
        return number
    }
}
