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

    /// Runs on the worker's thread.
    func perform() -> SlowAnswer {
        var result: Int32 = 0
        if kind == .flush {
            if fdatasync(descriptor) != 0 { result = -errno }
        } else if count > 0 {
            result = gemel_punch(descriptor, offset, count)
        }
        return SlowAnswer(job: self, result: result)
    }
}

/// What became of a slow job: 0 or the negated errno.
struct SlowAnswer: Sendable {
    var job: SlowJob
    var result: Int32
}

extension DeviceSet {
    /// Gives a flush or discard to the thread; a full queue is a fault of this request.
    mutating func enqueueSlow(_ request: StorageRequest, _ index: Int) {
        let job = SlowJob(
            id: request.id, device: index, kind: request.kind, descriptor: devices[index].descriptor,
            offset: Int64(bitPattern: request.offset), count: Int64(request.count),
            failures: devices[index].flushFailures)
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
