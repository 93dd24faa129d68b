import PagingFormats
import Primitives

/// Who gives a lease (pair-rules 3).
package enum LeaseRule {
    /// Whether a sense request is answered with a lease: a promise not to take over.
    ///
    /// Only a member promises, only to the other member of the same record, and only in its epoch. A candidate does
    /// not, nor does anybody who holds no rights that it could hold back.
    package static func grants(_ state: PairState, sameEpoch: Bool, partnerIsMember: Bool) -> Bool {
        switch state {
        case .paired: sameEpoch && partnerIsMember
        case .starting, .candidate, .takingOver, .solo, .joining, .stopped: false
        }
    }

    /// Whether a paging synchronization message of the partner (any but sense request) counts here.
    package static func delivers(_ state: PairState, agreeing: Bool, joinerThere: Bool) -> Bool {
        switch state {
        case .paired, .joining: true
        case .solo: joinerThere
        case .starting: agreeing
        case .candidate, .takingOver, .stopped: false
        }
    }
}

/// Leases held, promises given, and the sense requests in between.
struct Leases {
    /// Sense requests that may wait for an answer at a time; an older one is forgotten, and its answer grants nothing.
    static var outstanding: Int { 16 }

    let length: Interval
    let promise: Interval
    /// Exclusive end of the lease that we hold; `zero` for none in this epoch.
    private(set) var end: Instant = .zero
    /// When we last promised. At the start it is the start itself: an earlier life may have promised until then.
    private(set) var promisedAt: Instant
    private var sequence: UInt32 = 0
    private var sentAt = InlineArray<16, Instant>(repeating: .never)

    init(length: Interval, promise: Interval, at now: Instant) {
        self.length = length
        self.promise = promise
        promisedAt = now
    }

    /// Until then the partner may answer hosts by a promise of ours.
    var promiseEnd: Instant { promisedAt + promise }

    /// A new epoch: nothing that was asked or granted before it counts.
    mutating func void() {
        end = .zero
        sentAt = InlineArray<16, Instant>(repeating: .never)
    }

    /// A sense request leaves at `now`; its number.
    mutating func request(at now: Instant) -> UInt32 {
        sequence &+= 1
        if sequence == 0 { sequence = 1 }
        sentAt[Int(sequence) % Self.outstanding] = now
        return sequence
    }

    /// An answer that grants came; true when the lease became longer. It runs from when the request was sent.
    mutating func granted(_ request: UInt32) -> Bool {
        guard request != 0, request <= sequence, sequence - request < UInt32(Self.outstanding) else { return false }
        let sent = sentAt[Int(request) % Self.outstanding]
        guard sent != .never, sent + length > end else { return false }
        end = sent + length
        return true
    }

    /// We answer a request with a lease.
    mutating func promised(at now: Instant) { promisedAt = max(promisedAt, now) }
}
