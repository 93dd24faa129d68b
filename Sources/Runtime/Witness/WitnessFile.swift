import CLinux
import Controller
import Glibc
import PagingFormats
import Primitives

/// The file witness of pair-rules 1: two slots of 4 KiB, each a checksummed record. Every operation opens the file,
/// takes its OFD lock, repairs the slot that is behind, and only then answers or writes. It blocks: it runs on a
/// worker's thread.
package struct WitnessFile: Sendable {
    package let path: String
    /// The pair whose file it is to be: a slot that is behind is not repaired in the file of another. Nil: whoever's.
    package let pairID: UInt64?

    package static var slotBytes: Int { 4096 }
    /// How long the lock is waited for.
    package static var lockPatience: Interval { .seconds(1) }

    package init(path: String, pairID: UInt64? = nil) {
        self.path = path
        self.pairID = pairID
    }

    /// What an operation came to.
    package struct Outcome: Sendable, Equatable {
        package var answer: WitnessAnswer
        /// The swap was ours.
        package var won = false
        /// Somebody held the lock for longer than the patience: nothing was read.
        package var lockTimedOut = false

        package init(answer: WitnessAnswer, won: Bool = false, lockTimedOut: Bool = false) {
            self.answer = answer
            self.won = won
            self.lockTimedOut = lockTimedOut
        }
    }

    /// Makes the file of a new array, all zeros; false when it is there already or cannot be made.
    package static func create(_ path: String) -> Bool {
        let fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if fd < 0 { return false }
        defer { close(fd) }
        return posix_fallocate(fd, 0, 2 * slotBytes) == 0 && fsync(fd) == 0
    }

    /// The record that is there.
    package func read() -> Outcome {
        locked { fd, room in Outcome(answer: load(fd, room)) }
    }

    /// Replaces the record if its sequence is `expected`; 0: only if there is none. An answer of `unreachable` after
    /// a failed write means that nobody knows which record is there.
    package func swap(expected: UInt64, _ record: WitnessRecord) -> Outcome {
        locked { fd, room in
            let present = load(fd, room)
            switch present {
            case .none where expected == 0: break
            case .record(let old) where expected != 0 && old.sequence == expected: break
            case .none, .record, .damaged, .unreachable: return Outcome(answer: present)
            }
            for slot in 0..<2 where !Self.store(fd, room, slot, record) { return Outcome(answer: .unreachable) }
            return Outcome(answer: .record(record), won: true)
        }
    }

    private func locked(_ body: (Int32, UnsafeMutableRawPointer) -> Outcome) -> Outcome {
        // Synchronous and unbuffered: what is read back is what the device has, also after a failed write.
        let fd = gemel_open_direct_sync(path)
        if fd < 0 { return Outcome(answer: .unreachable) }
        defer { close(fd) }
        let patience = Platform.now + Self.lockPatience
        while true {
            let code = gemel_try_lock(fd)
            if code == 0 { break }
            if code != -EAGAIN { return Outcome(answer: .unreachable) }
            if Platform.now >= patience { return Outcome(answer: .unreachable, lockTimedOut: true) }
            usleep(2_000)
        }
        let room = UnsafeMutableRawPointer.allocate(byteCount: 2 * Self.slotBytes, alignment: 4096)
        defer { room.deallocate() }
        return body(fd, room)
    }

    /// Reads both slots, and makes them equal before it answers.
    private func load(_ fd: Int32, _ room: UnsafeMutableRawPointer) -> WitnessAnswer {
        let got = pread(fd, room, 2 * Self.slotBytes, 0)
        if got < 0 { return .unreachable }
        if got < 2 * Self.slotBytes { return .damaged }
        let first = WitnessRecord(decoding: room)
        let second = WitnessRecord(decoding: room + Self.slotBytes)
        switch (first, second) {
        case (let a?, let b?) where a == b: return .record(a)
        case (let a?, let b?):
            let behind = a.sequence >= b.sequence ? 1 : 0
            let newest = behind == 1 ? a : b
            return repaired(fd, room, behind, newest) ? .record(newest) : .unreachable
        case (let a?, nil): return repaired(fd, room, 1, a) ? .record(a) : .unreachable
        case (nil, let b?): return repaired(fd, room, 0, b) ? .record(b) : .unreachable
        case (nil, nil):
            // Slot 1 is written after slot 0 is on the device: while it is still zero no swap was ever complete, so
            // a torn slot 0 is the rest of a first swap that nobody was told of.
            return Self.isZero(room + Self.slotBytes) ? .none : .damaged
        }
    }

    /// Whether both slots hold the record now, or are none of ours to change: whoever reads such a record refuses it.
    private func repaired(
        _ fd: Int32, _ room: UnsafeMutableRawPointer, _ slot: Int, _ record: WitnessRecord
    ) -> Bool {
        if let pairID, record.pairID != pairID { return true }
        return Self.store(fd, room, slot, record)
    }

    private static func store(
        _ fd: Int32, _ room: UnsafeMutableRawPointer, _ slot: Int, _ record: WitnessRecord
    ) -> Bool {
        room.initializeMemory(as: UInt8.self, repeating: 0, count: slotBytes)
        record.encode(to: room)
        return pwrite(fd, room, slotBytes, slot * slotBytes) == slotBytes && fdatasync(fd) == 0
    }

    private static func isZero(_ base: UnsafeRawPointer) -> Bool {
        (0..<slotBytes / 8).allSatisfy { base.little64($0 * 8) == 0 }
    }
}

/// A call on the witness, for the worker.
package enum WitnessJob: Sendable {
    case read
    case swap(expected: UInt64, WitnessRecord)
}

/// A job and what it came to.
package struct WitnessEnd: Sendable {
    package var job: WitnessJob
    package var outcome: WitnessFile.Outcome
}

extension WitnessFile {
    /// Performs a job; on a worker's thread.
    package func perform(_ job: WitnessJob) -> Outcome {
        switch job {
        case .read: read()
        case .swap(let expected, let record): swap(expected: expected, record)
        }
    }
}
