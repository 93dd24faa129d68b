import BlockModel
import Primitives
import SAM
import SCSIFormats

// Writes that are all-or-nothing: COMPARE AND WRITE (SBC-4 §5.3) and WRITE ATOMIC (SBC-4 §5.46). Each is one block
// operation, so that Memory can make it one group.

extension DeviceServer {
    /// MAXIMUM COMPARE AND WRITE LENGTH of a unit in logical blocks: both halves of the data fit one operation.
    func compareAndWriteBlocks(_ unit: Int) -> UInt32 {
        UInt32(DeviceServerLimits.compareAndWriteBytes) / units[unit].blockBytes
    }

    /// MAXIMUM ATOMIC TRANSFER LENGTH of a unit in logical blocks; 0 when it has no WRITE ATOMIC.
    func atomicBlocks(_ unit: Int) -> UInt32 { units[unit].profile.atomicBytes / units[unit].blockBytes }

    /// ORWRITE reads what it writes over.
    mutating func startOrWrite(_ slot: Int) {
        guard units[Int(tasks[slot].unit)].medium.contains(.marked) else { return startWrite(slot) }
        guard takeRange(slot) else { return }
        if let sense = markedBlock(slot) { fail(slot, sense) } else { startWrite(slot) }
    }

    mutating func startCompareAndWrite(_ slot: Int) {
        guard takeRange(slot) else { return }
        let unit = Int(tasks[slot].unit)
        let row = Int(tasks[slot].row)
        guard tasks[slot].span <= UInt32(DeviceServerLimits.compareAndWriteBytes) else {
            fail(slot, .invalidField(inCDB: commands[row].transferLengthByte))
            return
        }
        tasks[slot].total = wireBytes(slot, tasks[slot].span) * 2
        if tasks[slot].span == 0 {
            complete(slot, .good, total: 0)
            return
        }
        // With less or more data than two halves, what is compared and written is not what was meant.
        guard tasks[slot].dataOutLength == tasks[slot].total else {
            fail(slot, .invalidField(inCDB: commands[row].transferLengthByte), total: tasks[slot].total)
            return
        }
        if let sense = markedBlock(slot) { return fail(slot, sense, total: 0) }
        counters.writes &+= 1
        tasks[slot].chunk = BlockExtent(start: tasks[slot].sector, count: tasks[slot].span / 512)
        if isProtected(slot) { return read(slot, tasks[slot].chunk, sequential: false) }
        tasks[slot].phase = .preparing
        blocks.append(.prepareWrite(tasks[slot].token, units[unit].index, tasks[slot].chunk, scratch: true))
    }

    /// Fresh pages: the first half of the Data-Out, to be compared, goes to the scratch pages.
    mutating func receiveCompareData(_ slot: Int, _ run: PageRun) {
        tasks[slot].received = run
        tasks[slot].received.count = tasks[slot].span
        if tasks[slot].protect != 0 { return receiveInterleaved(slot, tasks[slot].received) }
        tasks[slot].phase = .receiving
        letStateGo(slot)
        transport.append(.receiveDataOut(tasks[slot].handle, run: scratch(slot), bufferOffset: 0))
    }

    /// A half of the Data-Out is here: the second is asked for, or everything is committed.
    mutating func compareDataReceived(_ slot: Int) {
        if tasks[slot].final {
            resume(slot, .commit)
            return
        }
        tasks[slot].final = true
        transport.append(.receiveDataOut(
            tasks[slot].handle, run: tasks[slot].received, bufferOffset: tasks[slot].span))
    }

    /// MAXIMUM ATOMIC TRANSFER LENGTH WITH ATOMIC BOUNDARY: TRANSFER LENGTH has two bytes, and whole pages fit it.
    func atomicBlocksWithBoundary(_ unit: Int) -> UInt32 {
        if units[unit].profile.atomicBytes == 0 { return 0 }
        let page = UInt32(PageSize.bytes) / units[unit].blockBytes
        return min(0xFFFF, UInt32(DeviceServerLimits.transferBytes) / units[unit].blockBytes) / page * page
    }

    /// WRITE ATOMIC: the limits, the alignment and the granularity of the Block Limits page are checked. Without an
    /// ATOMIC BOUNDARY all of it is one write that is all-or-nothing; with one, each part between multiples of it is.
    mutating func startAtomicWrite(_ slot: Int) {
        guard takeRange(slot) else { return }
        let unit = Int(tasks[slot].unit)
        let row = Int(tasks[slot].row)
        let page = UInt32(PageSize.bytes)
        let boundary = atomicBoundary(slot)
        guard boundary <= units[unit].profile.atomicBytes, boundary % page == 0 else {
            return fail(slot, .invalidField(inCDB: 10))
        }
        let limit =
            boundary == 0
            ? units[unit].profile.atomicBytes : atomicBlocksWithBoundary(unit) * units[unit].blockBytes
        guard tasks[slot].span <= limit, tasks[slot].span % page == 0 else {
            return fail(slot, .invalidField(inCDB: commands[row].transferLengthByte))
        }
        guard tasks[slot].sector % UInt64(PageSize.sectors) == 0 || tasks[slot].span == 0 else {
            return fail(slot, .invalidField(inCDB: 2))
        }
        tasks[slot].total = wireBytes(slot, tasks[slot].span)
        tasks[slot].limit = tasks[slot].span
        // A part of the data cannot be all.
        guard tasks[slot].dataOutLength >= tasks[slot].total else {
            return fail(slot, .invalidField(inCDB: commands[row].transferLengthByte), total: tasks[slot].total)
        }
        counters.writes &+= 1
        writeNext(slot)
    }

    /// ATOMIC BOUNDARY of the command in bytes.
    private func atomicBoundary(_ slot: Int) -> UInt32 {
        UInt32(tasks[slot].cdb.big16(10)) * units[Int(tasks[slot].unit)].blockBytes
    }

    /// How much of a chunk lies before the next multiple of the boundary.
    func cutAtBoundary(_ slot: Int, _ chunk: BlockExtent) -> BlockExtent {
        let boundary = UInt64(atomicBoundary(slot) / 512)
        if boundary == 0 { return chunk }
        let left = boundary - chunk.start % boundary
        return BlockExtent(start: chunk.start, count: UInt32(min(UInt64(chunk.count), left)))
    }
}
