import Primitives

/// When units go back to the controller that they prefer: some time after the pair is redundant again, one order a
/// unit.
struct Failback {
    /// Nil: on command only.
    let delay: Interval?
    /// Since when the pair has been redundant.
    private var redundantSince: Instant?
    private(set) var nextDeadline = Instant.never

    init(delay: Interval?) { self.delay = delay }

    /// Whether units that stand on the wrong controller are to be moved now; true once each time that the pair became
    /// redundant.
    mutating func isDue(at now: Instant, isRedundant: Bool) -> Bool {
        guard let delay, isRedundant else {
            redundantSince = nil
            nextDeadline = .never
            return false
        }
        let since = redundantSince ?? now
        redundantSince = since
        if now < since + delay {
            nextDeadline = since + delay
            return false
        }
        holdOff()
        return since != .never
    }

    /// An administrator has moved units: they stay where they are until the pair has been redundant anew.
    mutating func holdOff() {
        redundantSince = .never
        nextDeadline = .never
    }
}
