import PagingFormats
import Primitives

// Joining: the memory is void, the partner fills it, the record makes a member of it (pair-rules 2 and 9).
extension PairEngine {
    /// The memory has a new identity that no record names; from now on it fills.
    mutating func becomeJoining(at now: Instant) {
        memory.isVoid = false
        acceptedEpoch = epoch
        become(.joining, at: now)
    }

    mutating func stepJoining(at now: Instant) {
        if leave.stopAt != nil {
            finish(.stopped)
            return
        }
        if isStillJoinable { return }
        // Start over, with another identity: the record may yet come to name the one that we had, and then we are a
        // member with everything; else that memory is void.
        become(.starting, at: now)
        start = StartProgress()
        witness.readWanted = true
    }

    /// The one who fills us is there, alone or with the record that names us, and goes by the record that we joined.
    private var isStillJoinable: Bool {
        guard channel.isUp, let announcement = partner.announcement, recordView == .soloPartner else { return false }
        switch announcement.standing {
        case .solo: return announcement.sequence == record?.sequence
        case .paired: return announcement.sequence > (record?.sequence ?? 0)
        case .starting, .candidate, .takingOver, .joining, .stopped: return false
        }
    }

    /// What Memory reports goes to the step that waits for it.
    mutating func take(_ report: MembershipReport, at now: Instant) {
        switch report {
        case .mirrorAdopted(let pages): mirrorAdopted(pages, at: now)
        case .foreignAdopted(let pages):
            guard state == .starting, start.adoption == .ordered else { return }
            effects.append(.log(PairLog(.adopted, UInt64(pages))))
            start.adoption = .adopted
        case .headersAgreed: if start.agreement == .ordered { start.agreement = .agreed }
        case .caughtUp: caughtUp()
        case .quiesced: quiesced()
        case .drained: drained()
        case .dirty(let dirty): self.dirty(dirty, at: now)
        }
    }
}
