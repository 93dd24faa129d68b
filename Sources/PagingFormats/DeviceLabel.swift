import Primitives

/// What a device of a pair says of itself: whose it is, and what its pair knew last. Two slots of 4 KiB at the start of
/// the device hold one each; a change writes the slot that the epoch's parity names, so a torn write leaves the other.
///
///      0 magic  8 format version  12 devices of the array  16 pair id  24 lineage  32 epoch  36 feature level
///     40 bytes of the name  44 name   508 CRC32C
package struct DeviceLabel: Equatable, Sendable {
    package var pairID: UInt64
    /// 0 until the pair's first record is there.
    package var lineage: UInt64
    /// The record's epoch when the label was written; 0 until the pair's first record is there.
    package var epoch: UInt32
    package var featureLevel: UInt32
    /// How many devices the array had when the label was written.
    package var devices: UInt32
    /// The device's name in the configuration, its first 64 bytes.
    package var name: String

    /// Bytes of a slot, of both slots, and of what a slot uses.
    package static var slotBytes: Int { 4096 }
    package static var areaBytes: Int { 2 * slotBytes }
    private static var usedBytes: Int { 512 }
    private static var nameLimit: Int { 64 }
    private static var magic: UInt64 { 0x4C45_4241_4C4D_4D47 }
    private static var version: UInt32 { 1 }

    package init(
        pairID: UInt64, lineage: UInt64, epoch: UInt32, featureLevel: UInt32, devices: UInt32, name: String
    ) {
        self.pairID = pairID
        self.lineage = lineage
        self.epoch = epoch
        self.featureLevel = featureLevel
        self.devices = devices
        self.name = Self.cut(name)
    }

    /// A device's name as a label keeps it.
    package static func cut(_ name: String) -> String {
        name.utf8.count <= nameLimit ? name : String(decoding: name.utf8.prefix(nameLimit), as: UTF8.self)
    }

    /// Writes one slot of 4 KiB.
    package func encode(to base: UnsafeMutableRawPointer) {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: Self.slotBytes)
        base.put(little64: Self.magic, 0)
        base.put(little32: Self.version, 8)
        base.put(little32: devices, 12)
        base.put(little64: pairID, 16)
        base.put(little64: lineage, 24)
        base.put(little32: epoch, 32)
        base.put(little32: featureLevel, 36)
        let bytes = Array(name.utf8.prefix(Self.nameLimit))
        base.put(little32: UInt32(bytes.count), 40)
        for (index, byte) in bytes.enumerated() { base.put(byte: byte, 44 + index) }
        base.put(little32: Checksum.crc32c(base, Self.usedBytes - 4), Self.usedBytes - 4)
    }

    /// Reads a slot; nil when it is no label of a format that we know.
    package init?(decoding base: UnsafeRawPointer) {
        let length = Int(base.little32(40))
        guard base.little64(0) == Self.magic, base.little32(8) == Self.version, length <= Self.nameLimit,
            base.little32(Self.usedBytes - 4) == Checksum.crc32c(base, Self.usedBytes - 4)
        else { return nil }
        devices = base.little32(12)
        pairID = base.little64(16)
        lineage = base.little64(24)
        epoch = base.little32(32)
        featureLevel = base.little32(36)
        name = String(decoding: (0..<length).map { base.byte(44 + $0) }, as: UTF8.self)
    }
}

/// What stands where a device's label belongs.
package enum DeviceFinding: Equatable, Sendable {
    /// The newer one of the two slots.
    case label(DeviceLabel)
    /// Zeros.
    case blank
    /// Zeros, on a device whose content is not expected to outlast the machine's power.
    case blankVolatile
    /// Something that is neither.
    case other

    /// Reads both slots.
    package init(decoding area: UnsafeRawPointer, isVolatile: Bool) {
        let first = DeviceLabel(decoding: area)
        let second = DeviceLabel(decoding: area + DeviceLabel.slotBytes)
        switch (first, second) {
        case (let a?, let b?): self = .label(b.epoch > a.epoch ? b : a)
        case (let a?, nil): self = .label(a)
        case (nil, let b?): self = .label(b)
        case (nil, nil):
            let isZero = (0..<DeviceLabel.areaBytes / 8).allSatisfy { area.little64($0 * 8) == 0 }
            self = isZero ? (isVolatile ? .blankVolatile : .blank) : .other
        }
    }

    package var label: DeviceLabel? { if case .label(let label) = self { label } else { nil } }
}
