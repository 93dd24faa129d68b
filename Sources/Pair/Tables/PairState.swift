import PagingFormats

/// Membership's states (pair-rules 2). Each is a row of the transition table; what a state is in the middle of is kept
/// beside it.
package enum PairState: UInt8, Sendable, CaseIterable {
    /// Nothing is served; the start-up table (`StartRow`) decides.
    case starting
    /// In the record as a member; serves while a lease lasts.
    case paired
    /// May have lost its partner or its membership: answers no host until the witness has spoken.
    case candidate
    /// Recorded alone; fences, waits for the promise that it gave, adopts.
    case takingOver
    /// Alone, and fenced: serves without a lease.
    case solo
    /// Void memory; the partner that is solo brings it up to date.
    case joining
    /// At its end: stopped, refused, or about to start anew.
    case stopped

    /// The name that status uses.
    package var name: String {
        switch self {
        case .starting: "starting"
        case .paired: "paired"
        case .candidate: "candidate"
        case .takingOver: "taking over"
        case .solo: "solo"
        case .joining: "joining"
        case .stopped: "stopped"
        }
    }

    /// Whether the transition table has a row from this state to `next`.
    ///
    ///     from \ to     starting  paired  candidate  takingOver  solo  joining  stopped
    ///     starting          -     agreed      -       CAS won     -     void      any
    ///     paired            -        -      lost it   leave       -      -        any
    ///     candidate         -     CAS seen    -       CAS won     -      -        any
    ///     takingOver        -        -        -          -      adopted  -        any
    ///     solo              -     CAS won     -          -        -      -        any
    ///     joining        broken   CAS seen    -          -        -      -        any
    package func mayBecome(_ next: PairState) -> Bool {
        if next == .stopped { return self != .stopped }
        return switch self {
        case .starting: next == .paired || next == .takingOver || next == .joining
        case .paired: next == .candidate || next == .takingOver
        case .candidate: next == .takingOver
        case .takingOver: next == .solo
        case .solo: next == .paired
        case .joining: next == .starting || next == .paired
        case .stopped: false
        }
    }

    /// How the state is announced to the partner.
    var standing: ChannelAnnouncement.Standing {
        switch self {
        case .starting: .starting
        case .paired: .paired
        case .candidate: .candidate
        case .takingOver: .takingOver
        case .solo: .solo
        case .joining: .joining
        case .stopped: .stopped
        }
    }
}
