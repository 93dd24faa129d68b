import BlockModel
import CopyModule
import ISCSITarget
import Memory
import PagingFormats
import Pair
import Primitives
import SAM
import SCSITarget

// Who gets what: events to engines, and the engines' words to each other, until nobody has anything more to say.
extension Controller {
    mutating func route(_ event: ControllerEvent, at now: Instant) {
        switch event {
        case .hostConnected(let stream, let portal, let peer):
            if isStopping || !iscsi.hostConnected(stream, portal: portal, peer: peer, at: now) {
                effects.append(.close(stream))
            }
        case .channelAccepted(let stream):
            channelStreams.append(stream)
            pair.handle(.channelAccepted(stream), at: now)
        case .channelConnected(let stream):
            if let stream { channelStreams.append(stream) }
            pair.handle(.channelConnected(stream), at: now)
        case .received(let stream, let count):
            if isChannel(stream) {
                pair.handle(.received(stream, count: count), at: now)
            } else {
                iscsi.received(stream, count: count, at: now)
            }
        case .transmitted(let stream, let count):
            if isChannel(stream) {
                pair.handle(.transmitted(stream, count: count), at: now)
            } else {
                iscsi.transmitted(stream, count: count, at: now)
            }
        case .closed(let stream):
            if isChannel(stream) {
                pair.handle(.closed(stream), at: now)
                channelStreams.removeAll { $0 == stream }
            } else {
                iscsi.closed(stream, at: now)
            }
        case .storageCompleted(let completion):
            if completion.id == LabelRound.request {
                followLabels(labels.completed(fault: completion.fault), at: now)
            } else {
                memory.handle(completion, at: now)
            }
        case .windowOpened(_, let incarnation):
            windowIncarnation = incarnation
            pair.handle(.windowOpened(incarnation: incarnation), at: now)
        case .windowClosed:
            windowIncarnation = nil
            pair.handle(.windowClosed, at: now)
        case .placed(let token, let ok): copy.placed(token: token, ok: ok)
        case .witnessRead(let answer): pair.handle(.witnessRead(answer), at: now)
        case .witnessSwapped(let answer, let won): pair.handle(.witnessSwapped(answer, won: won), at: now)
        case .partnerEnded: pair.handle(.partnerEnded, at: now)
        case .fenced(let proven): pair.handle(.fenced(proven), at: now)
        case .partnerMemory(let base, let layout): pair.handle(.partnerMemory(base, layout), at: now)
        case .authenticated(let token, let digest): pair.handle(.authenticated(token: token, digest: digest), at: now)
        case .random(let token, let bytes): pair.handle(.random(token: token, bytes), at: now)
        case .loginChallenge(let token, let bytes): iscsi.challengeDrawn(token: token, bytes, at: now)
        case .loginDigest(let token, let digest): iscsi.digestMade(token: token, digest, at: now)
        case .moveHome(let unit, let to): moveHome(unit, to: to, at: now)
        case .maintenance(let isOn): isInMaintenance = isOn
        case .stop: stop(at: now)
        case .tick: tick(at: now)
        }
    }

    private mutating func tick(at now: Instant) {
        if pair.nextDeadline <= now { pair.handle(.tick, at: now) }
        if iscsi.nextDeadline <= now { iscsi.tick(at: now) }
        if server.nextDeadline <= now { server.tick(at: now) }
    }

    /// A clean stop: hosts are asked to log out, so that those with several paths leave this one; then Pair drains and
    /// hands over (`leaveWhenLoggedOut`).
    private mutating func stop(at now: Instant) {
        guard !isStopping else { return }
        isStopping = true
        iscsi.requestLogouts(of: .all, within: ControllerLimits.logoutTime, at: now)
    }

    /// The second half of a clean stop: all hosts have logged out, or their time is over.
    mutating func leaveWhenLoggedOut(at now: Instant) {
        if !isStopping || isLeaving || iscsi.isAwaitingLogouts { return }
        isLeaving = true
        iscsi.closeAllSessions()
        pair.handle(.stop, at: now)
    }

    /// Home moves by the hand of the present home only: it knows what it must clear first.
    private mutating func moveHome(_ unit: UnitIndex?, to: ControllerID, at now: Instant) {
        failback.holdOff()
        for index in description.units.indices where unit == nil || Int(unit?.raw ?? 0) == index {
            let each = UnitIndex(UInt16(index))
            if memory.home(of: each) == id && to != id && pair.condition.paired {
                server.moveHome(each, to: to, at: now)
            }
        }
    }

    /// Carries words between the engines until all queues are empty. Each queue is bounded by its owner, and each word
    /// answers an earlier one, so this ends.
    mutating func drain(at now: Instant) {
        var isBusy = true
        while isBusy {
            isBusy = false
            while let indication = iscsi.indications.popFirst() {
                server.handle(indication, at: now)
                isBusy = true
            }
            for index in 0..<server.blocks.count { memory.expect(server.blocks[index]) }
            while let request = server.blocks.popFirst() {
                memory.handle(request, at: now)
                if memoryHasWords { routeMemory(at: now) }
                isBusy = true
            }
            while let request = server.transport.popFirst() {
                iscsi.handle(request, at: now)
                isBusy = true
            }
            while let effect = pair.effects.popFirst() {
                route(effect, at: now)
                isBusy = true
            }
            if memoryHasWords && routeMemory(at: now) { isBusy = true }
            while let effect = iscsi.effects.popFirst() { route(effect) }
            if iscsi.isRunnable {
                iscsi.resume(at: now)
                isBusy = true
            }
        }
    }

    /// A look that is cheaper than `routeMemory` with nothing to route.
    private var memoryHasWords: Bool {
        !memory.responses.isEmpty || !memory.effects.isEmpty || !copy.effects.isEmpty
    }

    /// Memory's words to the device server, the copy module, Pair and the driver; and the copy module's.
    @discardableResult
    private mutating func routeMemory(at now: Instant) -> Bool {
        var hadWork = false
        while true {
            while let response = memory.responses.popFirst() {
                server.handle(response, at: now)
                hadWork = true
            }
            while let effect = memory.effects.popEntry() {
                route(effect, at: now)
                hadWork = true
            }
            guard let effect = copy.effects.popFirst() else { return hadWork }
            switch effect {
            case .place(let placement): effects.append(.place(placement))
            case .send(let frame):
                if let message = copy.takeMessage(frame) {
                    let (data, trailer) = (copy.data(frame), copy.trailer(frame, of: message))
                    pair.handle(
                        trailer.map { .sendPage(message, data: data, trailer: $0) }
                            ?? .send(message, data: data, stable: true), at: now)
                }
            case .copied(let frame): memory.copied(frame, at: now)
            }
        }
    }

    private mutating func route(_ effect: MemoryEffects.Entry, at now: Instant) {
        switch effect {
        case .storage(let request): effects.append(.storage(request))
        case .message:
            let next = memory.effects.takeMessage()
            pair.handle(.send(next.message, data: next.data, stable: next.isStable), at: now)
        case .copy(let frame, let slot, let methods):
            copy.copy(frame, to: slot, dma: methods.dma, messaging: methods.messaging, dmaFirst: methods.dmaFirst)
        case .clear(let slot): effects.append(.clear(slot: slot))
        case .settle(let slot): effects.append(.settle(slot: slot))
        case .report(let report): pair.handle(.report(report), at: now)
        case .tornFrame(let frame, let unit): log(.tornFrame, UInt64(frame.raw), UInt64(unit.raw))
        case .deviceFault(let device, let fault): log(.deviceFault, UInt64(device.raw), UInt64(fault.rawValue))
        case .homeChanged(let unit, let home): log(.homeMoved, UInt64(unit.raw), UInt64(home.rawValue))
        }
    }

    private mutating func route(_ effect: PairEffect, at now: Instant) {
        switch effect {
        case .transmit(let stream): effects.append(.transmit(stream))
        case .resumeReceive(let stream): effects.append(.resumeReceive(stream))
        case .close(let stream): effects.append(.close(stream))
        case .connectChannel: effects.append(.connectChannel)
        case .witnessRead: effects.append(.witnessRead)
        case .witnessSwap(let expected, let record): effects.append(.witnessSwap(expected: expected, record))
        case .fencePartner: effects.append(.fencePartner)
        case .adoptPartnerMemory: effects.append(.adoptPartnerMemory)
        case .releasePartnerMemory: effects.append(.releasePartnerMemory)
        case .openWindow: effects.append(.openWindow)
        case .closeWindow:
            windowIncarnation = nil
            effects.append(.closeWindow)
        case .setWindowWord(let word): effects.append(.setWindowWord(word))
        case .authenticate(let token, let message, let count):
            effects.append(.authenticate(token: token, message: message, count: count))
        case .random(let token): effects.append(.random(token: token))
        case .order(let order): obey(order, at: now)
        case .deliver(let message, let data):
            if message.kind == .writePage && message.isAnswer {
                copy.answered(message)
            } else {
                memory.deliver(message, data: data, at: now)
            }
        case .lamport(let counter): memory.raiseLamport(to: counter)
        case .superblockChanged(let memoryID, let epoch, let lineage):
            superblock.memoryID = memoryID
            superblock.epoch = epoch
            superblock.lineage = lineage
            writeSuperblock()
        case .writeLabels(let epoch, let lineage):
            followLabels(labels.begin(.write(epoch: epoch, lineage: lineage)), at: now)
        case .readLabels: followLabels(labels.begin(.read), at: now)
        case .restart(let reason): effects.append(.restart(reason: reason))
        case .stopped: effects.append(.stopped)
        case .refuse(let reason): effects.append(.refuse(reason))
        case .log(let entry): log(LogEntry.Code(entry.code), entry.first, entry.second)
        }
    }

    /// What the labels' round wants next: a request, or that Pair hears of its end.
    private mutating func followLabels(_ step: LabelRound.Step, at now: Instant) {
        switch step {
        case .request(let request): effects.append(.storage(request))
        case .written(let epoch): pair.handle(.labelled(epoch), at: now)
        case .found(let findings): pair.handle(.labelsRead(findings), at: now)
        }
    }

    private mutating func writeSuperblock() {
        if isForeignRegion { region.initializeMemory(as: UInt8.self, repeating: 0, count: headerBytes) }
        isForeignRegion = false
        superblock.encode(to: region)
    }

    /// An order concerns Memory, and the copy module where it changes what can be copied.
    private mutating func obey(_ order: MembershipOrder, at now: Instant) {
        switch order {
        case .begin: writeSuperblock()
        case .channelUp: copy.channel(up: true)
        case .channelDown: copy.channel(up: false)
        case .window(let open): copy.window(open: open)
        case .adoptMirror, .abandonCatchUp, .catchUp, .void: copy.reset()
        case .serve(let condition): if !condition.paired && !condition.joining { copy.reset() }
        case .freeze, .adoptForeign, .agreeHeaders, .cyclePower, .quiesce, .drain: break
        }
        memory.handle(order, at: now)
    }

    private mutating func route(_ effect: TransportEffect) {
        switch effect {
        case .transmit(let stream): effects.append(.transmit(stream))
        case .resumeReceive(let stream): effects.append(.resumeReceive(stream))
        case .close(let stream): effects.append(.close(stream))
        case .challenge(let token): effects.append(.loginChallenge(token: token))
        case .digest(let token, let request): effects.append(.loginDigest(token: token, request))
        case .sessionOpened(_, let nexus): if let nexus { log(.sessionOpened, UInt64(nexus.raw)) }
        case .sessionClosed(let nexus): log(.sessionClosed, UInt64(nexus.raw))
        case .loginRefused(let stream, let status): log(.loginRefused, UInt64(stream.raw), UInt64(status))
        case .protocolError(let stream, let fault):
            log(.protocolError, UInt64(stream.raw), UInt64(fault.rawValue))
        }
    }

    private mutating func log(_ code: LogEntry.Code, _ first: UInt64 = 0, _ second: UInt64 = 0) {
        effects.append(.log(LogEntry(code, first, second)))
    }
}

extension LogEntry.Code {
    /// The controller's word for what Pair tells.
    init(_ code: PairLog.Code) {
        switch code {
        case .stateChanged: self = .stateChanged
        case .epochChanged: self = .epochChanged
        case .partnerLost: self = .partnerLost
        case .partnerJoined: self = .partnerJoined
        case .fenced: self = .fenced
        case .adopted: self = .adopted
        case .caughtUp: self = .caughtUp
        case .channelUp: self = .channelUp
        case .channelDown: self = .channelDown
        case .channelRefused: self = .channelRefused
        case .windowOpened: self = .windowOpened
        case .windowClosed: self = .windowClosed
        case .memoryVoided: self = .memoryVoided
        }
    }
}
