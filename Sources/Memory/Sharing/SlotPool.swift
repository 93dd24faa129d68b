import Primitives

/// Slots of the partner's mirror area that this controller was granted by space requests: frame numbers in the
/// partner's memory, chosen here, so that a page can be placed there without the partner's doing.
struct SlotPool {
    private var free: [UInt32] = []
    /// Slots granted so far.
    private(set) var granted = 0
    /// Set aside for operations that have not sealed yet.
    private(set) var reserved = 0
    /// A space request is on its way.
    var isAsking = false
    /// The partner has no more to give.
    var isExhausted = false

    /// Slots that hold pages of ours (or are being released).
    var used: Int { granted - free.count }
    /// Slots that nobody has set aside.
    var available: Int { free.count - reserved }

    /// Everything is forgotten: the partner is gone, or new.
    mutating func reset() {
        free.removeAll(keepingCapacity: true)
        granted = 0
        reserved = 0
        isAsking = false
        isExhausted = false
    }

    mutating func grant(first: UInt32, count: UInt32) {
        granted += Int(count)
        free.reserveCapacity(granted)
        for slot in (first..<(first + count)).reversed() { free.append(slot) }
    }

    /// Sets slots aside; false when there are not enough.
    mutating func reserve(_ count: Int) -> Bool {
        guard available >= count else { return false }
        reserved += count
        return true
    }

    mutating func unreserve(_ count: Int) { reserved = Swift.max(0, reserved - count) }

    /// Takes one of the slots set aside.
    mutating func take() -> UInt32? {
        guard reserved > 0, let slot = free.popLast() else { return nil }
        reserved -= 1
        return slot
    }

    mutating func giveBack(_ slot: UInt32) { free.append(slot) }

    /// All free slots, sorted: what must be released by messages when the window's last clears are in doubt. Nothing
    /// is set aside any more.
    mutating func takeAllFree() -> [UInt32] {
        reserved = 0
        let all = free.sorted()
        free.removeAll(keepingCapacity: true)
        return all
    }
}
