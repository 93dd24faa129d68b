/// Persistent reservations as SPC-5 §5.14 has them, over a handful of numbered nexuses: what each service action must
/// answer, whom it tells, and who may then do what. It is written from the standard's sentences and shares no code
/// with the product.
package struct ReservationModel: Equatable, Sendable {
    /// A PERSISTENT RESERVE OUT that a nexus sends.
    package enum Request: Equatable, Sendable {
        case register(key: UInt64, new: UInt64, outlivesPower: Bool)
        case registerIgnoring(new: UInt64, outlivesPower: Bool)
        case reserve(key: UInt64, type: UInt8)
        case release(key: UInt64, type: UInt8)
        case clear(key: UInt64)
        case preempt(key: UInt64, victim: UInt64, type: UInt8, aborting: Bool)
        case move(key: UInt64, new: UInt64, to: Int, unregistering: Bool)
    }

    /// How it must end.
    package enum Answer: Equatable, Sendable {
        case good
        case conflict
        /// ILLEGAL REQUEST with this code and qualifier.
        case illegal(UInt16)
    }

    /// What a command does, in the words of the tables of conflicts.
    package enum Access: Sendable, CaseIterable { case neutral, reads, writes }

    /// By nexus; nil: not registered.
    package var keys: [UInt64?]
    /// Nil without a reservation.
    package var type: UInt8?
    /// The holder of a type that has one.
    package var holder: Int?
    package var generation: UInt32 = 0
    package var outlivesPower = false

    package init(nexuses: Int) { keys = Array(repeating: nil, count: nexuses) }

    private var registered: [Int] { keys.indices.filter { keys[$0] != nil } }
    private var isForAll: Bool { type == 7 || type == 8 }

    /// Whether a nexus is a reservation holder.
    package func holds(_ nexus: Int) -> Bool {
        guard type != nil, keys[nexus] != nil else { return false }
        return isForAll || holder == nexus
    }

    /// Whether a nexus' command of a kind runs.
    package func admits(_ nexus: Int, _ access: Access) -> Bool {
        guard let type, access != .neutral, !holds(nexus) else { return true }
        if type >= 5, keys[nexus] != nil { return true }
        return access == .reads && type % 2 == 1 && type != 3
    }

    /// Performs a request. `told` gets the unit attention of each nexus that learns of it.
    package mutating func perform(_ request: Request, by nexus: Int, told: inout [Int: UInt16]) -> Answer {
        switch request {
        case .register(let key, let new, let outlives):
            guard key == keys[nexus] ?? 0 else { return .conflict }
            return register(nexus, new, outlives, &told)
        case .registerIgnoring(let new, let outlives): return register(nexus, new, outlives, &told)
        case .reserve(let key, let wanted):
            guard keys[nexus] == key else { return .conflict }
            guard type != nil else {
                type = wanted
                holder = wanted >= 7 ? nil : nexus
                return .good
            }
            return holds(nexus) && type == wanted ? .good : .conflict
        case .release(let key, let wanted):
            guard keys[nexus] == key else { return .conflict }
            guard holds(nexus) else { return .good }
            guard type == wanted else { return .illegal(0x2604) }
            drop()
            if wanted >= 5 { for other in registered where other != nexus { told[other] = 0x2A04 } }
            return .good
        case .clear(let key):
            guard keys[nexus] == key else { return .conflict }
            for other in registered where other != nexus { told[other] = 0x2A03 }
            drop()
            keys = keys.map { _ in nil }
            generation &+= 1
            return .good
        case .preempt(let key, let victim, let wanted, _):
            guard keys[nexus] == key else { return .conflict }
            return preempt(nexus, victim, wanted, &told)
        case .move(let key, let new, let to, let unregistering):
            guard keys[nexus] == key else { return .conflict }
            return move(nexus, new, to, unregistering)
        }
    }

    private mutating func drop() {
        type = nil
        holder = nil
    }

    private mutating func register(
        _ nexus: Int, _ new: UInt64, _ outlives: Bool, _ told: inout [Int: UInt16]
    ) -> Answer {
        if keys[nexus] == nil, new == 0 { return .good }
        generation &+= 1
        outlivesPower = outlives
        if new != 0 {
            keys[nexus] = new
            return .good
        }
        let held = holds(nexus)
        keys[nexus] = nil
        guard held, let type, !isForAll || registered.isEmpty else { return .good }
        if type == 5 || type == 6 { for other in registered { told[other] = 0x2A04 } }
        drop()
        return .good
    }

    private mutating func preempt(
        _ nexus: Int, _ victim: UInt64, _ wanted: UInt8, _ told: inout [Int: UInt16]
    ) -> Answer {
        let takesAll = isForAll && victim == 0
        if victim == 0, !takesAll { return .illegal(0x2600) }
        if let holder, type != nil, keys[holder] == victim { return take(nexus, victim, wanted, &told) }
        if takesAll { return take(nexus, nil, wanted, &told) }
        let victims = registered.filter { keys[$0] == victim }
        if victims.isEmpty { return .conflict }
        for other in victims {
            keys[other] = nil
            if other != nexus { told[other] = 0x2A05 }
        }
        if registered.isEmpty { drop() }
        generation &+= 1
        return .good
    }

    private mutating func take(
        _ nexus: Int, _ victim: UInt64?, _ wanted: UInt8, _ told: inout [Int: UInt16]
    ) -> Answer {
        for other in registered where other != nexus && (victim == nil || keys[other] == victim) {
            keys[other] = nil
            told[other] = 0x2A05
        }
        if type != wanted { for other in registered where other != nexus { told[other] = 0x2A04 } }
        type = wanted
        holder = wanted >= 7 ? nil : nexus
        generation &+= 1
        return .good
    }

    private mutating func move(_ nexus: Int, _ new: UInt64, _ to: Int, _ unregistering: Bool) -> Answer {
        guard type != nil else { return .illegal(0x2400) }
        guard !isForAll, holder == nexus else { return .conflict }
        if new == 0 || to == nexus { return .illegal(0x2600) }
        keys[to] = new
        holder = to
        if unregistering { keys[nexus] = nil }
        outlivesPower = false
        generation &+= 1
        return .good
    }

    /// Both controllers were down together.
    package mutating func cyclePower() {
        generation = 0
        if outlivesPower { return }
        drop()
        keys = keys.map { _ in nil }
    }
}
