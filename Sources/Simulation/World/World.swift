import BlockModel
import Controller
import PagingFormats
import Primitives

/// What a run drew from its seed, before anything happened.
struct Parameters {
    var frames: Int
    var lease: UInt64
    var unitSectors: Int
    var units: Int
    var initiators: Int
    var queueDepth: Int
    /// Mean latencies in nanoseconds.
    var networkLatency: UInt64
    var deviceLatency: UInt64
    var reaction: UInt64
    var chunking: UInt64
    var pipeCapacity: Int
    var hotSectors: Int
    var largestCommand: Int
    var writePercentage: UInt64
    var forceUnitAccess: UInt64
    var commandTimeout: UInt64
    /// Length of the safety phase.
    var safety: UInt64
    var weights: FaultWeights
    var faultInterval: UInt64
    /// The controllers are on two hosts: no window, no sight of the other's process or memory file, and a fence that
    /// only takes the devices away. There the leases alone keep a stopped controller from answering.
    var twoHosts = false
    /// Some reads go on where the last one of their path and unit ended, so that pages are staged ahead.
    var streams = false
    /// Some writes are WRITE ATOMIC or COMPARE AND WRITE.
    var atomics = false
    /// Units are thin, and some commands unmap.
    var thin = false
    /// Some commands are SANITIZE with BLOCK ERASE.
    var erases = false
    /// Type of the units' protection information: what is read is checked by it.
    var protection: UInt8 = 0
    /// Large reads and writes crowd the memories out, and ranges are read while they are written atomically.
    var crowds = false
    /// Persistent reservations come and go on unit 0.
    var reserves = false

    var text: String {
        (twoHosts ? "two hosts, " : "one host, ") + (streams ? "streams, " : "")
            + (atomics ? "atomics, " : "") + (thin ? "thin, " : "") + (erases ? "erases, " : "")
            + (protection > 0 ? "protection \(protection), " : "") + (reserves ? "reservations, " : "")
            + (crowds ? "crowds, " : "")
            + "frames \(frames), lease \(lease / 1_000_000) ms, units \(units) of \(unitSectors) sectors, "
            + "\(initiators) initiators of depth \(queueDepth), network \(networkLatency / 1000) us, "
            + "device \(deviceLatency / 1000) us, hot \(hotSectors), largest \(largestCommand), "
            + "writes \(writePercentage) %, fua \(forceUnitAccess) %, timeout \(commandTimeout / 1_000_000) ms, "
            + "safety \(safety / 1_000_000_000) s, fault interval \(faultInterval / 1_000_000) ms, "
            + "faults \(weights.text)"
    }
}

/// Everything that two controllers meet: time, hosts, memories, connections, devices, witness, initiators, and the
/// checkers that watch. One thread, one random generator, one order of events: a seed names a run.
package final class World {
    let options: SimulationOptions
    let parameters: Parameters
    let description: ArrayDescription
    let makeProcess: ProcessFactory
    var random: SeededRandom
    var heap = EventHeap()
    var trace: Trace
    /// Virtual time in nanoseconds.
    var now: UInt64 = 1_000_000_000

    var hosts: [SimulatedHost]
    var devices: [SharedDevice]
    var witness = SimulatedWitness()
    var witnessIsDown = false
    var witnessLosesReplies = false
    /// Link 0 is the channel; then two for each initiator.
    var links: [Link]
    var connections: [Connection?] = []
    var initiators: [SimulatedInitiator] = []
    var parked: [ControllerEvent?] = []
    var freeParked: [Int] = []
    var vector = ByteVector(capacity: 128)
    let scratch: UnsafeMutableRawPointer
    static var scratchBytes: Int { 1 << 20 }

    var oracle: BlockOracle
    var failure: SimulationFailure?
    var phase = Phase.forming
    var phaseDeadline: UInt64 = 0
    var isScripted = false
    /// Chance of a device error while `deviceError` lasts, in percent; the device; the extra latency while slow.
    var deviceErrorRate: UInt64 = 0
    var deviceErrorDevice = 0
    var deviceExtraLatency: UInt64 = 0
    var activeFaults: [ActiveFault?] = []
    /// A memory was lost or scribbled: until the pair is redundant again there is no second copy.
    var isFragile = false
    var faultCounts = [Int](repeating: 0, count: FaultKind.allCases.count)
    var counts = Counts()
    var audit = Audit()
    /// By unit: the newest event that a home was seen to have committed, and that home.
    var committedEvents: [(number: UInt64, home: ControllerID?)]
    var scripted: [ScriptedResult] = []
    /// The reservations of unit 0, in the runs that have any.
    var reservations: ReservationScript?

    struct Counts {
        var commands = 0
        var good = 0
        var sessions = 0
        var takeovers = 0
        var finished = 0
        /// COMPARE AND WRITE commands that found what they compared with.
        var swapped = 0
    }

    package convenience init(_ options: SimulationOptions, makeProcess: @escaping ProcessFactory) {
        var random = SeededRandom(seed: options.seed)
        let parameters = Parameters.drawn(options, from: &random)
        self.init(options, parameters, random, makeProcess)
    }

    init(
        _ options: SimulationOptions, _ parameters: Parameters, _ random: SeededRandom,
        _ makeProcess: @escaping ProcessFactory
    ) {
        self.options = options
        self.parameters = parameters
        self.random = random
        self.makeProcess = makeProcess
        description = Self.describe(parameters)
        trace = Trace(capacity: options.transcriptLines, verbose: options.verbose)
        let layout = description.memoryLayout(description.controllers[0])
        hosts = [SimulatedHost(index: 0, layout: layout), SimulatedHost(index: 1, layout: layout)]
        let discardUnit = parameters.protection > 0 ? Int(UnitMap.protectedPageBytes) : 512
        devices = description.devices.map {
            SharedDevice(count: Int(DeviceLayout.labelArea + $0.dataBytes), discardUnit: discardUnit)
        }
        links = Array(repeating: Link(), count: 1 + 2 * parameters.initiators)
        committedEvents = Array(repeating: (0, nil), count: parameters.units)
        oracle = BlockOracle(sectors: Array(repeating: parameters.unitSectors, count: parameters.units))
        scratch = .allocate(byteCount: Self.scratchBytes, alignment: 4096)
        for index in 0..<parameters.initiators { initiators.append(SimulatedInitiator(index: index, self)) }
        if parameters.reserves { reservations = ReservationScript(self) }
        if options.hasInitialRecord {
            witness.initialize(
                WitnessRecord(
                    pairID: description.pairID, lineage: 1, sequence: 1, epoch: 1, state: .paired, memberA: .absent,
                    memberB: .absent, dirty: false, featureLevel: 1))
        }
    }

    deinit { scratch.deallocate() }

    var instant: Instant { Instant(nanoseconds: now) }

    func schedule(_ action: Action, after delay: UInt64) { heap.push(action, at: now &+ delay) }

    /// Around `mean`: mostly near it, now and then several times as long.
    func drawn(around mean: UInt64) -> UInt64 {
        let base = mean / 2 + random.below(mean + 1)
        return random.chance(1, in: 32) ? base &* (2 + random.below(8)) : base
    }

    func between(_ low: UInt64, _ high: UInt64) -> UInt64 { low + random.below(high - low + 1) }

    func record(_ kind: TraceKind, _ who: UInt8 = 45, _ first: UInt64 = 0, _ second: UInt64 = 0, _ third: UInt64 = 0) {
        trace.add(TraceEntry(time: now, kind: kind, who: who, first: first, second: second, third: third))
    }

    /// The first failure ends the run.
    func fail(_ kind: FailureClass, _ text: String) {
        if failure == nil { failure = SimulationFailure(kind: kind, text: text) }
    }

    func check(_ violation: BlockOracle.Violation?) {
        if let violation { fail(.wrongData, violation.text) }
    }

    /// Keeps an event until its time comes.
    func park(_ event: ControllerEvent) -> Int {
        if let place = freeParked.popLast() {
            parked[place] = event
            return place
        }
        parked.append(event)
        return parked.count - 1
    }

    func unpark(_ place: Int) -> ControllerEvent? {
        let event = parked[place]
        parked[place] = nil
        freeParked.append(place)
        return event
    }

    /// Sends an event to the present life of a host's process, to arrive after `delay`.
    func tell(_ host: SimulatedHost, _ event: ControllerEvent, after delay: UInt64) {
        schedule(.deliver(host: host.index, life: host.life, parked: park(event)), after: delay)
    }

    /// Runs the earliest action; false when there is none.
    func step() -> Bool {
        guard let next = heap.pop() else { return false }
        now = next.time
        perform(next.action)
        return true
    }

    private func perform(_ action: Action) {
        switch action {
        case .wake(let host, let life): wake(hosts[host], life)
        case .tick(let host, let life, let at): tick(hosts[host], life, at)
        case .deliver(let host, let life, let place):
            guard let event = unpark(place), hosts[host].life == life, hosts[host].isRunning else { return }
            enqueue(.event(event), to: hosts[host])
        case .start(let host, let attempt): start(hosts[host], attempt)
        case .resume(let host, let life): resume(hosts[host], life)
        case .arrive(let connection, let direction): arrive(connection, direction)
        case .reset(let connection, let side): resetArrived(connection, side)
        case .lingered(let host, let life, let stream, let connection):
            lingered(hosts[host], life, stream, connection)
        case .channelAttempt(let host, let life): finishChannelAttempt(hosts[host], life)
        case .windowAttempt(let host, let life): finishWindowAttempt(hosts[host], life)
        case .deviceDone(let device, let request): finishRequest(device, request)
        case .witnessEffect(let place):
            witness.takeEffect(place, ignoringExpectation: options.lie == .witnessAlwaysSwaps)
        case .witnessReply(let place): finishWitness(place)
        case .fenceCheck(let host, let life): checkFence(hosts[host], life)
        case .endNoticed(let host, let life, let partnerLife): noticeEnd(hosts[host], life, partnerLife)
        case .look(let host, let life): look(hosts[host], life)
        case .nextFault: nextFault()
        case .faultEnds(let place): endFault(place)
        case .pathConnect(let initiator, let path, let attempt): initiators[initiator].connect(path, attempt)
        case .pathOpened(let initiator, let path, let attempt): initiators[initiator].opened(path, attempt)
        case .pathTimer(let initiator, let path, let attempt): initiators[initiator].timer(path, attempt)
        case .workload(let initiator): initiators[initiator].issueNext()
        case .sample: samplePeriodically()
        case .phaseCheck: checkPhase()
        case .reservations: reserve()
        }
    }
}
