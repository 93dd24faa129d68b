/// A 32-bit serial number (RFC 1982, RFC 7143 §4.2.2.1): it wraps, so that order is only defined between numbers less
/// than 2^31 apart. CmdSN, StatSN, DataSN and R2TSN are compared as such and never as plain integers.
@usableFromInline
package struct SerialNumber: Hashable, Sendable {
    @usableFromInline package var raw: UInt32
    @inlinable package init(_ raw: UInt32) { self.raw = raw }

    /// True when `a` comes before `b`.
    @inlinable package static func < (a: SerialNumber, b: SerialNumber) -> Bool {
        Int32(bitPattern: a.raw &- b.raw) < 0
    }
    @inlinable package static func <= (a: SerialNumber, b: SerialNumber) -> Bool {
        Int32(bitPattern: a.raw &- b.raw) <= 0
    }
    @inlinable package static func &+ (a: SerialNumber, n: UInt32) -> SerialNumber { SerialNumber(a.raw &+ n) }
    /// How far `a` is ahead of `b`; negative when it is behind.
    @inlinable package static func - (a: SerialNumber, b: SerialNumber) -> Int {
        Int(Int32(bitPattern: a.raw &- b.raw))
    }
}
