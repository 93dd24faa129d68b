import BlockModel
import CLibaio
import CLinux
import Glibc
import Primitives

/// A libaio context: the kernel's queue of transfers in flight, a table of control blocks, and the batch that the
/// next `submit` hands over in one call. Completions add to the eventfd `wake`.
struct AsyncContext: ~Copyable {
    private var context: io_context_t?
    private let blocks: UnsafeMutablePointer<iocb>
    private var slots: Table<UInt8>
    /// Prepared and not yet taken by the kernel: `staged[first..<last]`.
    private let staged: UnsafeMutablePointer<UnsafeMutablePointer<iocb>?>
    private var first = 0
    private var last = 0
    private let events: UnsafeMutablePointer<io_event>
    private let capacity: Int
    private let wake: Int32

    /// What became of a slot: `result` is the byte count or the negated errno.
    struct Ended {
        var slot: Int
        var result: Int
    }

    /// - Parameter capacity: the most transfers in flight.
    init(capacity: Int, wake: Int32) throws(DeviceError) {
        self.capacity = capacity
        self.wake = wake
        blocks = .allocate(capacity: capacity)
        blocks.initialize(repeating: iocb(), count: capacity)
        staged = .allocate(capacity: capacity)
        staged.initialize(repeating: nil, count: capacity)
        events = .allocate(capacity: capacity)
        events.initialize(repeating: io_event(), count: capacity)
        slots = Table(capacity: capacity, initial: 0)
        let code = io_setup(Int32(capacity), &context)
        if code < 0 {
            throw DeviceError(
                .failed,
                "the kernel gives no room for \(capacity) asynchronous transfers "
                    + "(\(String(cString: strerror(-code)))); raise fs.aio-max-nr")
        }
    }

    deinit {
        // Waits for the transfers in flight: their memory may go afterwards.
        if let context { _ = io_destroy(context) }
        blocks.deallocate()
        staged.deallocate()
        events.deallocate()
    }

    var isFull: Bool { slots.isFull }
    /// Something is prepared that the kernel did not take yet.
    var hasStaged: Bool { first < last }

    /// Prepares a transfer or flush; nil when the table is full. The slot comes back by `submit` or `collect`.
    mutating func stage(_ request: StorageRequest, descriptor: Int32) -> Int? {
        guard last < capacity || first == last, let slot = slots.take() else { return nil }
        if first == last { (first, last) = (0, 0) }
        let block = blocks + slot
        let count = Int32(truncatingIfNeeded: request.sliceCount)
        let offset = Int64(bitPattern: request.offset)
        request.slices.withMemoryRebound(to: iovec.self, capacity: Int(request.sliceCount)) { slices in
            switch request.kind {
            case .read: io_prep_preadv(block, descriptor, slices, count, offset)
            case .write: io_prep_pwritev(block, descriptor, slices, count, offset)
            case .flush, .discard, .allocate, .query, .usage: io_prep_fdsync(block, descriptor)
            }
        }
        io_set_eventfd(block, wake)
        block.pointee.data = UnsafeMutableRawPointer(bitPattern: slot + 1)
        staged[last] = block
        last += 1
        return slot
    }

    /// Hands the batch to the kernel: one call, unless the kernel takes only a part. A transfer that it refuses
    /// outright is appended to `refused`; what it has no room for stays staged for the next call.
    mutating func submit(refused: inout Queue<Ended>) {
        while first < last {
            let code = io_submit(context, last - first, staged + first)
            if code > 0 {
                first += Int(code)
            } else if code == -EINTR {
                continue
            } else if code == -EAGAIN || code == 0 {
                return
            } else if let block = staged[first] {
                let slot = block - blocks
                first += 1
                slots.giveBack(slot)
                refused.append(Ended(slot: slot, result: Int(code)))
            }
        }
    }

    /// Takes what has completed, without waiting.
    mutating func collect(into ended: inout Queue<Ended>) {
        var none = timespec(tv_sec: 0, tv_nsec: 0)
        while true {
            let count = io_getevents(context, 0, capacity, events, &none)
            if count == -EINTR { continue }
            if count <= 0 { return }
            for index in 0..<Int(count) {
                let event = events[index]
                let slot = Int(bitPattern: event.data) - 1
                slots.giveBack(slot)
                ended.append(Ended(slot: slot, result: Int(Int64(bitPattern: UInt64(event.res)))))
            }
            if Int(count) < capacity { return }
        }
    }

    /// Whether the kernel flushes this descriptor asynchronously: tried once, with a real flush.
    static func flushes(_ descriptor: Int32) -> Bool {
        var context: io_context_t?
        guard io_setup(1, &context) == 0 else { return false }
        defer { giveBack(context) }
        var block = iocb()
        return withUnsafeMutablePointer(to: &block) { block in
            io_prep_fdsync(block, descriptor)
            var list: UnsafeMutablePointer<iocb>? = block
            guard io_submit(context, 1, &list) == 1 else { return false }
            var event = io_event()
            guard io_getevents(context, 1, 1, &event, nil) == 1 else { return false }
            return Int64(bitPattern: UInt64(event.res)) == 0
        }
    }

    /// Destroys a context that has nothing in flight on a thread of its own: the kernel waits for all processors before
    /// it returns (tens of milliseconds), and a start need not.
    private static func giveBack(_ context: io_context_t?) {
        guard let context else { return }
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, { argument in
            _ = io_destroy(argument.map { io_context_t($0) })
            return nil
        }, UnsafeMutableRawPointer(context))
        if code == 0 { pthread_detach(thread) } else { _ = io_destroy(context) }
    }
}
