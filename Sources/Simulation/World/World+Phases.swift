import BlockModel
import Controller
import PagingFormats
import Primitives

/// Where a run is.
enum Phase: UInt64 {
    /// Both start, with nothing wrong, until they are a redundant pair.
    case forming = 0
    /// Load and faults.
    case safety
    /// All faults healed: everything must become redundant again within the bound.
    case liveness
    /// Every sector is read through both controllers.
    case auditing
    /// Nothing may stay dirty.
    case draining
    /// Clean stop of one, then of the other.
    case stopping
    case done
}

/// What the final reading found.
struct Audit {
    /// By controller, unit, sector: the write that was read; nil when not read yet.
    var shown: [[[UInt32?]]] = []
    /// Sectors read so far, over all units, by controller.
    var position = [0, 0]
    var isWaiting = [false, false]
}

extension World {
    private var pollInterval: UInt64 { parameters.lease / 20 }
    private var bound: UInt64 { options.livenessBound.nanoseconds }

    /// Starts both hosts and everything that runs by itself.
    func begin() {
        for host in hosts { scheduleStart(host, after: between(0, 50_000_000)) }
        for initiator in initiators {
            for path in 0...1 { initiator.startConnecting(path, after: between(0, parameters.lease)) }
        }
        schedule(.sample, after: parameters.lease / 6)
        enter(.forming)
        schedule(.phaseCheck, after: pollInterval)
        if reservations != nil { schedule(.reservations, after: parameters.lease) }
    }

    /// The reservation script looks whether it can go on.
    func reserve() {
        guard let reservations, phase != .done, !reservations.isDone else { return }
        reservations.step()
        schedule(.reservations, after: drawn(around: parameters.lease / 16))
    }

    func enter(_ next: Phase) {
        phase = next
        phaseDeadline = now + bound
        record(.phase, 45, next.rawValue)
        switch next {
        case .safety:
            phaseDeadline = now + parameters.safety
            for initiator in initiators {
                initiator.budget = options.commands / initiators.count
                schedule(.workload(initiator: initiator.index), after: 1_000_000)
            }
            schedule(.nextFault, after: drawn(around: parameters.faultInterval / 2))
        case .liveness: healAll()
        case .auditing: startAudit()
        case .stopping: enqueue(.event(.stop), to: hosts[0])
        case .forming, .draining, .done: break
        }
    }

    func checkPhase() {
        if phase == .done || isScripted { return }
        schedule(.phaseCheck, after: pollInterval)
        let isLate = now > phaseDeadline
        switch phase {
        case .forming:
            if isRedundant && initiators.allSatisfy(\.isReady) { return enter(.safety) }
            if isLate { fail(.noProgress, "no redundant pair with sessions was formed: \(stateText)") }
        case .safety: if isLate { enter(.liveness) }
        case .liveness:
            let isClear = reservations?.isDone ?? true
            if isRedundant && isClear && initiators.allSatisfy({ $0.isReady && $0.isIdle }) { return enter(.auditing) }
            if isLate { fail(.noProgress, "healed, but not redundant, connected and idle again: \(stateText)") }
        case .auditing:
            continueAudit()
            if isAuditOver { return finishAudit() }
            if isLate { fail(.noProgress, "the final reading does not end: \(stateText)") }
        case .draining:
            let dirty = hosts.reduce(0) { $0 + ($1.process?.status(at: instant).memory.dirtyPages ?? 0) }
            if dirty == 0 { return enter(.stopping) }
            if isLate { fail(.leak, "\(dirty) pages stay dirty in a quiet pair") }
        case .stopping: continueStopping(isLate)
        case .done: break
        }
    }

    /// Both serve and hold every acknowledged write twice.
    var isRedundant: Bool {
        hosts.allSatisfy { host in
            guard host.isRunning, !host.isHung, let process = host.process else { return false }
            let status = process.status(at: instant)
            return status.redundant && status.serving
        }
    }

    private var stateText: String {
        let states = hosts.map { host -> String in
            guard let process = host.process else { return "\(host.id.name) \(host.state)" }
            let status = process.status(at: instant)
            return "\(host.id.name) \(status.state) epoch \(status.epoch) serving \(status.serving) redundant "
                + "\(status.redundant) channel \(status.channelConnected)\(host.isHung ? " hung" : "")"
        }
        let paths = initiators.map { initiator in
            initiator.paths.map { "\($0.isReady ? "ready" : "down")/\($0.operations.count)" }.joined(separator: " ")
        }
        return (states + ["paths " + paths.joined(separator: ", ")]).joined(separator: "; ")
    }

    // MARK: The final reading

    private func startAudit() {
        let unread = [UInt32?](repeating: nil, count: parameters.unitSectors)
        audit.shown = Array(repeating: Array(repeating: unread, count: parameters.units), count: 2)
        continueAudit()
    }

    private func continueAudit() {
        let end = parameters.units * parameters.unitSectors
        for path in 0...1 where !audit.isWaiting[path] && audit.position[path] < end {
            let unit = audit.position[path] / parameters.unitSectors
            let sector = audit.position[path] % parameters.unitSectors
            let count = Swift.min(64, parameters.unitSectors - sector)
            audit.isWaiting[path] =
                initiators[0].issue(.read, .audit, path: path, unit: unit, sector: sector, count: count) != nil
        }
    }

    /// A read of the audit ended: the next one follows, or (by the next poll) the same one again.
    func auditEnded(_ operation: Operation, isGood: Bool) {
        audit.isWaiting[operation.path] = false
        if !isGood { return }
        audit.position[operation.path] += operation.count
        continueAudit()
    }

    func auditSaw(_ operation: Operation, _ sector: Int, _ number: UInt32) {
        audit.shown[operation.path][operation.unit][sector] = number
    }

    private var isAuditOver: Bool { audit.position.allSatisfy { $0 >= parameters.units * parameters.unitSectors } }

    /// Both controllers must show the same, and no small write in part.
    private func finishAudit() {
        for unit in 0..<parameters.units {
            for sector in 0..<parameters.unitSectors
            where audit.shown[0][unit][sector] != audit.shown[1][unit][sector] {
                let values = audit.shown.map { $0[unit][sector].map { String($0) } ?? "nothing" }
                return fail(.wrongData, "unit \(unit) sector \(sector): a shows \(values[0]), b shows \(values[1])")
            }
            let shown = audit.shown[0][unit].map { $0 ?? BlockOracle.initial }
            check(oracle.tornWrite(unit: unit, shown: shown, limit: options.atomicSectors))
        }
        enter(.draining)
    }

    // MARK: The end

    private func continueStopping(_ isLate: Bool) {
        let running = hosts.filter { $0.state != .dead }
        if running.isEmpty {
            checkDevices()
            return enter(.done)
        }
        // One that was fenced while it left may have been started again.
        if running.count == 1, let last = running.first, last.isRunning, last.toldToStop != last.life {
            last.toldToStop = last.life
            enqueue(.event(.stop), to: last)
        }
        if isLate { fail(.noProgress, "a clean stop does not end: \(stateText)") }
    }

    /// After a clean stop of both, the devices hold what was last read.
    private func checkDevices() {
        for unit in 0..<parameters.units {
            for sector in 0..<parameters.unitSectors {
                let at = devices[unit].bytes + place(ofSector: sector)
                let content = SectorPattern.read(at, seed: options.seed, unit: unit, sector: UInt64(sector))
                let expected = audit.shown[0][unit][sector] ?? BlockOracle.initial
                if content == (expected == BlockOracle.initial ? .initial : .write(expected)) { continue }
                return fail(
                    .wrongData, "after a clean stop the device of unit \(unit) holds \(content) in sector \(sector), "
                        + "not write \(expected)")
            }
        }
    }

    // MARK: Watching

    /// The regular look.
    func samplePeriodically() {
        if phase == .done { return }
        schedule(.sample, after: parameters.lease / 6)
        sample()
    }

    /// Looks at both controllers: at most one epoch serves, and a solo server serves alone.
    func sample() {
        var serving: [(SimulatedHost, ControllerStatus)] = []
        for host in hosts {
            guard host.isRunning, !host.isHung, !host.isInterrupted, let process = host.process else { continue }
            let status = process.status(at: instant)
            host.lastStatus = status
            record(
                .sample, host.letter, UInt64(status.epoch), status.serving ? 1 : 0, status.redundant ? 1 : 0)
            if status.serving && (status.leaseMilliseconds ?? 1) > 0 { serving.append((host, status)) }
        }
        for (host, status) in serving { checkEvents(host, status) }
        if isFragile && isRedundant { isFragile = false }
        guard serving.count == 2 else { return }
        let (a, b) = (serving[0].1, serving[1].1)
        if a.epoch != b.epoch || a.state == "solo" || b.state == "solo" {
            fail(.twoServers, "a serves as \(a.state) in epoch \(a.epoch), b as \(b.state) in epoch \(b.epoch)")
        }
    }

    /// State blocks survive like data (invariant 6): what a home has committed is never gone, and another home has
    /// added an event of its own.
    private func checkEvents(_ host: SimulatedHost, _ status: ControllerStatus) {
        for (index, unit) in status.units.enumerated() {
            guard let number = unit.stateEvents else { continue }
            let seen = committedEvents[index]
            if number < seen.number || number == seen.number && seen.home != nil && seen.home != host.id {
                fail(
                    .wrongData, "unit \(index): the state block of \(host.id.name) ends with event \(number), and "
                        + "\(seen.home?.name ?? "-") had committed event \(seen.number)")
            }
            committedEvents[index] = (number, host.id)
        }
    }
}
