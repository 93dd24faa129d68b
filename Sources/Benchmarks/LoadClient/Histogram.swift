/// Latencies in buckets whose width grows with the value: 32 to each doubling, so a quantile is right within 3 %.
struct Histogram: ~Copyable {
    private static let subBits = 5
    private static let bucketCount = 60 << subBits
    private let buckets: UnsafeMutablePointer<UInt64>
    private(set) var count: UInt64 = 0
    private(set) var maximum: UInt64 = 0

    init() {
        buckets = .allocate(capacity: Self.bucketCount)
        buckets.initialize(repeating: 0, count: Self.bucketCount)
    }

    deinit { buckets.deallocate() }

    /// Counts one value, in nanoseconds.
    @inline(__always) mutating func record(_ value: UInt64) {
        let lead = 63 - (value | 1).leadingZeroBitCount
        let shift = lead > Self.subBits ? lead - Self.subBits : 0
        let index = (shift << Self.subBits) + Int(value >> UInt64(shift))
        buckets[index < Self.bucketCount ? index : Self.bucketCount - 1] &+= 1
        count &+= 1
        if value > maximum { maximum = value }
    }

    /// The value below which `fraction` of all lie; the upper edge of its bucket.
    func quantile(_ fraction: Double) -> UInt64 {
        if count == 0 { return 0 }
        let wanted = UInt64((Double(count) * fraction).rounded(.up))
        var seen: UInt64 = 0
        for index in 0..<Self.bucketCount {
            seen += buckets[index]
            if seen >= wanted {
                let shift = index >> Self.subBits == 0 ? 0 : (index >> Self.subBits) - 1
                let base = index - (shift << Self.subBits)
                return min(UInt64(base + 1) << UInt64(shift), maximum)
            }
        }
        return maximum
    }
}
