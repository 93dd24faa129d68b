import PagingFormats
import Primitives

// What each state is in the middle of. Plain values; only the file of the state changes them.

/// Our memory's identity (pair-rules 1).
struct MemoryIdentity {
    /// `none`: nothing in the memory may be trusted, and it is not in any record.
    var id: WitnessRecord.MemoryID
    /// The memory is void under this identity, and nobody was told the identity yet.
    var isVoid = false
    /// The memory was told that it is this life's, by `begin` or by `void`.
    var hasBegun = false
    /// What the superblock was told last.
    var recorded = WitnessRecord.MemoryID.none
    var recordedEpoch: UInt32 = 0
    private var fresh: WitnessRecord.MemoryID?
    /// 32 random bytes were asked for.
    var asked = false

    init(_ configuration: PairConfiguration) {
        let lost = configuration.memoryIsFresh || configuration.memoryIsLost
        id = lost ? .none : configuration.memoryID
        fresh = configuration.freshMemoryID == .none ? nil : configuration.freshMemoryID
    }

    /// A random identity that was never used, nil when one must be asked for first.
    mutating func takeFresh() -> WitnessRecord.MemoryID? {
        defer { fresh = nil }
        return fresh
    }

    /// Random bytes came.
    mutating func supply(_ bytes: InlineArray<32, UInt8>) {
        var words: (UInt64, UInt64) = (0, 0)
        for index in 0..<8 {
            words.0 = words.0 << 8 | UInt64(bytes[index])
            words.1 = words.1 << 8 | UInt64(bytes[8 + index])
        }
        asked = false
        fresh = WitnessRecord.MemoryID(high: words.0 | 1, low: words.1)
    }
}

/// What is known of the partner.
struct PartnerFacts {
    /// What it announced on the live connection.
    var announcement: ChannelAnnouncement?
    /// What we announced there.
    var announced: ChannelAnnouncement?
    /// Its process is known to have ended, and was not heard since.
    var ended = false
    /// When the channel was lost last (or we started).
    var lostAt: Instant
    /// Paired: the partner has seen the record of this epoch.
    var confirmed = false

    init(lostAt: Instant) { self.lostAt = lostAt }
}

/// Starting: comparing headers with the partner, or adopting its memory.
struct StartProgress {
    enum Agreement { case none, ordered, agreed }
    enum Adoption { case none, asked, held, ordered, adopted }
    var agreement = Agreement.none
    var adoption = Adoption.none
    var adoptAt: Instant = .zero
    var base: UnsafeMutableRawPointer?
    var layout: RegionLayout?
    /// The partner's memory is not the one that the record names, and no data is missing.
    var adoptsNothing = false
    var holdsPartnerMemory: Bool { base != nil }
}

/// Taking over: record first (done before), fence second, mirror area third.
struct TakeoverProgress {
    var fenceAsked = false
    var fenceProved = false
    var fenceAt: Instant = .zero
    /// The partner left cleanly: it answers nothing, has drained, and said so.
    var clean = false
    var adopting = false
}

/// Solo: a joiner.
struct JoinProgress {
    enum Phase { case none, catchingUp, checking, quiescing, swapping }
    var phase = Phase.none
    var member = WitnessRecord.Member.absent
    /// What Memory said last of dirty pages, and since when.
    var dirty: Bool?
    var dirtySince: Instant = .zero
}

/// A clean stop: ours, or the partner's that we help with.
struct LeaveProgress {
    /// The partner leaves: we drain, quiesce, and record ourselves as solo.
    enum Phase { case none, draining, quiescing, swapping }
    /// Solo: drain, then record that nothing is dirty.
    enum Stop { case none, draining, drained }
    var stopAt: Instant?
    /// Paired: we told the partner that we leave.
    var isLeaving = false
    var isDrained = false
    var phase = Phase.none
    var stop = Stop.none
}

/// The window on the partner's memory, and the word that opens ours.
struct WindowProgress {
    var isOpen = false
    var wordIsOpen = false
    var askAt: Instant = .zero
}

/// Dialling the partner.
struct DialProgress {
    var isDialling = false
    var at: Instant = .zero
    var pause: Interval = PairTimes.dialRetry
}

/// Sent and received, by kind; index is `MessageKind.rawValue`.
struct MessageCounters {
    var sent = InlineArray<11, UInt64>(repeating: 0)
    var received = InlineArray<11, UInt64>(repeating: 0)
    var voided: UInt64 = 0
}
