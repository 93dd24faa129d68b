import ISCSIFormats
import Primitives

/// The states of a connection that this target tells apart (RFC 7143 §8.1.3).
enum ConnectionState: UInt8 { case free, inLogin, loggedIn, cleanupWait }

/// Why a connection leaves its session.
enum ConnectionEnd {
    /// By a logout, or by our will.
    case closed
    /// Its stream ended, or the initiator broke the protocol.
    case failed
    /// The initiator removed it for recovery.
    case released
}

/// What a connection's parser waits for.
enum ParserWait: UInt8 {
    case nothing
    /// The device server's word where the data of a command go.
    case receiveDataOut
    /// Room for an answer.
    case output
    /// The driver's word for a login, or the time at which it is refused.
    case login
}

/// The parameters that login settled (RFC 7143 §13); before, the defaults.
struct NegotiatedParameters: Equatable {
    /// What the initiator takes in one data segment.
    var initiatorMaxRecvDataSegmentLength: UInt32 = 8192
    /// What we declared.
    var targetMaxRecvDataSegmentLength: UInt32 = 8192
    var maxBurstLength: UInt32 = 262_144
    var firstBurstLength: UInt32 = 65_536
    var initialR2T = true
    var immediateData = true
    var headerDigest = false
    var dataDigest = false
    var maxConnections: UInt16 = 1
    var errorRecoveryLevel: UInt8 = 0
    /// TaskReporting is ResponseFence (RFC 7143 §13.23).
    var responseFence = false
    /// iSCSIProtocolLevel (RFC 7144): 2 has the task management functions of SAM-4 and later.
    var protocolLevel: UInt8 = 1
    /// DefaultTime2Wait and DefaultTime2Retain, in seconds.
    var time2Wait: UInt16 = 2
    var time2Retain: UInt16 = 20
}

/// A data segment that is on its way in.
struct IncomingSegment {
    var active = false
    /// The command that it belongs to, -1: to nobody, it is dropped.
    var slot: Int32 = -1
    /// Bytes of data that have not been taken from the stream.
    var remaining = 0
    /// Padding and digest after the data.
    var trailer = 0
    var hasDigest = false
    /// Raw CRC over what was taken.
    var crc: UInt32 = ~0
    /// The F bit of its Data-Out; false for immediate data.
    var endsSequence = false
    var solicited = false
    /// The data are collected in the connection's draft, for the PDU in `headerCopy`.
    var isDraft = false
}

/// One TCP connection: what was received and not parsed, what is to be sent, and the connection's part of the login.
struct Connection {
    var state = ConnectionState.free
    var stream = StreamID.none
    var portal: UInt16 = 0
    /// Whose address it came from; 0: not known.
    var peer: UInt64 = 0
    /// Index of its session, -1 during login.
    var session: Int32 = -1
    var cid: UInt16 = 0
    var parameters = NegotiatedParameters()
    /// StatSN of the next PDU that has one.
    var statSN: UInt32 = 0

    // Receiving.
    let buffer: UnsafeMutableRawPointer
    /// Copy of the header whose data segment is on its way: for a Reject, and for PDUs that are drafted.
    let headerCopy: UnsafeMutableRawPointer
    var head = 0
    var tail = 0
    var segment = IncomingSegment()
    /// Bytes of pages that the last `receiveTargets` offered.
    var offered = 0
    /// The offer's run: the command let go of it when this is no longer the segment's slot.
    var offeredSlot: Int32 = -1
    var wait = ParserWait.nothing
    /// Since when it waits for room in its output, without a byte that left.
    var stalledSince = Instant.zero
    /// `receiveTargets` gave nothing.
    var paused = false
    /// It is in the queue of connections that `resume` goes on with.
    var runnable = false

    // Sending.
    var output = OutputRing()
    /// The driver knows that there is something to send.
    var transmitting = false
    /// Commands that have something to send, first and last of the list through `CommandSlot.next`.
    var firstSender: Int32 = -1
    var lastSender: Int32 = -1
    var taskManagementRequests = 0

    // Recovery.
    /// The session's CmdSNs may come out of order: see `Session.ordered`.
    var ordered = false
    /// ErrorRecoveryLevel is above 0: what is not acknowledged is kept.
    var retains = false
    /// Data of the SCSI Command or unsolicited Data-Out in `headerCopy`, as far as they have come.
    var draft = ByteChain()
    /// Numbered responses that are not acknowledged, as `ResponseRecord`s.
    var responses = ByteChain()
    /// All StatSNs before it are acknowledged.
    var acknowledgedStatSN: UInt32 = 0
    /// Responses that are to be sent again, from the first StatSN to before the second.
    var againFrom: UInt32 = 0
    var againTo: UInt32 = 0
    /// More is unacknowledged than is kept for one connection.
    var overdue = false
    /// Its session has a fence (`ResponseFence`): all before `fenceStatSN` is to be acknowledged, and a ping asks so.
    var isFenced = false
    var isFencePinged = false
    var fenceStatSN: UInt32 = 0

    // Times.
    var connectedAt = Instant.zero
    var lastReceived = Instant.zero
    /// When a refused login is answered.
    var refusedAt = Instant.never
    /// A ping is out; its Target Transfer Tag.
    var ping: UInt32?

    init() {
        buffer = .allocate(byteCount: Sizes.receiveBuffer, alignment: 64)
        headerCopy = .allocate(byteCount: Sizes.headerCopy, alignment: 8)
    }

    /// Received bytes that have not been parsed.
    var available: Int { tail - head }
    var start: UnsafeMutableRawPointer { buffer + head }

    /// Makes the connection ready for another stream; its memory stays.
    mutating func reset(stream: StreamID, portal: UInt16, at now: Instant) {
        state = .inLogin
        self.stream = stream
        self.portal = portal
        session = -1
        parameters = NegotiatedParameters()
        head = 0
        tail = 0
        segment = IncomingSegment()
        offered = 0
        wait = .nothing
        paused = false
        output.removeAll()
        transmitting = false
        firstSender = -1
        lastSender = -1
        taskManagementRequests = 0
        ordered = false
        retains = false
        againFrom = 0
        againTo = 0
        overdue = false
        isFenced = false
        connectedAt = now
        lastReceived = now
        refusedAt = .never
        ping = nil
    }

    mutating func deallocate() {
        buffer.deallocate()
        headerCopy.deallocate()
        output.deallocate()
    }
}
