import Primitives

/// The content of every 512-byte sector that the workload writes: it says which write it is from, where it belongs
/// and whether it is whole, so that any read names exactly one write.
///
///     0 magic   4 unit   6 writer   8 write   16 sector   24 seed   32 … filling   508 CRC32C
enum SectorPattern {
    static let bytes = 512
    static let magic: UInt32 = 0x4345_5347

    /// What a sector was found to be.
    enum Content: Equatable {
        /// All zero: never written.
        case initial
        /// From this write.
        case write(UInt32)
        /// Not one whole sector of this unit and place; the reason for people.
        case wrong(String)
    }

    static func fill(
        _ base: UnsafeMutableRawPointer, seed: UInt64, unit: Int, sector: UInt64, write: UInt32, writer: Int
    ) {
        base.put(little32: magic, 0)
        base.put(little16: UInt16(truncatingIfNeeded: unit), 4)
        base.put(little16: UInt16(truncatingIfNeeded: writer), 6)
        base.put(little64: UInt64(write), 8)
        base.put(little64: sector, 16)
        base.put(little64: seed, 24)
        var word = seed ^ UInt64(write) << 32 ^ sector
        for offset in stride(from: 32, to: 504, by: 8) {
            word = word &* 0x5851_F42D_4C95_7F2D &+ 0x1405_7B7E_F767_814F
            base.put(little64: word, offset)
        }
        base.put(little32: 0, 504)
        base.put(little32: Checksum.crc32c(base, 508), 508)
    }

    /// Which write a whole sector is from, without the checksum: for looks at what lies on a device.
    static func quickWrite(_ base: UnsafeRawPointer, seed: UInt64) -> UInt32? {
        guard base.little32(0) == magic, base.little64(24) == seed else { return nil }
        return UInt32(truncatingIfNeeded: base.little64(8))
    }

    static func read(_ base: UnsafeRawPointer, seed: UInt64, unit: Int, sector: UInt64) -> Content {
        if base.little32(0) != magic {
            for offset in stride(from: 0, to: 512, by: 8) where base.little64(offset) != 0 {
                return .wrong("no magic, byte \(offset) is not zero")
            }
            return .initial
        }
        if base.little32(508) != Checksum.crc32c(base, 508) { return .wrong("torn or scribbled: checksum") }
        if base.little64(24) != seed { return .wrong("from another run") }
        if Int(base.little16(4)) != unit || base.little64(16) != sector {
            return .wrong("misplaced: belongs to unit \(base.little16(4)) sector \(base.little64(16))")
        }
        return .write(UInt32(truncatingIfNeeded: base.little64(8)))
    }
}
