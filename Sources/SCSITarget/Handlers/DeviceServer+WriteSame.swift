import BlockModel
import Primitives
import SAM
import SCSIFormats

// WRITE SAME (SBC-4 §5.52): one block of Data-Out, or zeros with NDOB, goes to every block of the range.

extension DeviceServer {
    /// MAXIMUM WRITE SAME LENGTH of a unit in logical blocks.
    func writeSameBlocks(_ unit: Int) -> UInt64 {
        UInt64(DeviceServerLimits.writeSameBytes) / UInt64(units[unit].blockBytes)
    }

    /// NDOB: there is no Data-Out. WRITE SAME (10) has no such bit.
    func hasNoData(_ slot: Int) -> Bool {
        commands[Int(tasks[slot].row)].length >= 16 && flags(slot) & 0x01 != 0
    }

    /// UNMAP.
    private func wantsUnmap(_ slot: Int) -> Bool { flags(slot) & 0x08 != 0 }

    mutating func startWriteSame(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        let row = Int(tasks[slot].row)
        if wantsUnmap(slot), !units[unit].profile.thin {
            fail(slot, .invalidField(inCDB: commands[row].flagsByte, bit: 3))
            return
        }
        guard let (address, count) = namedRange(slot) else { return }
        // No blocks means all from the address on.
        let blocks = count == 0 ? units[unit].blocks - address : UInt64(count)
        guard blocks <= writeSameBlocks(unit) else {
            fail(slot, .invalidField(inCDB: commands[row].transferLengthByte))
            return
        }
        tasks[slot].sector = address << units[unit].blockShift
        tasks[slot].span = UInt32(blocks * UInt64(units[unit].blockBytes))
        counters.writes &+= 1
        let page = frames.pointer(Frames.parameter(slot))
        let block = wireBytes(slot, units[unit].blockBytes)
        if hasNoData(slot) {
            page.initializeMemory(as: UInt8.self, repeating: 0, count: Int(block))
            beginSame(slot)
            return
        }
        tasks[slot].total = block
        guard tasks[slot].dataOutLength == block else {
            fail(slot, .invalidField(inCDB: commands[row].transferLengthByte), total: block)
            return
        }
        tasks[slot].phase = .receiving
        letStateGo(slot)
        transport.append(.receiveDataOut(
            tasks[slot].handle, run: PageRun(parameter: Frames.parameter(slot), count: Int(block)), bufferOffset: 0))
    }

    /// The block is here, and so is the state pointer.
    mutating func patternReceived(_ slot: Int) {
        if let sense = writeProtection(slot) {
            fail(slot, sense, total: tasks[slot].total)
            return
        }
        if isProtected(slot), let sense = checkPattern(slot) {
            fail(slot, sense, total: tasks[slot].total)
            return
        }
        beginSame(slot)
    }

    /// UNMAP with a block of zeros: what can be unmapped is, the rest is written (SBC-4 §5.52, table 144).
    private mutating func beginSame(_ slot: Int) {
        let block = Int(units[Int(tasks[slot].unit)].blockBytes)
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        // Protection information that came must be that of unmapped blocks.
        let isUnwritten = tasks[slot].protect == 0 || hasNoData(slot) || page.little64(512) == .max
        tasks[slot].clears = wantsUnmap(slot) && isUnwritten
            && stride(from: 0, to: block, by: 8).allSatisfy { page.little64($0) == 0 }
        if tasks[slot].clears { clearNext(slot) } else { sameNext(slot) }
    }

    /// The next chunk of the range, or the end.
    mutating func sameNext(_ slot: Int) {
        if tasks[slot].moved >= tasks[slot].span { return finishWriting(slot) }
        tasks[slot].chunk = nextChunk(slot, bytes: tasks[slot].span - tasks[slot].moved)
        tasks[slot].phase = .preparing
        let index = units[Int(tasks[slot].unit)].index
        blocks.append(.prepareWrite(tasks[slot].token, index, tasks[slot].chunk, scratch: false))
    }

    /// Fresh pages for a chunk of WRITE SAME or UNMAP: they are filled here, with the one block that is for all of
    /// them, or with zeros.
    mutating func fillPages(_ slot: Int, _ run: PageRun, with pattern: UnsafeRawPointer?) {
        let block = Int(units[Int(tasks[slot].unit)].blockBytes)
        let count = Int(tasks[slot].chunk.count) * 512
        var position = 0
        while position < count {
            let piece = run.piece(at: position, frames: frames, lists: lists)
            let within = position % block
            let length = min(piece.count, block - within, count - position)
            if let pattern {
                piece.base.copyMemory(from: pattern + within, byteCount: length)
            } else {
                piece.base.initializeMemory(as: UInt8.self, repeating: 0, count: length)
            }
            position += length
        }
        if isProtected(slot) { fillTuples(slot, run, with: pattern) }
        commit(slot)
    }
}
