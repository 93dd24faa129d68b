import BlockModel
import PagingFormats
import Primitives

@testable import Pair

/// A controller's process and what outlives it: driver, superblock, memory.
final class Node {
    unowned let world: World
    let id: ControllerID
    var index: Int { Int(id.rawValue) }
    var partner: Node { world.nodes[1 - index] }

    // The process.
    var engine: PairEngine?
    /// Incarnation; 0 before the first start.
    var life: UInt64 = 0
    var isPaused = false
    private var backlog: [(life: UInt64, action: (Node) -> Void)] = []
    private var tickAt: UInt64 = .max
    private var nextStream: UInt32 = 1
    var restartAllowed = true
    /// Ends that engines of this node asked for.
    var ends: [String] = []
    var refusal: RefusalReason?
    var stopped = false
    var windowWord: UInt64 = 0
    /// The last counter that the engine told.
    var lamport: UInt64 = 0
    var logs: [PairLog] = []
    /// What a second look at the devices finds.
    var found: [DeviceFinding] = [LabelTests.begun]
    /// What matters of the effects of all lives, in order.
    var acts: [String] = []

    // What outlives it.
    var superblock = Superblock()
    var memoryIsFresh = true
    lazy var memory = FakeMemory(self)
    /// The partner's driver has this memory file locked.
    var isLockedByPartner = false
    let region = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
    static var layout: RegionLayout { RegionLayout(frames: 4, mirrorFrames: 2) }

    // A clock of its own.
    let offset: UInt64
    let drift: Double
    var secret: UInt64 = 0x5EC2_E7
    var adjust: (inout PairConfiguration) -> Void = { _ in }

    init(_ id: ControllerID, _ world: World) {
        self.id = id
        self.world = world
        offset = world.random.below(1_000_000_000_000)
        drift = 1 + (Double(world.random.below(40_000)) - 20_000) / 1_000_000
    }

    deinit { region.deallocate() }

    var isAlive: Bool { engine != nil }
    var local: Instant { Instant(nanoseconds: offset + UInt64(Double(world.now) * drift)) }
    var condition: ServiceCondition { engine?.condition ?? .stopped }
    var snapshot: PairSnapshot? { engine?.snapshot() }
    var stateName: String { engine?.state.name ?? "dead" }
    var state: PairState? { engine?.state }
    /// Hosts may get an answer at this moment. A stopped process counts: it may be about to answer.
    var isServer: Bool { isAlive && condition.serving && local < condition.leaseEnd }

    // MARK: Life

    func start() {
        guard engine == nil, refusal == nil else { return }
        // The process before has ended when the kernel has finished its writes.
        if isLockedByPartner || memory.deviceWrites > 0 {
            world.schedule(after: 100_000_000) { self.start() }
            return
        }
        life += 1
        let low = world.random.next()
        var configuration = PairConfiguration(
            controller: id, pairID: 77, incarnation: life,
            freshMemoryID: .init(high: world.random.next() | 1, low: low))
        configuration.partnerOnThisHost = world.options.oneHost
        configuration.memoryIsFresh = memoryIsFresh
        configuration.memoryID = superblock.memoryID
        configuration.bootID = world.bootID
        configuration.memoryIsLost = !memoryIsFresh && superblock.bootID != world.bootID
        configuration.epochKnown = superblock.epoch
        configuration.lineageKnown = superblock.lineage
        adjust(&configuration)
        world.note("\(id) starts, life \(life)")
        memory.restarted()
        stopped = false
        engine = PairEngine(configuration: configuration, at: local)
        drain()
        if world.options.oneHost, !partner.isAlive { soon { $0.call(.partnerEnded) } }
    }

    /// The process ends: its streams are reset, what it was to be told is lost.
    func die() {
        guard engine != nil else { return }
        world.note("\(id) dies")
        engine = nil
        isPaused = false
        backlog = []
        tickAt = .max
        partner.isLockedByPartner = false
        memory.died()
        for link in world.links where link.streams[index] != nil { link.reset() }
        world.links.removeAll { !$0.isOpen }
        if world.options.oneHost { tellEnded() }
        if restartAllowed, refusal == nil, !stopped { restartLater() }
    }

    /// The partner's driver sees the end of a process when the kernel has finished its writes.
    private func tellEnded() {
        partner.later(life: partner.life) { [self] node in
            if isAlive { return }
            if memory.deviceWrites > 0 { tellEnded() } else { node.call(.partnerEnded) }
        }
    }

    func restartLater() {
        world.schedule(after: world.between(world.options.restartAfter)) {
            if self.engine == nil, self.restartAllowed { self.start() } else if self.engine == nil {
                self.restartLater()
            }
        }
    }

    func pause() { if isAlive { isPaused = true } }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        let waiting = backlog
        backlog = []
        for entry in waiting where entry.life == life && isAlive { entry.action(self) }
        for link in world.links { link.pump() }
        if isAlive { call(.tick) }
    }

    // MARK: Calls

    /// Does `action` in this life after some latency, or when a stopped process goes on.
    func later(life: UInt64, after delay: UInt64? = nil, _ action: @escaping (Node) -> Void) {
        world.schedule(after: delay ?? world.between(world.options.latency)) { [self] in
            guard isAlive, self.life == life else { return }
            if isPaused { backlog.append((life, action)) } else { action(self) }
        }
    }

    func soon(after delay: UInt64? = nil, _ action: @escaping (Node) -> Void) {
        later(life: life, after: delay, action)
    }

    func call(_ event: PairEvent) {
        guard engine != nil, !isPaused else { return }
        engine?.handle(event, at: local)
        drain()
    }

    /// Sends a message as if its sender knew another epoch.
    func inject(_ message: PagingMessage, epoch: UInt32) {
        engine?.inject(message, epoch: epoch)
        drain()
    }

    func setLamport(_ counter: UInt64) { engine?.lamport = counter }

    private func drain() {
        engine?.settle(at: local)
        while let effect = engine?.effects.popFirst() { perform(effect) }
        guard let deadline = engine?.nextDeadline, deadline != .never else { return }
        let after = deadline > local ? UInt64(Double((deadline - local).nanoseconds) / drift) + 2 : 1000
        if world.now + after < tickAt || tickAt <= world.now {
            tickAt = world.now + after
            let at = tickAt
            soon(after: after) { node in
                if node.tickAt == at { node.tickAt = .max }
                node.call(.tick)
            }
        }
    }

    /// An effect in one word, nil for those that scenarios do not ask about.
    private func word(_ effect: PairEffect) -> String? {
        switch effect {
        case .witnessSwap(_, let record): "swap \(record.state)\(record.dirty ? "" : " clean")"
        case .fencePartner: "fence"
        case .adoptPartnerMemory: "lock partner's memory"
        case .releasePartnerMemory: "release partner's memory"
        case .setWindowWord(let word): word == 0 ? "word closed" : "word open"
        case .superblockChanged: "superblock"
        case .writeLabels(let epoch, _): "label \(epoch)"
        case .readLabels: "look at labels"
        case .order(let order):
            switch order {
            case .freeze: "freeze"
            case .adoptMirror: "adopt mirror"
            case .adoptForeign: "adopt foreign"
            case .agreeHeaders: "agree"
            case .serve(let condition): condition.serving ? "serve" : "serve none"
            case .catchUp: "catch up"
            case .abandonCatchUp: "abandon"
            case .quiesce: "quiesce"
            case .drain: "drain"
            case .void: "void"
            case .begin, .cyclePower, .channelUp, .channelDown, .window: nil
            }
        default: nil
        }
    }

    private func perform(_ effect: PairEffect) {
        if let word = word(effect), acts.last != word { acts.append(word) }
        switch effect {
        case .transmit(let stream):
            for link in world.links where link.stream(of: self) == stream { link.transmit(self, stream) }
        case .resumeReceive: for link in world.links { link.pump() }
        case .close(let stream):
            for link in world.links where link.stream(of: self) == stream { link.reset() }
            world.links.removeAll { !$0.isOpen }
        case .connectChannel: connect()
        case .witnessRead: witnessRead()
        case .witnessSwap(let expected, let record): witnessSwap(expected, record)
        case .fencePartner: fence()
        case .adoptPartnerMemory: adoptPartnerMemory()
        case .releasePartnerMemory: partner.isLockedByPartner = false
        case .openWindow:
            if world.options.oneHost, partner.isAlive {
                let incarnation = partner.life
                soon { $0.call(.windowOpened(incarnation: incarnation)) }
            }
        case .closeWindow: break
        case .setWindowWord(let word): windowWord = word
        case .authenticate(let token, let message, let count):
            let digest = Self.digest(secret, message, count)
            soon { $0.call(.authenticated(token: token, digest: digest)) }
        case .random(let token):
            var bytes = InlineArray<32, UInt8>(repeating: 0)
            for index in 0..<32 { bytes[index] = UInt8(truncatingIfNeeded: world.random.next()) }
            soon { $0.call(.random(token: token, bytes)) }
        case .order(let order): memory.take(order)
        case .deliver(let message, let data): memory.deliver(message, data)
        case .lamport(let counter): lamport = counter
        case .readLabels: soon { $0.call(.labelsRead($0.found)) }
        case .writeLabels(let epoch, _): soon { $0.call(.labelled(epoch)) }
        case .superblockChanged(let memoryID, let epoch, let lineage):
            superblock.memoryID = memoryID
            superblock.epoch = epoch
            superblock.lineage = lineage
            superblock.controller = UInt32(id.rawValue)
            superblock.pairID = 77
            superblock.bootID = world.bootID
            superblock.frames = UInt32(Self.layout.frames)
            superblock.mirrorFrames = UInt32(Self.layout.mirrorFrames)
            superblock.encode(to: region)
            memoryIsFresh = false
        case .restart(let reason):
            world.note("\(id) restarts: \(reason)")
            ends.append("restart \(reason)")
            soon(after: 0) { $0.die() }
        case .stopped:
            ends.append("stopped")
            stopped = true
            soon(after: 0) { $0.die() }
        case .refuse(let reason):
            ends.append("refuse \(reason)")
            refusal = reason
            soon(after: 0) { $0.die() }
        case .log(let entry):
            logs.append(entry)
            world.note("\(id) \(entry.code) \(entry.first) \(entry.second)")
        }
    }

    // MARK: Driver

    private func connect() {
        let life = life
        later(life: life) { node in
            let other = node.partner
            guard !node.world.cut, other.isAlive else {
                node.call(.channelConnected(nil))
                return
            }
            let (here, there) = (node.newStream(), other.newStream())
            let ends: [(StreamID, UInt64)?] =
                node.index == 0 ? [(here, life), (there, other.life)] : [(there, other.life), (here, life)]
            node.world.links.append(Link(node.world, streams: ends))
            other.later(life: other.life) { $0.call(.channelAccepted(there)) }
            node.call(.channelConnected(here))
        }
    }

    func newStream() -> StreamID {
        nextStream += 1
        return StreamID(nextStream)
    }

    private func witnessRead() {
        soon { node in
            let witness = node.world.witness
            let answer = witness.reachable[node.index] ? witness.answer : .unreachable
            node.soon { $0.call(.witnessRead(answer)) }
        }
    }

    private func witnessSwap(_ expected: UInt64, _ record: WitnessRecord) {
        let world = world
        // A request that has left the process arrives even if the process ends.
        world.schedule(after: world.between(world.options.latency)) { [self] in
            let witness = world.witness
            guard witness.reachable[index] else {
                if world.options.lateWitness, witness.losesReplies, world.random.chance(1, in: 2) {
                    world.schedule(after: world.random.below(2_000_000_000)) {
                        _ = witness.swap(expected: expected, record)
                    }
                }
                soon { $0.call(.witnessSwapped(.unreachable, won: false)) }
                return
            }
            if witness.losesReplies, world.random.chance(1, in: 3) {
                if world.random.chance(1, in: 2) { _ = witness.swap(expected: expected, record) } else {
                    world.schedule(after: world.random.below(2_000_000_000)) {
                        _ = witness.swap(expected: expected, record)
                    }
                }
                soon { $0.call(.witnessSwapped(.unreachable, won: false)) }
                return
            }
            let won = witness.swap(expected: expected, record)
            world.note("\(id) swap \(expected) -> \(record.state) e\(record.epoch): \(won)")
            let answer = witness.answer
            soon { $0.call(.witnessSwapped(answer, won: won)) }
        }
    }

    private func fence() {
        soon { node in
            node.world.note("\(node.id) fences")
            let other = node.partner
            if node.world.options.oneHost { other.die() } else { other.memory.isFenced = true }
            node.proveFence()
        }
    }

    private func proveFence() {
        soon { node in
            let writes = node.world.options.oneHost && node.partner.memory.deviceWrites > 0
            node.call(.fenced(!writes && !node.world.random.chance(1, in: 5)))
        }
    }

    private func adoptPartnerMemory() {
        soon { node in
            let other = node.partner
            guard node.world.options.oneHost, !other.isAlive, other.memory.deviceWrites == 0 else {
                node.call(.partnerMemory(nil, nil))
                return
            }
            other.isLockedByPartner = true
            node.call(.partnerMemory(other.region, Node.layout))
        }
    }
}

extension PairEngine {
    fileprivate mutating func inject(_ message: PagingMessage, epoch: UInt32) {
        channel.flush(&effects)
        _ = channel.send(message, data: nil, stable: false, epoch: epoch, &effects)
    }
}
