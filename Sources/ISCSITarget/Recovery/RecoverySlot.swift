import Primitives

/// What a command needs beyond its `CommandSlot` when its session is `ordered`; by the same slot number.
struct RecoverySlot {
    /// Session and connection (by its CID) that the command belongs to, even when the connection is gone.
    var session: Int32 = -1
    var cid: UInt16 = 0
    /// Its initiator task tag names another command by now.
    var isForgotten = false

    /// Data-In PDUs from the data acknowledgement reference number on (RFC 7143 §11.5.6), as `DataRecord`s.
    var sent = ByteChain()
    /// There was no room to keep them: what was sent cannot be sent again.
    var isGone = false
    /// DataSN of the first PDU that is not acknowledged.
    var acknowledged: UInt32 = 0
    /// Bytes sent since an acknowledgement was last asked for.
    var sinceRequest: UInt32 = 0
    /// DataSNs that are to be sent again, and where the first one's record is in `sent`.
    var againFrom: UInt32 = 0
    var againTo: UInt32 = 0
    var againAt = 0
    /// The response is to be sent again after them, with its StatSN.
    var answersAgain = false

    /// Immediate and unsolicited data that the device server has not asked for yet, and the buffer offset after them.
    var staged = ByteChain()
    var stagedEnd: UInt32 = 0
    /// A Data-Out of the present sequence is missing: the others are dropped, and asked for anew at its end.
    var isBroken = false
    /// Buffer offset that the outstanding R2T began at.
    var r2tStart: UInt32 = 0

    /// When its response was handed over, among those of all; it is fenced (`ResponseFence`).
    var handedOver: UInt64 = 0
    var isFenced = false
    /// PERSISTENT RESERVE OUT with PREEMPT AND ABORT.
    var isPreemptAndAbort = false

    /// Tag of the last R-Data SNACK.
    var snackTag: UInt32 = 0
    /// StatSN of the response, and whether it is of a connection before the last one with the same CID.
    var statSN: UInt32 = 0
    var isOfEarlierConnection = false
}

/// A connection that is gone from its session, and whose commands wait for another (RFC 7143 §7.2.2).
struct LostConnection {
    var session: Int32 = -1
    var cid: UInt16 = 0
    /// A recovery Logout, or a login with the same CID, has ended its allegiances.
    var isReleased = false
    /// What it had acknowledged, and the StatSN that was to come.
    var acknowledgedStatSN: UInt32 = 0
    var statSN: UInt32 = 0
    /// When its commands are ended.
    var until = Instant.never
}

/// Header of one Data-In in `RecoverySlot.sent`; the data follow.
struct DataRecord {
    static let length = 16
    var dataSN: UInt32 = 0
    var offset: UInt32 = 0
    var count: UInt32 = 0
    /// 1: F.
    var flags: UInt32 = 0
}

/// Header of one response in `Connection.responses`; its PDU without digests follows, unless it is the response of a
/// command that is in its slot.
struct ResponseRecord {
    static let length = 16
    var statSN: UInt32 = 0
    /// Command slot and generation, -1: none.
    var slot: Int32 = -1
    var generation: UInt32 = 0
    var count: UInt32 = 0
}

/// A PDU that arrived before others that come before it in the command order; its header is in `heldHeaders`.
struct HeldPDU {
    var session: Int32 = -1
    /// -1: nothing is delivered for the CmdSN, as its task was aborted before it came.
    var connection: Int32 = -1
    var cmdSN: UInt32 = 0
    var next: Int32 = -1
    var arrival = Arrival()
    var data = ByteChain()
}

/// What came of a SCSI Command besides its header.
struct Arrival {
    /// Additional sense code of what is wrong with its data; 0: nothing.
    var fault: UInt16 = 0
    /// DataSN of the next unsolicited Data-Out.
    var outDataSN: UInt32 = 0
    /// The last of its unsolicited data has come.
    var isClosed = false
    var isBroken = false
}
