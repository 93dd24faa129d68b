import Primitives

/// One piece of what a connection is to send.
struct OutputEntry {
    enum Kind: UInt8 {
        /// Bytes of the ring.
        case bytes
        /// Payload of a command's Data-In run; the last one of the run reports its delivery.
        case payload
        /// Payload that was copied because its command let go of its pages; freed when it is sent.
        case owned
    }
    var kind: Kind
    /// The last payload of a run.
    var last: Bool
    /// Command slot of a payload.
    var slot: Int32
    /// Offset in the ring, or position in the run.
    var position: UInt32
    var length: UInt32
    var pointer: UnsafeMutableRawPointer?
}

/// What a connection is to send, in order: a ring of bytes for headers and small data, and a ring of entries that name
/// these bytes or page payload. The memory belongs to the engine, which frees it when it ends.
struct OutputRing {
    let bytes: UnsafeMutableRawPointer
    let entries: UnsafeMutablePointer<OutputEntry>
    private var entryHead = 0
    private(set) var entryCount = 0
    private var byteHead = 0
    private var byteTail = 0
    private var liveBytes = 0
    /// Bytes of the first entry that have left.
    private(set) var firstSent = 0
    /// Bytes of entries that own them.
    private(set) var ownedBytes = 0

    init() {
        bytes = .allocate(byteCount: Sizes.outputBytes, alignment: 64)
        entries = .allocate(capacity: Sizes.outputEntries)
    }

    var isEmpty: Bool { entryCount == 0 }

    /// True when `count` bytes in one piece, and `places` entries, are free.
    @inline(__always) func hasRoom(bytes count: Int, entries places: Int) -> Bool {
        if Sizes.outputEntries - entryCount < places { return false }
        if liveBytes == 0 { return count <= Sizes.outputBytes }
        if byteTail > byteHead { return Sizes.outputBytes - byteTail >= count || byteHead > count }
        return byteHead - byteTail > count
    }

    /// Adds `count` bytes at the end of the output and lends them to be filled at once; `hasRoom` was asked before.
    @inline(__always) mutating func append(bytes count: Int) -> UnsafeMutableRawPointer {
        if liveBytes == 0 {
            byteHead = 0
            byteTail = 0
        } else if byteTail > byteHead && Sizes.outputBytes - byteTail < count {
            byteTail = 0
        }
        let offset = byteTail
        byteTail += count
        liveBytes += count
        precondition(byteTail <= Sizes.outputBytes, "the output ring was overrun")
        let final = (entryHead &+ entryCount &- 1) & (Sizes.outputEntries - 1)
        if entryCount > 0 && entries[final].kind == .bytes
            && Int(entries[final].position) + Int(entries[final].length) == offset {
            entries[final].length += UInt32(count)
        } else {
            push(OutputEntry(
                kind: .bytes, last: false, slot: -1, position: UInt32(offset), length: UInt32(count), pointer: nil))
        }
        return bytes + offset
    }

    /// Adds payload of the command in `slot`.
    @inline(__always) mutating func append(payload slot: Int, position: UInt32, length: UInt32, last: Bool) {
        push(OutputEntry(
            kind: .payload, last: last, slot: Int32(truncatingIfNeeded: slot), position: position, length: length,
            pointer: nil))
    }

    /// Adds bytes that the ring frees when they are sent.
    mutating func append(owned pointer: UnsafeMutableRawPointer, length: UInt32) {
        push(OutputEntry(kind: .owned, last: false, slot: -1, position: 0, length: length, pointer: pointer))
        ownedBytes += Int(length)
    }

    /// The payload in entry `index` from the front has been copied to `pointer`, which the ring frees.
    mutating func own(_ index: Int, _ pointer: UnsafeMutableRawPointer) {
        entry(index).pointee.kind = .owned
        entry(index).pointee.pointer = pointer
        ownedBytes += Int(entry(index).pointee.length)
    }

    @inline(__always) private mutating func push(_ entry: OutputEntry) {
        precondition(entryCount < Sizes.outputEntries, "the output entries were overrun")
        entries[(entryHead &+ entryCount) & (Sizes.outputEntries - 1)] = entry
        entryCount += 1
    }

    /// Entry `index` from the front.
    @inline(__always) func entry(_ index: Int) -> UnsafeMutablePointer<OutputEntry> {
        entries + ((entryHead &+ index) & (Sizes.outputEntries - 1))
    }

    /// Takes up to `count` sent bytes from the first entry; gives how many it took, and the command slot when that
    /// completes a Data-In run, else -1.
    @inline(__always) mutating func take(_ count: Int) -> (taken: Int, delivered: Int32) {
        let first = entry(0)
        let length = Int(first.pointee.length)
        let taken = min(count, length &- firstSent)
        firstSent &+= taken
        if firstSent < length { return (taken, -1) }
        firstSent = 0
        entryHead = (entryHead &+ 1) & (Sizes.outputEntries - 1)
        entryCount -= 1
        switch first.pointee.kind {
        case .bytes:
            liveBytes -= length
            byteHead = Int(first.pointee.position) &+ length
        case .payload: if first.pointee.last { return (taken, first.pointee.slot) }
        case .owned:
            ownedBytes -= length
            first.pointee.pointer?.deallocate()
        }
        return (taken, -1)
    }

    /// Drops everything.
    mutating func removeAll() {
        while entryCount > 0 { _ = take(Int.max) }
        byteHead = 0
        byteTail = 0
        liveBytes = 0
    }

    /// Frees the memory; the ring is not used after.
    mutating func deallocate() {
        removeAll()
        bytes.deallocate()
        entries.deallocate()
    }
}
