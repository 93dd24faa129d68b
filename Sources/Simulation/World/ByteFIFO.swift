import Primitives

/// Bytes in flight or waiting: a growing ring that counts what it holds. One for each direction of a connection and
/// one for what an initiator has not written yet.
final class ByteFIFO {
    private var storage: UnsafeMutableRawPointer
    private var mask: Int
    private var head = 0
    /// Bytes in the queue.
    private(set) var count = 0

    init(capacity: Int = 16 << 10) {
        var size = 1024
        while size < capacity { size <<= 1 }
        storage = .allocate(byteCount: size, alignment: 16)
        mask = size - 1
    }

    deinit { storage.deallocate() }

    /// Adds `bytes` bytes at the end.
    func write(_ base: UnsafeRawPointer, _ bytes: Int) {
        if bytes == 0 { return }
        if count + bytes > mask + 1 { grow(to: count + bytes) }
        let tail = (head + count) & mask
        let first = Swift.min(bytes, mask + 1 - tail)
        (storage + tail).copyMemory(from: base, byteCount: first)
        if bytes > first { storage.copyMemory(from: base + first, byteCount: bytes - first) }
        count += bytes
    }

    /// Takes up to `bytes` bytes from the front and returns how many it took.
    func read(into base: UnsafeMutableRawPointer, _ bytes: Int) -> Int {
        let taken = peek(into: base, bytes)
        drop(taken)
        return taken
    }

    /// Copies up to `bytes` bytes from the front and leaves them there.
    func peek(into base: UnsafeMutableRawPointer, _ bytes: Int) -> Int {
        let taken = Swift.min(bytes, count)
        let first = Swift.min(taken, mask + 1 - head)
        base.copyMemory(from: storage + head, byteCount: first)
        if taken > first { (base + first).copyMemory(from: storage, byteCount: taken - first) }
        return taken
    }

    /// Forgets `bytes` bytes at the front; there are that many.
    func drop(_ bytes: Int) {
        precondition(bytes <= count, "a byte queue was asked to drop more than it holds")
        head = (head + bytes) & mask
        count -= bytes
    }

    func removeAll() {
        head = 0
        count = 0
    }

    private func grow(to needed: Int) {
        var size = (mask + 1) * 2
        while size < needed { size <<= 1 }
        let larger = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        _ = peek(into: larger, count)
        storage.deallocate()
        storage = larger
        mask = size - 1
        head = 0
    }
}
