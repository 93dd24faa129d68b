// UNMAP in the oracle. Zeros are no value of their own, so the register check does not see them; instead: zeros are
// right when an UNMAP (or the beginning) may be the last thing that happened to the sector, and a value is wrong when
// it was over before an UNMAP began that was over before the read began.
extension BlockOracle {
    struct Unmap {
        var begun: UInt64
        /// GOOD arrived; `never` before: it may still take effect.
        var ended = BlockOracle.never
    }

    mutating func beginUnmap(unit: Int, start: Int, count: Int, at time: UInt64) -> Int {
        unmaps.append(Unmap(begun: time))
        for sector in start..<start + count { unmapped[unit][sector].append(unmaps.count - 1) }
        return unmaps.count - 1
    }

    mutating func endUnmap(_ number: Int, at time: UInt64) { unmaps[number].ended = time }

    /// Whether zeros may come from an UNMAP: from one that began before the read was over, with no acknowledged write
    /// wholly between the two.
    func zeroIsUnmapped(_ unit: Int, _ sector: Int, begun: UInt64, ended: UInt64) -> Bool {
        unmapped[unit][sector].contains { number in
            let unmap = unmaps[number]
            if unmap.begun > ended { return false }
            return !values[unit][sector].contains { value in
                let write = writes[Int(value.write)]
                return value.write != Self.initial && unmap.ended < write.begun && write.acknowledged < begun
            }
        }
    }

    /// A value that was over before an UNMAP began is gone when that has ended.
    func outlivedUnmap(_ unit: Int, _ sector: Int, _ value: Value, begun: UInt64) -> Violation? {
        if value.write == Self.initial { return nil }
        for number in unmapped[unit][sector] {
            let unmap = unmaps[number]
            guard unmap.ended < begun, value.earliestEnd < unmap.begun else { continue }
            return Violation(
                text:
                    "unit \(unit) sector \(sector): a read shows write \(value.write), which was over before an UNMAP "
                    + "that ended at \(unmap.ended / 1000)us")
        }
        return nil
    }
}
