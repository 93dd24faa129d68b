// Writes that are all-or-nothing in the oracle: WRITE ATOMIC and COMPARE AND WRITE.
extension BlockOracle {
    /// A COMPARE AND WRITE replaced `value`: it can have been the only one, since a value is written once.
    mutating func swap(unit: Int, sector: Int, from value: UInt32, by write: UInt32) -> Violation? {
        if value == Self.initial && !unmapped[unit][sector].isEmpty { return nil }
        guard let at = values[unit][sector].lastIndex(where: { $0.write == value }) else { return nil }
        let other = values[unit][sector][at].swappedBy
        values[unit][sector][at].swappedBy = write
        if other == 0 { return nil }
        return Violation(
            text: "unit \(unit) sector \(sector): writes \(other) and \(write) both compared equal with write \(value)")
    }

    /// Whether what one command read shows an atomic write in part: in one sector, while another sector of it shows
    /// what was over before it was sent.
    func tornAtomic(unit: Int, start: Int, shown: [UInt32]) -> Violation? {
        var seen: UInt32 = 0
        for number in shown where number != seen && writes[Int(number)].isAtomic {
            seen = number
            let write = writes[Int(number)]
            let range =
                Swift.max(start, Int(write.start))..<Swift.min(start + shown.count, Int(write.start) + write.count)
            for sector in range where shown[sector - start] != number {
                let other = shown[sector - start]
                if other == Self.initial && !unmapped[unit][sector].isEmpty { continue }
                guard let value = values[unit][sector].last(where: { $0.write == other }) else { continue }
                if value.earliestEnd < write.begun {
                    return Violation(
                        text: "unit \(unit): atomic write \(number) is torn: sector \(sector) shows write \(other), "
                            + "which was over before")
                }
            }
        }
        return nil
    }
}
