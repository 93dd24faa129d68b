import ISCSIFormats

/// One session (RFC 7143 §4.2.5): a set of connections between an initiator port and a target.
struct Session {
    var discovery = false
    /// Index of the target; without meaning in a discovery session.
    var target: UInt16 = 0
    var isid = ISID(0)
    /// `NexusIdentity.access`.
    var access: UInt16 = 0
    /// Commands that its rule admits at once.
    var commandWindow = Int.max
    var tsih: UInt16 = 0
    /// Bytes of the initiator port name, and of the iSCSI name that it begins with.
    var portNameLength = 0
    /// Connections of the set that are logged in.
    var connectionCount = 0
    /// What the leading login settled for all connections.
    var parameters = NegotiatedParameters()
    /// PDUs can arrive out of their order: there is, or was, more than one connection, or PDUs are sent again.
    var ordered = false
    var fence = ResponseFence()
    /// First of the task management requests that wait for commands before them, through `HeldPDU.next`; -1: none.
    var waiting: Int32 = -1
    var expCmdSN = SerialNumber(0)
    /// Never goes back (RFC 7143 §4.2.2.1).
    var maxCmdSN = SerialNumber(0)
    /// Commands received whose response is not in the output yet.
    var outstanding = 0
    /// Commands received since the session began.
    var commands: UInt64 = 0
    /// The initiator was asked to log out, and is dropped when it does not.
    var isAskedToLeave = false
    var inUse = false
}
