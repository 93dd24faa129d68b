/// READ CAPACITY parameter data (SBC-3 §5.15, §5.16).
package struct CapacityData: Sendable {
    /// Logical blocks of the unit, at least one.
    package var blocks: UInt64
    /// Bytes in one.
    package var blockLength: UInt32
    /// LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT: a physical block is a page.
    package var physicalExponent: UInt8

    package init(blocks: UInt64, blockLength: UInt32, physicalExponent: UInt8) {
        self.blocks = blocks
        self.blockLength = blockLength
        self.physicalExponent = physicalExponent
    }

    /// Eight bytes; FFFFFFFFh sends the initiator to READ CAPACITY (16).
    package func write10(to writer: inout ParameterWriter) {
        writer.put(big32: UInt32(clamping: blocks &- 1))
        writer.put(big32: blockLength)
    }

    /// Thirty-two bytes: no protection, no provisioning.
    package func write16(to writer: inout ParameterWriter) {
        writer.put(big64: blocks &- 1)
        writer.put(big32: blockLength)
        writer.put(0)
        writer.put(physicalExponent & 0x0F)
        writer.zeros(upTo: 32)
    }
}
