import PagingFormats
import Primitives

// The channel as membership uses it: connections that come and go, frames, sense requests, announcements.
extension PairEngine {
    /// The channel's timers: dial, handshakes, silence, heartbeat.
    mutating func keepChannel(at now: Instant) {
        if configuration.single { return }
        if due(channel.handshakeDeadline, now) { channel.expire(at: now, &effects) }
        if channel.isUp {
            let heard = max(channel.lastHeard, listeningSince)
            if due(heard + configuration.channelPatience, now) {
                changed(channel.drop(.silent, &effects), at: now)
            } else if due(heartbeatAt, now) {
                heartbeatAt = now + configuration.heartbeat
                _ = due(heartbeatAt, now)
                sendSenseRequest(at: now)
            }
        }
        // One side dials, so that the two never meet half-way: b, for a listens.
        if own == .b, !channel.isUp, !channel.isDialled, !dial.isDialling, due(dial.at, now) {
            dial.isDialling = true
            effects.append(.connectChannel)
        }
    }

    mutating func dialled(_ stream: StreamID?, at now: Instant) {
        dial.isDialling = false
        dial.at = now + dial.pause
        dial.pause = min(dial.pause + dial.pause, PairTimes.dialRetryLongest)
        if let stream { channel.opened(stream, dialled: true, at: now, &effects) }
    }

    /// Follows a change of the live connection.
    mutating func changed(_ change: ChannelChange, at now: Instant) {
        switch change {
        case .none: break
        case .up:
            partner.announcement = nil
            partner.announced = nil
            partner.ended = false
            acceptedEpoch = epoch
            dial.pause = PairTimes.dialRetry
            heartbeatAt = now
            effects.append(.order(.channelUp(connection: channel.connection, window: window.isOpen)))
        case .down:
            partner.announcement = nil
            partner.announced = nil
            partner.lostAt = now
            effects.append(.order(.channelDown))
        }
    }

    /// True when something came that membership must look at.
    mutating func received(_ stream: StreamID, _ count: Int, at now: Instant) -> Bool {
        let change = channel.received(stream, count, at: now, &effects)
        changed(change, at: now)
        var concerns = change != .none
        do {
            while let frame = try channel.nextFrame(at: now) {
                if take(frame, at: now) { concerns = true }
                if state == .stopped { return false }
            }
        } catch {
            changed(channel.drop(error, &effects), at: now)
            concerns = true
        }
        return concerns
    }

    private mutating func take(_ frame: ReceivedFrame, at now: Instant) -> Bool {
        let header = frame.header
        if header.lamport > lamportSeen {
            lamportSeen = header.lamport
            effects.append(.lamport(header.lamport))
        }
        // The partner knows a later record than we do: perhaps one without us.
        if recordRead, header.epoch > epoch { witness.readWanted = true }
        switch header.kind {
        case .announcement:
            partner.announcement = ChannelAnnouncement(decoding: frame.payload, count: Int(header.payloadLength))
            if let announcement = partner.announcement, recordRead,
                announcement.sequence > (record?.sequence ?? 0)
            {
                witness.readWanted = true
            }
            // Messages behind it in this batch were sent to a partner that had read it.
            advance(at: now)
            return true
        case .messages: return takeMessages(frame, at: now)
        case .hello, .proof: return false
        }
    }

    /// The records were checked with the frame.
    private mutating func takeMessages(_ frame: ReceivedFrame, at now: Instant) -> Bool {
        var at = 0
        var concerns = frame.header.epoch > epoch
        for _ in 0..<frame.header.records {
            guard let message = PagingMessage(decoding: frame.payload + at) else { return concerns }
            at += PagingMessage.encodedSize
            let data = message.dataLength == 0 ? nil : frame.payload + at
            at += ChannelLimits.padded(Int(message.dataLength))
            counters.received[Int(message.kind.rawValue)] &+= 1
            if message.kind == .senseRequest {
                if takeSense(message, epoch: frame.header.epoch, at: now) { concerns = true }
            } else if isDeliverable(epoch: frame.header.epoch) {
                effects.append(.deliver(message, data: data))
            } else {
                counters.voided &+= 1
            }
        }
        return concerns
    }

    /// Whether messages of a frame with this epoch count (pair-rules 6 and 3).
    private func isDeliverable(epoch frameEpoch: UInt32) -> Bool {
        frameEpoch >= acceptedEpoch && frameEpoch <= epoch
            && LeaseRule.delivers(
                state, agreeing: start.agreement != .none, joinerThere: join.phase != .none)
    }

    mutating func send(
        _ message: PagingMessage, data: UnsafeRawPointer?, stable: Bool, trailer: UnsafeRawPointer? = nil,
        at now: Instant
    ) -> Bool {
        if !channel.isUp { return false }
        counters.sent[Int(message.kind.rawValue)] &+= 1
        if channel.send(message, data: data, stable: stable, trailer: trailer, epoch: epoch, &effects) { return false }
        changed(channel.drop(.outputFull, &effects), at: now)
        return true
    }

    // MARK: Sense

    mutating func sendSenseRequest(at now: Instant) {
        var request = PagingMessage(.senseRequest)
        request.request = leases.request(at: now)
        request.version = PageVersion(epoch: epoch, counter: 0, controller: own.rawValue)
        request.argument = UInt64(state.standing.rawValue)
        request.time = now.nanoseconds
        _ = send(request, data: nil, stable: false, at: now)
    }

    /// A sense request is answered with our condition, and by the lease rule with a lease; an answer may bring one.
    private mutating func takeSense(_ message: PagingMessage, epoch frameEpoch: UInt32, at now: Instant) -> Bool {
        let sameEpoch = recordRead && frameEpoch == epoch
        if message.isAnswer {
            guard message.status == .done, sameEpoch, state == .paired else { return false }
            return leases.granted(message.request)
        }
        let grants = LeaseRule.grants(state, sameEpoch: sameEpoch, partnerIsMember: partnerIsMember)
        if grants { leases.promised(at: now) }
        var answer = message.answer(grants ? .done : .denied)
        answer.version = PageVersion(epoch: epoch, counter: 0, controller: own.rawValue)
        answer.argument = UInt64(state.standing.rawValue)
        answer.argument2 = record?.sequence ?? 0
        _ = send(answer, data: nil, stable: false, at: now)
        return false
    }

    /// Whoever is at the other end of the live connection is the other member of the record: the same life, the same
    /// memory.
    var partnerIsMember: Bool {
        guard let hello = channel.partner, let member = record?.member(other), member.memory != .none else {
            return false
        }
        if hello.incarnation != member.incarnation { return false }
        return partner.announcement.map { $0.memoryID == member.memory } ?? true
    }

    /// The recorded partner's process has ended: a later life of it was proved on the channel, or its end was seen.
    var recordedPartnerEnded: Bool {
        partner.ended || channel.incarnationSeen > (record?.member(other).incarnation ?? 0)
    }

    /// The partner is there and says that it holds no rights, neither by this life nor by an earlier one.
    var partnerHoldsNothing: Bool {
        guard channel.isUp, let standing = partner.announcement?.standing else { return false }
        switch standing {
        case .starting, .joining: return true
        case .paired, .candidate, .takingOver, .solo, .stopped: return false
        }
    }

    // MARK: Announcements

    /// What the partner must know of us.
    private var presentAnnouncement: ChannelAnnouncement {
        var announcement = ChannelAnnouncement()
        announcement.standing = state.standing
        // A start that swaps the record to itself may take over at any moment, as a candidate may.
        if state == .starting, let wanted = witness.wanted, wanted.state != .paired {
            announcement.standing = .candidate
        }
        announcement.epoch = epoch
        announcement.sequence = record?.sequence ?? 0
        announcement.memoryID = memory.id
        if recordRead {
            announcement.flags.insert(.recordRead)
            if record == nil { announcement.flags.insert(.noRecord) }
        }
        if start.agreement == .agreed { announcement.flags.insert(.headersAgreed) }
        if leave.isLeaving { announcement.flags.insert(.leaving) }
        if leave.isLeaving, leave.isDrained { announcement.flags.insert(.drained) }
        return announcement
    }

    /// Tells the partner what changed.
    mutating func announce(at now: Instant) {
        guard channel.isUp else { return }
        let announcement = presentAnnouncement
        if announcement == partner.announced { return }
        partner.announced = announcement
        channel.identity.memoryID = memory.id
        if !channel.send(announcement, epoch: epoch, &effects) {
            changed(channel.drop(.outputFull, &effects), at: now)
        }
    }
}
