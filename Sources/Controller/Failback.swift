import Primitives

/// When units go back to the controller that they prefer: some time after the pair is redundant again, one order a unit.
struct Failback {
    /// Nil: on command only.
    let delay: Interval?
    /// Since when the pair has been redundant.
    private var redundantSince: Instant?
    private(set) var nextDeadline = Instant.never

    init(delay: Interval?) { self.delay = delay }

    /// The units whose time has come, among those that stand on the wrong controller.
    mutating func due(at now: Instant, isRedundant: Bool, units: some Sequence<Int>) -> [Int] {
        guard let delay, isRedundant else {
            redundantSince = nil
            nextDeadline = .never
            return []
        }
        let since = redundantSince ?? now
        redundantSince = since
        if now < since + delay {
            nextDeadline = since + delay
            return []
        }
        nextDeadline = .never
        return Array(units)
    }

    /// An administrator has moved units: they stay where they are until the pair has been redundant anew.
    mutating func holdOff() {
        redundantSince = .never
        nextDeadline = .never
    }
}
