import CISAL

/// CRC32C (Castagnoli), the checksum of iSCSI digests (RFC 7143 §13.1) and of every frame, header and channel frame of
/// the pair. ISA-L computes it with the CPU's instruction.
@usableFromInline
package enum Checksum {
    /// CRC32C of `count` bytes, as a digest carries it (initial value and final inversion applied).
    package static func crc32c(_ base: UnsafeRawPointer, _ count: Int) -> UInt32 {
        ~extend(~0, base, count)
    }

    /// The guard of protection information (SBC-3 §4.22.4): CRC-16 with the polynomial 8BB7h over a block's user data.
    package static func blockGuard(_ base: UnsafeRawPointer, _ count: Int) -> UInt16 {
        crc16_t10dif(0, base.assumingMemoryBound(to: UInt8.self), UInt64(count))
    }

    /// Continues a raw CRC (no inversion): start with `~0`, invert at the end. For data in several pieces.
    package static func extend(_ crc: UInt32, _ base: UnsafeRawPointer, _ count: Int) -> UInt32 {
        crc32_iscsi(
            UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: UInt8.self)),
            Int32(truncatingIfNeeded: count), crc)
    }
}
