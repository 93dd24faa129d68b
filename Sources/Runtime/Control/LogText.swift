import PagingFormats
import Controller
import Primitives

/// The sentences of a controller's log entries.
enum LogText {
    /// One line for people, without time or name.
    static func sentence(_ entry: LogEntry) -> String {
        let first = entry.first
        let second = entry.second
        return switch entry.code {
        case .stateChanged: "state changed from \(first) to \(second)"
        case .epochChanged: "epoch is now \(first)"
        case .partnerLost: "partner lost (incarnation \(first))"
        case .partnerJoined: "partner joined (incarnation \(first))"
        case .fenced: "partner fenced: its process is gone and its memory file is free"
        case .adopted: "\(first) dirty pages adopted"
        case .caughtUp: "the partner has caught up (\(first) pages)"
        case .channelUp: "channel up (connection \(first))"
        case .channelDown: "channel down (connection \(first))"
        case .channelRefused: "a channel connection was refused: no proof of the pair's secret, or another version"
        case .windowOpened: "window on the partner's memory opened (incarnation \(first))"
        case .windowClosed: "window on the partner's memory closed; pages go by messages"
        case .homeMoved: "unit \(first) has its home on controller \(second == 0 ? "a" : "b") now"
        case .deviceFault: "device \(first) reported fault \(second)"
        case .loginRefused: "a login was refused (class and detail \(first))"
        case .sessionOpened: "session \(first) opened"
        case .sessionClosed: "session \(first) closed"
        case .protocolError: "a peer broke the protocol on connection \(first) (reason \(second)); it was closed"
        case .memoryVoided: "own memory voided: the record does not name it"
        case .tornFrame: "frame \(first) was torn and is not used"
        }
    }

    static func sentence(_ reason: RestartReason) -> String {
        switch reason {
        case .lostMembership: "the partner goes on alone; this controller starts anew and joins it"
        case .witnessNamesPartner: "the witness names the partner; this controller starts anew and joins it"
        case .joinFailed: "joining the partner failed; this controller starts anew"
        }
    }

    static func sentence(_ reason: RefusalReason) -> String {
        switch reason {
        case .witnessDamaged:
            "both slots of the witness file are damaged, or there is no record although memory or devices carry "
                + "labels; an operator must decide"
        case .foreignPair: "the witness's record belongs to another pair; check `witness` in the configuration"
        case .epochWentBack:
            "the witness's epoch is lower than one that this memory has seen: the witness is an old copy"
        case .lineageUnknown: "the witness's record is of another lineage (a forced start happened without this memory)"
        case .featureLevelUnknown: "the witness's record has a feature level that this release does not know"
        case .memoryLost:
            "no memory that the record names is left, and acknowledged writes were not yet on the devices; what they "
                + "were is lost: a forced start must be ordered"
        }
    }
}
