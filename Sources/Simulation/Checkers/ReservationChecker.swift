/// What a reader of READ FULL STATUS saw.
struct ReservationSight: Equatable {
    var generation: UInt32
    /// By nexus.
    var keys: [UInt64?]
    var holders: Set<Int>
    var type: UInt8?

    init(_ model: ReservationModel) {
        generation = model.generation
        keys = model.keys
        holders = Set(model.keys.indices.filter { model.holds($0) })
        type = holders.isEmpty ? nil : model.type
    }

    /// From parameter data; nil when it is not well-formed. `ports` are the initiator port names by nexus, and an even
    /// nexus has relative target port 1.
    init?(_ data: [UInt8], ports: [String]) {
        guard data.count >= 8 else { return nil }
        generation = UInt32(Self.number(data, 0, 4))
        guard Int(Self.number(data, 4, 4)) == data.count - 8 else { return nil }
        keys = Array(repeating: nil, count: ports.count)
        holders = []
        type = nil
        var at = 8
        while at < data.count {
            guard at + 28 <= data.count else { return nil }
            let length = Int(Self.number(data, at + 20, 4))
            guard length >= 24, at + 24 + length <= data.count else { return nil }
            let text = data[(at + 28)..<(at + 24 + length)].prefix { $0 != 0 }
            let port = String(decoding: text, as: UTF8.self)
            let relative = Int(Self.number(data, at + 18, 2))
            let nexus = ports.indices.first { ports[$0] == port && $0 % 2 + 1 == relative }
            guard let nexus, keys[nexus] == nil else { return nil }
            keys[nexus] = Self.number(data, at, 8)
            if data[at + 12] & 1 != 0 {
                holders.insert(nexus)
                type = data[at + 13] & 0xF
            }
            at += 24 + length
        }
    }

    private static func number(_ data: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
        data[at..<at + count].reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// Judges reservations of one unit: which states it may be in, by what was asked, answered and seen. One request at a
/// time is under way, so the states are few: an answer picks those that allow it, a lost answer keeps both, and what
/// is read must be one of them.
struct ReservationChecker {
    private(set) var possible: [ReservationModel]
    /// Grows with each request that may change something.
    private(set) var step: UInt64 = 0
    /// A request is under way, or its fate is open.
    private(set) var isOpen = false
    /// When both controllers may last have been down together.
    private var downAt: UInt64?
    /// How often each nexus may still be told of each unit attention.
    private(set) var owed: [[UInt16: Int]]

    init(nexuses: Int) {
        possible = [ReservationModel(nexuses: nexuses)]
        owed = Array(repeating: [:], count: nexuses)
    }

    mutating func bothDown(at time: UInt64) { downAt = time }

    /// A request is sent: from now on whoever it may tell may be told.
    mutating func begin(_ request: ReservationModel.Request, by nexus: Int) {
        step += 1
        isOpen = true
        for state in reachable {
            var state = state
            var told: [Int: UInt16] = [:]
            _ = state.perform(request, by: nexus, told: &told)
            for (other, code) in told { owed[other][code, default: 0] += 1 }
        }
    }

    /// The fate of what is open is known to be over.
    mutating func settle() { isOpen = false }

    /// The states with those that a power cycle may have made of them.
    private var reachable: [ReservationModel] {
        guard downAt != nil else { return possible }
        return Self.unique(possible + possible.map { state in
            var state = state
            state.cyclePower()
            return state
        })
    }

    private static func unique(_ states: [ReservationModel]) -> [ReservationModel] {
        var all: [ReservationModel] = []
        for state in states where !all.contains(state) { all.append(state) }
        return all
    }

    /// A request was answered; nil is a violation. Answers whom it told, when that is certain.
    mutating func answered(
        _ request: ReservationModel.Request, by nexus: Int, _ answer: ReservationModel.Answer
    ) -> [Int: UInt16]? {
        var after: [ReservationModel] = []
        var telling: [[Int: UInt16]] = []
        for state in reachable {
            var state = state
            var told: [Int: UInt16] = [:]
            guard state.perform(request, by: nexus, told: &told) == answer else { continue }
            after.append(state)
            telling.append(told)
        }
        if after.isEmpty { return nil }
        possible = Self.unique(after)
        isOpen = false
        let isCertain = downAt == nil && telling.allSatisfy { $0 == telling[0] }
        return isCertain ? telling[0] : [:]
    }

    /// A request ended without an answer that says what became of it.
    mutating func unanswered(_ request: ReservationModel.Request, by nexus: Int) {
        var after = reachable
        for state in reachable {
            var state = state
            var told: [Int: UInt16] = [:]
            _ = state.perform(request, by: nexus, told: &told)
            after.append(state)
        }
        possible = Self.unique(after)
    }

    /// A nexus was told; false when nothing explains that.
    mutating func wasTold(_ nexus: Int, _ code: UInt16) -> Bool {
        guard let left = owed[nexus][code], left > 0 else { return false }
        owed[nexus][code] = left - 1
        return true
    }

    /// What was read between `begun` and now; false when no possible state shows it.
    mutating func saw(_ sight: ReservationSight, begun: UInt64) -> Bool {
        let matching = reachable.filter { ReservationSight($0) == sight }
        if matching.isEmpty { return false }
        possible = matching
        if let at = downAt, begun > at { downAt = nil }
        return true
    }

    /// Whether a nexus' command is sure to be let pass (true) or refused (false); nil when it may be either.
    func verdict(_ nexus: Int, _ access: ReservationModel.Access) -> Bool? {
        if isOpen || downAt != nil { return nil }
        let verdicts = Set(possible.map { $0.admits(nexus, access) })
        return verdicts.count == 1 ? verdicts.first : nil
    }

    var isClear: Bool { possible.allSatisfy { state in state.keys.allSatisfy { $0 == nil } } }
}
