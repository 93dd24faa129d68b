/// One command, from the choice of its address to its final answer. It outlives connections: when one is lost, its
/// commands are sent again on another with the same data.
struct Command {
    /// First 512-byte sector.
    var sector: UInt64 = 0
    var isWrite = false
    /// Sequence number in the stamps of a verified write.
    var sequence: UInt64 = 0
    /// When it was first sent, ns.
    var begun: UInt64 = 0
    /// Session that has it, -1: none.
    var session: Int32 = -1
    /// Next in the free list, the retry list, -1: end.
    var next: Int32 = -1
    /// Bytes of Data-In that arrived.
    var received = 0
}

/// Commands by number, singly linked: last in, first out, so the same few buffers stay in the processor's cache.
struct CommandList {
    private(set) var head: Int32 = -1
    private(set) var count = 0

    @inline(__always) mutating func push(_ number: Int32, in commands: UnsafeMutablePointer<Command>) {
        commands[Int(number)].next = head
        head = number
        count += 1
    }

    @inline(__always) mutating func pop(in commands: UnsafeMutablePointer<Command>) -> Int32? {
        if head < 0 { return nil }
        let number = head
        head = commands[Int(number)].next
        count -= 1
        return number
    }
}
