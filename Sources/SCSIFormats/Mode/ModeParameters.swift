/// The changeable mode parameters of a logical unit, in the bits of the state block's mode flags.
@frozen
@usableFromInline
package struct ModeFlags: OptionSet, Sendable {
    @usableFromInline package var rawValue: UInt8
    @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }
    /// WCE of the Caching page: writes may be answered from memory.
    @inlinable package static var writeCacheEnabled: Self { Self(rawValue: 1) }
    /// DRA of the Caching page: no read-ahead.
    @inlinable package static var disableReadAhead: Self { Self(rawValue: 2) }
    /// SWP of the Control page: writes are refused.
    @inlinable package static var softwareWriteProtect: Self { Self(rawValue: 4) }
    /// D_SENSE of the Control page: descriptor format sense data.
    @inlinable package static var descriptorSense: Self { Self(rawValue: 8) }
    /// What a unit starts with, and goes back to by a logical unit reset.
    @inlinable package static var standard: Self { .writeCacheEnabled }
}

/// PC field of MODE SENSE (SPC-4 §6.11.1).
package enum ModePageControl: UInt8, Sendable { case current, changeable, standard, saved }

/// A mode page of ours: its bytes are a constant and one bit per flag, so that reporting, the changeable mask and the
/// check of MODE SELECT come from the same rows.
package struct ModePage: Sendable {
    /// PAGE CODE.
    package var code: UInt8
    /// The page with every flag clear, from its first byte.
    package var constant: [UInt8]
    /// Where each flag stands.
    package var bits: [(flag: ModeFlags, byte: Int, mask: UInt8)]

    /// Caching (SBC-3 §6.5.5): WCE and DRA.
    package static let caching = ModePage(
        code: 0x08, constant: [0x08, 0x12] + [UInt8](repeating: 0, count: 18),
        bits: [(.writeCacheEnabled, 2, 0x04), (.disableReadAhead, 12, 0x20)])

    /// Control (SPC-4 §7.5.10): QUEUE ALGORITHM MODIFIER 1h (unrestricted reordering), TAS one; D_SENSE and SWP.
    package static let control = ModePage(
        code: 0x0A, constant: [0x0A, 0x0A, 0, 0x10, 0, 0x40, 0, 0, 0, 0, 0, 0],
        bits: [(.descriptorSense, 2, 0x04), (.softwareWriteProtect, 4, 0x08)])

    /// Every page, ascending: the order in which MODE SENSE returns them.
    package static let all = [caching, control]

    /// Byte `index` of the page under page control `control` with `flags` in effect.
    package func byte(_ index: Int, control: ModePageControl, flags: ModeFlags) -> UInt8 {
        var value = constant[index]
        if control == .changeable, index > 1 { value = 0 }
        for bit in bits where bit.byte == index {
            let set =
                switch control {
                case .current, .saved: flags.contains(bit.flag)
                case .changeable: true
                case .standard: ModeFlags.standard.contains(bit.flag)
                }
            if set { value |= bit.mask }
        }
        return value
    }

    /// Bits of byte `index` that MODE SELECT may change.
    package func changeable(_ index: Int) -> UInt8 {
        index > 1 ? byte(index, control: .changeable, flags: []) : 0
    }
}

/// Mode parameter data of MODE SENSE (SPC-4 §7.5): header, block descriptor, pages.
package struct ModeParameterData: Sendable {
    /// The ten-byte command's header, rather than the six-byte one's.
    package var long: Bool
    /// LLBAA: the long block descriptor is wanted (ten-byte command only).
    package var longDescriptor: Bool
    /// DBD: no block descriptor.
    package var withoutDescriptor: Bool
    /// Logical blocks of the unit, and bytes in one.
    package var blocks: UInt64
    package var blockLength: UInt32
    /// WP: writes are refused at the moment.
    package var writeProtected: Bool
    package var control: ModePageControl
    package var flags: ModeFlags

    package init(
        long: Bool, longDescriptor: Bool, withoutDescriptor: Bool, blocks: UInt64, blockLength: UInt32,
        writeProtected: Bool, control: ModePageControl, flags: ModeFlags
    ) {
        self.long = long
        self.longDescriptor = longDescriptor
        self.withoutDescriptor = withoutDescriptor
        self.blocks = blocks
        self.blockLength = blockLength
        self.writeProtected = writeProtected
        self.control = control
        self.flags = flags
    }

    /// Appends the data with the pages whose code `selects` accepts.
    package func write(to writer: inout ParameterWriter, selects: (UInt8) -> Bool) {
        // DPOFUA: DPO and FUA are understood.
        let deviceSpecific: UInt8 = (writeProtected ? 0x80 : 0) | 0x10
        let descriptorLength = withoutDescriptor ? 0 : longDescriptor ? 16 : 8
        if long {
            writer.put(big24: 0)
            writer.put(deviceSpecific)
            writer.put(longDescriptor && !withoutDescriptor ? 1 : 0)
            writer.put(0)
            writer.put(big16: UInt16(descriptorLength))
        } else {
            writer.put(big16: 0)
            writer.put(deviceSpecific)
            writer.put(UInt8(descriptorLength))
        }
        if descriptorLength == 16 {
            writer.put(big64: blocks)
            writer.put(big32: 0)
            writer.put(big32: blockLength)
        } else if descriptorLength == 8 {
            writer.put(big32: UInt32(clamping: blocks))
            writer.put(big32: blockLength & 0xFF_FFFF)
        }
        for page in ModePage.all where selects(page.code) {
            for index in page.constant.indices { writer.put(page.byte(index, control: control, flags: flags)) }
        }
        // MODE DATA LENGTH does not count itself.
        if long {
            writer.patch(big16: UInt16(truncatingIfNeeded: writer.count - 2), at: 0)
        } else {
            writer.patch(UInt8(truncatingIfNeeded: writer.count - 1), at: 0)
        }
    }
}
