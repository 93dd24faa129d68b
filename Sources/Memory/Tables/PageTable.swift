import BlockModel
import Primitives

/// The key of a page in every table of the memory: unit in the top 16 bits, then the page's number in the unit. The
/// state block of a unit is a page too, with a number that no data page has.
enum PageKey {
    static var stateFlag: UInt64 { 1 << 47 }
    static func data(_ unit: UnitIndex, _ page: UInt64) -> UInt64 { UInt64(unit.raw) << 48 | page }
    static func state(_ unit: UnitIndex) -> UInt64 { UInt64(unit.raw) << 48 | stateFlag }
    static func unit(_ key: UInt64) -> UnitIndex { UnitIndex(UInt16(key >> 48)) }
    static func page(_ key: UInt64) -> UInt64 { key & (stateFlag - 1) }
    static func isState(_ key: UInt64) -> Bool { key & stateFlag != 0 }
}

/// A page of a unit that the memory knows: cached, being staged, or being written.
struct PageRecord {
    var key: UInt64 = KeyIndex.noKey
    /// The readable version's frame, or none.
    var current: FrameIndex = .none
    /// The operation that holds the page's lock to write it; `max` for none.
    var writer: UInt32 = .max
    /// The memory block that the page belongs to.
    var block: UInt32 = .max
    /// Operations that wait for the page, first come first served.
    var waiters = WaitList()
    /// A device read of the page is in flight.
    var isStaging = false
    /// What is being staged is no longer wanted: its pointer has left.
    var isDoomed = false
    /// A device write of some version of the page is in flight.
    var isDeviceBusy = false

    /// Nothing keeps the record.
    var isIdle: Bool {
        current == .none && writer == .max && !isStaging && !isDeviceBusy && waiters.isEmpty
    }
}

/// A first-in first-out list of operations, linked through their records.
struct WaitList {
    var head: UInt32 = .max
    var tail: UInt32 = .max
    var isEmpty: Bool { head == .max }

    mutating func append(_ id: UInt32, in operations: UnsafeMutablePointer<Operation>) {
        operations[Int(id)].next = .max
        if tail == .max { head = id } else { operations[Int(tail)].next = id }
        tail = id
    }
}

/// All pages that the memory knows, by key.
struct PageTable: ~Copyable {
    private var index: KeyIndex
    private var records: Table<PageRecord>

    init(capacity: Int) {
        index = KeyIndex(entries: capacity)
        records = Table(capacity: capacity, initial: PageRecord(), lazily: true)
    }

    var count: Int { records.count }

    /// The record's number, nil when the page is not known.
    @inline(__always) func find(_ key: UInt64) -> Int? {
        guard let slot = index[key] else { return nil }
        return Int(slot)
    }

    /// The record's number, a new one when the page was not known; nil when the table is full.
    mutating func findOrAdd(_ key: UInt64) -> Int? {
        if let known = find(key) { return known }
        guard let slot = records.take() else { return nil }
        records[slot] = PageRecord()
        records[slot].key = key
        index.set(key, UInt32(slot))
        return slot
    }

    subscript(slot: Int) -> PageRecord {
        @inline(__always) unsafeAddress { UnsafePointer(records.pointer(slot)) }
        @inline(__always) unsafeMutableAddress { records.pointer(slot) }
    }

    /// The page `key` will be looked for soon.
    func expect(_ key: UInt64) { index.expect(key) }

    /// Forgets a record that nothing keeps.
    mutating func remove(_ slot: Int) {
        index.remove(records[slot].key)
        records[slot].key = KeyIndex.noKey
        records.giveBack(slot)
    }
}
