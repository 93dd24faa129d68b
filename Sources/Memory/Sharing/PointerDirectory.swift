import PagingFormats
import Primitives

/// What the two controllers hold of one granule (256 pages of a unit, or its state block).
///
/// At the unit's home the record exists only while the partner holds or wants something: no record means that the home
/// has it all. At the other controller it says what this one holds.
struct PointerRecord {
    var key: UInt64 = KeyIndex.noKey
    /// Not home: the mode in which this controller holds the granule.
    var mine = PointerMode.none
    /// Home: the mode in which the partner holds it.
    var theirs = PointerMode.none
    /// Not home: asked of the home and not answered yet.
    var asked = PointerMode.none
    /// Home: what the partner asked for and has not got yet; `wantedRequest` is its request number.
    var wanted = PointerMode.none
    var wantedRequest: UInt32 = 0
    /// The pages that its command reads: of our ask when not home, of the partner's at the home (`wantedPages(_:in:)`).
    var wantedPages: UInt64 = 0
    /// Not home: pages of the home came, and the pointer to them has not.
    var isPrefilled = false
    /// Home: the partner was asked to give up all but `recallKeep`.
    var isRecalling = false
    var recallKeep = PointerMode.none
    /// Not home: the home wants us to keep only this.
    var isRecalled = false
    var keep = PointerMode.none
    /// The grant that the pointer stands on: set by the home, repeated in the release. A release and a newer grant
    /// may cross on the way; the number tells.
    var grant: UInt64 = 0
    /// Not home: a release without an answer, with what it said.
    var isReleasing = false
    var isOnAttention = false
    var waiters = WaitList()

    var isIdle: Bool {
        mine == .none && theirs == .none && asked == .none && wanted == .none && !isRecalling && !isRecalled
            && !isReleasing && waiters.isEmpty && !isOnAttention
    }
}

/// The pointers between the two controllers, by granule, and the ones that wait for something to end here.
struct PointerDirectory: ~Copyable {
    private var index: KeyIndex
    private var records: Table<PointerRecord>
    /// Records whose request or recall waits for commands or dirty pages here.
    var attention = Queue<UInt32>(capacity: 64)
    /// One of them waits for pages to be clean.
    var awaitsClean = false

    init(capacity: Int) {
        index = KeyIndex(entries: capacity)
        records = Table(capacity: capacity, initial: PointerRecord())
    }

    var isEmpty: Bool { records.count == 0 }
    var capacity: Int { records.capacity }

    /// The key of the granule of a page's key.
    static func granule(of key: UInt64) -> UInt64 {
        PageKey.isState(key) ? key : key & ~(MemoryLimits.granulePages - 1)
    }

    func find(_ key: UInt64) -> Int? { index[key].map(Int.init) }

    mutating func findOrAdd(_ key: UInt64) -> Int? {
        if let known = find(key) { return known }
        guard let slot = records.take() else { return nil }
        records[slot] = PointerRecord()
        records[slot].key = key
        index.set(key, UInt32(slot))
        return slot
    }

    subscript(slot: Int) -> PointerRecord {
        @inline(__always) unsafeAddress { UnsafePointer(records.pointer(slot)) }
        @inline(__always) unsafeMutableAddress { records.pointer(slot) }
    }

    /// Whether the slot is in use; for walks in slot order.
    func isUsed(_ slot: Int) -> Bool { records[slot].key != KeyIndex.noKey }

    mutating func remove(_ slot: Int) {
        index.remove(records[slot].key)
        records[slot] = PointerRecord()
        records.giveBack(slot)
    }

    mutating func putOnAttention(_ slot: Int) {
        guard !records[slot].isOnAttention else { return }
        records[slot].isOnAttention = true
        attention.append(UInt32(slot))
    }
}

extension PointerMode {
    /// Whether two holders in these modes exclude each other.
    func conflicts(with other: PointerMode) -> Bool {
        self == .exclusive && other != .none || self == .shared && other == .exclusive
    }
    /// Whether holding this mode suffices for `needed`.
    func covers(_ needed: PointerMode) -> Bool { rawValue >= needed.rawValue }
}
