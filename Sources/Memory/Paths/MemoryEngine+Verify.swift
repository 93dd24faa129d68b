import BlockModel
import Primitives

// Verification of the medium (SBC-3 §5.31): the extent is read from the device, whatever the frames hold. Nobody looks
// at the data, so that every page of it goes to the same memory, and no frame is needed.
extension MemoryEngine {
    /// The extent is on the device: reads it there.
    mutating func readBack(_ id: Int) {
        let op = operations + id
        guard transfers.capacity - transfers.count > 8, let transfer = transfers.take() else {
            waitingForClean.append(UInt32(id))
            return
        }
        let map = units + Int(op.pointee.unit.raw)
        transfers[transfer] = Transfer(
            kind: .verify, device: map.pointee.device, unit: op.pointee.unit, firstPage: op.pointee.firstPage, count: 0,
            operation: UInt32(id))
        op.pointee.phase = .device
        let slices = transferSlices + transfer * PageSize.operationPages
        var left = Int(op.pointee.extent.count) * 512
        var count = 0
        while left > 0 {
            slices[count] = ByteSlice(base: frames.pointer(Frames.parameter(id)), count: min(left, PageSize.bytes))
            left -= min(left, PageSize.bytes)
            count += 1
        }
        effects.append(
            .storage(
                StorageRequest(
                    kind: .read, id: UInt32(transfer), device: map.pointee.device,
                    offset: map.pointee.dataOffset + op.pointee.extent.start * 512,
                    count: op.pointee.extent.count * 512, slices: slices, sliceCount: UInt32(count))))
    }

    /// The device has read it, or cannot.
    mutating func readBackEnded(_ job: Transfer, fault: BlockFault?) {
        operations[Int(job.operation)].fault = fault
        finishSynchronize(Int(job.operation))
    }
}
