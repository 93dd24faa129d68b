/// READ CAPACITY parameter data (SBC-3 §5.15, §5.16).
package struct CapacityData: Sendable {
    /// Logical blocks of the unit, at least one.
    package var blocks: UInt64
    /// Bytes in one.
    package var blockLength: UInt32
    /// LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT.
    package var physicalExponent: UInt8
    /// LBPME: logical block provisioning management; LBPRZ goes with it: what is not mapped reads as zeros.
    package var thin: Bool
    /// Type of protection information; 0: none.
    package var protectionType: UInt8

    package init(
        blocks: UInt64, blockLength: UInt32, physicalExponent: UInt8, thin: Bool, protectionType: UInt8
    ) {
        self.blocks = blocks
        self.blockLength = blockLength
        self.physicalExponent = physicalExponent
        self.thin = thin
        self.protectionType = protectionType
    }

    /// Eight bytes; FFFFFFFFh sends the initiator to READ CAPACITY (16).
    package func write10(to writer: inout ParameterWriter) {
        writer.put(big32: UInt32(clamping: blocks &- 1))
        writer.put(big32: blockLength)
    }

    /// Thirty-two bytes.
    package func write16(to writer: inout ParameterWriter) {
        writer.put(big64: blocks &- 1)
        writer.put(big32: blockLength)
        // P_TYPE, PROT_EN.
        writer.put(protectionType == 0 ? 0 : ((protectionType - 1) & 7) << 1 | 1)
        writer.put(physicalExponent & 0x0F)
        // LBPME, LBPRZ; the lowest aligned block is block 0.
        writer.put(big16: thin ? 0xC000 : 0)
        writer.zeros(upTo: 32)
    }
}
