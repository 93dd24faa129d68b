import PagingFormats
import Primitives

/// The talk with the witness: one request at a time, and a swap whose fate is unclear until it is known.
///
/// An unclear swap is read; when the record is still the expected one the same swap is asked for again, because the
/// first request may arrive yet: only a record with a higher sequence ends the doubt (pair-rules 1).
struct Witness {
    enum Request { case none, read, swap }

    private(set) var request = Request.none
    /// The record that we want, and the sequence that it replaces.
    private(set) var wanted: WitnessRecord?
    private(set) var expected: UInt64 = 0
    /// The swap was asked for and its fate is not known.
    private(set) var isUnclear = false
    private(set) var isReachable = true
    var readWanted = false
    private var retryAt: Instant = .zero
    private var pause: Interval = PairTimes.witnessRetry
    private(set) var answeredAt: Instant = .zero

    /// A swap is wanted or its fate unclear.
    var isSwapping: Bool { wanted != nil }

    mutating func propose(_ record: WitnessRecord, expected: UInt64) {
        precondition(wanted == nil, "one swap at a time")
        wanted = record
        self.expected = expected
        isUnclear = false
    }

    /// The request to make now, if any; `every` is how often the record is read without need.
    mutating func next(at now: Instant, every: Interval, due: (Instant) -> Bool) -> PairEffect? {
        guard request == .none, due(retryAt) else { return nil }
        if let wanted, !isUnclear {
            request = .swap
            return .witnessSwap(expected: expected, wanted)
        }
        if isUnclear || readWanted || due(answeredAt + every) {
            request = .read
            readWanted = false
            return .witnessRead
        }
        return nil
    }

    mutating func unreachable(at now: Instant) {
        if request == .swap { isUnclear = true }
        if request == .read { readWanted = true }
        request = .none
        isReachable = false
        retryAt = now + pause
        pause = min(pause + pause, PairTimes.witnessRetryLongest)
    }

    /// The record is known to be `record`. Tells whether a swap of ours is decided by that, and how.
    mutating func answered(_ record: WitnessRecord?, at now: Instant) {
        let swapped = request == .swap
        request = .none
        isReachable = true
        pause = PairTimes.witnessRetry
        answeredAt = now
        retryAt = now
        guard wanted != nil else { return }
        if (record?.sequence ?? 0) == expected {
            // Not replaced by anybody: ask (again), though not in a loop with a witness that refuses.
            isUnclear = false
            if swapped { retryAt = now + pause }
        } else {
            wanted = nil
            isUnclear = false
        }
    }
}
