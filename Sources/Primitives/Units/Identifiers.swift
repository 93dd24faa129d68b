/// Index of a page frame in the controller's frame table (`Frames`): own area first, then the mirror area.
@usableFromInline
package struct FrameIndex: Hashable, Sendable {
    @usableFromInline package var raw: UInt32
    @inlinable package init(_ raw: UInt32) { self.raw = raw }
    /// No frame.
    @inlinable package static var none: FrameIndex { FrameIndex(.max) }
}

/// Index of a logical unit in the array's description: the same on both controllers, stable while the array lives.
/// It is not the LUN that a host sees; a target maps LUNs to units.
@usableFromInline
package struct UnitIndex: Hashable, Comparable, Sendable {
    @usableFromInline package var raw: UInt16
    @inlinable package init(_ raw: UInt16) { self.raw = raw }
    @inlinable package static func < (a: UnitIndex, b: UnitIndex) -> Bool { a.raw < b.raw }
}

/// Names one byte stream (an iSCSI connection or the channel) between a driver and its controller. The driver
/// chooses the number, and reuses it only after the controller was told `closed`.
@usableFromInline
package struct StreamID: Hashable, Sendable {
    @usableFromInline package var raw: UInt32
    @inlinable package init(_ raw: UInt32) { self.raw = raw }
    @inlinable package static var none: StreamID { StreamID(.max) }
}

/// Which of the two controllers of a pair.
@usableFromInline
package enum ControllerID: UInt8, Sendable, Hashable, CaseIterable {
    case a = 0
    case b = 1
    /// The other one.
    @inlinable package var partner: ControllerID { self == .a ? .b : .a }
    /// `a` or `b`.
    @inlinable package var name: String { self == .a ? "a" : "b" }
}

/// Sizes that the whole data path shares.
@usableFromInline
package enum PageSize {
    /// Bytes in a page, and in a page frame.
    @inlinable package static var bytes: Int { 4096 }
    /// Units of 512 bytes in a page: the granularity of valid and dirty masks.
    @inlinable package static var sectors: Int { 8 }
    /// Bytes of protection information that belong to a page of a unit that has it: 8 for each sector.
    @inlinable package static var trailerBytes: Int { 64 }
    /// The mask with every unit set.
    @inlinable package static var fullMask: UInt8 { 0xFF }
    /// The most pages that one block operation, one device transfer, or one page list covers (256 KiB).
    @inlinable package static var operationPages: Int { 64 }
}
