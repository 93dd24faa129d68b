import BlockModel
import Primitives
import SCSIFormats

/// Who the nexuses are, in fixed memory: initiator name (lower case, RFC 3722 §1), ISID, and a count of sessions that
/// tells a nexus from the one that had its index before.
struct NexusNames: ~Copyable {
    /// The longest iSCSI name (RFC 7143 §4.2.7.1).
    static var nameBytes: Int { 223 }

    struct Entry {
        var isid: UInt64 = 0
        var length = 0
        var session: UInt32 = 0
    }
    private let bytes: UnsafeMutableRawPointer
    private let entries: UnsafeMutablePointer<Entry>
    private let count: Int

    init(nexuses: Int) {
        count = max(1, nexuses)
        bytes = .allocate(byteCount: count * Self.nameBytes, alignment: 8)
        entries = .allocate(capacity: count)
        entries.initialize(repeating: Entry(), count: count)
    }

    deinit {
        bytes.deallocate()
        entries.deallocate()
    }

    /// A session of the initiator port `port` has the nexus from now on.
    mutating func establish(_ nexus: Int, port: UnsafeRawBufferPointer) {
        precondition(nexus < count)
        let parts = TransportID.split(port) ?? (name: port, isid: 0)
        let length = min(parts.name.count, Self.nameBytes)
        for index in 0..<length {
            bytes.put(byte: Self.lowered(parts.name[index]), nexus * Self.nameBytes + index)
        }
        entries[nexus].isid = parts.isid
        entries[nexus].length = length
        entries[nexus].session &+= 1
    }

    /// Whatever belonged to the nexus belongs to nobody.
    mutating func forget(_ nexus: Int) {
        precondition(nexus < count)
        entries[nexus].session &+= 1
    }

    /// Count of the sessions that the index had.
    func session(_ nexus: Int) -> UInt32 { entries[nexus].session }

    /// The nexus by its names; valid until the index has another session.
    func named(_ nexus: Int, target: UInt16, port: UInt16) -> NamedNexus {
        precondition(nexus < count)
        let name = UnsafeRawBufferPointer(start: bytes + nexus * Self.nameBytes, count: entries[nexus].length)
        return NamedNexus(name: name, isid: entries[nexus].isid, target: target, port: port)
    }

    /// ASCII letters of a name in lower case.
    static func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}

/// What a nexus may do with a unit, derived from the unit's state block, and whether it prevents the removal of the
/// medium, which it alone knows.
struct Standing: OptionSet {
    var rawValue: UInt8
    /// The other bits were derived from the present state block.
    static var known: Self { Self(rawValue: 1) }
    static var registered: Self { Self(rawValue: 2) }
    /// It holds the persistent reservation.
    static var holder: Self { Self(rawValue: 4) }
    /// It holds the reservation of RESERVE.
    static var reserver: Self { Self(rawValue: 8) }
    static var prevents: Self { Self(rawValue: 16) }
}

/// `Standing` of each nexus with each unit.
struct Standings: ~Copyable {
    private let values: UnsafeMutablePointer<Standing>
    private let nexuses: Int
    private let units: Int

    init(nexuses: Int, units: Int) {
        self.nexuses = nexuses
        self.units = units
        values = .allocate(capacity: max(1, nexuses * units))
        values.initialize(repeating: [], count: max(1, nexuses * units))
    }

    deinit { values.deallocate() }

    subscript(nexus: Int, unit: Int) -> Standing {
        get {
            precondition(nexus < nexuses && unit < units)
            return values[nexus * units + unit]
        }
        set {
            precondition(nexus < nexuses && unit < units)
            values[nexus * units + unit] = newValue
        }
    }

    /// What was derived from a unit's state block is to be derived again.
    mutating func stale(unit: Int) { for nexus in 0..<nexuses { self[nexus, unit].formIntersection(.prevents) } }

    /// Nobody prevents the removal of a unit's medium any more.
    mutating func allow(unit: Int) { for nexus in 0..<nexuses { self[nexus, unit].remove(.prevents) } }

    /// Forgets a nexus.
    mutating func clear(nexus: Int) { for unit in 0..<units { self[nexus, unit] = [] } }

    /// How many nexuses prevent the removal of a unit's medium.
    func preventing(unit: Int) -> UInt16 {
        var count: UInt16 = 0
        for nexus in 0..<nexuses where self[nexus, unit].contains(.prevents) { count += 1 }
        return count
    }
}
