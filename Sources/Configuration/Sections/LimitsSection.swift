import Controller
import Primitives
import Yams

/// `limits:` of the iSCSI front end of each controller.
struct LimitsSection {
    var limits = TransportLimits()

    private static let keys: [KnownKey] = [
        .read("sessions"), .read("connections_per_session"), .read("error_recovery_level"), .read("command_window"),
        .read("login_time"), .read("ping_after"), .read("ping_patience"), .read("header_digest"),
        .read("data_digest"), .read("unsolicited_data"), .read("immediate_data"), .read("receive_segment"),
        .read("max_burst"), .read("first_burst"),
    ]
    private static let digests: [(String, TransportLimits.Digest)] = [
        ("never", .never), ("allowed", .allowed), ("required", .required),
    ]
    /// RFC 7143 §13.12 to §13.14.
    private static let lengths: ClosedRange<UInt64> = 512...16_777_212

    init() {}

    init(_ entry: Entry) {
        guard let section = Section(entry, keys: Self.keys) else { return }
        limits.sessions = section["sessions"]?.number(1...ControllerLimits.sessions)
        limits.connectionsPerSession = section["connections_per_session"]?.number(1...16).map { UInt16($0) }
        limits.maxErrorRecoveryLevel = section["error_recovery_level"]?.number(0...2).map { UInt8($0) }
        limits.commandWindow = section["command_window"]?.number(1...ControllerLimits.commands)
        limits.loginTime = section["login_time"]?.duration(.seconds(1) ... .seconds(600))
        limits.pingPatience = section["ping_patience"]?.duration(.seconds(1) ... .seconds(600))
        if let ping = section["ping_after"] {
            let isNever = ping.value.scalar?.string == "never"
            limits.pingAfter = isNever ? .zero : ping.duration(.seconds(1) ... .seconds(600))
        }
        limits.headerDigest = section["header_digest"]?.choice(Self.digests)
        limits.dataDigest = section["data_digest"]?.choice(Self.digests)
        limits.requireInitialR2T = section["unsolicited_data"]?.flag().map { !$0 }
        limits.allowImmediateData = section["immediate_data"]?.flag()
        limits.maxRecvDataSegmentLength = Self.length(section["receive_segment"])
        limits.maxBurstLength = Self.length(section["max_burst"])
        limits.firstBurstLength = Self.length(section["first_burst"])
        // RFC 7143 §13.14: FirstBurstLength never exceeds MaxBurstLength.
        if let first = limits.firstBurstLength, let most = limits.maxBurstLength, first > most {
            section["first_burst"]?.refuse("\(first) is more than max_burst (\(most)); the first burst is part of it")
        }
    }

    private static func length(_ entry: Entry?) -> UInt32? {
        entry?.size(multipleOf: 4, lengths).flatMap { UInt32(exactly: $0) }
    }
}
