import BlockModel

/// The grouping function (SBC-4 §4.22): what this controller did for each unit with each group number. Groups are 1 to
/// 31; number 0 is no group.
struct GroupStatistics: ~Copyable {
    /// Groups of a unit.
    static var count: Int { 31 }
    private let storage: UnsafeMutablePointer<StateBlock.Activity>
    private let units: Int

    init(units: Int) {
        self.units = units
        storage = .allocate(capacity: max(1, units * Self.count))
        storage.initialize(repeating: StateBlock.Activity(), count: max(1, units * Self.count))
    }

    deinit { storage.deallocate() }

    subscript(unit: Int, group: UInt8) -> StateBlock.Activity {
        unsafeAddress { UnsafePointer(storage + place(unit, group)) }
        unsafeMutableAddress { storage + place(unit, group) }
    }

    private func place(_ unit: Int, _ group: UInt8) -> Int {
        precondition(unit < units && group >= 1 && group <= Self.count)
        return unit * Self.count + Int(group) - 1
    }

    /// Forgets what was counted for a unit.
    mutating func clear(unit: Int) {
        for group in 1...UInt8(Self.count) { self[unit, group] = StateBlock.Activity() }
    }
}
