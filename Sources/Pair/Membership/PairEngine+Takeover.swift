import BlockModel
import PagingFormats
import Primitives

// Candidate and taking over: record first, fence second, mirror area third (pair-rules 2 and 5).
extension PairEngine {
    mutating func becomeCandidate(at now: Instant) {
        become(.candidate, at: now)
        closeWindow()
        condition = ServiceCondition(serving: false, paired: false, joining: false, epoch: epoch, leaseEnd: .zero)
        effects.append(.order(.freeze))
    }

    mutating func stepCandidate(at now: Instant) {
        guard devicesWritable, !witness.isSwapping, recordView == .paired else { return }
        guard recordedPartnerEnded || due(stateSince + configuration.precedence, now) else { return }
        proposeSolo(dirty: true)
    }

    /// The record says that we are alone. Nothing of an earlier fence is remembered.
    mutating func becomeTakingOver(at now: Instant) {
        takeover = TakeoverProgress()
        takeover.clean = state == .paired && leave.phase == .swapping
        // A partner that was seen to have ended may be starting again by now, as we are.
        let mayBeStarting = state == .starting && configuration.partnerOnThisHost
        takeover.fenceAt = mayBeStarting ? now + PairTimes.fenceGrace : now
        if state == .starting { effects.append(.order(.cyclePower)) }
        become(.takingOver, at: now)
        closeWindow()
        acceptedEpoch = epoch
        memory.isVoid = false
        leave.phase = .none
        recordSuperblock()
    }

    mutating func stepTakingOver(at now: Instant) {
        guard !takeover.adopting, isFenced(at: now), isPromiseOver(at: now) else { return }
        takeover.adopting = true
        effects.append(.order(.adoptMirror(epoch: epoch)))
    }

    /// Whether the partner can write no more, with proof in this life of ours.
    private mutating func isFenced(at now: Instant) -> Bool {
        if takeover.fenceProved || takeover.clean || configuration.single || Planted.isOn(.skipFence) { return true }
        // One host: whoever says that it holds nothing has the memory file's lock, so the process before it ended.
        if configuration.partnerOnThisHost, partnerHoldsNothing { return true }
        if !takeover.fenceAsked, due(takeover.fenceAt, now) {
            takeover.fenceAsked = true
            effects.append(.fencePartner)
        }
        return false
    }

    /// Whether the partner can answer no more: it ended, or the promise of our last sense answer is over.
    private mutating func isPromiseOver(at now: Instant) -> Bool {
        if takeover.clean || configuration.single || partner.ended || partnerHoldsNothing { return true }
        if takeover.fenceProved, configuration.partnerOnThisHost { return true }
        return due(leases.promiseEnd, now)
    }

    mutating func fenced(_ proof: Bool, at now: Instant) {
        guard state == .takingOver, takeover.fenceAsked else { return }
        takeover.fenceAsked = false
        takeover.fenceAt = now + PairTimes.fenceRetry
        if !proof { return }
        takeover.fenceProved = true
        effects.append(.log(PairLog(.fenced, record?.member(other).incarnation ?? 0)))
    }

    /// Memory reported that the mirror area is ours.
    mutating func mirrorAdopted(_ pages: UInt32, at now: Instant) {
        guard state == .takingOver, takeover.adopting else { return }
        effects.append(.log(PairLog(.adopted, UInt64(pages))))
        releaseAdopted()
        join = JoinProgress()
        become(.solo, at: now)
    }
}
