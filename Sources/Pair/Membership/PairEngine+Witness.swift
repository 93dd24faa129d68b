import PagingFormats
import Primitives

// The record: reading it, proposing the next one, and what a record means for the state that it finds us in.
extension PairEngine {
    /// Keeps the talk with the witness going.
    mutating func keepWitness(at now: Instant) {
        var deadline = wake
        let every = state == .paired || state == .solo || state == .candidate || state == .takingOver
            ? PairTimes.servingRead : PairTimes.waitingRead
        let request = witness.next(at: now, every: every) { instant in
            if now >= instant { return true }
            deadline = min(deadline, instant)
            return false
        }
        wake = deadline
        if let request { effects.append(request) }
    }

    mutating func witnessRead(_ answer: WitnessAnswer, at now: Instant) {
        guard witness.request == .read else { return }
        take(answer, at: now)
    }

    mutating func witnessSwapped(_ answer: WitnessAnswer, won: Bool, at now: Instant) {
        guard witness.request == .swap else { return }
        // Whether we won shows in the record itself; `won` without it would be a word against the record.
        _ = won
        take(answer, at: now)
    }

    private mutating func take(_ answer: WitnessAnswer, at now: Instant) {
        switch answer {
        case .unreachable: witness.unreachable(at: now)
        case .damaged:
            if state == .starting, !witness.isSwapping { finish(.refuse(.witnessDamaged)) } else {
                witness.unreachable(at: now)
            }
        case .none:
            if record != nil {
                // A record that was there is gone: nothing may rely on that.
                if state == .starting { finish(.refuse(.witnessDamaged)) } else { witness.unreachable(at: now) }
                return
            }
            witness.answered(nil, at: now)
            absorb(nil, at: now)
        case .record(let read):
            if let record, read.sequence < record.sequence {
                witness.unreachable(at: now)
                return
            }
            witness.answered(read, at: now)
            absorb(read, at: now)
        }
    }

    /// Proposes the record that follows the present one.
    mutating func propose(_ state: WitnessRecord.State, partner member: WitnessRecord.Member, dirty: Bool) {
        let ownMember = me
        let next = WitnessRecord(
            pairID: configuration.pairID, lineage: record?.lineage ?? configuration.freshMemoryID.high | 1,
            sequence: (record?.sequence ?? 0) + 1, epoch: epoch + 1, state: state,
            memberA: own == .a ? ownMember : member, memberB: own == .b ? ownMember : member, dirty: dirty,
            featureLevel: record?.featureLevel ?? 1)
        witness.propose(next, expected: record?.sequence ?? 0)
    }

    mutating func proposeSolo(dirty: Bool) {
        propose(own == .a ? .soloA : .soloB, partner: .absent, dirty: dirty)
    }

    /// The record, as it concerns us.
    var recordView: StartFacts.Record {
        guard let record else { return .none }
        switch record.state {
        case .paired: return .paired
        case .soloA: return own == .a ? .soloOwn : .soloPartner
        case .soloB: return own == .b ? .soloOwn : .soloPartner
        }
    }

    /// The record is this one now.
    private mutating func absorb(_ read: WitnessRecord?, at now: Instant) {
        let first = !recordRead
        recordRead = true
        if first || read != record {
            if state == .starting, let reason = startRefusal(read) {
                finish(.refuse(reason))
                return
            }
            channel.flush(&effects)
            record = read
            channel.identity.epoch = epoch
            leases.void()
            partner.confirmed = false
            if let read {
                effects.append(.log(PairLog(.epochChanged, UInt64(read.epoch), UInt64(read.state.rawValue))))
            }
            if start.adoption != .none, record?.member(own) != me { abandonAdoption() }
        }
        follow(at: now)
    }

    /// What the record means for the state that we are in: the rows of pair-rules 2 whose event is the record.
    private mutating func follow(at now: Instant) {
        let isMember = memory.id != .none && record?.member(own) == me
        switch (state, recordView) {
        case (.starting, .paired), (.joining, .paired):
            if isMember { becomePaired(at: now) }
        case (.starting, .soloOwn):
            if isMember { becomeTakingOver(at: now) }
        case (.paired, .soloOwn), (.candidate, .soloOwn):
            if isMember { becomeTakingOver(at: now) } else { giveUp(.lostMembership) }
        case (.solo, .paired):
            if isMember { becomePaired(at: now) } else { giveUp(.lostMembership) }
        case (.paired, .paired), (.candidate, .paired):
            if !isMember { giveUp(.lostMembership) }
        case (.solo, .soloOwn), (.takingOver, .soloOwn):
            if isMember { keepSolo() } else { giveUp(.lostMembership) }
        case (.paired, .soloPartner), (.solo, .soloPartner), (.takingOver, .soloPartner), (.takingOver, .paired):
            giveUp(.witnessNamesPartner)
        case (.candidate, .soloPartner): giveUp(.lostMembership)
        case (.joining, .soloPartner), (.starting, .soloPartner), (_, .none), (.stopped, _), (.joining, .soloOwn):
            break
        }
    }

    /// Still alone, under a later record (its `dirty` changed): the superblock follows.
    private mutating func keepSolo() {
        acceptedEpoch = epoch
        recordSuperblock()
        if state == .solo, join.phase == .checking {
            join.phase = .quiescing
            effects.append(.order(.quiesce))
        }
    }

    /// Has identity, epoch and lineage written where the next life finds them, when they changed.
    mutating func recordSuperblock() {
        if memory.recorded == me.memory, memory.recordedEpoch == epoch { return }
        memory.recorded = me.memory
        memory.recordedEpoch = epoch
        effects.append(.superblockChanged(memoryID: memory.id, epoch: epoch, lineage: record?.lineage ?? 0))
    }
}
