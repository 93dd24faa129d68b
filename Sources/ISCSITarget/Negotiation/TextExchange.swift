import ISCSIFormats

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

    mutating func removeText() {
        incoming = []
        outgoing = []
        sent = 0
        targetTransferTag = Tag.none
    }
}
