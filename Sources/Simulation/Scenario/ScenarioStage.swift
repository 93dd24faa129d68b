import Controller
import Primitives

/// Where a scenario plays: a world without random faults, one initiator with a path to each controller, and the
/// commands of the file, each of which lets time pass until it has its answer.
///
///     array lease=1s sectors=64 units=1 frames=520 seed=1     the first command, or left out
///     start [a|b]               start processes (both)
///     wait redundant | serving a | dead a | idle [within=60s]
///     run 5s                    let time pass
///     status                    one line a controller
///     write a lba=0 blocks=8 as=NAME [lun=0] [fua] [begin]    begin: do not wait
///     read b lba=0 blocks=8 [lun=0]                           answers by the names of writes
///     sync a [lun=0]            SYNCHRONIZE CACHE
///     erase a [lun=0] [begin]   SANITIZE with BLOCK ERASE
///     ready a [lun=0]           TEST UNIT READY
///     finish NAME               wait for a write that was begun
///     crash a [effects=N]       at once, or before the Nth effect from now on
///     restart a, hang a [effects=N], resume a, stop a, forget a (the memory file is gone; it must be dead)
///     cut channel [a->b|b->a], cut host a, heal, witness down|up, device errors=PERCENT, device slow=200ms
///     move to=b [lun=0]
final class ScenarioStage {
    private let makeProcess: ProcessFactory
    private var built: World?
    private var names: [String] = ["initial"]
    private var numbers: [String: Int] = [:]
    private var isReported = false

    init(_ makeProcess: @escaping ProcessFactory) { self.makeProcess = makeProcess }

    /// The first failure of a checker, once.
    func takeFailure() -> String? {
        guard let failure = built?.failure, !isReported else { return nil }
        isReported = true
        return "FAILED: \(failure.kind.rawValue): \(failure.text)"
    }

    /// Performs one command; its answer, line by line.
    func perform(_ line: String) -> [String] {
        let command = ScenarioCommand(line)
        if command.verb == "array" {
            built = build(command)
            return ["ok"]
        }
        let world = built ?? build(ScenarioCommand("array"))
        built = world
        switch command.verb {
        case "start": return start(command, world)
        case "wait": return wait(command, world)
        case "run":
            guard let length = command.words.first.flatMap({ ScenarioCommand.time($0) }) else { return bad(line) }
            _ = pass(world, length) { false }
            return ["ok"]
        case "status": return world.hosts.map { describe($0, world) }
        case "write", "read", "sync", "erase", "ready": return issue(command, world, line)
        case "finish": return finish(command, world)
        case "crash", "restart", "hang", "resume", "stop", "forget": return life(command, world, line)
        case "cut", "heal", "witness", "device": return surroundings(command, world, line)
        case "move": return move(command, world, line)
        default: return bad(line)
        }
    }

    private func bad(_ line: String) -> [String] { ["not understood: \(line)"] }

    private func build(_ command: ScenarioCommand) -> World {
        var options = SimulationOptions(seed: UInt64(command.number("seed", 1)))
        options.faults = FaultWeights.none
        options.transcriptLines = 400
        let lease = command.text("lease").flatMap { ScenarioCommand.time($0) } ?? 1_000_000_000
        let parameters = Parameters(
            frames: command.number("frames", 520), lease: lease, unitSectors: command.number("sectors", 64),
            units: command.number("units", 1), initiators: 1, queueDepth: 16, networkLatency: 50_000,
            deviceLatency: 200_000, reaction: 10_000, chunking: 8, pipeCapacity: 64 << 10, hotSectors: 8,
            largestCommand: 64, writePercentage: 50, forceUnitAccess: 0, commandTimeout: lease * 20,
            safety: .max / 4, weights: FaultWeights.none, faultInterval: .max / 4)
        let world = World(options, parameters, SeededRandom(seed: options.seed), makeProcess)
        world.isScripted = true
        world.phase = .safety
        world.schedule(.sample, after: lease / 6)
        for path in 0...1 { world.initiators[0].startConnecting(path, after: 1_000_000) }
        return world
    }

    /// Lets time pass until a condition holds; false when it did not within the bound.
    private func pass(_ world: World, _ length: UInt64, until isDone: () -> Bool) -> Bool {
        let end = world.now + length
        while !isDone() {
            guard world.failure == nil, let next = world.heap.nextTime, next <= end else {
                world.now = world.failure == nil ? end : world.now
                return isDone()
            }
            _ = world.step()
        }
        return true
    }

    private func describe(_ host: SimulatedHost, _ world: World) -> String {
        guard host.isRunning, let process = host.process else { return "\(host.id.name) \(host.state)" }
        if host.isHung { return "\(host.id.name) hung" }
        let status = process.status(at: world.instant)
        return "\(host.id.name) \(status.state)" + (status.serving ? ", serving" : "")
            + (status.redundant ? ", redundant" : "")
    }

    private func start(_ command: ScenarioCommand, _ world: World) -> [String] {
        for host in world.hosts where (command.host ?? host.index) == host.index && host.state == .dead {
            world.scheduleStart(host, after: 1_000_000)
        }
        return ["ok"]
    }

    private func wait(_ command: ScenarioCommand, _ world: World) -> [String] {
        let bound = command.text("within").flatMap { ScenarioCommand.time($0) } ?? 60_000_000_000
        let isMet = pass(world, bound) { [self] in
            switch command.words.first ?? "" {
            case "redundant": return world.isRedundant && world.initiators.allSatisfy(\.isReady)
            case "serving": return command.host.map { isServing($0, world) } ?? false
            case "dead": return command.host.map { world.hosts[$0].state == .dead } ?? false
            case "idle":
                return world.hosts.allSatisfy {
                    ($0.process?.status(at: world.instant).memory.dirtyPages ?? 0) == 0
                }
            default: return false
            }
        }
        return isMet ? ["ok"] : ["not within \(bound / 1_000_000_000) s"] + world.hosts.map { describe($0, world) }
    }

    private func isServing(_ index: Int, _ world: World) -> Bool {
        let host = world.hosts[index]
        guard host.isRunning, !host.isHung, let process = host.process else { return false }
        return process.status(at: world.instant).serving && world.initiators[0].paths[index].isReady
    }

    // MARK: Commands of the initiator

    private func issue(_ command: ScenarioCommand, _ world: World, _ line: String) -> [String] {
        guard let path = command.host else { return bad(line) }
        let kinds: [String: Operation.Kind] = [
            "write": .write, "read": .read, "sync": .synchronize, "erase": .erase, "ready": .testUnitReady,
        ]
        guard let kind = kinds[command.verb] else { return bad(line) }
        let blocks = kind == .erase ? world.parameters.unitSectors : command.number("blocks", 8)
        // Unit attentions are retried as hosts do; each try is a command of its own.
        for _ in 0..<8 {
            _ = pass(world, 60_000_000_000) { world.initiators[0].paths[path].isReady }
            let number = world.scripted.count
            world.scripted.append(ScriptedResult())
            if kind == .write { name(world, command.text("as") ?? "write\(names.count)", number) }
            let tag = world.initiators[0].issue(
                kind, .script(number), path: path, unit: command.number("lun", 0), sector: command.number("lba", 0),
                count: [.read, .write, .erase].contains(kind) ? blocks : 0,
                forceUnitAccess: command.has("fua"))
            if tag == nil { return ["no session"] }
            if command.has("begin") { return ["begun"] }
            _ = pass(world, 120_000_000_000) { world.scripted[number].end != nil }
            if case .status(2, let sense, _)? = world.scripted[number].end, sense?.key == 6 { continue }
            return [answer(world, number, kind)]
        }
        return ["unit attentions without end"]
    }

    /// A write's number in the oracle is the count of writes so far.
    private func name(_ world: World, _ name: String, _ number: Int) {
        while names.count < world.oracle.writes.count { names.append("unnamed") }
        names.append(name)
        numbers[name] = number
    }

    private func finish(_ command: ScenarioCommand, _ world: World) -> [String] {
        guard let name = command.words.first, let number = numbers[name] else { return ["no such write"] }
        _ = pass(world, 120_000_000_000) { world.scripted[number].end != nil }
        return [answer(world, number, .write)]
    }

    private func answer(_ world: World, _ number: Int, _ kind: Operation.Kind) -> String {
        switch world.scripted[number].end {
        case nil: return "no answer"
        case .lost?: return "session lost"
        case .aborted?: return "aborted"
        case .status(0, _, _)?: return kind == .read ? "GOOD " + seenText(world.scripted[number].seen) : "GOOD"
        case .status(let status, let sense, _)?:
            func hex(_ byte: UInt8) -> String { String(byte, radix: 16) }
            return sense.map { "sense \(hex($0.key))/\(hex($0.code))/\(hex($0.qualifier))" } ?? "status \(hex(status))"
        }
    }

    /// The names of the writes that sectors are from, runs of equal ones once.
    private func seenText(_ seen: [UInt32]) -> String {
        var runs: [(name: String, count: Int)] = []
        for number in seen {
            let name = Int(number) < names.count ? names[Int(number)] : "?"
            if let last = runs.last, last.name == name {
                runs[runs.count - 1].count += 1
            } else {
                runs.append((name, 1))
            }
        }
        return runs.map { runs.count == 1 || $0.count == 1 ? $0.name : "\($0.name)*\($0.count)" }.joined(separator: " ")
    }

    // MARK: What happens to the controllers

    private func life(_ command: ScenarioCommand, _ world: World, _ line: String) -> [String] {
        guard let index = command.host else { return bad(line) }
        let host = world.hosts[index]
        let effects = command.number("effects", 0)
        switch command.verb {
        case "crash" where effects > 0: host.armed = ArmedFault(effectsLeft: effects, hang: nil)
        case "crash": world.crash(host, cause: .crash)
        case "restart":
            _ = pass(world, 10_000_000_000) { host.state == .dead }
            if host.state != .dead { return ["it runs"] }
            world.scheduleStart(host, after: 1_000_000)
        case "hang" where effects > 0: host.armed = ArmedFault(effectsLeft: effects, hang: .max)
        case "hang": world.hang(host, for: .max)
        case "resume": world.resume(host, host.life)
        case "stop": world.enqueue(.event(.stop), to: host)
        case "forget":
            if host.state != .dead { return ["it runs"] }
            host.eraseMemory()
        default: return bad(line)
        }
        return ["ok"]
    }

    private func surroundings(_ command: ScenarioCommand, _ world: World, _ line: String) -> [String] {
        switch (command.verb, command.words.first) {
        case ("cut", "channel"):
            let directions = command.has("a->b") ? [0] : command.has("b->a") ? [1] : [0, 1]
            world.cutChannel(directions: directions, .channelCut, for: .max)
        case ("cut", "host"):
            guard let index = command.host else { return bad(line) }
            for direction in 0...1 { world.setCut(link: 1 + index, direction: direction, true) }
        case ("heal", _):
            for link in world.links.indices { world.healLink(link) }
            world.witnessIsDown = false
            world.deviceErrorRate = 0
            world.deviceExtraLatency = 0
        case ("witness", "down"): world.witnessIsDown = true
        case ("witness", "up"): world.witnessIsDown = false
        case ("device", _):
            world.deviceErrorRate = UInt64(command.number("errors", 0))
            world.deviceExtraLatency = command.text("slow").flatMap { ScenarioCommand.time($0) } ?? 0
        default: return bad(line)
        }
        return ["ok"]
    }

    private func move(_ command: ScenarioCommand, _ world: World, _ line: String) -> [String] {
        guard let to = command.text("to"), to == "a" || to == "b" else { return bad(line) }
        let unit = command.text("lun").flatMap { UInt16($0) }.map { UnitIndex($0) }
        let target: ControllerID = to == "a" ? .a : .b
        let host = world.hosts[target == .a ? 1 : 0]
        let asked = host.isRunning ? host : world.hosts[1 - host.index]
        world.enqueue(.event(.moveHome(unit: unit, to: target)), to: asked)
        return ["ok"]
    }
}
