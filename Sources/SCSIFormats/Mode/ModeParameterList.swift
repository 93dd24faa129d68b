import Primitives

/// The parameter list of MODE SELECT (SPC-4 §6.11, §7.5), checked against what the unit has: what it would change, or
/// why it is refused.
package struct ModeParameterList: Equatable, Sendable {
    /// The values with the list applied to what was present.
    package private(set) var image: ModeImage

    /// What a list is checked against.
    package struct Present: Sendable {
        package var blocks: UInt64
        package var blockLength: UInt32
        package var traits: UnitTraits
        package var image: ModeImage
        package init(blocks: UInt64, blockLength: UInt32, traits: UnitTraits, image: ModeImage) {
            self.blocks = blocks
            self.blockLength = blockLength
            self.traits = traits
            self.image = image
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
        image = present.image
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
            at += try take(page: base + at, at: at, available: count - at, present)
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

    /// Takes one page, and returns its length. PS is reserved here: initiators send back what they sensed.
    private mutating func take(
        page base: UnsafeRawPointer, at offset: Int, available: Int, _ present: Present
    ) throws(Refusal) -> Int {
        let isSubpage = base.byte(0) & 0x40 != 0
        let code = base.byte(0) & 0x3F
        guard ModePage.all.contains(where: { $0.code == code && $0.applies(present.traits) }) else {
            throw Refusal(sense: .invalidField(inList: offset, bit: 5))
        }
        guard let page = ModePage.find(code, isSubpage ? base.byte(1) : 0, present.traits),
            isSubpage == (page.subpage != 0)
        else { throw Refusal(sense: .invalidField(inList: isSubpage ? offset + 1 : offset, bit: isSubpage ? nil : 6)) }
        guard available >= page.head else { throw Self.lengthError }
        for index in 1..<page.head where base.byte(index) != page.standard[index] {
            throw Refusal(sense: .invalidField(inList: offset + (isSubpage ? 2 : 1)))
        }
        guard available >= page.standard.count else { throw Self.lengthError }
        for index in page.head..<page.standard.count {
            let wrong = (base.byte(index) ^ page.standard[index]) & ~page.changeable(index)
            if wrong != 0 { throw Self.refusal(offset + index, wrong) }
        }
        try take(page.fields, base, at: offset, page)
        return page.standard.count
    }

    private mutating func take(
        _ fields: [ModeField], _ base: UnsafeRawPointer, at offset: Int, _ page: ModePage
    ) throws(Refusal) {
        for field in fields {
            let value = base.byte(field.byte) & field.mask
            if let allowed = field.allowed, !allowed.contains(value) {
                throw Self.refusal(offset + field.byte, field.mask)
            }
            let difference = (value ^ page.standard[field.byte]) & field.mask
            image[field.place] = image[field.place] & ~field.mask | difference
        }
        if let exclusive = page.exclusive, base.byte(exclusive.byte) & exclusive.mask == exclusive.mask {
            throw Self.refusal(offset + exclusive.byte, exclusive.mask)
        }
    }

    /// Points at the highest of the wrong bits.
    private static func refusal(_ byte: Int, _ wrong: UInt8) -> Refusal {
        Refusal(sense: .invalidField(inList: byte, bit: 7 - wrong.leadingZeroBitCount))
    }
}
