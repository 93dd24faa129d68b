/// GET LBA STATUS parameter data (SBC-4 §5.7.2): runs of blocks with one provisioning status.
package struct LBAStatusList: Sendable {
    private var runs: [(address: UInt64, blocks: UInt64, mapped: Bool)] = []
    private var next: UInt64
    /// The most descriptors in one answer.
    package static var limit: Int { 255 }

    /// - Parameter address: the first block of the first descriptor.
    package init(address: UInt64) { next = address }

    /// Adds the status of the blocks behind those already there; runs of one status become one.
    package mutating func append(blocks: UInt64, mapped: Bool) {
        if blocks == 0 { return }
        if let last = runs.last, last.mapped == mapped {
            runs[runs.count - 1].blocks += blocks
        } else {
            runs.append((next, blocks, mapped))
        }
        next += blocks
    }

    /// Appends the parameter data; a run longer than a descriptor can say is told in part.
    package func write(to writer: inout ParameterWriter) {
        writer.put(big32: 0)
        writer.put(big32: 0)
        for run in runs.prefix(Self.limit) {
            writer.put(big64: run.address)
            writer.put(big32: UInt32(clamping: run.blocks))
            // PROVISIONING STATUS: 0h mapped, 1h deallocated.
            writer.put(run.mapped ? 0 : 1)
            writer.put(big24: 0)
            if run.blocks > UInt64(UInt32.max) { break }
        }
        writer.patch(big32: UInt32(writer.count - 4), at: 0)
    }
}
