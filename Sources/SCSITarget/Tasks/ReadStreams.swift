/// The sequential detector: for each nexus and unit the sector that a sequential reader would ask for next.
struct ReadStreams: ~Copyable {
    private let expected: UnsafeMutablePointer<UInt64>
    private let units: Int
    private let count: Int

    init(nexuses: Int, units: Int) {
        self.units = units
        count = max(1, nexuses * units)
        expected = .allocate(capacity: count)
        expected.initialize(repeating: .max, count: count)
    }

    deinit { expected.deallocate() }

    /// Takes note of a read, and says whether it continues the last one.
    mutating func note(start: UInt64, end: UInt64, nexus: Int, unit: Int) -> Bool {
        let place = nexus * units + unit
        precondition(place < count)
        let continues = expected[place] == start
        expected[place] = end
        return continues
    }

    /// Forgets what a nexus read.
    mutating func clear(nexus: Int) { for unit in 0..<units { expected[nexus * units + unit] = .max } }
}
