/// A bit for each granule of a thin unit: its room on the device is taken, so that a write may be acknowledged before
/// the device has it. Without the bit the device is asked. The bits are worth something only while nobody else may
/// discard there: they are forgotten whenever the right to write leaves this controller.
struct RoomMap {
    private let words: UnsafeMutablePointer<UInt64>
    private let count: Int
    /// Grows with each forgetting: an answer that was asked for before one is worth nothing.
    private(set) var generation: UInt64 = 0

    /// - Parameter granules: how many the unit has; 0 for a unit that is not thin.
    init(granules: UInt64) {
        count = Int((granules + 63) / 64)
        words = .allocate(capacity: max(1, count))
        words.initialize(repeating: 0, count: max(1, count))
    }

    func deallocate() { words.deallocate() }

    /// The unit is thin.
    var isThin: Bool { count > 0 }

    subscript(granule: UInt64) -> Bool {
        guard Int(granule / 64) < count else { return false }
        return words[Int(granule / 64)] & (1 << (granule % 64)) != 0
    }

    mutating func set(_ granule: UInt64) {
        if Int(granule / 64) < count { words[Int(granule / 64)] |= 1 << (granule % 64) }
    }

    mutating func forget(_ granule: UInt64) {
        generation &+= 1
        if Int(granule / 64) < count { words[Int(granule / 64)] &= ~(1 << (granule % 64)) }
    }

    mutating func forgetAll() {
        guard count > 0 else { return }
        generation &+= 1
        words.update(repeating: 0, count: count)
    }
}
