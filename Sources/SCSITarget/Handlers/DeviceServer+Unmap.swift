import BlockModel
import Primitives
import SAM
import SCSIFormats

// UNMAP (SBC-4 §5.35) and GET LBA STATUS (SBC-4 §5.7). LBPRZ is one: what was unmapped reads as zeros. Whole pages
// are discarded; blocks that share a page with others are written with zeros, so that the promise holds for each.

extension DeviceServer {
    /// MAXIMUM UNMAP LBA COUNT of a unit: all descriptors of one command together.
    func unmapBlocks(_ unit: Int) -> UInt64 { UInt64(DeviceServerLimits.unmapBytes) / UInt64(units[unit].blockBytes) }

    func descriptorCount(_ slot: Int) -> Int {
        Int(UnsafeRawPointer(frames.pointer(Frames.parameter(slot))).big16(2)) / 16
    }

    /// Block descriptor `index` of the list in the parameter page.
    func descriptor(_ slot: Int, _ index: Int) -> (address: UInt64, blocks: UInt64) {
        let base = UnsafeRawPointer(frames.pointer(Frames.parameter(slot))) + (8 + index * 16)
        return (base.big64(0), UInt64(base.big32(8)))
    }

    /// The parameter list is here: everything is checked before anything is unmapped.
    mutating func unmapListReceived(_ slot: Int) {
        if let sense = writeProtection(slot) ?? checkUnmapList(slot) {
            fail(slot, sense, total: tasks[slot].limit)
            return
        }
        nextDescriptor(slot)
    }

    private func checkUnmapList(_ slot: Int) -> SenseData? {
        let list = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let length = Int(tasks[slot].limit)
        let unit = Int(tasks[slot].unit)
        guard length >= 8, Int(list.big16(0)) + 2 <= length else {
            return SenseData(.illegalRequest, .parameterListLengthError)
        }
        guard Int(list.big16(2)) + 6 <= Int(list.big16(0)) else { return .invalidField(inList: 2) }
        guard descriptorCount(slot) <= DeviceServerLimits.unmapDescriptors else { return .invalidField(inList: 2) }
        var sum: UInt64 = 0
        for index in 0..<descriptorCount(slot) {
            let (address, blocks) = descriptor(slot, index)
            guard address <= units[unit].blocks, blocks <= units[unit].blocks - address else {
                return SenseData(.illegalRequest, .logicalBlockAddressOutOfRange)
            }
            sum += blocks
            guard sum <= unmapBlocks(unit) else { return .invalidField(inList: 8 + index * 16 + 8) }
        }
        return nil
    }

    /// Goes on with the next descriptor that names blocks, or ends.
    private mutating func nextDescriptor(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        while Int(tasks[slot].descriptor) < descriptorCount(slot) {
            let (address, blocks) = descriptor(slot, Int(tasks[slot].descriptor))
            tasks[slot].descriptor += 1
            if blocks == 0 { continue }
            tasks[slot].sector = address << units[unit].blockShift
            tasks[slot].span = UInt32(truncatingIfNeeded: blocks * UInt64(units[unit].blockBytes))
            tasks[slot].moved = 0
            clearNext(slot)
            return
        }
        finishWriting(slot)
    }

    /// The next piece of the range: whole pages are discarded, up to `discardBytes` at a time, parts are written.
    mutating func clearNext(_ slot: Int) {
        let left = tasks[slot].span - tasks[slot].moved
        if left == 0 {
            if tasks[slot].clears { finishWriting(slot) } else { nextDescriptor(slot) }
            return
        }
        let index = units[Int(tasks[slot].unit)].index
        let start = tasks[slot].sector + UInt64(tasks[slot].moved / 512)
        let within = UInt32(start % UInt64(PageSize.sectors))
        if within != 0 || left < UInt32(PageSize.bytes) {
            tasks[slot].chunk = BlockExtent(start: start, count: min(UInt32(PageSize.sectors) - within, left / 512))
            tasks[slot].phase = .preparing
            blocks.append(.prepareWrite(tasks[slot].token, index, tasks[slot].chunk, scratch: false))
            return
        }
        // Ends on a multiple of the largest piece, so that the pieces keep to the granules below.
        let largest = UInt64(DeviceServerLimits.discardBytes / 512)
        let most = min(UInt64(left / UInt32(PageSize.bytes) * UInt32(PageSize.sectors)), largest - start % largest)
        tasks[slot].chunk = BlockExtent(start: start, count: UInt32(most))
        tasks[slot].phase = .discarding
        blocks.append(.discard(tasks[slot].token, index, tasks[slot].chunk))
    }

    // MARK: GET LBA STATUS

    mutating func startLBAStatus(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        let address = tasks[slot].cdb.big64(2)
        guard address < units[unit].blocks else {
            fail(slot, SenseData(.illegalRequest, .logicalBlockAddressOutOfRange))
            return
        }
        tasks[slot].sector = address << units[unit].blockShift
        if units[unit].profile.thin {
            tasks[slot].phase = .querying
            // As far as one answer reaches; what lies behind it is another command's question.
            let left = min(units[unit].sectors - tasks[slot].sector, UInt64(DeviceServerLimits.queryBytes / 512))
            blocks.append(.provisioning(
                tasks[slot].token, units[unit].index, BlockExtent(start: tasks[slot].sector, count: UInt32(left))))
            return
        }
        var list = LBAStatusList(address: address)
        list.append(blocks: units[unit].blocks - address, mapped: true)
        send(slot, list)
    }

    /// Memory's answer is in the parameter page.
    mutating func sendLBAStatus(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        let raw = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        var list = LBAStatusList(address: tasks[slot].sector >> units[unit].blockShift)
        for index in 0..<min(Int(raw.little64(0)), (PageSize.bytes - 8) / 16) {
            let length = raw.little64(16 + index * 16)
            list.append(blocks: (length & ~(1 << 63)) >> units[unit].blockShift, mapped: length >> 63 == 1)
        }
        send(slot, list)
    }

    private mutating func send(_ slot: Int, _ list: LBAStatusList) {
        let page = frames.pointer(Frames.parameter(slot))
        page.initializeMemory(as: UInt8.self, repeating: 0, count: PageSize.bytes)
        var writer = ParameterWriter(base: page, window: 0, capacity: PageSize.bytes)
        list.write(to: &writer)
        sendParameters(slot, length: writer.count)
    }
}
