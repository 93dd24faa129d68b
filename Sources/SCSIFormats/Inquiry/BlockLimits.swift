/// The Block Limits VPD page (SBC-4 §6.6.4), in logical blocks: what a unit can do at most. A zero says that there is
/// no such command, or no such limit.
package struct BlockLimits: Sendable {
    /// WSNZ: WRITE SAME of zero blocks is refused.
    package var writeSameNeedsCount = false
    /// MAXIMUM COMPARE AND WRITE LENGTH.
    package var compareAndWrite: UInt8 = 0
    /// OPTIMAL TRANSFER LENGTH GRANULARITY.
    package var granularity: UInt16
    package var maximumTransfer: UInt32
    package var optimalTransfer: UInt32
    package var maximumPrefetch: UInt32
    /// MAXIMUM UNMAP LBA COUNT and MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT.
    package var unmapBlocks: UInt32 = 0
    package var unmapDescriptors: UInt32 = 0
    package var unmapGranularity: UInt32 = 0
    /// UNMAP GRANULARITY ALIGNMENT; nil: not valid.
    package var unmapAlignment: UInt32?
    package var writeSameBlocks: UInt64 = 0
    /// MAXIMUM ATOMIC TRANSFER LENGTH, ATOMIC ALIGNMENT, ATOMIC TRANSFER LENGTH GRANULARITY, and the two of transfers
    /// with a boundary.
    package var atomicBlocks: UInt32 = 0
    package var atomicAlignment: UInt32 = 0
    package var atomicGranularity: UInt32 = 0
    package var atomicBlocksWithBoundary: UInt32 = 0
    package var atomicBoundary: UInt32 = 0

    package init(granularity: UInt16, maximumTransfer: UInt32, optimalTransfer: UInt32, maximumPrefetch: UInt32) {
        self.granularity = granularity
        self.maximumTransfer = maximumTransfer
        self.optimalTransfer = optimalTransfer
        self.maximumPrefetch = maximumPrefetch
    }

    /// Appends the page; SBC-2's form (`legacy`) ends behind the optimal transfer length.
    package func write(legacy: Bool, to writer: inout ParameterWriter) {
        VitalProductData.head(.blockLimits, .directAccess, &writer)
        writer.put(!legacy && writeSameNeedsCount ? 1 : 0)
        writer.put(legacy ? 0 : compareAndWrite)
        writer.put(big16: granularity)
        writer.put(big32: maximumTransfer)
        writer.put(big32: optimalTransfer)
        if !legacy {
            writer.put(big32: maximumPrefetch)
            writer.put(big32: unmapBlocks)
            writer.put(big32: unmapDescriptors)
            writer.put(big32: unmapGranularity)
            writer.put(big32: unmapAlignment.map { 0x8000_0000 | $0 } ?? 0)
            writer.put(big64: writeSameBlocks)
            for value in [
                atomicBlocks, atomicAlignment, atomicGranularity, atomicBlocksWithBoundary, atomicBoundary,
            ] { writer.put(big32: value) }
        }
        VitalProductData.close(writer)
    }
}
