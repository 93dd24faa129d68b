import Primitives

/// One byte stream of the reactor; its index in the table is the raw value of its `StreamID`.
struct Stream {
    enum Phase: UInt8 {
        /// Connecting to the partner's channel listener.
        case dialing
        case open
        /// The engine asked to close it: what it has to send still leaves.
        case draining
        /// Everything left and our half is shut; the peer's end of stream is waited for.
        case lingering
        /// Its descriptor is closed, the engine is about to be told.
        case ended
    }
    var descriptor: Int32 = -1
    var phase = Phase.ended
    var isChannel = false
    /// Grows with each use of the slot, so that an event for an earlier use is recognised.
    var generation: UInt32 = 0
    /// What the epoll set waits for.
    var armed: UInt32 = 0
    /// The engine had no place for bytes; `resumeReceive` ends it.
    var isPaused = false
    /// The socket had no room; a writable event ends it.
    var isBlocked = false
    var inReceiveList = false
    var inSendList = false
    var inInterestList = false
    /// A cut dropped bytes of it: it cannot go on when the cut is mended.
    var isHoled = false
    /// When a dialing, draining or lingering stream is given up.
    var deadline = Instant.never
    /// Bytes of the receive under way.
    var received = 0
}

/// Stream indices in the order in which they were put: a list of the reactor, with room for every stream.
struct StreamList: ~Copyable {
    private let indices: UnsafeMutablePointer<Int32>
    private(set) var count = 0

    init(capacity: Int) {
        indices = .allocate(capacity: capacity)
        indices.initialize(repeating: 0, count: capacity)
    }

    deinit { indices.deallocate() }

    subscript(index: Int) -> Int { Int(indices[index]) }

    /// The caller's flag in the stream proves that the index is not in the list.
    mutating func append(_ index: Int) {
        indices[count] = Int32(truncatingIfNeeded: index)
        count += 1
    }

    mutating func keepFirst(_ kept: Int) { count = kept }
    mutating func set(_ position: Int, _ index: Int) { indices[position] = Int32(truncatingIfNeeded: index) }
}
