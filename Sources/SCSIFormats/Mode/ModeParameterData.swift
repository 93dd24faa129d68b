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
    /// Present and saved values.
    package var current: ModeImage
    package var saved: ModeImage

    package init(
        long: Bool, longDescriptor: Bool, withoutDescriptor: Bool, blocks: UInt64, blockLength: UInt32,
        writeProtected: Bool, control: ModePageControl, current: ModeImage, saved: ModeImage
    ) {
        self.long = long
        self.longDescriptor = longDescriptor
        self.withoutDescriptor = withoutDescriptor
        self.blocks = blocks
        self.blockLength = blockLength
        self.writeProtected = writeProtected
        self.control = control
        self.current = current
        self.saved = saved
    }

    /// Appends the data with `pages`.
    package func write(_ pages: some Sequence<ModePage>, to writer: inout ParameterWriter) {
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
        for page in pages {
            for index in page.standard.indices {
                writer.put(page.byte(index, control, current: current, saved: saved))
            }
        }
        // MODE DATA LENGTH does not count itself.
        if long {
            writer.patch(big16: UInt16(truncatingIfNeeded: writer.count - 2), at: 0)
        } else {
            writer.patch(UInt8(truncatingIfNeeded: writer.count - 1), at: 0)
        }
    }
}
