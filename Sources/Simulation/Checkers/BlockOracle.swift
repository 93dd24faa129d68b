/// The memory of what hosts wrote and read: every sector is a register that must be linearizable across both
/// controllers (invariants 1 and 2).
///
/// Every write has a value of its own, so all operations on one value form a group: the write and the reads that
/// returned it. A group has the earliest end `f` and the latest begin `s` of its operations. A value v must come before
/// w when `f(v) < s(w)`: something about v was over before something about w began. A history is linearizable
/// exactly when no two values must each come before the other (Gibbons and Korach, for registers with unique values).
///
/// A write without an answer counts for nothing until it is read. It may take effect until its window closes: by its
/// response, by the completion of a task management function, or by the nexus being logged in anew (I3).
struct BlockOracle {
    /// The value that every sector has at first.
    static let initial: UInt32 = 0
    /// Later than everything.
    static let never = UInt64.max

    /// One write of some sectors.
    struct Write {
        var unit: Int
        var start: UInt64
        var count: Int
        var begun: UInt64
        var acknowledged = BlockOracle.never
        /// From here on it can no longer take effect for the first time.
        var closed = BlockOracle.never
        /// Refused before it had an effect: its data must never be seen.
        var refused = false
        /// Index of the initiator that sent it.
        var writer = 0
        /// WRITE ATOMIC or COMPARE AND WRITE: seen whole or not at all.
        var isAtomic = false
    }

    /// What is known of one value of one sector.
    struct Value {
        var write: UInt32
        /// Latest begin of its operations.
        var latestBegin: UInt64
        /// Earliest end of its operations; `never` while nothing is known to have seen it.
        var earliestEnd: UInt64
        var wasRead = false
        /// The COMPARE AND WRITE that is known to have replaced it; 0 for none.
        var swappedBy: UInt32 = 0
    }

    /// Why a history is wrong.
    struct Violation: Error, Equatable { var text: String }

    private(set) var writes: [Write]
    /// UNMAP commands, and for each sector which of them name it.
    var unmaps: [Unmap] = []
    var unmapped: [[[Int]]]
    var values: [[[Value]]]

    /// - Parameter sectors: sectors of each unit.
    init(sectors: [Int]) {
        writes = [Write(unit: 0, start: 0, count: 0, begun: 0, acknowledged: 0, closed: 0)]
        let zero = Value(write: Self.initial, latestBegin: 0, earliestEnd: 0)
        values = sectors.map { Array(repeating: [zero], count: $0) }
        unmapped = sectors.map { Array(repeating: [], count: $0) }
    }

    /// A host sends a write; the answer is the number that its sectors carry.
    mutating func begin(
        unit: Int, start: UInt64, count: Int, at time: UInt64, writer: Int = 0, isAtomic: Bool = false
    ) -> UInt32 {
        let number = UInt32(writes.count)
        var write = Write(unit: unit, start: start, count: count, begun: time)
        write.writer = writer
        write.isAtomic = isAtomic
        writes.append(write)
        for sector in Int(start)..<Int(start) + count {
            values[unit][sector].append(Value(write: number, latestBegin: time, earliestEnd: Self.never))
        }
        return number
    }

    /// GOOD arrived for a write.
    mutating func acknowledge(_ number: UInt32, at time: UInt64) -> Violation? {
        writes[Int(number)].acknowledged = time
        return end(number, at: time) { _ in true }
    }

    /// The window of a write without GOOD closed: it took effect before `time` or never.
    mutating func close(_ number: UInt32, at time: UInt64) -> Violation? {
        if writes[Int(number)].closed != Self.never { return nil }
        writes[Int(number)].closed = time
        return end(number, at: time) { $0.wasRead }
    }

    /// A write was refused by a status that means: not executed.
    mutating func refuse(_ number: UInt32, at time: UInt64) -> Violation? {
        writes[Int(number)].refused = true
        writes[Int(number)].closed = time
        let write = writes[Int(number)]
        for sector in Int(write.start)..<Int(write.start) + write.count {
            for value in values[write.unit][sector] where value.write == number && value.wasRead {
                return Violation(text: "unit \(write.unit) sector \(sector): write \(number) was refused but read")
            }
        }
        return nil
    }

    private mutating func end(_ number: UInt32, at time: UInt64, where counts: (Value) -> Bool) -> Violation? {
        let write = writes[Int(number)]
        for sector in Int(write.start)..<Int(write.start) + write.count {
            guard let at = values[write.unit][sector].lastIndex(where: { $0.write == number }) else { continue }
            if !counts(values[write.unit][sector][at]) { continue }
            values[write.unit][sector][at].earliestEnd = Swift.min(values[write.unit][sector][at].earliestEnd, time)
            if let violation = check(write.unit, sector, at) { return violation }
        }
        return nil
    }

    /// A read of one sector returned a value.
    mutating func read(
        unit: Int, sector: Int, value number: UInt32, begun: UInt64, ended: UInt64
    ) -> Violation? {
        let place = "unit \(unit) sector \(sector)"
        if number == Self.initial, zeroIsUnmapped(unit, sector, begun: begun, ended: ended) { return nil }
        guard let at = values[unit][sector].lastIndex(where: { $0.write == number }) else {
            return Violation(text: "\(place): read returned write \(number), which never wrote there")
        }
        let write = writes[Int(number)]
        if write.refused { return Violation(text: "\(place): read returned write \(number), which was refused") }
        if ended < write.begun {
            return Violation(text: "\(place): read returned write \(number) before it was sent")
        }
        if let violation = outlivedUnmap(unit, sector, values[unit][sector][at], begun: begun) { return violation }
        values[unit][sector][at].wasRead = true
        values[unit][sector][at].latestBegin = Swift.max(values[unit][sector][at].latestBegin, begun)
        values[unit][sector][at].earliestEnd = Swift.min(
            values[unit][sector][at].earliestEnd, Swift.min(ended, write.closed))
        return check(unit, sector, at)
    }

    /// Whether the value at index `at` contradicts another one.
    private func check(_ unit: Int, _ sector: Int, _ at: Int) -> Violation? {
        let v = values[unit][sector][at]
        for w in values[unit][sector] where w.write != v.write {
            if v.earliestEnd < w.latestBegin && w.earliestEnd < v.latestBegin {
                return Violation(text: describe(unit, sector, v, w))
            }
        }
        return nil
    }

    /// Whether value `older` may be stored over value `newer` on a device: not when `newer` is known to have taken
    /// effect and `older` was over before `newer` was sent (invariant 5).
    func isGoingBack(unit: Int, sector: Int, from newer: UInt32, to older: UInt32) -> Bool {
        if older == Self.initial && !unmapped[unit][sector].isEmpty { return false }
        guard newer != older, newer != Self.initial,
            let v = values[unit][sector].last(where: { $0.write == older }),
            let w = values[unit][sector].last(where: { $0.write == newer }), w.earliestEnd != Self.never
        else { return false }
        return v.earliestEnd < writes[Int(newer)].begun
    }

    /// Writes of at most `limit` sectors that lie in one page and were seen in part, while another part shows what was
    /// over before they were sent. `shown` is what a complete read of a quiet unit returned.
    func tornWrite(unit: Int, shown: [UInt32], limit: Int) -> Violation? {
        for (number, write) in writes.enumerated() where write.unit == unit && write.count > 1 {
            let range = Int(write.start)..<Int(write.start) + write.count
            if write.count > limit || range.lowerBound / 8 != (range.upperBound - 1) / 8 { continue }
            guard range.contains(where: { shown[$0] == UInt32(number) }) else { continue }
            for sector in range where shown[sector] != UInt32(number) {
                if shown[sector] == Self.initial && !unmapped[unit][sector].isEmpty { continue }
                guard let value = values[unit][sector].last(where: { $0.write == shown[sector] }) else { continue }
                if value.earliestEnd < write.begun {
                    return Violation(
                        text: "unit \(unit): write \(number) of sectors \(range) is torn: sector \(sector) shows "
                            + "write \(shown[sector]), which was over before")
                }
            }
        }
        return nil
    }

    private func describe(_ unit: Int, _ sector: Int, _ v: Value, _ w: Value) -> String {
        "unit \(unit) sector \(sector): \(describe(v)) and \(describe(w)) must each come before the other"
    }

    private func describe(_ value: Value) -> String {
        let write = writes[Int(value.write)]
        func time(_ t: UInt64) -> String { t == Self.never ? "never" : "\(t / 1000)us" }
        return "write \(value.write) (sent \(time(write.begun)), acknowledged \(time(write.acknowledged)), closed "
            + "\(time(write.closed)); latest begin \(time(value.latestBegin)), earliest end \(time(value.earliestEnd)))"
    }
}
