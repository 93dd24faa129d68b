/// Counters of the front end since it began; read by the controller's status.
package struct TransportStatistics: Sendable, Equatable {
    package var pdusReceived: UInt64 = 0
    package var pdusSent: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var commands: UInt64 = 0
    package var rejects: UInt64 = 0
    package var protocolErrors: UInt64 = 0
    package var digestErrors: UInt64 = 0
    package var logins: UInt64 = 0
    package var loginsRefused: UInt64 = 0
    /// Connections refused because the table was full.
    package var connectionsRefused: UInt64 = 0
    /// Commands outside the window, Data-Out without a task: dropped without an answer (RFC 7143 §4.2.2.1).
    package var dropped: UInt64 = 0
    /// Commands answered TASK SET FULL because no slot was free.
    package var slotsExhausted: UInt64 = 0
    package init() {}
}

/// One session, for the controller's status.
package struct SessionSnapshot: Sendable, Equatable {
    /// Initiator port name: iSCSI name, `,i,0x`, ISID.
    package var initiator: String
    /// Index of the target, nil for a discovery session.
    package var target: UInt16?
    package var connections: Int
    /// Commands received since the session began.
    package var commands: UInt64
}
