import ISCSIFormats
import Primitives
import SAM

/// What the front end asks of its driver, in order, and what it tells people.
package enum TransportEffect: Equatable {
    /// There are bytes to send: ask `transmitSources` until it gives none.
    case transmit(StreamID)
    /// `receiveTargets` gave nothing before, and gives something now.
    case resumeReceive(StreamID)
    /// Send what is there, then close; the engine is told `closed` afterwards.
    case close(StreamID)
    /// 32 bytes from the system's random source; answered by `challengeDrawn`.
    case challenge(token: UInt32)
    /// A digest with a secret of the driver's; answered by `digestMade`.
    case digest(token: UInt32, CHAPDigestRequest)
    /// A session reached its full-feature phase; nil for a discovery session.
    case sessionOpened(StreamID, NexusIndex?)
    /// A normal session ended.
    case sessionClosed(NexusIndex)
    /// A login was refused: class and detail of RFC 7143 §11.13.5.
    case loginRefused(StreamID, status: UInt16)
    /// The initiator broke the protocol, and its connection is closed for it.
    case protocolError(StreamID, TransportFault)
}

/// Why a connection was closed by us.
package enum TransportFault: UInt8, Sendable {
    case firstPDUIsNoLogin, headerDigest, dataDigest, segmentTooLong, malformedLogin, loginTimer, pingUnanswered,
        additionalHeader, tooManyLogins, unacknowledged, outOfOrder, outputStalled
}
