import Primitives

/// What an iSCSI front end serves, and its limits. Made once by the controller; the engine never changes it.
package struct ISCSITargetConfiguration: Sendable {
    /// A network portal of the array, as SendTargets tells it (RFC 7143 §13.8).
    package struct Portal: Sendable, Equatable {
        /// `address:port`, numeric; IPv6 addresses in brackets.
        package var address: String
        /// Target portal group tag: 1 for controller a, 2 for controller b.
        package var groupTag: UInt16
        package init(address: String, groupTag: UInt16) {
            self.address = address
            self.groupTag = groupTag
        }
    }

    /// iSCSI names of the targets; the index is the `target` of `NexusIdentity`.
    package var targets: [String]
    /// By target: who may log in. A target that has no element is everybody's.
    package var access: [[AccessRule]] = []
    /// Who may discover, and what they prove for it.
    package var discovery = [AccessRule()]
    /// Tag of the portal group that this controller's portals form.
    package var portalGroupTag: UInt16
    /// The portals of both groups.
    package var portals: [Portal]
    package var limits = Limits()

    package init(targets: [String], portalGroupTag: UInt16, portals: [Portal]) {
        self.targets = targets
        self.portalGroupTag = portalGroupTag
        self.portals = portals
    }

    /// Limits and times of the front end.
    package struct Limits: Sendable {
        /// Streams at once.
        package var maxConnections = 256
        /// Sessions at once; at most 65,536 (`NexusIndex`).
        package var maxSessions = 256
        /// Command slots of all sessions together; what `PageLists` and the parameter pages have.
        package var maxCommands = 1024
        /// The most commands of one session that are admitted at once.
        package var commandWindow = 128
        /// Task management requests at once, of all connections together and of one.
        package var maxTaskManagementRequests = 256
        package var maxTaskManagementRequestsPerConnection = 32
        /// The MaxRecvDataSegmentLength that we declare, 512 to 16,777,215.
        package var maxRecvDataSegmentLength: UInt32 = 262_144
        /// The largest MaxBurstLength that we accept.
        package var maxBurstLength: UInt32 = 16_776_192
        /// The largest FirstBurstLength that we accept.
        package var firstBurstLength: UInt32 = 262_144
        /// Refuse unsolicited data, whatever the initiator likes.
        package var requireInitialR2T = false
        package var allowImmediateData = true
        package var headerDigest = DigestPolicy.allowed
        package var dataDigest = DigestPolicy.allowed
        /// The most connections of one session (MaxConnections, RFC 7143 §13.2).
        package var maxConnectionsPerSession: UInt16 = 4
        /// The highest ErrorRecoveryLevel that we accept (RFC 7143 §13.20).
        package var maxErrorRecoveryLevel: UInt8 = 2
        /// Connections in their login phase at once, of all peers and of one; one more ends the oldest of them.
        package var maxLogins = 64
        package var maxLoginsPerPeer = 16
        /// How long a failed authentication waits for its answer.
        package var failureDelay: Interval = .seconds(1)
        /// An initiator that was redirected and is back this soon is served.
        package var redirectPatience: Interval = .seconds(10)
        /// The longest DefaultTime2Retain that we accept, in seconds: how long commands wait for a new connection.
        package var time2Retain: UInt16 = 20
        /// Bytes in which data and responses wait for their acknowledgement, and commands for those before them; of
        /// all sessions together. What does not fit cannot be sent again.
        package var retainedBytes = 64 << 20
        /// From the connect to the full-feature phase.
        package var loginTime: Interval = .seconds(15)
        /// Silence after which the initiator is pinged; zero: never.
        package var pingAfter: Interval = .seconds(15)
        /// Silence after a ping that ends the connection.
        package var pingPatience: Interval = .seconds(15)
        package init() {}
    }
}

/// Whether digests (RFC 7143 §13.1) are negotiated.
package enum DigestPolicy: UInt8, Sendable {
    case never, allowed, required

    /// The values that may be chosen.
    var acceptable: [String] {
        switch self {
        case .never: ["None"]
        case .allowed: ["None", "CRC32C"]
        case .required: ["CRC32C"]
        }
    }
}

/// Sizes that the engine's own structures have; they are not for a person to set.
enum Sizes {
    /// Bytes of a connection's receive buffer.
    static let receiveBuffer = 65_536
    /// Bytes of a connection's ring of headers and small data.
    static let outputBytes = 65_536
    /// Entries of a connection's output; a power of two.
    static let outputEntries = 1024
    /// Data segments above this go from the socket straight to their pages; smaller remainders are copied.
    static let directSegment = 8192
    /// The largest data segment that is collected in the receive buffer: pings and texts.
    static let collectedSegment = 32_768
    /// The largest data segment of a Text Response or NOP-In.
    static let textSegment = 16_384
    /// Output that must be free before a PDU is parsed: one answer of the largest kind.
    static let parseReserve = 20_480
    /// Output that commands leave to task management responses, rejects, pings and messages.
    static let controlReserve = 4096
    static let controlEntries = 64
    /// What one header with sense data can take, at the most.
    static let commandPDU = 512
    /// Bytes of a header with additional segments, as far as they mean something to us.
    static let headerCopy = 112
    /// Bytes of responses that one connection may leave unacknowledged.
    static let unacknowledged = 262_144
    /// Bytes of data that are in one connection's output again.
    static let sentAgain = 524_288
    /// Bytes of an initiator port name: 223 of a name, 5 of `,i,0x`, 12 of an ISID.
    static let portName = 256
    /// Keys of one login or text that are answered NotUnderstood, at the most.
    static let unknownKeys = 64
    /// Sense data in a response, at the most.
    static let sense = 252
    /// Initiator ports that are remembered to have been sent to the other controller.
    static let redirected = 64
}
