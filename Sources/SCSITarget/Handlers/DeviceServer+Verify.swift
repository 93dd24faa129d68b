import BlockModel
import Primitives
import SAM
import SCSIFormats

// VERIFY (SBC-3 §5.31). BYTCHK 00b reads the range; 01b compares it with as much Data-Out, a parameter page at a time;
// 11b compares each block with one block of Data-Out, which stays in the parameter page.

extension DeviceServer {
    /// The byte of the CDB with DPO, FUA and BYTCHK.
    func flags(_ slot: Int) -> UInt8 { tasks[slot].cdb[commands[Int(tasks[slot].row)].flagsByte] }

    private func byteCheck(_ slot: Int) -> UInt8 { flags(slot) >> 1 & 3 }

    mutating func startVerify(_ slot: Int) {
        if byteCheck(slot) == 2 {
            fail(slot, .invalidField(inCDB: commands[Int(tasks[slot].row)].flagsByte, bit: 2))
            return
        }
        // One block of Data-Out for all has one reference tag: there is no such comparison with protection information.
        if byteCheck(slot) == 3, tasks[slot].protect != 0 {
            fail(slot, .invalidField(inCDB: commands[Int(tasks[slot].row)].flagsByte, bit: 2))
            return
        }
        guard takeRange(slot) else { return }
        if units[Int(tasks[slot].unit)].medium.contains(.marked) { endAtMark(slot) }
        let block = units[Int(tasks[slot].unit)].blockBytes
        let offered = offeredBytes(slot, tasks[slot].dataOutLength)
        switch byteCheck(slot) {
        case 1:
            tasks[slot].total = wireBytes(slot, tasks[slot].span)
            tasks[slot].limit = min(tasks[slot].span, offered)
            tasks[slot].span = tasks[slot].limit
            verifyReceive(slot)
        case 3 where tasks[slot].span > 0:
            tasks[slot].total = block
            tasks[slot].limit = min(block, offered)
            if offered == 0 { complete(slot, .good, total: block) } else { verifyReceive(slot) }
        default: verifyNext(slot)
        }
    }

    /// Asks for the next piece of Data-Out.
    private mutating func verifyReceive(_ slot: Int) {
        if tasks[slot].moved >= tasks[slot].limit { return verified(slot) }
        let piece = tasks[slot].protect == 0 ? PageSize.bytes : Self.pieceBlocks * 512
        let count = min(tasks[slot].limit - tasks[slot].moved, UInt32(piece))
        tasks[slot].chunk = BlockExtent(start: tasks[slot].sector + UInt64(tasks[slot].moved / 512), count: count / 512)
        tasks[slot].phase = .receiving
        letStateGo(slot)
        transport.append(
            .receiveDataOut(
                tasks[slot].handle,
                run: PageRun(parameter: Frames.parameter(slot), count: Int(wireBytes(slot, count))),
                bufferOffset: wireBytes(slot, tasks[slot].moved)))
    }

    /// A piece of Data-Out is here.
    mutating func verifyReceived(_ slot: Int) {
        if byteCheck(slot) == 1 {
            read(slot, tasks[slot].chunk, sequential: false)
        } else {
            verifyNext(slot)
        }
    }

    /// The next chunk of the range, where no more Data-Out is needed for it.
    private mutating func verifyNext(_ slot: Int) {
        if tasks[slot].moved >= tasks[slot].span {
            verified(slot)
        } else {
            read(slot, nextChunk(slot, bytes: tasks[slot].span - tasks[slot].moved), sequential: false)
        }
    }

    /// Everything was verified, up to the end or to a marked block.
    private mutating func verified(_ slot: Int) {
        if tasks[slot].meetsMark { failAtMark(slot) } else { complete(slot, .good, total: tasks[slot].total) }
    }

    /// Pages of a chunk: compared if there is something to compare with.
    mutating func verifyPages(_ slot: Int, _ run: PageRun) {
        let check = byteCheck(slot)
        let block = check == 3 ? Int(units[Int(tasks[slot].unit)].blockBytes) : PageSize.bytes
        let isInterleaved = check == 1 && tasks[slot].protect != 0
        let sense = isProtected(slot) ? verifyChecks(slot, run) : nil
        let same = check == 0
            || (isInterleaved ? equalsInterleaved(slot, run) : equals(run, slot, period: block))
        releasePages(slot)
        if let sense { return fail(slot, sense, total: wireBytes(slot, tasks[slot].moved)) }
        if !same {
            fail(slot, SenseData(.miscompare, .miscompareDuringVerify))
            return
        }
        tasks[slot].moved += tasks[slot].chunk.count * 512
        if check == 1 { verifyReceive(slot) } else { verifyNext(slot) }
    }

    /// Whether the chunk in `run` equals the parameter page, whose first `period` bytes repeat.
    private func equals(_ run: PageRun, _ slot: Int, period: Int) -> Bool {
        let expected = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let count = min(Int(run.count), Int(tasks[slot].chunk.count) * 512)
        var position = 0
        while position < count {
            let piece = run.piece(at: position, frames: frames, lists: lists)
            let within = position % period
            let length = min(piece.count, period - within)
            if !Self.equal(UnsafeRawPointer(piece.base), expected + within, length) { return false }
            position += length
        }
        return true
    }

    /// Whether two pieces of memory are the same; lengths are multiples of 512.
    static func equal(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
        var at = 0
        while at + 8 <= count {
            if a.little64(at) != b.little64(at) { return false }
            at += 8
        }
        return true
    }
}
