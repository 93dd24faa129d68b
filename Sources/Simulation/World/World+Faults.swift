import Controller
import PagingFormats
import Primitives

/// A fault that lasts, and how to end it.
struct ActiveFault {
    var kind: FaultKind
    /// Host, initiator, device or link direction, by kind.
    var target: Int
    var second: Int = 0
}

extension World {
    /// Injects the next fault of the plan and plans the one after it.
    func nextFault() {
        guard phase == .safety else { return }
        schedule(.nextFault, after: drawn(around: parameters.faultInterval))
        guard let kind = drawKind() else { return }
        inject(kind)
    }

    private func drawKind() -> FaultKind? {
        let sum = parameters.weights.sum
        if sum == 0 { return nil }
        var ticket = random.below(sum)
        for kind in FaultKind.allCases {
            if ticket < parameters.weights[kind] { return kind }
            ticket -= parameters.weights[kind]
        }
        return nil
    }

    /// While one memory is gone there is no second copy: only faults that endanger none are drawn then.
    private func isAllowed(_ kind: FaultKind) -> Bool {
        switch kind {
        case .memoryLoss: isWhole || cleanAlone != nil
        case .scribble: isWhole
        case .hostCut, .hostReset, .slow, .deviceSlow, .channelSlow: true
        default: !isFragile
        }
    }

    /// Both controllers run, are redundant, and no fault is under way.
    private var isWhole: Bool {
        !isFragile && activeFaults.allSatisfy { $0 == nil }
            && hosts.allSatisfy { $0.isRunning && !$0.isHung && $0.armed == nil }
            && hosts.allSatisfy { $0.process?.status(at: instant).redundant ?? false }
    }

    /// Who serves alone with everything on the devices, and the record says so: even its memory may go then.
    private var cleanAlone: SimulatedHost? {
        guard !isFragile, let record = witness.record, !record.dirty, !witness.isSwapping else { return nil }
        switch record.state {
        case .paired: return nil
        case .soloA: return hosts[0].isRunning && !hosts[0].isHung ? hosts[0] : nil
        case .soloB: return hosts[1].isRunning && !hosts[1].isHung ? hosts[1] : nil
        }
    }

    func inject(_ kind: FaultKind) {
        guard isAllowed(kind) else { return }
        let drawn = hosts[Int(random.below(2))]
        let host = kind == .memoryLoss && !isWhole ? cleanAlone ?? drawn : drawn
        let length = between(parameters.lease / 8, parameters.lease * (random.chance(1, in: 3) ? 4 : 1))
        faultCounts[Int(kind.rawValue)] += 1
        record(.fault, 45, UInt64(kind.rawValue), UInt64(host.index), length / 1_000_000)
        switch kind {
        case .crash: crash(host, cause: .crash)
        case .crashInBatch: host.armed = ArmedFault(effectsLeft: 1 + Int(random.below(60)), hang: nil)
        case .crashBoth:
            crash(host, cause: .crash)
            lasting(kind, 1 - host.index, for: random.below(500_000_000))
        case .hang: hang(host, for: length)
        case .hangInBatch: host.armed = ArmedFault(effectsLeft: 1 + Int(random.below(60)), hang: length)
        case .slow:
            host.slowness = between(100_000, parameters.lease / 20)
            lasting(kind, host.index, for: length)
        case .channelCut: cutChannel(directions: [0, 1], kind, for: length)
        case .channelCutOneWay: cutChannel(directions: [host.index], kind, for: length)
        case .channelReset: resetConnections(link: 0)
        case .channelSlow:
            links[0].extraLatency = between(parameters.networkLatency, parameters.lease / 10)
            lasting(kind, 0, for: length)
        case .hostCut:
            let link = 1 + Int(random.below(UInt64(2 * parameters.initiators)))
            setCut(link: link, direction: 0, true)
            if random.chance(2, in: 3) { setCut(link: link, direction: 1, true) }
            lasting(kind, link, for: length)
        case .hostReset: resetConnections(link: 1 + Int(random.below(UInt64(2 * parameters.initiators))))
        case .deviceError:
            deviceErrorRate = between(5, 60)
            deviceErrorDevice = Int(random.below(UInt64(devices.count)))
            lasting(kind, 0, for: length)
        case .deviceSlow:
            deviceExtraLatency = between(parameters.deviceLatency, parameters.lease)
            lasting(kind, 0, for: length)
        case .witnessDown:
            witnessIsDown = true
            lasting(kind, 0, for: length)
        case .witnessLosesReplies:
            witnessLosesReplies = true
            lasting(kind, 0, for: length)
        case .memoryLoss: loseMemory(host)
        case .scribble: scribble(host)
        case .moveHome: moveHome(host)
        case .leave: if host.isRunning { enqueue(.event(.stop), to: host) }
        }
    }

    private func lasting(_ kind: FaultKind, _ target: Int, for length: UInt64) {
        activeFaults.append(ActiveFault(kind: kind, target: target))
        schedule(.faultEnds(activeFaults.count - 1), after: length)
    }

    /// The channel is cut, and the window with it: who cannot reach the partner has lost its window; who cannot be
    /// reached shows a closed word.
    func cutChannel(directions: [Int], _ kind: FaultKind, for length: UInt64) {
        for direction in directions {
            setCut(link: 0, direction: direction, true)
            loseWindow(hosts[direction])
            showWindowWord(hosts[1 - direction])
        }
        if length != .max { lasting(kind, 0, for: length) }
    }

    func resetConnections(link: Int) {
        for connection in connections {
            if let connection, connection.link == link { reset(connection) }
        }
    }

    /// The process dies and its memory file with it.
    private func loseMemory(_ host: SimulatedHost) {
        isFragile = true
        crash(host, cause: .crash)
        host.eraseMemory()
    }

    /// The process dies, and some bits of what its memory holds have flipped when it comes back.
    private func scribble(_ host: SimulatedHost) {
        isFragile = true
        crash(host, cause: .crash)
        for frame in 0..<host.layout.frames where FrameHeader(sealed: host.region + host.layout.header(frame)) != nil {
            if !random.chance(1, in: 4) { continue }
            let isHeader = random.chance(1, in: 4)
            let at = isHeader
                ? host.layout.header(frame) + Int(random.below(UInt64(host.layout.headerBytes)))
                : host.layout.frame(frame) + Int(random.below(UInt64(PageSize.bytes)))
            host.region.put(byte: UnsafeRawPointer(host.region).byte(at) ^ 1 << UInt8(random.below(8)), at)
        }
    }

    private func moveHome(_ host: SimulatedHost) {
        guard host.isRunning else { return }
        let unit = UnitIndex(UInt16(random.below(UInt64(parameters.units))))
        let to: ControllerID = random.chance(1, in: 2) ? .a : .b
        enqueue(.event(.moveHome(unit: random.chance(1, in: 4) ? nil : unit, to: to)), to: host)
    }

    func endFault(_ place: Int) {
        guard let fault = activeFaults[place] else { return }
        activeFaults[place] = nil
        record(.healed, 45, UInt64(fault.kind.rawValue), UInt64(fault.target))
        switch fault.kind {
        case .crashBoth: if phase == .safety { crash(hosts[fault.target], cause: .crash) }
        case .slow: hosts[fault.target].slowness = 0
        case .channelCut, .channelCutOneWay: healLink(0)
        case .channelSlow: links[0].extraLatency = 0
        case .hostCut: healLink(fault.target)
        case .deviceError: deviceErrorRate = 0
        case .deviceSlow: deviceExtraLatency = 0
        case .witnessDown: witnessIsDown = false
        case .witnessLosesReplies: witnessLosesReplies = false
        case .crash, .crashInBatch, .hang, .hangInBatch, .channelReset, .hostReset, .memoryLoss, .scribble, .moveHome,
            .leave:
            break
        }
    }

    func healLink(_ link: Int) {
        for direction in 0...1 where links[link].isCut[direction] {
            setCut(link: link, direction: direction, false)
            if link == 0 { showWindowWord(hosts[1 - direction]) }
        }
    }

    /// Ends every fault: the liveness phase begins.
    func healAll() {
        for place in activeFaults.indices { endFault(place) }
        for link in links.indices { healLink(link) }
        for host in hosts {
            host.armed = nil
            host.slowness = 0
            host.clockLag = 0
            if host.isHung { resume(host, host.life) }
            if host.state == .dead { scheduleStart(host, after: between(1_000_000, parameters.lease)) }
        }
    }
}
