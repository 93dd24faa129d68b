import PagingFormats
import Primitives

/// The channel's output: frames in the order in which they leave, as a gather list over one ring (headers, records,
/// copied data) and over bytes that stay where they are (stable data).
///
/// Its size is a bound, not a working set: Memory has a bounded number of messages without answer, the partner's
/// messages are answered once, and both together must fit. What does not fit means that the partner takes nothing for
/// long; then the connection is given up, and a new one gets everything again that is not answered.
struct SendRing: ~Copyable {
    /// Bytes of the ring. 4 MiB are 37,000 records, or 990 with a copied page each.
    static var capacity: Int { 4 << 20 }
    /// Room that must be free before a message is taken: header, record, a copied page, and what the ring's end wastes.
    static var reserve: Int { 16 << 10 }
    /// A record is at least `PagingMessage.encodedSize` bytes of the ring and at most four pieces.
    static var segmentLimit: Int { capacity / PagingMessage.encodedSize * 4 }

    private struct Segment {
        var base: UnsafeMutableRawPointer
        var count: Int
        /// Where the ring's oldest used byte is, once this piece has left.
        var end: Int
    }

    private let base: UnsafeMutableRawPointer
    private let zeros: UnsafeMutableRawPointer
    /// Positions that only grow; the place in the ring is the rest of the division by `capacity`.
    private var head = 0
    private var tail = 0
    private var segments = Queue<Segment>(capacity: 256, limit: SendRing.segmentLimit)
    /// Segments of frames that are complete: only these are given out.
    private var completed = 0
    private var header: UnsafeMutableRawPointer?
    private var open = ChannelHeader(.messages)
    private var checksum: UInt32 = ~0

    init() {
        base = .allocate(byteCount: Self.capacity, alignment: 4096)
        zeros = .allocate(byteCount: 8, alignment: 8)
        zeros.initializeMemory(as: UInt8.self, repeating: 0, count: 8)
    }

    deinit {
        base.deallocate()
        zeros.deallocate()
    }

    /// A frame is being filled.
    var isOpen: Bool { header != nil }
    /// Nothing is left to send.
    var isEmpty: Bool { segments.isEmpty }
    /// No further message may be taken.
    var isFull: Bool { Self.capacity - (tail - head) < Self.reserve || segments.count + 8 > Self.segmentLimit }

    mutating func removeAll() {
        segments.removeAll()
        head = 0
        tail = 0
        completed = 0
        header = nil
    }

    /// Whether a record with `data` bytes still fits into the open frame.
    func hasRoom(data: Int) -> Bool {
        Int(open.payloadLength) + PagingMessage.encodedSize + ChannelLimits.padded(data) <= ChannelLimits.payloadBytes
            && Int(open.records) < ChannelLimits.records
    }

    /// Begins a frame of `kind`; `isFull` was checked, and no frame is open.
    mutating func begin(_ kind: ChannelFrameKind, epoch: UInt32) {
        if segments.isEmpty {
            head = 0
            tail = 0
        }
        open = ChannelHeader(kind)
        open.epoch = epoch
        checksum = ~0
        header = take(ChannelHeader.encodedSize)
    }

    /// Adds a record and its data to the open frame; `isFull` and `hasRoom` were checked. The last bytes of the data
    /// are the page's trailer, when there is one.
    mutating func add(
        _ message: PagingMessage, data: UnsafeRawPointer?, stable: Bool, trailer: UnsafeRawPointer? = nil
    ) {
        let record = take(PagingMessage.encodedSize)
        message.encode(to: record)
        checksum = Checksum.extend(checksum, record, PagingMessage.encodedSize)
        open.records += 1
        open.payloadLength += UInt32(PagingMessage.encodedSize)
        let count = Int(message.dataLength)
        guard count > 0, let data else {
            precondition(count == 0, "a message announces data that its sender did not give")
            return
        }
        let padded = ChannelLimits.padded(count)
        open.payloadLength += UInt32(padded)
        if let trailer {
            precondition(stable && count == PageSize.bytes + PageSize.trailerBytes, "a trailer follows a stable page")
            let page = UnsafeMutableRawPointer(mutating: data)
            segments.append(Segment(base: page, count: PageSize.bytes, end: tail))
            take(PageSize.trailerBytes).copyMemory(from: trailer, byteCount: PageSize.trailerBytes)
        } else if stable {
            segments.append(Segment(base: UnsafeMutableRawPointer(mutating: data), count: count, end: tail))
            if padded > count { segments.append(Segment(base: zeros, count: padded - count, end: tail)) }
        } else {
            let copy = take(padded)
            copy.copyMemory(from: data, byteCount: count)
            if padded > count {
                (copy + count).initializeMemory(as: UInt8.self, repeating: 0, count: padded - count)
            }
        }
    }

    /// Adds the payload of an announcement to the open frame.
    mutating func add(_ announcement: ChannelAnnouncement) {
        let body = take(ChannelAnnouncement.encodedSize)
        announcement.encode(to: body)
        checksum = Checksum.extend(checksum, body, ChannelAnnouncement.encodedSize)
        open.payloadLength += UInt32(ChannelAnnouncement.encodedSize)
    }

    /// Completes the open frame with what the connection knows; it may leave from now on.
    mutating func complete(_ finish: (inout ChannelHeader) -> Void) {
        guard let header else { return }
        open.payloadChecksum = ~checksum
        finish(&open)
        open.encode(to: header)
        self.header = nil
        completed = segments.count
    }

    /// The next bytes to send.
    func sources(into vector: inout ByteVector) {
        for index in 0..<completed {
            let segment = segments[index]
            if !vector.append(segment.base, segment.count) { return }
        }
    }

    /// `count` bytes have left; returns how many of them were not ours.
    mutating func transmitted(_ count: Int) -> Int {
        var left = count
        while left > 0, completed > 0 {
            var segment = segments[0]
            if segment.count > left {
                segment.base += left
                segment.count -= left
                segments[0] = segment
                return 0
            }
            left -= segment.count
            head = segment.end
            completed -= 1
            _ = segments.popFirst()
        }
        return left
    }

    private mutating func take(_ count: Int) -> UnsafeMutableRawPointer {
        var place = tail % Self.capacity
        if place + count > Self.capacity {
            tail += Self.capacity - place
            place = 0
        }
        tail += count
        precondition(tail - head <= Self.capacity, "the channel's output was not checked before it was used")
        let taken = base + place
        if segments.count > completed {
            var last = segments[segments.count - 1]
            if last.base + last.count == taken {
                last.count += count
                last.end = tail
                segments[segments.count - 1] = last
                return taken
            }
        }
        segments.append(Segment(base: taken, count: count, end: tail))
        return taken
    }
}
