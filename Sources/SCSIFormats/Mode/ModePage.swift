/// PC field of MODE SENSE (SPC-4 §6.13.1).
package enum ModePageControl: UInt8, Sendable { case current, changeable, standard, saved }

/// The values of a unit's changeable mode parameters: for each changeable byte of a page the difference from its
/// default (by exclusive or), at the place that the page's row gives it. All zero is what a unit begins with.
package typealias ModeImage = SIMD32<UInt8>

/// A field that MODE SELECT may change.
package struct ModeField: Sendable {
    /// Byte of the page, and the field's bits in it.
    package var byte: Int
    package var mask: UInt8
    /// Its byte in `ModeImage`; fields of one byte share it.
    package var place: Int
    /// The values that the standard defines and that have an effect here, in place; nil for all.
    package var allowed: [UInt8]?

    init(_ byte: Int, _ mask: UInt8, at place: Int, allowed: [UInt8]? = nil) {
        self.byte = byte
        self.mask = mask
        self.place = place
        self.allowed = allowed
    }

    /// The fields of whole bytes that follow one another.
    package static func bytes(_ first: Int, _ count: Int, at place: Int) -> [ModeField] {
        (0..<count).map { ModeField(first + $0, 0xFF, at: place + $0) }
    }
}

/// A mode page: reporting under each page control, the check of MODE SELECT, and saving all come from one row.
package struct ModePage: Sendable {
    /// PAGE CODE and SUBPAGE CODE; subpage 0 is the page_0 format (SPC-4 §7.5.7).
    package var code: UInt8
    package var subpage: UInt8
    package var name: StaticString
    /// Where the standard describes it.
    package var clause: StaticString
    /// The page with its default values, from its first byte.
    package var standard: [UInt8]
    /// What can be changed; every other bit is fixed.
    package var fields: [ModeField]
    /// Bits of one byte that must not be one together.
    package var exclusive: (byte: Int, mask: UInt8)?
    /// Which units have the page: all of `needs`, none of `excludes`.
    package var needs: UnitTraits
    package var excludes: UnitTraits

    /// A page whose bytes behind its head are `parameters`, and zeros up to `length` bytes in all.
    init(
        _ code: UInt8, _ subpage: UInt8, _ name: StaticString, _ clause: StaticString, length: Int,
        _ parameters: [UInt8] = [], fields: [ModeField] = [], exclusive: (byte: Int, mask: UInt8)? = nil,
        needs: UnitTraits = [], excludes: UnitTraits = []
    ) {
        self.code = code
        self.subpage = subpage
        self.name = name
        self.clause = clause
        let head: [UInt8] =
            subpage == 0
            ? [code, UInt8(length - 2)] : [code | 0x40, subpage, UInt8((length - 4) >> 8), UInt8((length - 4) & 0xFF)]
        let zeros = length - head.count - parameters.count
        standard = head + parameters + [UInt8](repeating: 0, count: zeros)
        self.fields = fields
        self.exclusive = exclusive
        self.needs = needs
        self.excludes = excludes
    }

    /// Bytes before the first parameter.
    package var head: Int { subpage == 0 ? 2 : 4 }

    /// Whether a unit has the page.
    package func applies(_ traits: UnitTraits) -> Bool {
        traits.isSuperset(of: needs) && traits.isDisjoint(with: excludes)
    }

    /// Bits of byte `index` that MODE SELECT may change.
    package func changeable(_ index: Int) -> UInt8 {
        fields.reduce(0) { $1.byte == index ? $0 | $1.mask : $0 }
    }

    /// Byte `index` with `image` in effect.
    package func byte(_ index: Int, _ image: ModeImage) -> UInt8 {
        fields.reduce(standard[index]) { $1.byte == index ? $0 ^ image[$1.place] & $1.mask : $0 }
    }

    /// Byte `index` as MODE SENSE reports it. PS is one in pages that have something to be saved.
    func byte(_ index: Int, _ control: ModePageControl, current: ModeImage, saved: ModeImage) -> UInt8 {
        if index < head { return standard[index] | (index == 0 && !fields.isEmpty ? 0x80 : 0) }
        switch control {
        case .current: return byte(index, current)
        case .changeable: return changeable(index)
        case .standard: return standard[index]
        case .saved: return byte(index, saved)
        }
    }
}
