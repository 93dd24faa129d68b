import PagingFormats
import Primitives

// Solo: a joiner is caught up and recorded, the record's `dirty` follows, a clean stop ends it (pair-rules 2 and 9).
extension PairEngine {
    mutating func stepSolo(at now: Instant) {
        if leave.stopAt != nil, join.phase != .swapping {
            stopAlone()
            return
        }
        if join.phase == .none { keepDirty(at: now) }
        keepJoiner()
    }

    // MARK: The joiner

    /// Who asks to be caught up: it has a void memory, and goes by the record that we go by.
    private var joiner: WitnessRecord.Member? {
        guard channel.isUp, let announcement = partner.announcement, announcement.standing == .joining,
            announcement.sequence == record?.sequence, announcement.memoryID != .none,
            let hello = channel.partner
        else { return nil }
        return WitnessRecord.Member(memory: announcement.memoryID, incarnation: hello.incarnation)
    }

    private mutating func keepJoiner() {
        switch join.phase {
        case .none:
            guard let joiner, !witness.isSwapping else { return }
            join.phase = .catchingUp
            join.member = joiner
            acceptedEpoch = epoch
            publish()
            effects.append(.order(.catchUp))
        case .catchingUp, .checking, .quiescing:
            if joiner != join.member { abandonJoiner() }
        case .swapping:
            // Its fate is the witness' to tell, whatever became of the joiner.
            break
        }
    }

    private mutating func abandonJoiner() {
        join.phase = .none
        effects.append(.order(.abandonCatchUp))
    }

    /// Memory reported that the joiner has everything. Answers are held from the quiesce until the witness has spoken,
    /// so the witness is looked for first.
    mutating func caughtUp() {
        guard state == .solo, join.phase == .catchingUp else { return }
        effects.append(.log(PairLog(.caughtUp)))
        join.phase = .checking
        witness.readWanted = true
    }

    // MARK: Dirty

    mutating func dirty(_ dirty: Bool, at now: Instant) {
        if join.dirty == dirty { return }
        join.dirty = dirty
        join.dirtySince = now
    }

    /// The record's `dirty` follows what Memory said: at once when something is, later when nothing is any more.
    private mutating func keepDirty(at now: Instant) {
        guard let record, let dirty = join.dirty, dirty != record.dirty, !witness.isSwapping else { return }
        if !dirty {
            guard configuration.clearsDirtyAlone, due(join.dirtySince + PairTimes.dirtyRest, now) else { return }
        }
        proposeSolo(dirty: dirty)
    }

    // MARK: Clean stop

    private mutating func stopAlone() {
        if join.phase != .none { abandonJoiner() }
        switch leave.stop {
        case .none:
            leave.stop = .draining
            publish()
            effects.append(.order(.drain))
        case .draining: break
        case .drained:
            if witness.isSwapping { return }
            if record?.dirty == true { proposeSolo(dirty: false) } else { finish(.stopped) }
        }
    }
}
