/// What stands in every 512 bytes that a verifying run writes: who wrote it, where it belongs, when, and a CRC32C over
/// all of it, so that old, foreign, torn and invented bytes can be told apart.
///
///     0 magic (8)   8 sector (8)   16 sequence (8)   24 seed (8)   32 filling (476)   508 CRC32C of 0..<508 (4)
enum Stamp {
    static let sectorSize = 512
    private static let magic: UInt64 = 0x7053_6C65_6D65_67AA
    private static let crcOffset = 508

    /// Stamps `sectors` sectors beginning with number `first`.
    @inline(__always)
    static func write(_ base: UnsafeMutableRawPointer, first: UInt64, sectors: Int, sequence: UInt64, seed: UInt64) {
        for index in 0..<sectors {
            let sector = base + index * sectorSize
            let number = first + UInt64(index)
            sector.storeBytes(of: magic, as: UInt64.self)
            sector.storeBytes(of: number, toByteOffset: 8, as: UInt64.self)
            sector.storeBytes(of: sequence, toByteOffset: 16, as: UInt64.self)
            sector.storeBytes(of: seed, toByteOffset: 24, as: UInt64.self)
            var filling = (number &* 0x9E37_79B9_7F4A_7C15) ^ (sequence &* 0xD6E8_FEB8_6659_FD93) ^ seed
            var at = 32
            while at < 504 {
                filling = filling &* 0x5851_F42D_4C95_7F2D &+ 1
                sector.storeBytes(of: filling, toByteOffset: at, as: UInt64.self)
                at += 8
            }
            sector.storeBytes(of: UInt32(truncatingIfNeeded: filling >> 32), toByteOffset: 504, as: UInt32.self)
            sector.storeBytes(of: crc32c(sector, crcOffset), toByteOffset: crcOffset, as: UInt32.self)
        }
    }

    /// What 512 bytes turned out to be.
    enum Finding {
        case stamped(sector: UInt64, sequence: UInt64, seed: UInt64)
        /// The magic is there, the checksum is wrong: pieces of different writes, or damage.
        case torn(sequence: UInt64)
        case zero
        case foreign(firstWord: UInt64)
    }

    @inline(__always)
    static func read(_ sector: UnsafeRawPointer) -> Finding {
        if sector.word(0) == magic {
            let stored = sector.loadUnaligned(fromByteOffset: crcOffset, as: UInt32.self)
            if stored != crc32c(sector, crcOffset) { return .torn(sequence: sector.word(16)) }
            return .stamped(sector: sector.word(8), sequence: sector.word(16), seed: sector.word(24))
        }
        for at in stride(from: 0, to: sectorSize, by: 8) where sector.word(at) != 0 {
            return .foreign(firstWord: sector.word(0))
        }
        return .zero
    }
}
