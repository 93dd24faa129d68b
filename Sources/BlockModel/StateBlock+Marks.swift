import Primitives

// Logical blocks that WRITE LONG marked as pseudo unrecovered errors (SBC-3 §4.18.2), in nine groups of eight blocks:
// a group's first block by eight in six bytes, then a bit for each block that is marked. A group without a bit is free.
//
//   1472  nine groups of seven bytes
extension StateBlock {
    /// Groups of eight adjacent blocks, aligned to eight, that can have marks.
    package static var markGroups: Int { 9 }
    private static var markOffset: Int { 1472 }

    private func marks(_ group: Int) -> UInt8 { raw.byte(Self.markOffset + group * 7 + 6) }

    private func markedGroup(_ group: Int) -> UInt64 {
        let at = Self.markOffset + group * 7
        return UInt64(raw.little32(at)) | UInt64(raw.little16(at + 4)) << 32
    }

    private func set(_ group: Int, place: UInt64, marks: UInt8) {
        let at = Self.markOffset + group * 7
        base.put(little32: UInt32(truncatingIfNeeded: place), at)
        base.put(little16: UInt16(truncatingIfNeeded: place >> 32), at + 4)
        base.put(byte: marks, at + 6)
    }

    /// Whether any block is marked.
    package var hasMarks: Bool { (0..<Self.markGroups).contains { marks($0) != 0 } }

    /// Marks up to eight blocks of one group; false when there is no room, and nothing is marked then.
    package func mark(_ block: UInt64, count: UInt64) -> Bool {
        let bits = Self.bits(block, count, of: block / 8)
        let known = (0..<Self.markGroups).first { marks($0) != 0 && markedGroup($0) == block / 8 }
        guard block >> 50 == 0, let group = known ?? (0..<Self.markGroups).first(where: { marks($0) == 0 }) else {
            return false
        }
        set(group, place: block / 8, marks: (known == nil ? 0 : marks(group)) | bits)
        return true
    }

    /// Blocks that were written are no longer marked.
    package func unmark(_ block: UInt64, count: UInt64) {
        for group in 0..<Self.markGroups where marks(group) != 0 {
            let place = markedGroup(group)
            set(group, place: place, marks: marks(group) & ~Self.bits(block, count, of: place))
        }
    }

    /// The first marked block of a range, nil when there is none.
    package func firstMark(_ block: UInt64, count: UInt64) -> UInt64? {
        var first: UInt64?
        for group in 0..<Self.markGroups where marks(group) != 0 {
            let place = markedGroup(group)
            let met = marks(group) & Self.bits(block, count, of: place)
            if met == 0 { continue }
            let found = place * 8 + UInt64(met.trailingZeroBitCount)
            first = min(first ?? found, found)
        }
        return first
    }

    /// No block is marked any more.
    package func clearMarks() { for group in 0..<Self.markGroups { set(group, place: 0, marks: 0) } }

    /// The blocks of a group that a range has.
    private static func bits(_ block: UInt64, _ count: UInt64, of group: UInt64) -> UInt8 {
        let (end, overflow) = block.addingReportingOverflow(count)
        let from = max(block, group * 8)
        let to = min(overflow ? .max : end, group * 8 + 8)
        guard from < to else { return 0 }
        let below = (UInt16(1) << UInt16(from - group * 8)) - 1
        return UInt8(truncatingIfNeeded: ((UInt16(1) << UInt16(to - group * 8)) - 1) & ~below)
    }
}
