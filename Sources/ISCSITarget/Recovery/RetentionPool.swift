/// Bytes in the blocks of a `RetentionPool`, first in, first out. A value that names them; whoever holds it gives them
/// back by `removeAll`.
struct ByteChain {
    /// First and last block, -1 when there is none.
    var head: Int32 = -1
    var tail: Int32 = -1
    /// Where the first byte is in the first block.
    var start = 0
    var count = 0
    var isEmpty: Bool { count == 0 }
}

/// What the target keeps so that it can be sent again, or delivered later: one bounded piece of memory in blocks that
/// are chained. Only sessions that recover, or have several connections, use it; memory that was never in use is not
/// touched.
struct RetentionPool: ~Copyable {
    static let blockBytes = 8192
    private let base: UnsafeMutableRawPointer
    private let next: UnsafeMutablePointer<Int32>
    private let capacity: Int
    /// First free block that was in use, and how many blocks were never in use.
    private var free: Int32 = -1
    private var made = 0
    /// Blocks that are not in a chain.
    private(set) var available: Int

    /// Blocks that are.
    var inUse: Int { capacity - available }

    init(bytes: Int) {
        capacity = max(16, bytes / Self.blockBytes)
        base = .allocate(byteCount: capacity * Self.blockBytes, alignment: 64)
        next = .allocate(capacity: capacity)
        available = capacity
    }

    deinit {
        base.deallocate()
        next.deallocate()
    }

    /// True when `count` bytes fit, whatever the chain's last block has left.
    func hasRoom(_ count: Int) -> Bool { available * Self.blockBytes >= count + Self.blockBytes }

    private mutating func take() -> Int32 {
        available -= 1
        if free >= 0 {
            let block = free
            free = next[Int(block)]
            return block
        }
        precondition(made < capacity, "the retention pool was overrun")
        made += 1
        return Int32(made - 1)
    }

    private mutating func giveBack(_ block: Int32) {
        next[Int(block)] = free
        free = block
        available += 1
    }

    /// Adds bytes at the end of a chain; the caller asked `hasRoom`.
    mutating func append(_ chain: inout ByteChain, _ source: UnsafeRawPointer, _ count: Int) {
        var done = 0
        while done < count {
            let used = (chain.start + chain.count) % Self.blockBytes
            if chain.tail < 0 || used == 0 {
                let block = take()
                next[Int(block)] = -1
                if chain.tail >= 0 { next[Int(chain.tail)] = block } else { chain.head = block }
                chain.tail = block
            }
            let at = (chain.start + chain.count) % Self.blockBytes
            let length = min(Self.blockBytes - at, count - done)
            (base + Int(chain.tail) * Self.blockBytes + at).copyMemory(from: source + done, byteCount: length)
            chain.count += length
            done += length
        }
    }

    /// Copies `count` bytes from `position` on; they are there.
    func copy(_ chain: ByteChain, at position: Int, _ count: Int, to target: UnsafeMutableRawPointer) {
        precondition(position >= 0 && position + count <= chain.count)
        var block = chain.head
        var at = chain.start + position
        while at >= Self.blockBytes {
            block = next[Int(block)]
            at -= Self.blockBytes
        }
        var done = 0
        while done < count {
            let length = min(Self.blockBytes - at, count - done)
            (target + done).copyMemory(from: base + Int(block) * Self.blockBytes + at, byteCount: length)
            done += length
            at = 0
            block = next[Int(block)]
        }
    }

    /// Gives back the first `count` bytes.
    mutating func drop(_ chain: inout ByteChain, _ count: Int) {
        precondition(count <= chain.count)
        if count == chain.count {
            removeAll(&chain)
            return
        }
        chain.count -= count
        chain.start += count
        while chain.start >= Self.blockBytes {
            let block = chain.head
            chain.head = next[Int(block)]
            chain.start -= Self.blockBytes
            giveBack(block)
        }
    }

    /// Gives all back; the chain is empty.
    mutating func removeAll(_ chain: inout ByteChain) {
        var block = chain.head
        while block >= 0 {
            let following = next[Int(block)]
            giveBack(block)
            block = following
        }
        chain = ByteChain()
    }

    /// Adds all of one chain to the end of another, and gives the first back.
    mutating func move(_ source: inout ByteChain, to target: inout ByteChain) {
        if target.isEmpty {
            removeAll(&target)
            swap(&source, &target)
            return
        }
        while !source.isEmpty {
            let length = min(Self.blockBytes - source.start, source.count)
            append(&target, base + Int(source.head) * Self.blockBytes + source.start, length)
            drop(&source, length)
        }
    }
}
