import BlockModel
import Primitives
import SAM
import SCSIFormats

// READ and PRE-FETCH, and what all commands with a range share. A command's range is worked through in chunks that end
// on a page boundary and touch at most `PageSize.operationPages` pages, one after the other.

extension DeviceServer {
    /// The range that the CDB names, in logical blocks; nil, and the command has failed with LOGICAL BLOCK ADDRESS OUT
    /// OF RANGE, when it is not all on the unit.
    @inline(__always) mutating func namedRange(_ slot: Int) -> (address: UInt64, count: UInt32)? {
        let task = tasks.pointer(slot)
        let blocks = units.pointer(Int(task.pointee.unit)).pointee.blocks
        let (address, count) = commands[Int(task.pointee.row)].range(task.pointee.cdb)
        guard address < blocks, UInt64(count) <= blocks - address else {
            fail(slot, SenseData(.illegalRequest, .logicalBlockAddressOutOfRange))
            return nil
        }
        return (address, count)
    }

    /// Reads the range from the CDB into the task (`sector`, `span` in bytes), or fails the command: LOGICAL BLOCK
    /// ADDRESS OUT OF RANGE, or INVALID FIELD IN CDB for more than the maximum transfer length (SBC-3 §6.6.4).
    mutating func takeRange(_ slot: Int) -> Bool {
        let task = tasks.pointer(slot)
        let unit = units.pointer(Int(task.pointee.unit))
        let row = Int(task.pointee.row)
        guard let (address, count) = namedRange(slot) else { return false }
        let bytes = UInt64(count) << (9 &+ unit.pointee.blockShift)
        guard bytes <= UInt64(DeviceServerLimits.transferBytes) else {
            fail(slot, .invalidField(inCDB: commands[row].transferLengthByte))
            return false
        }
        task.pointee.sector = address << unit.pointee.blockShift
        task.pointee.span = UInt32(truncatingIfNeeded: bytes)
        return true
    }

    /// The next chunk: from `moved` on, for at most `bytes`.
    @inline(__always) func nextChunk(_ slot: Int, bytes: UInt32) -> BlockExtent {
        let task = tasks.pointer(slot)
        let sector = task.pointee.sector &+ UInt64(task.pointee.moved / 512)
        let pageSectors = UInt64(PageSize.sectors)
        let limit = (sector / pageSectors &+ UInt64(PageSize.operationPages)) &* pageSectors
        let wanted = (UInt64(bytes) + 511) / 512
        return BlockExtent(start: sector, count: UInt32(truncatingIfNeeded: min(wanted, limit &- sector)))
    }

    /// Asks Memory for pages of `chunk`.
    @inline(__always) mutating func read(_ slot: Int, _ chunk: BlockExtent, sequential: Bool) {
        let task = tasks.pointer(slot)
        task.pointee.chunk = chunk
        task.pointee.phase = .reading
        let unit = units.pointer(Int(task.pointee.unit)).pointee.index
        blocks.append(.read(task.pointee.token, unit, chunk, sequential: sequential))
    }

    mutating func startRead(_ slot: Int) {
        guard takeRange(slot) else { return }
        counters.reads &+= 1
        let task = tasks.pointer(slot)
        // The statistics do not know six-byte commands (SPC-4 §7.3.6.1).
        if commands[Int(task.pointee.row)].length > 6 { countStart(slot, as: .read) }
        if task.pointee.protect != 0 { return startInterleavedRead(slot) }
        task.pointee.total = task.pointee.span
        if units.pointer(Int(task.pointee.unit)).pointee.medium.contains(.marked) { endAtMark(slot) }
        task.pointee.limit = min(task.pointee.span, task.pointee.dataInLength)
        if task.pointee.limit == 0, !task.pointee.meetsMark {
            complete(slot, .good, total: task.pointee.total)
        } else {
            readNext(slot)
        }
    }

    /// The next chunk of a READ; there is one, or a marked block behind the last one.
    @inline(__always) mutating func readNext(_ slot: Int) {
        let task = tasks.pointer(slot)
        if task.pointee.meetsMark, task.pointee.moved >= task.pointee.limit { return failAtMark(slot) }
        let chunk = nextChunk(slot, bytes: task.pointee.limit - task.pointee.moved)
        let sequential = streams.note(
            start: chunk.start, end: chunk.end, nexus: Int(task.pointee.nexus), unit: Int(task.pointee.unit))
        let readsAhead = !units.pointer(Int(task.pointee.unit)).pointee.flags.contains(.disableReadAhead)
        read(slot, chunk, sequential: sequential && readsAhead)
    }

    /// Pages of a chunk are here, of any command that reads.
    mutating func pagesRead(_ slot: Int, _ run: PageRun) {
        if commands[Int(tasks[slot].row)].handler == .dataOut(.sendDiagnostic) {
            selfTestRead(slot)
            return
        }
        guard case .medium(let command) = commands[Int(tasks[slot].row)].handler else {
            preconditionFailure("pages came for a command that works on no blocks")
        }
        switch command {
        case .read: sendPages(slot, run)
        // It tells what is there, right or wrong.
        case .readLong: sendPages(slot, run, checks: false)
        case .verify: verifyPages(slot, run)
        case .preFetch:
            releasePages(slot)
            tasks[slot].moved += tasks[slot].chunk.count * 512
            preFetchNext(slot)
        case .writeAndVerify: verifyWritten(slot, run)
        case .orWrite, .compareAndWrite: mediumRead(slot, run)
        case .write, .synchronizeCache, .writeAtomic, .writeSame, .writeLong:
            preconditionFailure("pages came for a command that reads none")
        }
    }

    private mutating func sendPages(_ slot: Int, _ run: PageRun, checks: Bool = true) {
        let task = tasks.pointer(slot)
        if checks, isProtected(slot) {
            if let sense = checkMedium(slot, run) {
                return fail(slot, sense, total: wireBytes(slot, task.pointee.moved))
            }
            if task.pointee.protect != 0 { return sendInterleaved(slot, run) }
        }
        let offset = task.pointee.moved
        var piece = run
        let bytes = task.pointee.chunk.count * 512
        piece.count = min(run.count, bytes)
        task.pointee.moved += bytes
        task.pointee.final = task.pointee.moved >= task.pointee.limit && !task.pointee.meetsMark
        task.pointee.phase = .sending
        counters.readBytes &+= UInt64(piece.count)
        let unit = units.pointer(Int(task.pointee.unit))
        if task.pointee.counted == .read {
            countBlocks(slot, UInt64(piece.count) >> (9 &+ unit.pointee.blockShift))
        }
        letStateGo(slot)
        transport.append(
            .sendDataIn(
                task.pointee.handle, run: piece, bufferOffset: offset, final: task.pointee.final,
                total: task.pointee.total))
    }

    /// PRE-FETCH (SBC-3 §5.8): CONDITION MET when the whole range is in memory; a range over the maximum is fetched
    /// up to it and ends with GOOD. IMMED allows an earlier answer; none is given.
    mutating func startPreFetch(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        guard let (address, count) = namedRange(slot) else { return }
        let wanted = count == 0 ? units[unit].blocks - address : UInt64(count)
        let most = UInt64(DeviceServerLimits.transferBytes) / UInt64(units[unit].blockBytes)
        tasks[slot].sector = address << units[unit].blockShift
        tasks[slot].span = UInt32(min(wanted, most)) * units[unit].blockBytes
        tasks[slot].final = wanted <= most
        if let sense = markedBlock(slot) { return fail(slot, sense) }
        preFetchNext(slot)
    }

    private mutating func preFetchNext(_ slot: Int) {
        if tasks[slot].moved >= tasks[slot].span {
            complete(slot, tasks[slot].final ? .conditionMet : .good, total: 0)
        } else {
            read(slot, nextChunk(slot, bytes: tasks[slot].span - tasks[slot].moved), sequential: false)
        }
    }
}
