import ISCSIFormats
import Primitives

/// A recovering host's streams are connections of a simulated network; time passes while the host waits.
final class SimulatedWires: HostWires {
    private let world: World
    /// The controller that the host talks to.
    private let host: Int
    private var streams: [UInt32: Connection] = [:]
    /// What did not fit into its connection yet.
    private var waiting: [UInt32: [UInt8]] = [:]
    /// Looks at the world after each of its steps.
    var observe: () -> Void = {}

    init(_ world: World, host: Int) {
        self.world = world
        self.host = host
    }

    func connect(_ number: UInt32) -> Bool {
        guard let connection = world.acceptOutsider(world.hosts[host]) else { return false }
        streams[number] = connection
        return true
    }

    func send(_ number: UInt32, _ bytes: [UInt8]) {
        waiting[number, default: []] += bytes
        flush(number)
    }

    private func flush(_ number: UInt32) {
        guard let connection = streams[number], let bytes = waiting[number], !bytes.isEmpty else { return }
        if case .closed = connection.ends[0] { return }
        let taken = bytes.withUnsafeBytes { raw in
            raw.baseAddress.map { world.write(connection, side: 0, $0, raw.count) } ?? 0
        }
        waiting[number] = Array(bytes.dropFirst(taken))
    }

    func receive(_ number: UInt32) -> (bytes: [UInt8], isClosed: Bool) {
        guard let connection = streams[number] else { return ([], true) }
        let pipe = connection.pipes[1]
        var bytes = [UInt8](repeating: 0, count: pipe.arrived)
        let count = bytes.withUnsafeMutableBytes { raw in raw.baseAddress.map { pipe.read(into: $0, raw.count) } ?? 0 }
        if count > 0 { world.tellWriter(connection, side: 1) }
        var isReset = false
        if case .closed = connection.ends[0] { isReset = true }
        return (Array(bytes.prefix(count)), isReset || pipe.endArrived && pipe.arrived == 0)
    }

    func drop(_ number: UInt32) {
        waiting[number] = nil
        guard let connection = streams.removeValue(forKey: number) else { return }
        if case .closed = connection.ends[0] { return }
        world.close(connection, side: 0)
    }

    /// Lets the world go on until something arrives, or a while is over.
    func turn() -> Bool {
        let end = world.now + 20_000_000
        while world.failure == nil, let next = world.heap.nextTime, next <= end {
            _ = world.step()
            observe()
            for number in waiting.keys.sorted() { flush(number) }
            if hasArrived { return true }
        }
        if hasArrived { return true }
        if world.failure == nil { world.now = max(world.now, end) }
        return false
    }

    private var hasArrived: Bool {
        streams.values.contains { connection in
            if case .closed = connection.ends[0] { return true }
            return connection.pipes[1].arrived > 0 || connection.pipes[1].endArrived
        }
    }
}

/// What a run with a recovering host came to.
package struct RecoveryResult: Sendable {
    /// What should not have been; empty when all is well.
    package var problems: [String]
    package var counts: RecoveringHost.Counts
    /// What a checker of the world found.
    package var failure: SimulationFailure?
    /// Times that the other controller ended.
    package var crashes: Int
}

/// Runs a host of four connections at ErrorRecoveryLevel 2 against one controller of a simulated pair, whose other
/// controller ends and comes back meanwhile: connections end, PDUs are damaged, and each command is answered once with
/// its data. Tests call it.
package func simulateRecovery(seed: UInt64, commands: Int) -> RecoveryResult {
    let world = recoveryWorld(seed)
    let served = Int(seed % 2)
    let wires = SimulatedWires(world, host: served)
    for host in world.hosts { world.scheduleStart(host, after: 1_000_000) }
    for _ in 0..<1000 where !world.isRedundant { _ = wires.turn() }
    let names = ["InitiatorName=iqn.2026-11.io.gemel:recovering", "TargetName=\(World.targetName)"]
    let sectors = world.parameters.unitSectors
    let host = RecoveringHost(wires, names: names, model: [UInt8](repeating: 0, count: sectors * 512), seed: seed)
    host.faultRate = [60, 30, 120, 0][Int(seed / 2 % 4)]
    if seed % 2 == 0 {
        host.keys = ["TaskReporting=ResponseFence"]
        host.resetRate = 60
    }
    var crashes = 0
    wires.observe = { [unowned host] in
        // In the midst of each part, when there is something to lose.
        if host.counts.completed > commands * (2 * crashes + 1) / 6, world.isRedundant {
            crashes += 1
            world.crash(world.hosts[1 - served], cause: .crash, then: .after(world.parameters.lease * 2))
        }
    }
    for part in 1...3 {
        host.run(commands * part / 3)
        for _ in 0..<1000 where part < 3 && !world.isRedundant { host.pass() }
    }
    host.end()
    return RecoveryResult(
        problems: host.problems, counts: host.counts, failure: world.failure, crashes: crashes)
}

private func recoveryWorld(_ seed: UInt64) -> World {
    var options = SimulationOptions(seed: seed)
    options.faults = FaultWeights.none
    let lease: UInt64 = 400_000_000
    let parameters = Parameters(
        frames: 520, lease: lease, unitSectors: 4096, units: 1, initiators: 1, queueDepth: 16,
        networkLatency: seed % 4 == 1 ? 500_000 : 50_000, deviceLatency: 200_000, reaction: 10_000,
        chunking: seed % 5 == 0 ? 0 : 32, pipeCapacity: seed % 7 == 3 ? 4 << 10 : 64 << 10, hotSectors: 8,
        largestCommand: 64, writePercentage: 50, forceUnitAccess: 0, commandTimeout: lease * 20, safety: .max / 4,
        weights: FaultWeights.none, faultInterval: .max / 4)
    let world = World(options, parameters, SeededRandom(seed: seed)) { ControllerProcess($0) }
    world.isScripted = true
    world.phase = .safety
    world.schedule(.sample, after: lease / 6)
    return world
}
