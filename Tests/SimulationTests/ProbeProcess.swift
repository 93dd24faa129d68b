import Controller
import PagingFormats
import Primitives

@testable import Simulation

/// A process that does what a test tells it: it performs given effects and remembers the events it got.
final class ProbeProcess: SimulatedProcess {
    var effects: [ControllerEffect] = []
    var events: [(name: String, time: UInt64)] = []
    var answers: [ControllerEvent] = []
    var serving = false
    let start: StartConditions

    init(_ start: StartConditions) { self.start = start }

    var nextDeadline: Instant { .never }
    var expectedWindowWord: UInt64 = WindowWord.closed
    func settle(at now: Instant) {}
    func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) {}
    func transmitSources(_ stream: StreamID, into vector: inout ByteVector) {}
    func nextEffect() -> ControllerEffect? { effects.isEmpty ? nil : effects.removeFirst() }

    func handle(_ event: ControllerEvent, at now: Instant) {
        let text = "\(event)"
        events.append((String(text.prefix { $0 != "(" }), now.nanoseconds))
        answers.append(event)
    }

    func status(at now: Instant) -> ControllerStatus {
        var status = ControllerStatus()
        status.serving = serving
        status.state = serving ? "solo" : "starting"
        status.epoch = 1
        return status
    }

    /// How often an event came.
    func count(_ name: String) -> Int { events.count { $0.name == name } }
}

/// A scripted world of two probes that run.
final class ProbeWorld {
    let world: World
    private(set) var probes: [[ProbeProcess]] = [[], []]

    init(_ planted: WorldLie = .none, frames: Int = 512) {
        var options = SimulationOptions(seed: 7)
        options.lie = planted
        options.frames = frames
        options.faults = FaultWeights.none
        var random = SeededRandom(seed: 7)
        var parameters = Parameters.drawn(options, from: &random)
        parameters.units = 1
        parameters.deviceLatency = 1_000_000
        parameters.lease = 1_000_000_000
        var made: ((ProbeProcess, Int) -> Void)?
        world = World(options, parameters, random) { seed in
            let probe = ProbeProcess(seed.start)
            made?(probe, seed.id == .a ? 0 : 1)
            return probe
        }
        world.isScripted = true
        made = { [unowned self] probe, index in self.probes[index].append(probe) }
        for host in world.hosts { world.scheduleStart(host, after: 1000) }
        run()
    }

    var a: SimulatedHost { world.hosts[0] }
    var b: SimulatedHost { world.hosts[1] }
    /// The present or last process of a host.
    func probe(_ index: Int) -> ProbeProcess { probes[index][probes[index].count - 1] }

    func run(_ nanoseconds: UInt64 = 200_000_000) {
        let end = world.now + nanoseconds
        while let next = world.heap.nextTime, next <= end { _ = world.step() }
        world.now = end
    }

    /// Lets a host perform effects, in one batch.
    func perform(_ index: Int, _ effects: [ControllerEffect], thenRun nanoseconds: UInt64 = 200_000_000) {
        probe(index).effects += effects
        world.scheduleWake(world.hosts[index])
        run(nanoseconds)
    }

    func openWindow() {
        let word = { (host: SimulatedHost) in WindowWord.open(epoch: 3, incarnation: host.life) }
        perform(0, [.setWindowWord(word(a))])
        perform(1, [.setWindowWord(word(b))])
        probe(0).expectedWindowWord = word(b)
        perform(0, [.openWindow])
    }

    /// Seals a frame of a with content that begins with `byte`.
    func seal(frame: Int, counter: UInt64, byte: UInt8) {
        (a.region + a.layout.frame(frame)).initializeMemory(as: UInt8.self, repeating: byte, count: PageSize.bytes)
        var header = FrameHeader()
        header.version = PageVersion(epoch: 3, counter: counter, controller: 0)
        header.checksum = Checksum.crc32c(a.region + a.layout.frame(frame), PageSize.bytes)
        let place = a.region + a.layout.header(frame)
        FrameHeader.seal(header.encode(to: place), at: place)
    }

    func mirrored(_ slot: Int) -> FrameHeader? { FrameHeader(sealed: b.region + b.layout.header(slot)) }

    func lastPlaced() -> Bool? {
        for case .placed(_, let ok) in probe(0).answers.reversed() { return ok }
        return nil
    }
}
