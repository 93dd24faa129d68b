import Primitives

/// The faults that a run can inject. The raw value is in traces; the weights of a run are drawn from its seed.
package enum FaultKind: UInt8, CaseIterable, Sendable {
    /// The process ends between two batches; in the midst of the effects of one; both at once or shortly after.
    case crash, crashInBatch, crashBoth
    /// No instruction runs for a while (SIGSTOP), between batches or in the midst of one.
    case hang, hangInBatch
    /// Every reaction takes long.
    case slow
    /// The channel and the window: both directions, one direction, a reset, slow.
    case channelCut, channelCutOneWay, channelReset, channelSlow
    /// The network between one initiator and one controller: cut, a reset.
    case hostCut, hostReset
    /// A device answers with errors, or slowly.
    case deviceError, deviceSlow
    /// The witness cannot be reached; it swaps, and the answer is lost.
    case witnessDown, witnessLosesReplies
    /// A process dies and its memory file is gone, or has flipped bits, when it starts again.
    case memoryLoss, scribble
    /// Administration: another home for a unit; a clean stop and a later start.
    case moveHome, leave

    /// The name in options and reports.
    package var name: String {
        switch self {
        case .crash: "crash"
        case .crashInBatch: "crash-in-batch"
        case .crashBoth: "crash-both"
        case .hang: "hang"
        case .hangInBatch: "hang-in-batch"
        case .slow: "slow"
        case .channelCut: "channel-cut"
        case .channelCutOneWay: "channel-cut-one-way"
        case .channelReset: "channel-reset"
        case .channelSlow: "channel-slow"
        case .hostCut: "host-cut"
        case .hostReset: "host-reset"
        case .deviceError: "device-error"
        case .deviceSlow: "device-slow"
        case .witnessDown: "witness-down"
        case .witnessLosesReplies: "witness-loses-replies"
        case .memoryLoss: "memory-loss"
        case .scribble: "scribble"
        case .moveHome: "move-home"
        case .leave: "leave"
        }
    }

    /// How often the kind is drawn among the kinds that a run has enabled.
    var commonness: UInt64 {
        switch self {
        case .crash, .crashInBatch, .hang, .channelCut: 6
        case .crashBoth, .hangInBatch, .channelCutOneWay, .channelReset, .hostCut, .hostReset: 3
        case .slow, .channelSlow, .deviceError, .deviceSlow, .witnessDown, .witnessLosesReplies, .moveHome: 2
        case .memoryLoss, .scribble, .leave: 1
        }
    }
}

/// Weights of the fault kinds, in the order of `FaultKind.allCases`; 0 means: not in this run.
package struct FaultWeights: Sendable, Equatable {
    package var values: [UInt64]

    package init(_ weights: [(FaultKind, UInt64)]) {
        values = FaultKind.allCases.map { kind in weights.first { $0.0 == kind }?.1 ?? 0 }
    }

    /// No faults at all.
    package static var none: FaultWeights { FaultWeights([]) }

    /// Every kind.
    package static var all: FaultWeights { FaultWeights(FaultKind.allCases.map { ($0, $0.commonness) }) }

    /// Swarm testing: each kind is in or out by chance, so that runs differ in what they concentrate on.
    static func drawn(from random: inout SeededRandom, allowed: FaultWeights) -> FaultWeights {
        var weights = allowed
        for index in weights.values.indices where !random.chance(3, in: 5) { weights.values[index] = 0 }
        return weights
    }

    package subscript(kind: FaultKind) -> UInt64 { values[Int(kind.rawValue)] }

    var sum: UInt64 { values.reduce(0, +) }

    /// `crash:6 hang:6 …` of the enabled kinds.
    package var text: String {
        let parts = FaultKind.allCases.filter { self[$0] > 0 }.map { "\($0.name):\(self[$0])" }
        return parts.isEmpty ? "none" : parts.joined(separator: " ")
    }
}
