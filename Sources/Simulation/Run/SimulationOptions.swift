import Primitives

/// A lie that the world tells its controllers on purpose: each breaks a rule that the product relies on, so a run with
/// it must fail. That is how the checkers are checked, together with the bugs of `Planted` in the product itself.
package enum WorldLie: String, CaseIterable, Sendable {
    case none
    /// A window placement is reported good and nothing was copied.
    case placementNotCopied
    /// A window placement is reported good although the window word changed, or the window is cut.
    case placementUnchecked
    /// The proof of a fence comes although nothing was ended.
    case fenceWithoutKill
    /// The proof of a fence comes while device writes of the ended process are under way.
    case fenceWithoutProof
    /// The witness swaps whatever the expected sequence is.
    case witnessAlwaysSwaps
    /// The memory file is empty after a crash, and its superblock says that it is not.
    case memoryForgotten
    /// A device reports a write and did not store it.
    case lostDeviceWrites
    /// A process that was hung is told the time before it hung for a while.
    case clockStandsStill
}

/// What a run does. Everything that is nil is drawn from the seed; the result says what was drawn.
package struct SimulationOptions: Sendable {
    package var seed: UInt64
    /// Commands that the initiators issue in the safety phase.
    package var commands: Int
    /// Print every line of the trace.
    package var verbose: Bool
    /// Page frames of each controller's memory.
    package var frames: Int?
    /// The kinds of faults; drawn as a swarm when nil.
    package var faults: FaultWeights?
    /// Whether persistent reservations come and go; drawn when nil.
    package var reserves: Bool?
    /// Faults that the plan aims at in the safety phase.
    package var faultCount: Int
    /// A lie of the world, so that the run must fail.
    package var lie: WorldLie
    /// Longest virtual time from the healing of all faults to redundancy, and for each later step.
    package var livenessBound: Interval
    /// Lines of the trace that a failure carries.
    package var transcriptLines: Int
    /// The witness begins with a record of a pair without memories; else with none.
    package var hasInitialRecord: Bool
    /// Largest write, in sectors, that must be all or nothing when it lies in one page; 0 turns the check off.
    package var atomicSectors: Int
    /// Whether some writes are WRITE ATOMIC or COMPARE AND WRITE; drawn when nil.
    package var atomics: Bool?
    /// Whether units are thin and unmapped; drawn when nil.
    package var thin: Bool?
    /// Whether units are erased by SANITIZE; drawn when nil.
    package var erases: Bool?
    /// Type of the units' protection information, 0 for none; drawn when nil.
    package var protection: UInt8?

    /// Whether large reads and writes crowd the memories out, where units are written atomically. Not drawn: an ABORT
    /// TASK may still be answered before a TASK ABORTED that waits for data (seeds 2290, 4690, 7426).
    package var crowds = false

    package init(seed: UInt64) {
        self.seed = seed
        commands = 300
        verbose = false
        frames = nil
        faults = nil
        faultCount = 10
        lie = .none
        livenessBound = .seconds(60)
        transcriptLines = 200
        hasInitialRecord = false
        atomicSectors = 8
    }
}

/// How a run failed: classes that need different eyes.
package enum FailureClass: String, Sendable {
    /// A host read what it must not, or an acknowledged write is gone.
    case wrongData = "wrong data"
    /// Two controllers served at once.
    case twoServers = "two servers"
    /// A device went back to older data.
    case versionWentBack = "version went back"
    /// A controller broke a rule of iSCSI or SCSI on a session.
    case wireProtocol = "protocol"
    /// A controller broke a rule between it and its driver.
    case contract = "contract"
    /// Healed, and no redundancy, answer or quiet within the bound.
    case noProgress = "no progress"
    /// A controller refused to start although nothing was wrong that allows it.
    case refused = "refused"
    /// Frames, slots or dirty pages were left when all was quiet.
    case leak = "leak"
}

/// A failure with its reason.
package struct SimulationFailure: Error, Sendable, Equatable {
    package var kind: FailureClass
    package var text: String
}

/// What a run came to.
package struct SimulationResult: Sendable {
    package var seed: UInt64
    /// Equal for equal seeds, options and builds.
    package var traceHash: UInt64
    package var failure: SimulationFailure?
    /// Virtual time that passed.
    package var virtualTime: Interval
    /// Commands that initiators issued, and how many ended with GOOD.
    package var commands: Int
    package var good: Int
    /// COMPARE AND WRITE commands that found what they compared with.
    package var swapped: Int
    package var sessions: Int
    package var takeovers: Int
    /// Faults injected, by kind, in the order of `FaultKind.allCases`.
    package var faults: [Int]
    /// The options as they were drawn, for people.
    package var drawn: String
    /// The last lines of the trace when the run failed.
    package var transcript: [String]

    /// True when every checker was content.
    package var passed: Bool { failure == nil }

    /// One line for a run that passed; a whole report for one that failed.
    package var report: String {
        let hash = String(traceHash, radix: 16)
        let faultText = FaultKind.allCases.filter { faults[Int($0.rawValue)] > 0 }
            .map { "\($0.name) \(faults[Int($0.rawValue)])" }.joined(separator: ", ")
        let seconds = virtualTime.nanoseconds / 1_000_000_000
        let line =
            "seed \(seed) \(failure == nil ? "passed" : "FAILED") trace \(hash) \(seconds) s virtual, "
            + "\(commands) commands, \(good) good, \(swapped) swapped, \(sessions) sessions, faults: \(faultText)"
        guard let failure else { return line }
        return
            (transcript + [
                line, "options: \(drawn)", "class: \(failure.kind.rawValue)", "reason: \(failure.text)",
                "replay: gemel simulate --seed \(seed) --verbose",
            ]).joined(separator: "\n")
    }
}
