import ISCSIFormats

/// A Login Request whose answer has to wait.
struct LoginPause {
    let request: LoginRequestPDU
    /// Of the question that the driver was asked; 0: none, only the time is waited for.
    let token: UInt32
}

/// The text that a connection is exchanging: collected from PDUs with the C bit, and answered in chunks.
struct TextExchange {
    var incoming: [UInt8] = []
    var outgoing: [UInt8] = []
    /// Bytes of `outgoing` that have been sent.
    var sent = 0
    /// Tag by which the initiator goes on, `Tag.none`: no exchange is open.
    var targetTransferTag = Tag.none
    /// The login that the connection is in, nil before its first PDU and after its last.
    var login: LoginNegotiation?
    /// What the login waits for.
    var pause: LoginPause?

    mutating func removeText() {
        incoming = []
        outgoing = []
        sent = 0
        targetTransferTag = Tag.none
    }
}
