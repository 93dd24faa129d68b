import BlockModel
import CLinux
import Glibc
import Primitives

/// A call that libaio has no request for: it runs on the device set's thread.
struct SlowJob: Sendable {
    var id: UInt32
    var device: Int
    var kind: StorageRequest.Kind
    var descriptor: Int32
    var offset: Int64
    var count: Int64
    /// Failed flushes of the device when the job was made.
    var failures: UInt32
    /// Bytes that the device may take of its file system.
    var capacity: Int64
    /// Where the answer of a query, or about usage, goes: it stays valid until the completion.
    nonisolated(unsafe) var room: UnsafeMutableRawPointer?

    /// Runs on the worker's thread.
    func perform() -> SlowAnswer {
        SlowAnswer(job: self, result: count > 0 || kind == .flush || kind == .usage ? result() : 0)
    }

    private func result() -> Int32 {
        switch kind {
        case .flush: fdatasync(descriptor) == 0 ? 0 : -errno
        case .discard: gemel_punch(descriptor, offset, count)
        case .allocate: allocate()
        case .query: query()
        case .usage: usage()
        case .read, .write: -EINVAL
        }
    }

    /// Takes room for the range, unless the device has its capacity already. Two controllers that ask at once may go
    /// beyond it by one range each: what counts is that the file system has the room.
    private func allocate() -> Int32 {
        var status = stat()
        if fstat(descriptor, &status) != 0 { return -errno }
        if Int64(status.st_blocks) * 512 > capacity - count { return -ENOSPC }
        return gemel_allocate(descriptor, offset, count)
    }

    /// Walks over data and holes of the range, as the file system knows them.
    private func query() -> Int32 {
        guard let room else { return -EINVAL }
        let end = offset + count
        let limit = (PageSize.bytes - 8) / 16
        var entries = 0
        var at = offset
        while at < end && entries < limit {
            let data = min(gemel_seek(descriptor, at, 0), end)
            if data < 0 { return Int32(truncatingIfNeeded: data) }
            if data > at { put(&entries, room, at, data - at, mapped: false) }
            if data >= end || entries == limit { break }
            let hole = min(gemel_seek(descriptor, data, 1), end)
            if hole < 0 { return Int32(truncatingIfNeeded: hole) }
            put(&entries, room, data, hole - data, mapped: true)
            at = hole
        }
        room.put(little64: UInt64(entries), 0)
        return 0
    }

    /// What the file takes, and what is left up to its capacity, as far as the file system has it.
    private func usage() -> Int32 {
        var status = stat()
        var system = statvfs()
        guard let room else { return -EINVAL }
        if fstat(descriptor, &status) != 0 || fstatvfs(descriptor, &system) != 0 { return -errno }
        let taken = UInt64(clamping: status.st_blocks) &* 512
        let free = UInt64(system.f_bavail).multipliedReportingOverflow(by: UInt64(system.f_frsize))
        let limit = UInt64(clamping: capacity)
        room.put(little64: taken - min(taken, DeviceLayout.labelArea), 0)
        room.put(little64: min(limit - min(limit, taken), free.overflow ? .max : free.partialValue), 8)
        return 0
    }

    private func put(
        _ entries: inout Int, _ room: UnsafeMutableRawPointer, _ start: Int64, _ bytes: Int64, mapped: Bool
    ) {
        room.put(little64: UInt64(start), 8 + entries * 16)
        room.put(little64: UInt64(bytes) | (mapped ? 1 << 63 : 0), 16 + entries * 16)
        entries += 1
    }
}

/// What became of a slow job: 0 or the negated errno.
struct SlowAnswer: Sendable {
    var job: SlowJob
    var result: Int32
}

extension DeviceSet {
    /// Gives what libaio cannot do to the thread; a full queue is a fault of this request.
    mutating func enqueueSlow(_ request: StorageRequest, _ index: Int) {
        let job = SlowJob(
            id: request.id, device: index, kind: request.kind, descriptor: devices[index].descriptor,
            offset: Int64(bitPattern: request.offset), count: Int64(request.count),
            failures: devices[index].flushFailures, capacity: devices[index].capacity,
            room: request.kind == .query || request.kind == .usage ? request.slices[0].base : nil)
        if !slow.submit(job) {
            completions.append(StorageCompletion(id: request.id, fault: Self.fault(request.kind)))
        }
    }

    /// Turns the answer of the thread into a completion.
    mutating func finish(_ answer: SlowAnswer) {
        let job = answer.job
        let flight = Flight(id: job.id, device: job.device, kind: job.kind, count: 0, failures: job.failures)
        completions.append(StorageCompletion(id: job.id, fault: verdict(flight, result: Int(answer.result))))
    }
}
