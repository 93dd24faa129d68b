import BlockModel
import PagingFormats
import Primitives

/// Membership of the controller pair, and the channel between the two.
///
/// It decides by levels, not by edges: each event changes what is known, then `advance` does what the present state
/// allows with what is known, until nothing more follows. So an event that comes twice, late, or in another order
/// changes nothing that was decided rightly.
///
///     streams -> Channel -> frames -> announcements, leases, messages for Memory
///     witness -> record  -> absorb -> state
///     driver  -> facts   -> advance -> orders to Memory, window, fence, witness
package struct PairEngine: ~Copyable {
    package let configuration: PairConfiguration
    /// What the controller must do, in order; it empties this after each call.
    package var effects = Queue<PairEffect>(capacity: 1024)

    var channel: Channel
    var witness = Witness()
    var leases: Leases
    package internal(set) var state: PairState = .starting
    var stateSince: Instant
    let startedAt: Instant

    /// The last record that was read or written; nil while `recordRead` is false, or when there is none.
    package internal(set) var record: WitnessRecord?
    var recordRead = false

    var memory: MemoryIdentity
    var labels: LabelProgress
    var partner: PartnerFacts
    /// Frames with an epoch below this are void.
    var acceptedEpoch: UInt32 = 0
    var devicesWritable = true
    /// The largest Lamport counter that frames brought.
    var lamportSeen: UInt64 = 0

    var start = StartProgress()
    var takeover = TakeoverProgress()
    var join = JoinProgress()
    var leave = LeaveProgress()
    var window = WindowProgress()

    package internal(set) var condition = ServiceCondition.stopped
    /// Earliest deadline that `due` met during the last `advance`.
    var wake: Instant
    /// When the engine was called last: a long gap means that we did not listen, not that nobody spoke.
    var handledAt: Instant
    var listeningSince: Instant
    var heartbeatAt: Instant = .zero
    var dial = DialProgress()
    var counters = MessageCounters()
    private let pinned = Pinned()

    package init(configuration: PairConfiguration, at now: Instant) {
        self.configuration = configuration
        memory = MemoryIdentity(configuration)
        labels = LabelProgress(configuration.devices)
        partner = PartnerFacts(lostAt: now)
        leases = Leases(length: configuration.lease, promise: configuration.promise, at: now)
        channel = Channel(
            identity: ChannelHello(
                controller: configuration.controller, pairID: configuration.pairID,
                incarnation: configuration.incarnation, memoryID: .none),
            patience: configuration.channelPatience)
        stateSince = now
        startedAt = now
        handledAt = now
        listeningSince = now
        wake = now
        witness.readWanted = true
        advance(at: now)
    }

    /// Our own identity in a record.
    var me: WitnessRecord.Member {
        WitnessRecord.Member(memory: memory.id, incarnation: configuration.incarnation)
    }
    var own: ControllerID { configuration.controller }
    var other: ControllerID { configuration.controller.partner }
    package var epoch: UInt32 { record?.epoch ?? 0 }

    /// The next Lamport counter that frames carry; the controller keeps it up to date.
    package var lamport: UInt64 {
        get { channel.lamport }
        set { channel.lamport = newValue }
    }

    /// When `handle(.tick)` is wanted at the latest.
    package var nextDeadline: Instant { wake }

    /// Tells the engine what happened.
    package mutating func handle(_ event: PairEvent, at now: Instant) {
        if (now - handledAt) > configuration.heartbeat + configuration.heartbeat { listeningSince = now }
        handledAt = max(handledAt, now)
        // What ran out while nobody called holds before the event does: a stopped and resumed member answers nothing.
        if now >= wake { advance(at: now) }
        if state == .stopped {
            discard(event)
            return
        }
        if take(event, at: now) { advance(at: now) }
    }

    /// Once per batch: everything queued for the partner since the last call travels as one frame.
    package mutating func settle(at now: Instant) {
        _ = now
        channel.flush(&effects)
    }

    /// Where the next bytes of a stream of the channel go.
    package mutating func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) {
        channel.receiveTargets(stream, into: &vector)
    }

    /// The next bytes to send on a stream of the channel.
    package mutating func transmitSources(_ stream: StreamID, into vector: inout ByteVector) {
        channel.transmitSources(stream, into: &vector)
    }

    /// Takes the event's facts; true when they may change what is to be done.
    private mutating func take(_ event: PairEvent, at now: Instant) -> Bool {
        switch event {
        case .send(let message, let data, let stable): return send(message, data: data, stable: stable, at: now)
        case .sendPage(let message, let data, let trailer):
            return send(message, data: data, stable: true, trailer: trailer, at: now)
        case .transmitted(let stream, let count):
            channel.transmitted(stream, count)
            return false
        case .received(let stream, let count): return received(stream, count, at: now)
        case .channelAccepted(let stream):
            if configuration.single { effects.append(.close(stream)) } else {
                channel.opened(stream, dialled: false, at: now, &effects)
            }
        case .channelConnected(let stream): dialled(stream, at: now)
        case .closed(let stream): changed(channel.closed(stream, &effects), at: now)
        case .random(let token, let bytes): random(token, bytes, at: now)
        case .authenticated(let token, let digest):
            changed(channel.authenticated(token, digest, at: now, &effects), at: now)
        case .witnessRead(let answer): witnessRead(answer, at: now)
        case .witnessSwapped(let answer, let won): witnessSwapped(answer, won: won, at: now)
        case .partnerEnded:
            partner.ended = true
            changed(channel.drop(.closed, &effects), at: now)
        case .fenced(let proof): fenced(proof, at: now)
        case .partnerMemory(let base, let layout): partnerMemory(base, layout, at: now)
        case .windowOpened(let incarnation): windowOpened(incarnation, at: now)
        case .windowClosed: windowClosed(at: now)
        case .devicesWritable(let writable): devicesWritable = writable
        case .labelled(let epoch): labelled(epoch, at: now)
        case .labelsRead(let findings): labelsRead(findings, at: now)
        case .report(let report): take(report, at: now)
        case .stop: leave.stopAt = leave.stopAt ?? now
        case .tick: break
        }
        return true
    }

    /// At the end of its life the engine only lets go of what it is given.
    private mutating func discard(_ event: PairEvent) {
        switch event {
        case .channelAccepted(let stream): effects.append(.close(stream))
        case .channelConnected(let stream): if let stream { effects.append(.close(stream)) }
        case .partnerMemory(let base, _): if base != nil { effects.append(.releasePartnerMemory) }
        case .closed(let stream): _ = channel.closed(stream, &effects)
        case .received, .transmitted, .witnessRead, .witnessSwapped, .partnerEnded, .fenced, .windowOpened,
            .windowClosed, .devicesWritable, .labelled, .labelsRead, .authenticated, .random, .report, .send,
            .sendPage, .stop, .tick:
            break
        }
    }

    // MARK: Advance

    /// Does everything that is to be done now, and finds the next deadline.
    mutating func advance(at now: Instant) {
        wake = .never
        keepChannel(at: now)
        // Each turn either changes the state or is the last; the longest chain is starting, taking over, solo.
        for _ in 0..<PairState.allCases.count {
            let before = state
            step(at: now)
            if state == before || state == .stopped { break }
        }
        if state == .stopped {
            wake = .never
            return
        }
        keepWitness(at: now)
        keepWindow(at: now)
        keepLabels(at: now)
        publish()
        announce(at: now)
    }

    private mutating func step(at now: Instant) {
        if let stopAt = leave.stopAt, due(stopAt + configuration.stopPatience, now) {
            finish(.stopped)
            return
        }
        switch state {
        case .starting: stepStarting(at: now)
        case .paired: stepPaired(at: now)
        case .candidate: stepCandidate(at: now)
        case .takingOver: stepTakingOver(at: now)
        case .solo: stepSolo(at: now)
        case .joining: stepJoining(at: now)
        case .stopped: break
        }
    }

    /// Whether `instant` has come; if not, it is a deadline.
    mutating func due(_ instant: Instant, _ now: Instant) -> Bool {
        if now >= instant { return true }
        wake = min(wake, instant)
        return false
    }

    /// Takes a step of the transition table.
    mutating func become(_ next: PairState, at now: Instant) {
        precondition(state.mayBecome(next), "the transition table has no such row")
        state = next
        stateSince = now
        effects.append(.log(PairLog(.stateChanged, UInt64(next.rawValue), UInt64(epoch))))
    }

    /// The end: no event changes anything any more.
    mutating func finish(_ end: PairEffect) {
        guard state != .stopped else { return }
        state = .stopped
        closeWindow()
        condition = ServiceCondition.stopped
        if start.holdsPartnerMemory { effects.append(.releasePartnerMemory) }
        channel.closeAll(&effects)
        effects.append(.order(.freeze))
        effects.append(end)
    }

    /// Membership is lost: anew as a joiner, or to the end that was wanted anyway.
    mutating func giveUp(_ reason: RestartReason) {
        finish(leave.stopAt == nil ? .restart(reason) : .stopped)
    }

    // MARK: What holds

    /// Tells Memory what holds, when that is something new. While answers are held (a swap under way, a partner that
    /// has not confirmed), Memory stays quiesced and is told nothing.
    mutating func publish() {
        let now = presentCondition
        if now == condition { return }
        condition = now
        if (state == .paired || state == .solo) && !answersHeld { effects.append(.order(.serve(now))) }
    }

    /// Answers wait for the record: Memory was told to quiesce, or has not been told to serve yet.
    private var answersHeld: Bool {
        switch state {
        case .paired: leave.phase == .quiescing || leave.phase == .swapping || (!isServedPair && !leave.isLeaving)
        case .solo: join.phase == .quiescing || join.phase == .swapping
        case .starting, .candidate, .takingOver, .joining, .stopped: true
        }
    }

    /// Paired, confirmed by the partner, and a lease was granted in this epoch.
    private var isServedPair: Bool { partner.confirmed && leases.end != .zero }

    private var presentCondition: ServiceCondition {
        switch state {
        case .paired:
            ServiceCondition(
                serving: !answersHeld && !leave.isLeaving, paired: true, joining: false, epoch: epoch,
                leaseEnd: Planted.isOn(.ignoreLease) ? .never : leases.end)
        case .solo:
            ServiceCondition(
                serving: !answersHeld && leave.stopAt == nil, paired: false, joining: join.phase != .none,
                epoch: epoch, leaseEnd: .never)
        case .starting, .candidate, .takingOver, .joining, .stopped:
            ServiceCondition(serving: false, paired: false, joining: false, epoch: epoch, leaseEnd: .zero)
        }
    }
}
