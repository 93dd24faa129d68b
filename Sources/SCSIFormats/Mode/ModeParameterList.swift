import Primitives

/// The parameter list of MODE SELECT (SPC-4 §6.9, §7.5), checked against what the unit has: what it would change, or
/// why it is refused.
package struct ModeParameterList: Equatable, Sendable {
    /// Flags that pages of the list name.
    package private(set) var named: ModeFlags = []
    /// Their new values.
    package private(set) var values: ModeFlags = []

    /// What a list is checked against.
    package struct Present: Sendable {
        package var blocks: UInt64
        package var blockLength: UInt32
        package var flags: ModeFlags
        package init(blocks: UInt64, blockLength: UInt32, flags: ModeFlags) {
            self.blocks = blocks
            self.blockLength = blockLength
            self.flags = flags
        }
    }

    /// Why a list was refused: the sense data to answer.
    package struct Refusal: Error, Equatable, Sendable {
        package var sense: SenseData
    }

    /// Parses `count` bytes at `base`; `long` for the ten-byte command.
    package init(
        _ base: UnsafeRawPointer, count: Int, long: Bool, present: Present
    ) throws(Refusal) {
        if count == 0 { return }
        let header = long ? 8 : 4
        guard count >= header else { throw Self.lengthError }
        let descriptor = long ? Int(base.big16(6)) : Int(base.byte(3))
        let longDescriptor = long && base.byte(4) & 1 != 0
        guard count - header >= descriptor else { throw Self.lengthError }
        if descriptor != 0 {
            let expected = longDescriptor ? 16 : 8
            guard descriptor == expected else { throw Refusal(sense: .invalidField(inList: long ? 6 : 3)) }
            try Self.check(descriptor: base + header, at: header, long: longDescriptor, present)
        }
        var at = header + descriptor
        while at < count {
            guard count - at >= 2 else { throw Self.lengthError }
            at += try take(page: base + at, at: at, available: count - at, present.flags)
        }
    }

    private static var lengthError: Refusal {
        Refusal(sense: SenseData(.illegalRequest, .parameterListLengthError))
    }

    /// The block descriptor may only repeat what is: neither capacity nor block length can be changed.
    private static func check(
        descriptor base: UnsafeRawPointer, at offset: Int, long: Bool, _ present: Present
    ) throws(Refusal) {
        let blocks = long ? base.big64(0) : UInt64(base.big32(0))
        let same = long ? present.blocks : UInt64(UInt32(clamping: present.blocks))
        guard blocks == 0 || blocks == same || blocks == (long ? .max : UInt64(UInt32.max)) else {
            throw Refusal(sense: .invalidField(inList: offset))
        }
        let length = long ? base.big32(12) : base.big24(5)
        guard length == 0 || length == present.blockLength else {
            throw Refusal(sense: .invalidField(inList: offset + (long ? 12 : 5)))
        }
    }

    /// Takes one page, and returns its length.
    private mutating func take(
        page base: UnsafeRawPointer, at offset: Int, available: Int, _ flags: ModeFlags
    ) throws(Refusal) -> Int {
        guard let page = ModePage.all.first(where: { $0.code == base.byte(0) & 0x7F }) else {
            throw Refusal(sense: .invalidField(inList: offset, bit: 5))
        }
        let length = page.constant.count
        guard base.byte(1) == page.constant[1] else { throw Refusal(sense: .invalidField(inList: offset + 1)) }
        guard available >= length else { throw Self.lengthError }
        for index in 2..<length {
            let present = page.byte(index, control: .current, flags: flags)
            let wrong = (base.byte(index) ^ present) & ~page.changeable(index)
            if wrong != 0 {
                throw Refusal(sense: .invalidField(inList: offset + index, bit: 7 - wrong.leadingZeroBitCount))
            }
        }
        for bit in page.bits {
            named.insert(bit.flag)
            if base.byte(bit.byte) & bit.mask != 0 { values.insert(bit.flag) } else { values.remove(bit.flag) }
        }
        return length
    }

    /// The flags after the list has been applied to `flags`.
    package func applied(to flags: ModeFlags) -> ModeFlags { flags.subtracting(named).union(values) }
}
