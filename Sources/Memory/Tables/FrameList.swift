import Primitives

/// A doubly linked list of frames through their records: the dirty list (oldest first) and the written list (waiting
/// for
/// a flush). A frame is in at most one of them.
struct FrameList {
    private(set) var head: UInt32 = .max
    private(set) var tail: UInt32 = .max
    private(set) var count = 0

    /// The oldest frame.
    var first: FrameIndex? { head == .max ? nil : FrameIndex(head) }

    mutating func append(_ frame: FrameIndex, in records: UnsafeMutablePointer<FrameRecord>) {
        let record = records + Int(frame.raw)
        record.pointee.previous = tail
        record.pointee.next = .max
        if tail == .max { head = frame.raw } else { records[Int(tail)].next = frame.raw }
        tail = frame.raw
        count += 1
    }

    mutating func remove(_ frame: FrameIndex, in records: UnsafeMutablePointer<FrameRecord>) {
        let record = records + Int(frame.raw)
        let previous = record.pointee.previous
        let next = record.pointee.next
        if previous == .max { head = next } else { records[Int(previous)].next = next }
        if next == .max { tail = previous } else { records[Int(next)].previous = previous }
        record.pointee.previous = .max
        record.pointee.next = .max
        count -= 1
    }

    /// Puts `newer` in the place of `older`: a page that is overwritten keeps its age.
    mutating func replace(
        _ older: FrameIndex, by newer: FrameIndex, in records: UnsafeMutablePointer<FrameRecord>
    ) {
        let from = records + Int(older.raw)
        let to = records + Int(newer.raw)
        to.pointee.previous = from.pointee.previous
        to.pointee.next = from.pointee.next
        if to.pointee.previous == .max { head = newer.raw } else { records[Int(to.pointee.previous)].next = newer.raw }
        if to.pointee.next == .max { tail = newer.raw } else { records[Int(to.pointee.next)].previous = newer.raw }
        from.pointee.previous = .max
        from.pointee.next = .max
    }
}
