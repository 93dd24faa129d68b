import Primitives

/// The first page of a memory file.
///
///      0 magic  8 format version  12 controller  16 pair id  24 memory id high  32 low  40 incarnation
///     48 boot id high  56 low  64 frames  68 mirror frames   72 epoch known  76 pid   80 pid's start time   88 lineage
///     96 one when frames have trailers   4092 CRC32C
package struct Superblock: Equatable, Sendable {
    package var controller: UInt32 = 0
    package var pairID: UInt64 = 0
    package var memoryID: WitnessRecord.MemoryID = .none
    package var incarnation: UInt64 = 0
    /// The kernel's boot id when the memory was last used: another one means that the mapping went through a power
    /// cycle.
    package var bootID: WitnessRecord.MemoryID = .none
    package var frames: UInt32 = 0
    package var mirrorFrames: UInt32 = 0
    package var epoch: UInt32 = 0
    package var pid: UInt32 = 0
    package var pidStartTime: UInt64 = 0
    package var lineage: UInt64 = 0
    package var hasTrailers = false

    package init() {}

    /// How the memory is laid out.
    package var layout: RegionLayout {
        RegionLayout(frames: Int(frames), mirrorFrames: Int(mirrorFrames), hasTrailers: hasTrailers)
    }

    static var magic: UInt64 { 0x5952_4F4D_454D_4D47 }

    /// Writes the 4 KiB.
    package func encode(to base: UnsafeMutableRawPointer) {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: RegionLayout.superblockBytes)
        base.put(little64: Self.magic, 0)
        base.put(little32: 1, 8)
        base.put(little32: controller, 12)
        base.put(little64: pairID, 16)
        base.put(little64: memoryID.high, 24)
        base.put(little64: memoryID.low, 32)
        base.put(little64: incarnation, 40)
        base.put(little64: bootID.high, 48)
        base.put(little64: bootID.low, 56)
        base.put(little32: frames, 64)
        base.put(little32: mirrorFrames, 68)
        base.put(little32: epoch, 72)
        base.put(little32: pid, 76)
        base.put(little64: pidStartTime, 80)
        base.put(little64: lineage, 88)
        base.put(byte: hasTrailers ? 1 : 0, 96)
        base.put(little32: Checksum.crc32c(base, 4092), 4092)
    }

    /// Reads the 4 KiB; nil when they are not the superblock of a memory in a format that we know.
    package init?(decoding base: UnsafeRawPointer) {
        guard base.little64(0) == Self.magic, base.little32(8) == 1,
            base.little32(4092) == Checksum.crc32c(base, 4092)
        else { return nil }
        controller = base.little32(12)
        pairID = base.little64(16)
        memoryID = .init(high: base.little64(24), low: base.little64(32))
        incarnation = base.little64(40)
        bootID = .init(high: base.little64(48), low: base.little64(56))
        frames = base.little32(64)
        mirrorFrames = base.little32(68)
        epoch = base.little32(72)
        pid = base.little32(76)
        pidStartTime = base.little64(80)
        lineage = base.little64(88)
        hasTrailers = base.byte(96) == 1
    }
}
