import BlockModel
import ISCSIFormats
import ISCSITarget
import Pair
import PagingFormats
import Primitives

/// The sentences of a controller's log entries, with the names that people know: states, LUNs, devices, controllers.
package struct LogWords: Sendable {
    private var luns: [UInt16] = []
    private var devices: [String] = []

    /// Words without a description: units and devices by their place in it.
    package init() {}

    package init(_ description: ArrayDescription) {
        luns = description.units.map(\.lun)
        devices = description.devices.map(\.name)
    }

    /// One line for people, without time or the controller's name.
    package func sentence(_ entry: LogEntry) -> String {
        let first = entry.first
        let second = entry.second
        return switch entry.code {
        case .stateChanged: "state is now \(Self.state(first)) (epoch \(second))"
        case .epochChanged: "epoch is now \(first): the record says \(Self.record(second))"
        case .partnerLost: "partner lost (\(Self.life(first)))"
        case .partnerJoined: "partner joined (\(Self.life(first)))"
        case .fenced: "partner fenced: its process is gone and its memory file is free (\(Self.life(first)))"
        case .adopted: "\(Self.count(first, "dirty page")) of the partner adopted"
        case .caughtUp: "the partner has caught up"
        case .channelUp: "channel up (connection \(first), partner's \(Self.life(second)))"
        case .channelDown: "channel down (connection \(first)): \(Self.fault(second))"
        case .channelRefused: "a channel connection was refused: \(Self.refusal(first, second))"
        case .windowOpened: "window on the partner's memory opened (\(Self.life(first)))"
        case .windowClosed: "window on the partner's memory closed; pages go by messages"
        case .homeMoved: "\(unit(first)) has its home on controller \(Self.controller(second)) now"
        case .deviceFault: "\(device(first)) reported: \(Self.deviceFault(second))"
        case .loginRefused: "a login on connection \(first) was refused: \(Self.login(second))"
        case .sessionOpened: "session \(first) opened"
        case .sessionClosed: "session \(first) closed"
        case .protocolError:
            "a peer broke the protocol on connection \(first): \(Self.transport(second)); it was closed"
        case .memoryVoided:
            "own memory voided: the record does not name it; its identity is now \(Self.memory(first, second))"
        case .tornFrame: "page frame \(first) was torn and is not used"
        }
    }

    // MARK: Names

    private func unit(_ index: UInt64) -> String {
        index < luns.count ? "LUN \(luns[Int(index)])" : "the unit at place \(index)"
    }

    private func device(_ index: UInt64) -> String {
        index < devices.count ? "device \(devices[Int(index)])" : "the device at place \(index)"
    }

    /// A memory's identity as status and refusals write it.
    package static func memory(_ high: UInt64, _ low: UInt64) -> String { hex(high) + hex(low) }

    /// 16 hexadecimal digits: how identities of pairs, lineages and memories are written.
    package static func hex(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    private static func state(_ raw: UInt64) -> String {
        UInt8(exactly: raw).flatMap(PairState.init(rawValue:))?.name ?? unknown(raw)
    }

    private static func record(_ raw: UInt64) -> String {
        switch UInt8(exactly: raw).flatMap(WitnessRecord.State.init(rawValue:)) {
        case .paired: "paired"
        case .soloA: "a is alone"
        case .soloB: "b is alone"
        case nil: unknown(raw)
        }
    }

    private static func controller(_ raw: UInt64) -> String {
        UInt8(exactly: raw).flatMap(ControllerID.init(rawValue:))?.name ?? unknown(raw)
    }

    private static func life(_ incarnation: UInt64) -> String { "incarnation \(incarnation)" }

    private static func count(_ number: UInt64, _ what: String) -> String {
        "\(number) \(what)\(number == 1 ? "" : "s")"
    }

    private static func unknown(_ raw: UInt64) -> String { "unknown (\(raw))" }

    // MARK: Reasons

    private static func refusal(_ fault: UInt64, _ peer: UInt64) -> String {
        if UInt8(exactly: fault).flatMap(ChannelFault.init(rawValue:)) == .foreignPair {
            return "its peer is of pair \(hex(peer)), which is not ours; check `channel` of both controllers"
        }
        let who = peer <= 1 ? "controller \(controller(peer))" : "a peer that had not said who it is"
        return "\(Self.fault(fault)) (\(who))"
    }

    private static func fault(_ raw: UInt64) -> String {
        switch UInt8(exactly: raw).flatMap(ChannelFault.init(rawValue:)) {
        case .closed: "the stream ended"
        case .silent: "nothing was heard for too long"
        case .replaced: "a newer connection took its place"
        case .malformed: "what came is no frame of ours"
        case .handshakeTimeout: "the handshake took too long"
        case .ownReflection: "the peer is this controller itself; check `channel` of both controllers"
        case .foreignPair: "the peer is of another pair"
        case .versionUnknown: "the peer speaks a version that this release does not know"
        case .earlierIncarnation: "the peer is an earlier life of the partner"
        case .proofWrong: "no proof of the pair's secret; both controllers need the same secret file"
        case .outputFull: "the partner takes no bytes"
        case nil: unknown(raw)
        }
    }

    private static func deviceFault(_ raw: UInt64) -> String {
        switch UInt8(exactly: raw).flatMap(BlockFault.init(rawValue:)) {
        case .aborted: "aborted"
        case .unreadable: "cannot be read there"
        case .unwritable: "cannot be written there"
        case .deviceGone: "the device is gone"
        case .spaceExhausted: "no space left"
        case .notServing: "not serving"
        case nil: unknown(raw)
        }
    }

    /// Status-Class and Status-Detail of the Login Response (RFC 7143 section 11.13.5).
    private static func login(_ raw: UInt64) -> String {
        let digits = String(raw, radix: 16, uppercase: true)
        let code = String(repeating: "0", count: Swift.max(0, 4 - digits.count)) + digits + "h"
        guard let status = UInt16(exactly: raw).flatMap(LoginStatus.init(rawValue:)) else { return "status \(code)" }
        return "\(spaced("\(status)")) (status \(code))"
    }

    private static func transport(_ raw: UInt64) -> String {
        switch UInt8(exactly: raw).flatMap(TransportFault.init(rawValue:)) {
        case .firstPDUIsNoLogin: "its first PDU is no Login Request"
        case .headerDigest: "a header digest is wrong"
        case .dataDigest: "a data digest is wrong"
        case .segmentTooLong: "a data segment is longer than was agreed"
        case .malformedLogin: "a Login Request is malformed"
        case .loginTimer: "the login took too long"
        case .pingUnanswered: "a NOP-In was not answered"
        case .tooManyLogins: "too many logins were under way, and this was the oldest"
        case .additionalHeader: "an additional header segment is not supported"
        case .unacknowledged: "more responses are not acknowledged than are kept for one connection"
        case .outOfOrder: "more arrived before its turn than is kept"
        case .outputStalled: "the initiator takes no answers"
        case nil: unknown(raw)
        }
    }

    /// `tooManyConnections` as three words.
    private static func spaced(_ name: String) -> String {
        name.map { $0.isUppercase ? " \($0.lowercased())" : "\($0)" }.joined()
    }
}
