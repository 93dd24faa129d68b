import BlockModel
import CLinux
import Glibc
import Primitives

/// The storage devices of a controller: takes `StorageRequest`s, performs them asynchronously (files and block devices
/// by libaio, unbuffered; memory devices by copying), and gives a `StorageCompletion` for each, exactly once.
///
/// Owned by the reactor's thread. A batch is `enqueue` for each request, then one `submit`; when `wakeDescriptor` is
/// readable, or `hasCompletions`, then `collect`. The order between requests is the device's own, as SCSI's simple
/// tasks: who needs an order waits for completions. The `deinit` waits for what is in flight.
package struct DeviceSet: ~Copyable {
    package enum Limits {
        /// Transfers in flight on one device; more wait in its backlog, first in first out.
        package static var inFlight: Int { 128 }
        /// Requests that may wait for one device. Who asks has an identifier for each, and has fewer of them.
        package static var backlog: Int { 1 << 16 }
        /// Flushes and discards that may wait for the thread that performs them.
        package static var slowJobs: Int { 256 }
    }

    /// A request between `submit` and its completion, by the slot of the context.
    struct Flight {
        var id: UInt32 = 0
        var device = 0
        var kind: StorageRequest.Kind = .read
        var count: UInt32 = 0
        /// For flushes: failures that the device had when the flush began.
        var failures: UInt32 = 0
    }

    var devices: UnsafeMutablePointer<Device>
    let deviceCount: Int
    var context: AsyncContext
    let flights: UnsafeMutablePointer<Flight>
    let slow: Worker<SlowJob, SlowAnswer>
    private var ended = Queue<AsyncContext.Ended>()
    var completions = Queue<StorageCompletion>()
    /// An eventfd, readable when `collect` would find something.
    package let wakeDescriptor: Int32

    /// Opens every device or none.
    package init(_ specs: [DeviceSpec]) throws(DeviceError) {
        let wake = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        if wake < 0 { throw DeviceFile.failure(errno, "eventfd", "cannot be made") }
        let capacity = Swift.max(1, specs.count) * Limits.inFlight
        var opened: [Device] = []
        let made: AsyncContext
        do {
            for spec in specs { opened.append(try Device(spec)) }
            made = try AsyncContext(capacity: capacity, wake: wake)
        } catch {
            for device in opened { device.release() }
            close(wake)
            throw error
        }
        context = made
        wakeDescriptor = wake
        deviceCount = opened.count
        devices = .allocate(capacity: Swift.max(1, opened.count))
        for (index, device) in opened.enumerated() { (devices + index).initialize(to: device) }
        backlogs = .allocate(capacity: Swift.max(1, opened.count))
        for index in 0..<opened.count {
            (backlogs + index).initialize(to: Queue(capacity: Limits.inFlight, limit: Limits.backlog))
        }
        flights = .allocate(capacity: capacity)
        flights.initialize(repeating: Flight(), count: capacity)
        slow = Worker(limit: Limits.slowJobs, wake: wake) { $0.perform() }
    }

    deinit {
        slow.stop()
        for index in 0..<deviceCount { devices[index].release() }
        devices.deinitialize(count: deviceCount)
        devices.deallocate()
        backlogs.deinitialize(count: deviceCount)
        backlogs.deallocate()
        flights.deallocate()
        close(wakeDescriptor)
    }

    private let backlogs: UnsafeMutablePointer<Queue<StorageRequest>>

    /// Takes a request. A memory device performs it now; the others wait for `submit`.
    package mutating func enqueue(_ request: StorageRequest) {
        let index = Int(request.device.raw)
        guard index < deviceCount, let end = Self.end(request), end <= devices[index].bytes else {
            completions.append(StorageCompletion(id: request.id, fault: Self.fault(request.kind)))
            return
        }
        if let base = devices[index].base {
            Self.copy(request, base)
            completions.append(StorageCompletion(id: request.id, fault: nil))
        } else if isSlow(request.kind, index) {
            enqueueSlow(request, index)
        } else {
            backlogs[index].append(request)
        }
    }

    /// What libaio has no request for.
    private func isSlow(_ kind: StorageRequest.Kind, _ index: Int) -> Bool {
        switch kind {
        case .read, .write: false
        case .flush: !devices[index].flushesAsynchronously
        case .discard, .allocate, .query, .usage: true
        }
    }

    /// Something waits for `submit`.
    package var hasWork: Bool {
        if context.hasStaged { return true }
        for index in 0..<deviceCount where !backlogs[index].isEmpty {
            if devices[index].inFlight < Limits.inFlight { return true }
        }
        return false
    }

    /// Completions wait for `collect`, whatever `wakeDescriptor` says.
    package var hasCompletions: Bool { !completions.isEmpty }

    /// Hands the batch to the kernel.
    package mutating func submit() {
        for index in 0..<deviceCount {
            while devices[index].inFlight < Limits.inFlight, let request = backlogs[index].first {
                guard let slot = context.stage(request, descriptor: devices[index].descriptor) else { break }
                _ = backlogs[index].popFirst()
                devices[index].inFlight += 1
                flights[slot] = Flight(
                    id: request.id, device: index, kind: request.kind, count: request.count,
                    failures: devices[index].flushFailures)
            }
        }
        context.submit(refused: &ended)
        finishEnded()
    }

    /// Appends what has completed to `into`, oldest first.
    package mutating func collect(into: inout Queue<StorageCompletion>) {
        var count: UInt64 = 0
        _ = read(wakeDescriptor, &count, 8)
        context.collect(into: &ended)
        finishEnded()
        while let answer = slow.nextAnswer() { finish(answer) }
        while let completion = completions.popFirst() { into.append(completion) }
    }

    private mutating func finishEnded() {
        while let end = ended.popFirst() {
            let flight = flights[end.slot]
            devices[flight.device].inFlight -= 1
            completions.append(StorageCompletion(id: flight.id, fault: verdict(flight, result: end.result)))
        }
    }

    /// Success only for a transfer of every byte, and only for a flush during which no other flush of the device
    /// failed: the kernel reports a lost write to one flush only, although it may have concerned the other's writes.
    mutating func verdict(_ flight: Flight, result: Int) -> BlockFault? {
        switch flight.kind {
        case .read, .write:
            if result == Int(flight.count) { return nil }
            return Self.fault(flight.kind, errno: result < 0 ? Int32(truncatingIfNeeded: -result) : EIO)
        case .discard, .allocate, .query, .usage:
            return result == 0 ? nil : Self.fault(flight.kind, errno: Int32(truncatingIfNeeded: -result))
        case .flush:
            if result == 0 && flight.failures == devices[flight.device].flushFailures { return nil }
            if result != 0 { devices[flight.device].flushFailures &+= 1 }
            return Self.fault(.flush, errno: result == 0 ? EIO : Int32(truncatingIfNeeded: -result))
        }
    }
}
