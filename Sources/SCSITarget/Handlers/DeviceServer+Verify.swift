import BlockModel
import Primitives
import SAM
import SCSIFormats

// VERIFY (SBC-3 §5.31). BYTCHK 00b reads the range from the medium, whatever the memories have of it; 01b compares it
// with as much Data-Out, a parameter page at a time; 11b compares each block with one block of Data-Out, which stays in
// the parameter page.

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
        } else if byteCheck(slot) == 0 {
            let left = tasks[slot].span - tasks[slot].moved
            verifyMedium(slot, nextChunk(slot, bytes: left))
        } else {
            read(slot, nextChunk(slot, bytes: tasks[slot].span - tasks[slot].moved), sequential: false)
        }
    }

    /// Everything was verified, up to the end or to a marked block.
    private mutating func verified(_ slot: Int) {
        if tasks[slot].meetsMark { failAtMark(slot) } else { complete(slot, .good, total: tasks[slot].total) }
    }

    /// Has a chunk, or the first page of it, read from the device.
    mutating func verifyMedium(_ slot: Int, _ chunk: BlockExtent) {
        tasks[slot].chunk = chunk
        if tasks[slot].isNarrowing {
            let left = UInt64(PageSize.sectors) - chunk.start % UInt64(PageSize.sectors)
            tasks[slot].chunk.count = UInt32(min(UInt64(chunk.count), left))
        }
        tasks[slot].phase = .verifying
        blocks.append(
            .verify(tasks[slot].token, units[Int(tasks[slot].unit)].index, tasks[slot].chunk))
    }

    /// The device could read the chunk that was written, or the next page of it where it could not read all at once.
    private mutating func writtenVerified(_ slot: Int) {
        let start = tasks[slot].sector + UInt64(tasks[slot].moved / 512)
        let whole = BlockExtent(start: start, count: UInt32(tasks[slot].received.count) / 512)
        let done = tasks[slot].chunk.end
        if done < whole.end {
            verifyMedium(slot, BlockExtent(start: done, count: UInt32(whole.end - done)))
        } else {
            tasks[slot].isNarrowing = false
            tasks[slot].chunk = whole
            chunkWritten(slot)
        }
    }

    /// The device has the chunk, or cannot read it. Where it cannot is found out before the command fails.
    mutating func mediumVerified(_ slot: Int, _ fault: BlockFault?) {
        let isWrite = commands[Int(tasks[slot].row)].handler == .medium(.writeAndVerify)
        if let fault {
            if fault == .unreadable, tasks[slot].chunk.pageCount > 1 {
                tasks[slot].isNarrowing = true
                return verifyMedium(slot, tasks[slot].chunk)
            }
            if fault == .unreadable, faultSector == nil { faultSector = tasks[slot].chunk.start }
            fail(slot, fault, total: wireBytes(slot, tasks[slot].moved))
            faultSector = nil
        } else if isWrite {
            writtenVerified(slot)
        } else if isProtected(slot) {
            // Its protection information is checked as well.
            read(slot, tasks[slot].chunk, sequential: false)
        } else {
            tasks[slot].moved += tasks[slot].chunk.count * 512
            verifyNext(slot)
        }
    }

    /// Pages of a chunk: compared if there is something to compare with.
    mutating func verifyPages(_ slot: Int, _ run: PageRun) {
        let check = byteCheck(slot)
        let block = check == 3 ? Int(units[Int(tasks[slot].unit)].blockBytes) : PageSize.bytes
        let isInterleaved = check == 1 && tasks[slot].protect != 0
        let sense = isProtected(slot) ? verifyChecks(slot, run) : nil
        let difference: Int? =
            check == 0 ? nil : isInterleaved ? differenceInterleaved(slot, run) : difference(run, slot, period: block)
        releasePages(slot)
        if let sense { return fail(slot, sense, total: wireBytes(slot, tasks[slot].moved)) }
        if let difference {
            miscompare(slot, at: difference)
            return
        }
        tasks[slot].moved += tasks[slot].chunk.count * 512
        if check == 1 { verifyReceive(slot) } else { verifyNext(slot) }
    }

    /// MISCOMPARE at a byte of the chunk: INFORMATION has its logical block (SPC-4 §4.5.2.2).
    mutating func miscompare(_ slot: Int, at offset: Int) {
        let sector = tasks[slot].chunk.start + UInt64(offset / 512)
        let block = sector >> units[Int(tasks[slot].unit)].blockShift
        fail(slot, SenseData(.miscompare, .miscompareDuringVerify, information: block))
    }

    /// A byte of the first block in which the chunk in `run` differs from the parameter page, whose first `period`
    /// bytes repeat.
    private func difference(_ run: PageRun, _ slot: Int, period: Int) -> Int? {
        let expected = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let count = min(Int(run.count), Int(tasks[slot].chunk.count) * 512)
        var position = 0
        while position < count {
            let piece = run.piece(at: position, frames: frames, lists: lists)
            let within = position % period
            let length = min(piece.count, period - within)
            if let at = Self.difference(UnsafeRawPointer(piece.base), expected + within, length) {
                return position + at
            }
            position += length
        }
        return nil
    }

    /// The first eight bytes in which two pieces of memory differ; lengths are multiples of 512.
    static func difference(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Int? {
        var at = 0
        while at + 8 <= count {
            if a.little64(at) != b.little64(at) { return at }
            at += 8
        }
        return nil
    }
}
