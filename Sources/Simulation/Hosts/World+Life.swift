import Controller
import PagingFormats
import Primitives

/// Why a process ended.
enum EndCause: UInt64 {
    case crash = 0, crashInBatch, fence, restart, stopped
}

/// What the supervisor does with a process that ended.
enum Supervision {
    /// Start it again after a drawn time; in a script: leave it.
    case usual
    case after(UInt64)
    case never
}

extension World {
    /// A process ends at once, whatever it was doing. Its memory file, its bytes in flight and its device requests
    /// stay; the supervisor does with it as `then` says.
    func crash(_ host: SimulatedHost, cause: EndCause, then: Supervision = .usual) {
        guard host.isRunning else { return }
        let inFlight = devices.reduce(0) { $0 + $1.inFlight(host: host.index) }
        record(.died, host.letter, host.life, UInt64(inFlight), cause.rawValue)
        for device in devices {
            device.orphan(host: host.index) { [self] in
                isScripted || !random.chance(1, in: 3) ? .max : random.next()
            }
        }
        let partner = hosts[1 - host.index]
        let partnerServes = partner.isRunning && partner.process?.status(at: instant).serving ?? false
        if !partnerServes { reservations?.checker.bothDown(at: now) }
        host.state = .dying
        host.process = nil
        host.inbox.removeAll(keepingCapacity: true)
        host.wakeScheduled = false
        host.tickAt = .max
        host.isHung = false
        host.isInterrupted = false
        host.needsSettle = false
        host.armed = nil
        host.clockLag = 0
        host.window = nil
        host.wantsWindow = false
        host.wantedWindowWord = WindowWord.closed
        host.placed.removeAll()
        host.watched = nil
        host.toldEnd = nil
        host.holdsPartnerMemory = false
        host.isFencing = false
        switch then {
        case .usual: host.restartDelay = defaultRestartDelay()
        case .after(let delay): host.restartDelay = delay
        case .never: host.restartDelay = nil
        }
        for slot in host.streams { if let slot { abandon(slot) } }
        host.streams.removeAll(keepingCapacity: true)
        if options.lie == .memoryForgotten { forgetFrames(host) }
        finishDying(host)
    }

    /// The kernel closes a dead process's connections: an end or a reset, behind what was sent.
    private func abandon(_ slot: StreamSlot) {
        guard let connection = connections[slot.connection] else { return }
        let isAbrupt = random.chance(1, in: 2)
        close(connection, side: slot.side)
        if isAbrupt { reset(connection) }
    }

    private func defaultRestartDelay() -> UInt64? {
        if isScripted { return nil }
        return random.chance(1, in: 3)
            ? between(20_000_000, 200_000_000) : between(parameters.lease / 4, parameters.lease * 4)
    }

    /// A process is gone when the last of its device requests is complete (its pidfd becomes readable then).
    func finishDying(_ host: SimulatedHost) {
        guard host.state == .dying, devices.allSatisfy({ $0.inFlight(host: host.index) == 0 }) else { return }
        host.state = .dead
        record(.dead, host.letter, host.life)
        let partner = hosts[1 - host.index]
        if partner.isRunning && partner.watched == host.life {
            let isLate = random.chance(1, in: 8)
            let delay = isLate ? drawn(around: 15_000_000) : drawn(around: 300_000)
            schedule(.endNoticed(host: partner.index, life: partner.life, partnerLife: host.life), after: delay)
        }
        if let delay = host.restartDelay { scheduleStart(host, after: delay) }
    }

    func scheduleStart(_ host: SimulatedHost, after delay: UInt64) {
        host.startAttempt += 1
        schedule(.start(host: host.index, attempt: host.startAttempt), after: delay)
    }

    /// A supervisor starts the process: it finds its memory file, and waits while the partner has it locked.
    func start(_ host: SimulatedHost, _ attempt: UInt64) {
        guard host.startAttempt == attempt, host.state == .dead else { return }
        let partner = hosts[1 - host.index]
        if partner.holdsPartnerMemory {
            scheduleStart(host, after: 100_000_000)
            return
        }
        host.life += 1
        host.state = .running
        let found = lookAtMemory(host)
        record(.start, host.letter, host.life, found.isFresh ? 1 : 0, found.isLost ? 1 : 0)
        var start = StartConditions(
            memoryIsFresh: found.isFresh, memoryIsLost: found.isLost,
            freshMemoryID: .init(high: random.next() | 1, low: random.next()),
            bootID: .init(high: 0xB007, low: options.seed | 1), incarnation: host.life,
            pid: UInt32(truncatingIfNeeded: 1000 + host.life * 2) + UInt32(host.index), pidStartTime: now,
            partnerOnThisHost: !parameters.twoHosts)
        start.devices = devices.map { DeviceFinding(decoding: $0.bytes, isVolatile: false) }
        host.process = makeProcess(
            ProcessSeed(
                description: description, id: host.id, memory: host.region, layout: host.layout, start: start,
                now: instant))
        if !parameters.twoHosts { schedule(.look(host: host.index, life: host.life), after: drawn(around: 200_000)) }
        scheduleWake(host)
    }

    /// What a driver reads from the superblock before it makes the controller.
    func lookAtMemory(_ host: SimulatedHost) -> (isFresh: Bool, isLost: Bool) {
        var isZero = true
        for offset in stride(from: 0, to: RegionLayout.superblockBytes, by: 8) where isZero {
            isZero = UnsafeRawPointer(host.region).little64(offset) == 0
        }
        if isZero { return (true, false) }
        guard let superblock = Superblock(decoding: host.region) else { return (false, true) }
        return (false, superblock.bootID != .init(high: 0xB007, low: options.seed | 1))
    }

    /// Planted: every header is open after a crash, and nobody says so.
    private func forgetFrames(_ host: SimulatedHost) {
        for frame in 0..<host.layout.frames { FrameHeader.open(at: host.region + host.layout.header(frame)) }
    }

    /// No instruction of the process runs until `resume`; the kernel goes on for it.
    func hang(_ host: SimulatedHost, for length: UInt64) {
        guard host.isRunning, !host.isHung else { return }
        host.isHung = true
        record(.hang, host.letter, length / 1_000_000)
        if length != .max { schedule(.resume(host: host.index, life: host.life), after: length) }
        if options.lie == .clockStandsStill { host.clockLag += Swift.min(length, parameters.lease * 4) }
    }

    /// The process goes on: what was left of its effects is performed, then everything that came meanwhile is one
    /// batch, with the clock moved on.
    func resume(_ host: SimulatedHost, _ life: UInt64) {
        guard host.life == life, host.isRunning, host.isHung else { return }
        host.isHung = false
        host.wakeScheduled = false
        record(.resume, host.letter, UInt64(host.inbox.count))
        if host.wantedWindowWord != WindowWord.closed { showWindowWord(host) }
        scheduleWake(host)
    }

    func stopped(_ host: SimulatedHost) {
        record(.stopped, host.letter)
        let isAtEnd = phase == .stopping || phase == .done
        crash(host, cause: .stopped, then: isAtEnd ? .never : .usual)
    }
}
