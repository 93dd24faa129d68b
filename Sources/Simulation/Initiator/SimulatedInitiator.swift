import Primitives

/// A command under way, with what it means to the checkers.
struct Operation {
    enum Kind: UInt64 {
        case read = 0
        case write, synchronize, testUnitReady, reportGroups, unmap, reserveOut, reserveIn, probe, erase
    }
    enum Purpose {
        case workload, audit, reservation
        case script(Int)
    }
    var tag: UInt32
    var kind: Kind
    var purpose: Purpose
    var path: Int
    var unit: Int
    var sector: Int
    var count: Int
    /// The write's number in the oracle.
    var write: UInt32 = 0
    /// A write that is all-or-nothing.
    var isAtomic = false
    /// RDPROTECT or WRPROTECT; other than zero: blocks are transferred with their protection information.
    var protect: UInt8 = 0
    /// What each sector must show for a COMPARE AND WRITE to be done, as numbers of writes; nil for other writes.
    var expected: [UInt32]?
    var begun: UInt64
    var deadline: UInt64
    /// Tag of the ABORT TASK that was sent when its time was over.
    var aborting: UInt32?
    /// The attempt of its session.
    var attempt: UInt64 = 0
    /// What reservations were sure to say of it when it was sent, and the step of the script then.
    var verdict: Bool?
    var step: UInt64 = 0
}

/// One way of an initiator to one controller: at most one connection with one session.
final class InitiatorPath {
    let index: Int
    /// Grows with each attempt to connect; late words of earlier ones are void.
    var attempt: UInt64 = 0
    var connection: Int?
    var session: InitiatorSession?
    var operations: [Operation] = []
    /// Writes whose session was lost: they may take effect until the next login on this path (I3).
    var unclosed: [UInt32] = []
    var loginDeadline: UInt64 = 0
    /// LOGICAL UNIT RESET under way: its tag and unit.
    var resetting: (tag: UInt32, unit: Int)?

    init(index: Int) { self.index = index }

    var isReady: Bool { session?.isReady ?? false }
}

/// A host with one path to each controller. It behaves as multipath hosts do: it connects again when a path is lost,
/// uses whatever path is up, aborts what takes too long, and drops a path that does not even answer that.
final class SimulatedInitiator {
    let index: Int
    unowned let world: World
    let paths = [InitiatorPath(index: 0), InitiatorPath(index: 1)]
    /// Workload commands that this initiator may still issue.
    var budget = 0
    /// By path and unit: where its sequential reader goes on.
    var streams: [Int]
    /// By path and unit: a range that is to be read and written at once.
    var ranges: [Range<Int>?]
    /// The newest write that it saw, by unit and sector: what it compares with.
    var seen: [[UInt32]]

    init(index: Int, _ world: World) {
        self.index = index
        self.world = world
        streams = Array(repeating: 0, count: 2 * world.parameters.units)
        ranges = Array(repeating: nil, count: 2 * world.parameters.units)
        seen = Array(
            repeating: Array(repeating: BlockOracle.initial, count: world.parameters.unitSectors),
            count: world.parameters.units)
    }

    var letter: UInt8 { 49 + UInt8(index) }
    var isIdle: Bool { paths.allSatisfy { $0.operations.isEmpty && $0.resetting == nil } }
    var isReady: Bool { paths.allSatisfy(\.isReady) }
    private func link(_ path: Int) -> Int { 1 + index * 2 + path }

    // MARK: The path's life

    func startConnecting(_ path: Int, after delay: UInt64) {
        paths[path].attempt += 1
        world.schedule(.pathConnect(initiator: index, path: path, attempt: paths[path].attempt), after: delay)
    }

    /// The first packet leaves now; a cut or a missing listener is noticed later.
    func connect(_ path: Int, _ attempt: UInt64) {
        guard paths[path].attempt == attempt else { return }
        let latency = 2 * world.drawn(around: world.parameters.networkLatency)
        world.schedule(.pathOpened(initiator: index, path: path, attempt: attempt), after: latency)
    }

    func opened(_ path: Int, _ attempt: UInt64) {
        guard paths[path].attempt == attempt else { return }
        let cut = world.links[link(path)].isCut
        guard !cut[0], !cut[1],
            let connection = world.acceptHost(world.hosts[path], initiator: index, path: path, attempt: attempt)
        else { return startConnecting(path, after: world.drawn(around: world.parameters.lease / 8)) }
        let session = InitiatorSession(settings(path))
        paths[path].connection = connection.number
        paths[path].session = session
        paths[path].loginDeadline = world.now + world.parameters.commandTimeout
        world.record(.login, letter, UInt64(path))
        session.startLogin()
        flush(path)
        scheduleTimer(path)
    }

    private func settings(_ path: Int) -> InitiatorSettings {
        var settings = InitiatorSettings(
            initiatorName: "iqn.2026-11.io.gemel:initiator\(index)", targetName: World.targetName,
            isid: [0x80, 0, 0, 1, UInt8(index), UInt8(path)])
        settings.immediateData = world.random.chance(2, in: 3)
        settings.initialR2T = world.random.chance(1, in: 2)
        settings.usesSecurityStage = world.random.chance(1, in: 2)
        settings.firstBurst = world.random.chance(1, in: 2) ? 4 << 10 : 16 << 10
        settings.maxReceive = world.random.chance(1, in: 2) ? 8 << 10 : 64 << 10
        return settings
    }

    /// The connection is gone: what was under way has no answer and never will.
    func lost(_ path: Int, _ attempt: UInt64) {
        let way = paths[path]
        guard way.attempt == attempt, way.connection != nil else { return }
        world.record(.sessionLost, letter, UInt64(path), UInt64(way.operations.count))
        way.connection = nil
        way.session = nil
        way.resetting = nil
        let left = way.operations
        way.operations.removeAll()
        for operation in left {
            if operation.kind == .write { way.unclosed.append(operation.write) }
            finish(operation, .lost)
        }
        startConnecting(path, after: world.drawn(around: world.parameters.lease / 16))
    }

    /// Gives a path up: closes it at once from our side.
    func drop(_ path: Int) {
        let way = paths[path]
        guard let number = way.connection else { return }
        let attempt = way.attempt
        if let connection = world.connections[number] { world.close(connection, side: 0) }
        lost(path, attempt)
    }

    // MARK: Bytes

    func readable(_ path: Int, _ attempt: UInt64, _ connection: Connection, _ side: Int) {
        let way = paths[path]
        guard way.attempt == attempt, let session = way.session else { return }
        let pipe = connection.pipes[1 - side]
        while pipe.arrived > 0 {
            let count = pipe.read(into: world.scratch, World.scratchBytes)
            session.receive(world.scratch, count)
        }
        world.tellWriter(connection, side: 1 - side)
        drain(path)
        guard way.attempt == attempt else { return }
        flush(path)
        if pipe.endArrived {
            world.close(connection, side: side)
            lost(path, attempt)
        }
    }

    func writable(_ path: Int, _ attempt: UInt64) {
        if paths[path].attempt == attempt { flush(path) }
    }

    /// Writes what the session has to say, as far as the pipe takes it.
    func flush(_ path: Int) {
        guard let session = paths[path].session, let number = paths[path].connection,
            let connection = world.connections[number]
        else { return }
        while session.output.count > 0 {
            let count = session.output.peek(into: world.scratch, World.scratchBytes)
            let taken = world.write(connection, side: 0, world.scratch, count)
            session.output.drop(taken)
            if taken < count { return }
        }
    }

    private func drain(_ path: Int) {
        let way = paths[path]
        guard let session = way.session else { return }
        let events = session.events
        session.events.removeAll()
        for event in events {
            if way.session !== session { return }
            handle(event, path)
        }
    }

    private func handle(_ event: SessionEvent, _ path: Int) {
        let way = paths[path]
        switch event {
        case .loggedIn(let tsih):
            world.counts.sessions += 1
            world.record(.loggedIn, letter, UInt64(path), UInt64(tsih))
            for write in way.unclosed { world.check(world.oracle.close(write, at: world.now)) }
            way.unclosed.removeAll()
        case .loginFailed(let statusClass, let detail):
            world.record(.loginFailed, letter, UInt64(path), UInt64(statusClass), UInt64(detail))
            if statusClass == 2 {
                world.fail(.wireProtocol, "login refused with \(statusClass)/\(detail): an initiator error")
            }
            drop(path)
        case .completed(let tag, let status, let sense, let data):
            guard let index = way.operations.firstIndex(where: { $0.tag == tag }) else { return }
            let operation = way.operations.remove(at: index)
            finish(operation, .status(status, sense, data))
        case .managed(let tag, let response): managed(path, tag, response)
        case .targetLeaves, .loggedOut: drop(path)
        case .violation(let text):
            world.fail(.wireProtocol, "controller \(path == 0 ? "a" : "b") to initiator \(index): \(text)")
        }
    }

    /// A task management function is complete: what it took away can no longer take effect.
    private func managed(_ path: Int, _ tag: UInt32, _ response: UInt8) {
        let way = paths[path]
        if let resetting = way.resetting, resetting.tag == tag {
            way.resetting = nil
            if response != 0 { return drop(path) }
            way.session?.forgetAborted { Int($0.command.lun) == resetting.unit && $0.isAborted }
            end(path) { $0.unit == resetting.unit && $0.begun <= world.now && $0.aborting == tag }
            return
        }
        // Function complete, or the task does not exist (any more): its response came before this one.
        guard way.operations.contains(where: { $0.aborting == tag }) else { return }
        if response > 1 { return drop(path) }
        let tags = way.operations.filter { $0.aborting == tag }.map(\.tag)
        way.session?.forgetAborted { tags.contains($0.tag) }
        end(path) { $0.aborting == tag }
    }

    private func end(_ path: Int, where matches: (Operation) -> Bool) {
        let ended = paths[path].operations.filter(matches)
        paths[path].operations.removeAll(where: matches)
        for operation in ended { finish(operation, .aborted) }
    }

    // MARK: Time

    private func scheduleTimer(_ path: Int) {
        world.schedule(
            .pathTimer(initiator: index, path: path, attempt: paths[path].attempt),
            after: world.parameters.commandTimeout / 4)
    }

    func timer(_ path: Int, _ attempt: UInt64) {
        let way = paths[path]
        guard way.attempt == attempt, let session = way.session else { return }
        if !session.isReady {
            if world.now > way.loginDeadline { return drop(path) }
            return scheduleTimer(path)
        }
        for place in way.operations.indices where way.operations[place].deadline < world.now {
            if way.operations[place].aborting != nil { return drop(path) }
            world.record(.abort, letter, UInt64(path), UInt64(way.operations[place].tag), 1)
            way.operations[place].aborting = session.abort(way.operations[place].tag)
            way.operations[place].deadline = world.now + world.parameters.commandTimeout / 2
        }
        flush(path)
        scheduleTimer(path)
    }
}
