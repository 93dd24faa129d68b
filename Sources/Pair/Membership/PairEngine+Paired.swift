import PagingFormats
import Primitives

// Paired: what ends it, and the clean leave of either side (pair-rules 2).
extension PairEngine {
    /// The record names us both. Hosts are served when the partner has confirmed and given a lease.
    mutating func becomePaired(at now: Instant) {
        // Both were down and have compared what they hold; a joiner that missed the record only comes late.
        if state == .starting, start.agreement != .none { effects.append(.order(.cyclePower)) }
        become(.paired, at: now)
        partner.confirmed = false
        memory.isVoid = false
        releaseAdopted()
        join = JoinProgress()
        leave.phase = .none
        recordSuperblock()
        if configuration.partnerOnThisHost, !configuration.single {
            window.wordIsOpen = true
            effects.append(
                .setWindowWord(WindowWord.open(epoch: epoch, incarnation: configuration.incarnation)))
        }
        effects.append(.log(PairLog(.partnerJoined, record?.member(other).incarnation ?? 0)))
    }

    mutating func stepPaired(at now: Instant) {
        if mustStepBack(at: now) {
            effects.append(.log(PairLog(.partnerLost, record?.member(other).incarnation ?? 0)))
            becomeCandidate(at: now)
            return
        }
        confirm(at: now)
        if leave.phase == .none { helpPartnerLeave() }
        if leave.phase == .none { leaveCleanly() }
    }

    /// The events of the table's first row.
    private mutating func mustStepBack(at now: Instant) -> Bool {
        if partner.ended { return true }
        if channel.isUp {
            if !partnerIsMember { return true }
            if partner.announcement?.standing == .stopped { return true }
        } else if due(partner.lostAt + configuration.channelPatience, now) {
            return true
        }
        // Before the first lease of an epoch there is nothing to run out, but no more patience than for one.
        let end = leases.end == .zero ? stateSince + configuration.lease : leases.end
        return due(end, now) && !Planted.isOn(.ignoreLease)
    }

    /// The partner has seen the record that we go by: from now on its leases are asked for in earnest.
    private mutating func confirm(at now: Instant) {
        guard !partner.confirmed, channel.isUp, let announcement = partner.announcement,
            announcement.standing == .paired, announcement.sequence == record?.sequence
        else { return }
        partner.confirmed = true
        // Everything that the partner sent before it knew this record has come by now.
        acceptedEpoch = epoch
        heartbeatAt = now + configuration.heartbeat
        _ = due(heartbeatAt, now)
        sendSenseRequest(at: now)
    }

    // MARK: Clean leave

    /// A stop was asked for: answer no more hosts, destage, and let the partner record itself as solo.
    private mutating func leaveCleanly() {
        guard leave.stopAt != nil, !leave.isLeaving else { return }
        leave.isLeaving = true
        publish()
        effects.append(.order(.drain))
    }

    /// The partner has left but for the record: drain, quiesce, swap. When both leave, a is the one that stays for it.
    private mutating func helpPartnerLeave() {
        guard let announcement = partner.announcement, announcement.standing == .paired,
            announcement.sequence == record?.sequence, announcement.flags.isSuperset(of: [.leaving, .drained]),
            !(leave.isLeaving && own == .b)
        else { return }
        leave.phase = .draining
        effects.append(.order(.drain))
    }

    /// Memory reported that a drain is complete.
    mutating func drained() {
        if state == .paired, leave.phase == .draining {
            leave.phase = .quiescing
            effects.append(.order(.quiesce))
        } else if state == .paired, leave.isLeaving {
            leave.isDrained = true
        } else if state == .solo, leave.stop == .draining {
            leave.stop = .drained
        }
    }

    /// Memory reported that all answers are held and no device write is in flight.
    mutating func quiesced() {
        if state == .paired, leave.phase == .quiescing, !witness.isSwapping {
            leave.phase = .swapping
            proposeSolo(dirty: true)
        } else if state == .solo, join.phase == .quiescing, !witness.isSwapping {
            join.phase = .swapping
            propose(.paired, partner: join.member, dirty: true)
        }
    }
}
