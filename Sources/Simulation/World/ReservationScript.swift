import Primitives

/// One request of PERSISTENT RESERVE OUT after the other on unit 0, by all nexuses of all initiators, and after each a
/// reading through a controller drawn anew and a look at who was told. It goes on through every fault; a request whose
/// session is gone is only over when its initiator port has logged in again.
final class ReservationScript {
    enum Stage {
        case idle
        case asking(ReservationModel.Request, nexus: Int)
        /// The fate of the request is open until the nexus has a session with a later attempt.
        case waiting(nexus: Int, attempt: UInt64)
        case reading(begun: UInt64)
        /// Nexuses that must have learnt something: their code, and the attempt of the session in which they must.
        case probing
        case done
    }

    unowned let world: World
    var checker: ReservationChecker
    var stage = Stage.idle
    private var mustRead = true
    private var expected: [(nexus: Int, code: UInt16, attempt: UInt64, resets: Int)] = []
    private var probed: Int?
    /// Nexuses that learnt of the request under way before its own nexus was answered.
    private var toldEarly: Set<Int> = []
    /// By nexus: resets that its present session has learnt of.
    private var resets: [Int]
    /// What it came to, for the result.
    private(set) var requests = 0

    init(_ world: World) {
        self.world = world
        checker = ReservationChecker(nexuses: world.parameters.initiators * 2)
        resets = Array(repeating: 0, count: world.parameters.initiators * 2)
    }

    private var nexuses: Int { resets.count }
    private func path(_ nexus: Int) -> InitiatorPath { world.initiators[nexus / 2].paths[nexus % 2] }
    var ports: [String] {
        (0..<nexuses).map {
            "iqn.2026-11.io.gemel:initiator\($0 / 2),i,0x800000010\($0 / 2)0\($0 % 2)"
        }
    }
    var isDone: Bool { if case .done = stage { true } else { false } }

    // MARK: Steps

    /// The regular look.
    func step() {
        switch stage {
        case .idle: next()
        case .waiting(let nexus, let attempt):
            guard path(nexus).attempt > attempt, path(nexus).isReady else { return }
            checker.settle()
            stage = .idle
        case .asking, .reading, .probing, .done: break
        }
    }

    private func next() {
        if mustRead { return read() }
        if probe() { return }
        let isOver = world.phase != .safety && world.phase != .forming
        if isOver, checker.isClear {
            stage = .done
            return
        }
        let nexus = isOver ? 0 : Int(world.random.below(UInt64(nexuses)))
        guard path(nexus).isReady else { return }
        let state = checker.possible[0]
        let request: ReservationModel.Request
        if isOver {
            request = state.keys[0].map { .clear(key: $0) } ?? .registerIgnoring(new: 7, outlivesPower: false)
        } else {
            request = drawn(nexus, state)
        }
        let command = InitiatorCommand.reserve(request, ports: ports, lun: 0)
        guard world.initiators[nexus / 2].send(command, .reserveOut, path: nexus % 2) else { return }
        requests += 1
        checker.begin(request, by: nexus)
        toldEarly.removeAll()
        mustRead = true
        stage = .asking(request, nexus: nexus)
    }

    private func drawn(_ nexus: Int, _ state: ReservationModel) -> ReservationModel.Request {
        let random = world.random.below(12)
        let key = world.random.chance(1, in: 8) ? 9 : state.keys[nexus] ?? 0
        let new = world.random.below(4)
        let type: UInt8 = [1, 3, 5, 6, 7, 8][Int(world.random.below(6))]
        switch random {
        case 0...2: return .register(key: key, new: new, outlivesPower: world.random.chance(1, in: 3))
        case 3: return .registerIgnoring(new: new, outlivesPower: world.random.chance(1, in: 3))
        case 4, 5: return .reserve(key: key, type: type)
        case 6, 7: return .release(key: key, type: state.type ?? type)
        case 8: return .clear(key: key)
        case 9, 10: return .preempt(key: key, victim: new, type: type, aborting: world.random.chance(1, in: 2))
        default:
            return .move(
                key: key, new: new, to: Int(world.random.below(UInt64(nexuses))),
                unregistering: world.random.chance(1, in: 2))
        }
    }

    private func read() {
        let nexus = Int(world.random.below(UInt64(nexuses)))
        guard path(nexus).isReady,
            world.initiators[nexus / 2].send(.readFullStatus(lun: 0), .reserveIn, path: nexus % 2)
        else { return }
        stage = .reading(begun: world.now)
    }

    /// Asks a nexus that must have learnt something; false when none is left.
    private func probe() -> Bool {
        expected.removeAll { path($0.nexus).attempt != $0.attempt || resets[$0.nexus] != $0.resets }
        guard let first = expected.first else { return false }
        guard path(first.nexus).isReady,
            world.initiators[first.nexus / 2].send(.testUnitReady(lun: 0), .probe, path: first.nexus % 2)
        else { return true }
        probed = first.nexus
        stage = .probing
        return true
    }

    // MARK: Ends

    /// A command of the script ended.
    func ended(_ operation: Operation, nexus: Int, _ end: OperationEnd) {
        switch stage {
        case .asking(let request, let nexus): requestEnded(request, nexus, operation, end)
        case .reading(let begun):
            stage = .idle
            if case .status(0, _, let data) = end { judge(data, begun: begun) }
        case .probing:
            stage = .idle
            // It was let pass: it must have been told before.
            if case .status(0, _, _) = end, let probed, let left = expected.first(where: { $0.nexus == probed }),
                path(probed).attempt == left.attempt, resets[probed] == left.resets
            {
                world.fail(.wireProtocol, "nexus \(probed) was not told of \(String(left.code, radix: 16))")
            }
            probed = nil
        case .idle, .waiting, .done: break
        }
    }

    private func requestEnded(
        _ request: ReservationModel.Request, _ nexus: Int, _ operation: Operation, _ end: OperationEnd
    ) {
        stage = .idle
        let answer: ReservationModel.Answer
        switch end {
        case .status(0, _, _): answer = .good
        case .status(0x18, _, _): answer = .conflict
        case .status(2, .some(let sense), _) where sense.key == 5:
            answer = .illegal(UInt16(sense.code) << 8 | UInt16(sense.qualifier))
        case .status(2, .some(let sense), _) where sense.key == 6: return checker.settle()
        case .status(0x08, _, _), .status(0x28, _, _): return checker.settle()
        case .status, .aborted:
            checker.unanswered(request, by: nexus)
            return checker.settle()
        case .lost:
            checker.unanswered(request, by: nexus)
            stage = .waiting(nexus: nexus, attempt: operation.attempt)
            return
        }
        let before = checker.possible
        guard let told = checker.answered(request, by: nexus, answer) else {
            return world.fail(
                .wrongData, "\(request) by nexus \(nexus) was answered \(answer), which none of \(before) allows")
        }
        for (other, code) in told.sorted(by: { $0.key < $1.key }) where !toldEarly.contains(other) {
            guard path(other).isReady else { continue }
            expected.append((other, code, path(other).attempt, resets[other]))
        }
    }

    private func judge(_ data: [UInt8], begun: UInt64) {
        guard let sight = ReservationSight(data, ports: ports) else {
            return world.fail(.wireProtocol, "READ FULL STATUS is not well-formed: \(data)")
        }
        let before = checker.possible
        mustRead = false
        if checker.saw(sight, begun: begun) { return }
        world.fail(.wrongData, "READ FULL STATUS shows \(sight), which is none of \(before)")
    }

    /// A nexus learnt of a unit attention.
    func told(_ nexus: Int, _ sense: InitiatorSense) {
        let code = UInt16(sense.code) << 8 | UInt16(sense.qualifier)
        if sense.code == 0x29 { resets[nexus] += 1 }
        guard sense.code == 0x2A, (3...5).contains(sense.qualifier) else { return }
        expected.removeAll { $0.nexus == nexus && $0.code == code }
        if case .asking = stage { toldEarly.insert(nexus) }
        if checker.wasTold(nexus, code) { return }
        world.fail(.wireProtocol, "nexus \(nexus) was told of \(String(code, radix: 16)), and nothing explains it")
    }
}
