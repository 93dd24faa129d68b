import CLinux
import Glibc
import Primitives

/// What a descriptor in the epoll set is.
enum PollSubject: UInt8 {
    /// A host connection or channel stream; the index is the stream's, with its generation.
    case stream
    /// An iSCSI portal; the index is the portal's.
    case portal
    case channelListener, windowListener, windowDial, devices, witness, control, stopSignal, partner
}

/// An epoll set and the batch of events of one wait.
struct Poller: ~Copyable {
    /// One ready descriptor.
    struct Ready {
        var subject: PollSubject
        var index: Int
        var generation: UInt32
        var isReadable: Bool
        var isWritable: Bool
        /// Both directions are over, or an error waits.
        var isBroken: Bool
    }
    static var batch: Int { 256 }

    private let descriptor: Int32
    private let events: UnsafeMutablePointer<epoll_event>

    init() throws(RuntimeError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        events = .allocate(capacity: Self.batch)
        events.initialize(repeating: epoll_event(), count: Self.batch)
        if descriptor < 0 { throw .failed("epoll set", errno) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
        events.deallocate()
    }

    static var input: UInt32 { EPOLLIN.rawValue }
    static var output: UInt32 { EPOLLOUT.rawValue }

    /// Adds a descriptor; level-triggered. It leaves the set when its last copy is closed, or by `remove`.
    func add(_ fd: Int32, _ subject: PollSubject, index: Int = 0, generation: UInt32 = 0, interest: UInt32 = input) {
        var event = Self.event(subject, index, generation, interest)
        _ = epoll_ctl(descriptor, EPOLL_CTL_ADD, fd, &event)
    }

    func change(_ fd: Int32, _ subject: PollSubject, index: Int, generation: UInt32, interest: UInt32) {
        var event = Self.event(subject, index, generation, interest)
        _ = epoll_ctl(descriptor, EPOLL_CTL_MOD, fd, &event)
    }

    func remove(_ fd: Int32) {
        var event = epoll_event()
        _ = epoll_ctl(descriptor, EPOLL_CTL_DEL, fd, &event)
    }

    /// Waits; `milliseconds` -1 for ever. The number of events, readable by `subscript` until the next wait.
    func wait(milliseconds: Int32) -> Int {
        let count = epoll_wait(descriptor, events, Int32(Self.batch), milliseconds)
        return Swift.max(0, Int(count))
    }

    subscript(index: Int) -> Ready? {
        let event = events[index]
        let word = event.data.u64
        guard let subject = PollSubject(rawValue: UInt8(truncatingIfNeeded: word >> 56)) else { return nil }
        let broken = event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        return Ready(
            subject: subject, index: Int(word & 0xFFFF_FFFF), generation: UInt32(word >> 32 & 0xFF_FFFF),
            isReadable: event.events & EPOLLIN.rawValue != 0, isWritable: event.events & EPOLLOUT.rawValue != 0,
            isBroken: broken)
    }

    private static func event(
        _ subject: PollSubject, _ index: Int, _ generation: UInt32, _ interest: UInt32
    ) -> epoll_event {
        var event = epoll_event()
        event.events = interest
        event.data.u64 =
            UInt64(subject.rawValue) << 56 | UInt64(generation & 0xFF_FFFF) << 32 | UInt64(UInt32(index))
        return event
    }
}
