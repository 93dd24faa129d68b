import CLinux
import Glibc

/// One session with one connection, in raw memory that never moves. Everything that must be fast is here.
struct Session {
    enum Phase: UInt8 {
        /// Waits until `retryAt`.
        case idle
        /// TCP connect is under way.
        case connecting
        /// A login request is unanswered.
        case login
        /// READ CAPACITY (16) is unanswered or to be sent again.
        case sizing
        case running
        /// The target asked us to leave: no new commands, then close.
        case leaving
    }

    var phase = Phase.idle
    var index: Int32 = 0
    var descriptor: Int32 = -1
    /// Index of the path in the options, and whether loss moves on to the next.
    var path = 0
    var lun: UInt16 = 0
    var retryAt: UInt64 = 0
    /// Last time anything arrived, or the first command of an idle connection was sent.
    var heardAt: UInt64 = 0
    var leaveAt: UInt64 = 0
    /// Refusals in a row since the last success: connection attempts wait longer.
    var failures = 0

    // Sequence numbers (RFC 7143 §4.2.2).
    var commandSequence: UInt32 = 1
    var maximumSequence: UInt32 = 1
    var expectedStatus: UInt32 = 0
    var outstanding = 0

    // Negotiated.
    var headerDigest = false
    var dataDigest = false
    var targetReceive = 8192
    var maxBurst = 262_144
    var firstBurst = 65_536
    var immediateData = true
    var initialR2T = true

    // What READ CAPACITY (16) said; it counts when the command ended with GOOD.
    var lastBlock: UInt64 = 0
    var blockLength: UInt64 = 0

    // Receiving: bytes `start..<end` of `input` are unread; then `discard` bytes are thrown away unread.
    var input: UnsafeMutableRawPointer
    var inputCapacity = 0
    var start = 0
    var end = 0
    var discard = 0
    /// Header whose data is being discarded.
    var held: UnsafeMutableRawPointer

    // Sending: vectors `sent..<queued`, headers from a second piece of memory.
    var vectors: UnsafeMutablePointer<iovec>
    var vectorCapacity = 0
    var sent = 0
    var queued = 0
    var headers: UnsafeMutableRawPointer
    var headersUsed = 0
    var wantsWritable = false

    /// Bytes of one place in `headers`: header, header digest, data digest.
    static let headerPlace = 64

    init(index: Int32, inputCapacity: Int) {
        self.index = index
        self.inputCapacity = inputCapacity
        input = .allocate(byteCount: inputCapacity, alignment: 4096)
        held = .allocate(byteCount: headerLength, alignment: 16)
        vectors = .allocate(capacity: 1)
        headers = .allocate(byteCount: Self.headerPlace, alignment: 64)
    }

    /// Makes room for `count` PDUs in flight to the target. Called at login, never while anything is queued.
    mutating func reserve(units count: Int) {
        guard count * 3 > vectorCapacity else { return }
        vectors.deallocate()
        headers.deallocate()
        vectorCapacity = count * 3
        vectors = .allocate(capacity: vectorCapacity)
        headers = .allocate(byteCount: count * Self.headerPlace, alignment: 64)
    }

    /// PDUs that may still be queued before everything queued has left.
    var roomForUnits: Int {
        min((vectorCapacity - queued) / 3, vectorCapacity / 3 - headersUsed / Self.headerPlace)
    }

    /// A zeroed header to fill; `queueHeader` follows.
    @inline(__always) mutating func nextHeader() -> UnsafeMutableRawPointer {
        let header = headers + headersUsed
        memset(header, 0, headerLength)
        return header
    }

    /// Queues the header that `nextHeader` gave and `count` bytes of data, a multiple of four.
    @inline(__always) mutating func queue(data: UnsafeMutableRawPointer?, count: Int) {
        let header = headers + headersUsed
        header.put24(5, count)
        if headerDigest || dataDigest {
            queueWithDigests(header, data, count)
            return
        }
        headersUsed += headerLength
        if queued > sent, vectors[queued - 1].iov_base + vectors[queued - 1].iov_len == header {
            vectors[queued - 1].iov_len += headerLength
        } else {
            vectors[queued] = iovec(iov_base: header, iov_len: headerLength)
            queued += 1
        }
        if count > 0 {
            vectors[queued] = iovec(iov_base: data, iov_len: count)
            queued += 1
        }
    }

    private mutating func queueWithDigests(
        _ header: UnsafeMutableRawPointer, _ data: UnsafeMutableRawPointer?, _ count: Int
    ) {
        headersUsed += Self.headerPlace
        var length = headerLength
        if headerDigest {
            header.storeBytes(of: crc32c(header, headerLength).littleEndian, toByteOffset: length, as: UInt32.self)
            length += 4
        }
        vectors[queued] = iovec(iov_base: header, iov_len: length)
        queued += 1
        guard count > 0, let data else { return }
        vectors[queued] = iovec(iov_base: data, iov_len: count)
        queued += 1
        if dataDigest {
            header.storeBytes(of: crc32c(data, count).littleEndian, toByteOffset: length, as: UInt32.self)
            vectors[queued] = iovec(iov_base: header + length, iov_len: 4)
            queued += 1
        }
    }

    /// Sends what is queued in as few calls as the system allows; false: the connection is lost.
    @inline(__always) mutating func flush() -> Bool {
        while sent < queued {
            var message = msghdr()
            message.msg_iov = vectors + sent
            message.msg_iovlen = min(queued - sent, 1024)
            var count = sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN
            }
            while sent < queued, count >= vectors[sent].iov_len {
                count -= vectors[sent].iov_len
                sent += 1
            }
            if count > 0 {
                vectors[sent].iov_base += count
                vectors[sent].iov_len -= count
            }
        }
        sent = 0
        queued = 0
        headersUsed = 0
        return true
    }

    /// Forgets the connection and everything that was queued or half received.
    mutating func reset() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        phase = .idle
        (start, end, discard) = (0, 0, 0)
        (sent, queued, headersUsed) = (0, 0, 0)
        wantsWritable = false
        (headerDigest, dataDigest) = (false, false)
    }
}
