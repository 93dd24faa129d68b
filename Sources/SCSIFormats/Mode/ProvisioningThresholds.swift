/// What the mode pages say of thresholds of provisioning: the descriptors and SITUA of the Logical Block Provisioning
/// page (SBC-3 §6.5.7), and LBPERE of the Read-Write Error Recovery page (SBC-3 §6.5.8).
package struct ProvisioningThresholds: Equatable, Sendable {
    /// Descriptors in the page.
    package static var count: Int { 4 }
    static var situaPlace: Int { 11 }
    /// First byte of a descriptor in the page, which sense data name (SBC-3 §4.7.3.7.6).
    package static func offset(_ index: Int) -> Int { 16 + index * 8 }
    /// First of a descriptor's five bytes in the mode image.
    private static func place(_ index: Int) -> Int { 12 + index * 5 }
    /// Armed decreasing, on what is available, rather than armed increasing, on what is used.
    package static func isDecreasing(_ index: Int) -> Bool { index < 2 }

    /// The descriptors' default values: THRESHOLD TYPE 000b (soft), THRESHOLD ARMING, THRESHOLD RESOURCE.
    static var heads: [UInt8] {
        (0..<count).flatMap { isDecreasing($0) ? [0x00, 0x01, 0, 0, 0, 0, 0, 0] : [0x01, 0x02, 0, 0, 0, 0, 0, 0] }
    }

    /// ENABLED and THRESHOLD COUNT of each.
    static var fields: [ModeField] {
        (0..<count).flatMap {
            [ModeField(offset($0), 0x80, at: place($0))] + ModeField.bytes(offset($0) + 4, 4, at: place($0) + 1)
        }
    }

    private let image: ModeImage

    /// What `image` sets.
    package init(_ image: ModeImage) { self.image = image }

    /// LBPERE: what is reached is reported.
    package var isReporting: Bool { image[10] & 0x80 != 0 }
    /// SITUA: a unit attention for one nexus only.
    package var isForOneNexus: Bool { image[Self.situaPlace] & 1 != 0 }
    /// Whether a descriptor is in use.
    package func isEnabled(_ index: Int) -> Bool { image[Self.place(index)] & 0x80 != 0 }
    /// Some threshold can be reached, and would be reported.
    package var isArmed: Bool { isReporting && (0..<Self.count).contains { isEnabled($0) } }

    /// THRESHOLD COUNT, in threshold sets: the middle of the threshold's range.
    package func count(_ index: Int) -> UInt32 {
        (1...4).reduce(0) { $0 << 8 | UInt32(image[Self.place(index) + $1]) }
    }

    /// Whether a descriptor is the same in both.
    package func isSame(_ index: Int, as other: Self) -> Bool {
        isEnabled(index) == other.isEnabled(index) && count(index) == other.count(index)
    }

    /// Whether a descriptor's threshold stands reached after its resource came to `value` bytes (SBC-3 §4.7.3.7): from
    /// the far end of its range on, until the near end is passed on the way back. Its range is a threshold set of
    /// `setBytes` around its count.
    package func isReached(_ index: Int, value: UInt64, setBytes: UInt64, before: Bool) -> Bool {
        let middle = UInt64(count(index)) &* setBytes
        let low = middle - min(middle, setBytes / 2)
        let high = middle &+ setBytes / 2
        if Self.isDecreasing(index) { return before ? value <= high : value <= low }
        return before ? value >= low : value >= high
    }
}
