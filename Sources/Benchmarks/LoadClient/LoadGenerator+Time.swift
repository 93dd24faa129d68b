import Glibc

// What happens by the clock: attempts, time-outs, the phases of a run.
extension LoadGenerator {
    mutating func beginWork(_ now: UInt64) {
        if options.check {
            work = .checking
        } else if table != nil, options.stateFile != nil {
            work = .resolving
        } else {
            beginLoad(now)
        }
    }

    private mutating func beginLoad(_ now: UInt64) {
        work = .loading
        cursor = 0
        loadBegan = now
        tally.begin(at: now + UInt64(options.warmup * 1e9), processes: options.processes)
    }

    /// Every few milliseconds, and at once after a loss.
    mutating func tick(_ now: UInt64) {
        nextTick = now + 1_000_000
        while let number = delayed.pop(in: commands) { retry.push(number, in: commands) }
        var alive = false
        for index in 0..<sessionCount {
            let session = sessions + index
            check(session, now)
            if session.pointee.phase == .running {
                alive = true
                issue(session, now)
            }
        }
        if alive { aliveAt = now }
        tally.measure(now, processes: options.processes)
        advance(now)
    }

    private mutating func check(_ session: UnsafeMutablePointer<Session>, _ now: UInt64) {
        let silence = now &- min(session.pointee.heardAt, now)
        let limit = UInt64(options.timeoutSeconds * 1e9)
        switch session.pointee.phase {
        case .idle: if now >= session.pointee.retryAt, work != .finished { connect(session, now) }
        case .connecting, .login:
            if silence > min(limit, 1_000_000_000) { lose(session, now, "no answer to connect or login") }
        case .sizing:
            if session.pointee.retryAt != 0, now >= session.pointee.retryAt {
                session.pointee.retryAt = 0
                if !session.pointee.queueCapacity() { lose(session, now, "cannot send READ CAPACITY (16)") }
            } else if silence > limit {
                lose(session, now, "no answer to READ CAPACITY (16)")
            }
        case .running:
            if session.pointee.outstanding > 0, silence > limit { lose(session, now, "silent with commands open") }
        case .leaving: if now > session.pointee.leaveAt { lose(session, now, "left, as the target asked") }
        }
    }

    private mutating func advance(_ now: UInt64) {
        if work != .draining, work != .finished, now &- aliveAt > UInt64(options.recoverSeconds * 1e9) {
            tally.failure = "no path answered for \(options.recoverSeconds) s; the last one: \(lastLoss)"
            work = .finished
            return
        }
        switch work {
        case .resolving where inFlight == 0: beginLoad(now)
        case .checking where inFlight == 0: work = .finished
        case .loading:
            let ended = options.operations == .max && now >= tally.beginAt + UInt64(options.seconds * 1e9)
            let all = issued >= options.operations && inFlight == 0
            if ended || all || stopRequested != 0 {
                tally.end(now, processes: options.processes, histogram: histogram)
                work = .draining
                drainBegan = now
            }
        case .resolving, .checking, .sizing: if stopRequested != 0 { stopEarly() }
        case .draining:
            let patience = stopRequested != 0 || !options.verify ? 1 : options.recoverSeconds
            if inFlight == 0 || now &- drainBegan > UInt64(patience * 1e9) { work = .finished }
        case .finished: break
        }
    }

    private mutating func stopEarly() {
        tally.failure = "stopped before the load began"
        work = .finished
    }
}
