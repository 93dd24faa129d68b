import BlockModel
import Primitives
import SAM
import SCSIFormats

// WRITE, WRITE AND VERIFY and SYNCHRONIZE CACHE.

extension DeviceServer {
    /// Only whole blocks that the initiator offers are written; the CDB's length is the total all the same.
    mutating func startWrite(_ slot: Int) {
        guard takeRange(slot) else { return }
        counters.writes &+= 1
        if countsAsWrite(slot) { countStart(slot, as: .write) }
        tasks[slot].total = wireBytes(slot, tasks[slot].span)
        tasks[slot].limit = min(tasks[slot].span, offeredBytes(slot, tasks[slot].dataOutLength))
        writeNext(slot)
    }

    /// Whether the statistics count it (SPC-4 §7.3.6.1): WRITE and WRITE AND VERIFY of ten bytes and more.
    private func countsAsWrite(_ slot: Int) -> Bool {
        let row = Int(tasks[slot].row)
        let isWrite = commands[row].handler == .medium(.write) || commands[row].handler == .medium(.writeAndVerify)
        return isWrite && commands[row].length > 6
    }

    mutating func writeNext(_ slot: Int) {
        let task = tasks.pointer(slot)
        if task.pointee.moved >= task.pointee.limit { return finishWriting(slot) }
        var chunk = nextChunk(slot, bytes: task.pointee.limit - task.pointee.moved)
        if commands[Int(task.pointee.row)].traits.contains(.atomic) { chunk = cutAtBoundary(slot, chunk) }
        task.pointee.chunk = chunk
        // What an ORWRITE combines is checked first.
        if isProtected(slot), commands[Int(task.pointee.row)].handler == .medium(.orWrite) {
            return read(slot, chunk, sequential: false)
        }
        task.pointee.phase = .preparing
        blocks.append(
            .prepareWrite(
                task.pointee.token, units.pointer(Int(task.pointee.unit)).pointee.index, chunk, scratch: false))
    }

    /// The present blocks of a chunk of ORWRITE or COMPARE AND WRITE, on a unit with protection information.
    mutating func mediumRead(_ slot: Int, _ run: PageRun) {
        let sense = checkMedium(slot, run)
        releasePages(slot)
        if let sense { return fail(slot, sense, total: wireBytes(slot, tasks[slot].moved)) }
        tasks[slot].phase = .preparing
        let isCompared = commands[Int(tasks[slot].row)].handler == .medium(.compareAndWrite)
        let index = units[Int(tasks[slot].unit)].index
        blocks.append(.prepareWrite(tasks[slot].token, index, tasks[slot].chunk, scratch: isCompared))
    }

    /// Fresh pages for the chunk: the host's data go there, and meanwhile the command relies on nothing.
    mutating func receivePages(_ slot: Int, _ run: PageRun) {
        var piece = run
        piece.count = min(run.count, tasks[slot].chunk.count * 512)
        if tasks[slot].protect != 0 { return receiveInterleaved(slot, piece) }
        tasks[slot].received = piece
        tasks[slot].phase = .receiving
        letStateGo(slot)
        transport.append(.receiveDataOut(tasks[slot].handle, run: piece, bufferOffset: tasks[slot].moved))
    }

    /// The chunk's data are here, and so is the state pointer: mode parameters may have changed since the start.
    mutating func commit(_ slot: Int) {
        if let sense = writeProtection(slot) {
            fail(slot, sense, total: tasks[slot].moved)
            return
        }
        if isProtected(slot), !fillsPages(slot), let sense = protectWrite(slot) {
            fail(slot, sense, total: wireBytes(slot, tasks[slot].moved))
            return
        }
        // From the commit on, the pages are Memory's: what came is remembered by the checksums of its blocks.
        if comparesBack(slot) { noteChecksums(slot) }
        tasks[slot].phase = .committing
        blocks.append(.commitWrite(tasks[slot].token, options(slot)))
    }

    /// No host data are in the command's pages.
    private func fillsPages(_ slot: Int) -> Bool {
        let handler = commands[Int(tasks[slot].row)].handler
        return handler == .medium(.writeSame) || handler == .dataOut(.unmap)
    }

    /// How Memory is to commit the command's pages.
    private func options(_ slot: Int) -> CommitOptions {
        let durable = isDurable(slot)
        return switch commands[Int(tasks[slot].row)].handler {
        case .medium(.orWrite): CommitOptions(durable: durable, mode: .or)
        case .medium(.compareAndWrite): CommitOptions(durable: durable, mode: .compare, isAtomic: true)
        case .medium(.writeAtomic): CommitOptions(durable: durable, isAtomic: true)
        case .medium, .dataIn, .dataOut, .plain: CommitOptions(durable: durable)
        }
    }

    /// GOOD must mean that the device has it: FUA, write cache disabled, or a medium that is verified next.
    private func isDurable(_ slot: Int) -> Bool {
        let row = Int(tasks[slot].row)
        if !units[Int(tasks[slot].unit)].flags.contains(.writeCacheEnabled) { return true }
        if commands[row].handler == .medium(.writeAndVerify) { return true }
        if commands[row].handler == .medium(.writeLong) { return true }
        if commands[row].handler == .medium(.writeSame) { return false }
        return commands[row].length > 6 && tasks[slot].cdb[commands[row].flagsByte] & 0x08 != 0
    }

    /// `commitWrite` succeeded.
    mutating func committed(_ slot: Int) {
        counters.writtenBytes &+= UInt64(tasks[slot].chunk.count) * 512
        if tasks[slot].counted == .write {
            let shift = units.pointer(Int(tasks[slot].unit)).pointee.blockShift
            countBlocks(slot, UInt64(tasks[slot].chunk.count) >> shift)
        }
        if commands[Int(tasks[slot].row)].handler == .medium(.writeAndVerify) {
            if comparesBack(slot) {
                read(slot, tasks[slot].chunk, sequential: false)
            } else {
                verifyMedium(slot, tasks[slot].chunk)
            }
        } else {
            chunkWritten(slot)
        }
    }

    /// BYTCHK of WRITE AND VERIFY (SBC-3 §5.41): what was written is compared with what is read back.
    private func comparesBack(_ slot: Int) -> Bool {
        commands[Int(tasks[slot].row)].handler == .medium(.writeAndVerify) && flags(slot) & 0x02 != 0
    }

    /// Pages of a chunk that WRITE AND VERIFY wrote and read back.
    mutating func verifyWritten(_ slot: Int, _ run: PageRun) {
        var piece = run
        piece.count = min(run.count, tasks[slot].chunk.count * 512)
        let wrong = comparesBack(slot) ? wrongBlock(slot, piece) : nil
        let sense = isProtected(slot) ? checkMedium(slot, piece) : nil
        releasePages(slot)
        if let sense { return fail(slot, sense, total: wireBytes(slot, tasks[slot].moved)) }
        if let wrong { miscompare(slot, at: wrong) } else { chunkWritten(slot) }
    }

    /// Puts the CRC32C of each block of the chunk into the parameter page: at most 512 of 4 bytes.
    private func noteChecksums(_ slot: Int) {
        let page = frames.pointer(Frames.parameter(slot))
        forEachBlock(slot, tasks[slot].received) { index, checksum in
            page.put(little32: checksum, index * 4)
            return true
        }
    }

    /// Where the first block of the chunk begins that does not have its checksum; nil: all have.
    private func wrongBlock(_ slot: Int, _ run: PageRun) -> Int? {
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        var wrong: Int?
        forEachBlock(slot, run) { index, checksum in
            if page.little32(index * 4) == checksum { return true }
            wrong = index * Int(units[Int(tasks[slot].unit)].blockBytes)
            return false
        }
        return wrong
    }

    /// Calls `body` with the number and the CRC32C, raw, of each block in a run, until it answers false.
    private func forEachBlock(_ slot: Int, _ run: PageRun, _ body: (Int, UInt32) -> Bool) {
        let block = Int(units[Int(tasks[slot].unit)].blockBytes)
        for index in 0..<Int(run.count) / block {
            let piece = run.piece(at: index * block, frames: frames, lists: lists)
            if !body(index, Checksum.extend(~0, UnsafeRawPointer(piece.base), min(block, piece.count))) { return }
        }
    }

    /// The chunk is done.
    mutating func chunkWritten(_ slot: Int) {
        tasks[slot].moved += tasks[slot].chunk.count * 512
        if hasThresholds { roomChanged(by: Int(tasks[slot].nexus)) }
        switch commands[Int(tasks[slot].row)].handler {
        case .medium(.compareAndWrite): finishWriting(slot)
        case .medium(.writeSame) where !tasks[slot].clears: sameNext(slot)
        case .medium(.writeSame), .dataOut(.unmap): clearNext(slot)
        case .medium, .dataIn, .dataOut, .plain: writeNext(slot)
        }
    }

    /// SYNCHRONIZE CACHE (SBC-3 §5.26). IMMED asks for an earlier answer; GOOD always means that all is on the device.
    mutating func startSynchronize(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        guard let (address, count) = namedRange(slot) else { return }
        // A range too long for an extent is synchronized to the unit's end.
        let sectors = UInt64(count) << units[unit].blockShift
        let extent = BlockExtent(
            start: address << units[unit].blockShift, count: sectors > UInt64(UInt32.max) ? 0 : UInt32(sectors))
        tasks[slot].phase = .synchronizing
        blocks.append(.synchronize(tasks[slot].token, units[unit].index, extent))
    }

    /// `synchronize` succeeded.
    mutating func synchronized(_ slot: Int) {
        if commands[Int(tasks[slot].row)].handler == .plain(.startStopUnit) {
            changeState(slot)
        } else {
            complete(slot, .good, total: 0)
        }
    }
}
