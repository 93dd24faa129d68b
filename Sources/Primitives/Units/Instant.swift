/// A point on the boot clock (CLOCK_BOOTTIME) in nanoseconds; the simulator's virtual clock uses the same type.
///
/// Every engine gets `now` as an argument and never reads a clock. `Instant.never` is later than every real instant
/// and is what an engine without a deadline answers.
@usableFromInline
package struct Instant: Comparable, Hashable, Sendable {
    /// Nanoseconds since the clock's origin.
    @usableFromInline package var nanoseconds: UInt64

    @inlinable package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Later than every other instant.
    @inlinable package static var never: Instant { Instant(nanoseconds: .max) }
    /// The clock's origin.
    @inlinable package static var zero: Instant { Instant(nanoseconds: 0) }

    @inlinable package static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// The instant `interval` later; saturates at `never`.
    @inlinable package static func + (a: Instant, interval: Interval) -> Instant {
        let (sum, overflow) = a.nanoseconds.addingReportingOverflow(interval.nanoseconds)
        return overflow ? .never : Instant(nanoseconds: sum)
    }

    /// The time from `b` to `a`; zero when `a` is not later.
    @inlinable package static func - (a: Instant, b: Instant) -> Interval {
        Interval(nanoseconds: a.nanoseconds > b.nanoseconds ? a.nanoseconds - b.nanoseconds : 0)
    }
}

/// A length of time in nanoseconds, never negative.
@usableFromInline
package struct Interval: Comparable, Hashable, Sendable {
    @usableFromInline package var nanoseconds: UInt64

    @inlinable package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }
    @inlinable package static func seconds(_ n: UInt64) -> Interval { Interval(nanoseconds: n * 1_000_000_000) }
    @inlinable package static func milliseconds(_ n: UInt64) -> Interval { Interval(nanoseconds: n * 1_000_000) }
    @inlinable package static func microseconds(_ n: UInt64) -> Interval { Interval(nanoseconds: n * 1_000) }
    @inlinable package static var zero: Interval { Interval(nanoseconds: 0) }
    @inlinable package static func < (a: Interval, b: Interval) -> Bool { a.nanoseconds < b.nanoseconds }
    @inlinable package static func + (a: Interval, b: Interval) -> Interval {
        Interval(nanoseconds: a.nanoseconds + b.nanoseconds)
    }
    /// A fraction of the interval, as `numerator / denominator`; rounds down.
    @inlinable package func scaled(_ numerator: UInt64, over denominator: UInt64) -> Interval {
        Interval(nanoseconds: nanoseconds / denominator * numerator)
    }
}
