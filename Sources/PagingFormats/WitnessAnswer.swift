/// What the witness answered.
package enum WitnessAnswer: Sendable, Equatable {
    case record(WitnessRecord)
    /// There is no record (a new array).
    case none
    /// The witness cannot be reached; nothing is known.
    case unreachable
    /// Both slots are damaged: an operator must decide.
    case damaged
}

/// Why a controller gives up its life.
package enum RestartReason: UInt8, Sendable {
    case lostMembership, witnessNamesPartner
}

/// Why a start is refused.
package enum RefusalReason: UInt8, Sendable {
    case witnessDamaged, foreignPair, epochWentBack, lineageUnknown, featureLevelUnknown, memoryLost
    /// A device carries the label of another pair, or of another device; one that should have a label has none; one
    /// that should be empty or have a label has something else.
    case foreignDevice, otherDevice, deviceReplaced, deviceOccupied
}
