import BlockModel
import Primitives
import SAM
import SCSIFormats

// Transfers with protection information: each block of 512 bytes is followed by 8 bytes. Pages have the two apart, so
// the parameter page carries them together, as many whole blocks at a time as it holds.

extension DeviceServer {
    /// Blocks of a piece, and its bytes.
    static var pieceBlocks: Int { PageSize.bytes / ProtectionTuple.blockBytes }
    private static var pieceBytes: UInt32 { UInt32(pieceBlocks * ProtectionTuple.blockBytes) }

    /// READ with RDPROTECT other than zero; the range is taken.
    mutating func startInterleavedRead(_ slot: Int) {
        let task = tasks.pointer(slot)
        task.pointee.total = wireBytes(slot, task.pointee.span)
        if units.pointer(Int(task.pointee.unit)).pointee.medium.contains(.marked) { endAtMark(slot) }
        let wanted = min(task.pointee.total, task.pointee.dataInLength)
        let block = UInt32(ProtectionTuple.blockBytes)
        task.pointee.limit = min((wanted &+ block &- 1) / block * 512, task.pointee.span)
        if wanted == 0, !task.pointee.meetsMark {
            complete(slot, .good, total: task.pointee.total)
        } else {
            readNext(slot)
        }
    }

    /// Checked pages of a chunk go out piece by piece; they stay until the last piece is delivered.
    mutating func sendInterleaved(_ slot: Int, _ run: PageRun) {
        tasks[slot].received = run
        tasks[slot].wire = 0
        tasks[slot].phase = .sending
        let bytes = tasks[slot].chunk.count * 512
        counters.readBytes &+= UInt64(bytes)
        if tasks[slot].counted == .read { countBlocks(slot, UInt64(tasks[slot].chunk.count)) }
        letStateGo(slot)
        sendPiece(slot)
    }

    private mutating func sendPiece(_ slot: Int) {
        let page = frames.pointer(Frames.parameter(slot))
        let block = ProtectionTuple.blockBytes
        let first = Int(tasks[slot].wire) / block
        let blocks = min(Self.pieceBlocks, Int(tasks[slot].chunk.count) - first)
        for index in 0..<blocks {
            let at = (first + index) * 512
            let run = tasks[slot].received
            (page + index * block).copyMemory(
                from: run.piece(at: at, frames: frames, lists: lists).base, byteCount: 512)
            (page + index * block + 512).copyMemory(
                from: run.tuple(at: at, frames: frames, lists: lists), byteCount: ProtectionTuple.bytes)
        }
        let offset = wireBytes(slot, tasks[slot].moved) + tasks[slot].wire
        let wanted = min(tasks[slot].total, tasks[slot].dataInLength)
        let count = min(UInt32(blocks * block), wanted - offset)
        tasks[slot].wire += UInt32(blocks * block)
        tasks[slot].final = offset + count >= wanted && !tasks[slot].meetsMark
        if tasks[slot].wire >= UInt32(block) * tasks[slot].chunk.count {
            // The chunk is done; what follows is another one's.
            tasks[slot].moved += tasks[slot].chunk.count * 512
            tasks[slot].wire = 0
        }
        transport.append(
            .sendDataIn(
                tasks[slot].handle, run: PageRun(parameter: Frames.parameter(slot), count: Int(count)),
                bufferOffset: offset, final: tasks[slot].final, total: tasks[slot].total))
    }

    /// Whether a piece was delivered that is followed by another one of its chunk: that one is sent.
    mutating func sendsNextPiece(_ slot: Int) -> Bool {
        let task = tasks.pointer(slot)
        guard task.pointee.wire > 0, task.pointee.phase == .sending, !task.pointee.final, task.pointee.fate == .none
        else { return false }
        sendPiece(slot)
        return true
    }

    /// Fresh pages for a chunk, or for both halves of a COMPARE AND WRITE.
    mutating func receiveInterleaved(_ slot: Int, _ run: PageRun) {
        tasks[slot].received = run
        tasks[slot].wire = 0
        tasks[slot].phase = .receiving
        letStateGo(slot)
        receivePiece(slot)
    }

    /// Bytes of Data-Out that the pages in hand are for.
    private func wireLimit(_ slot: Int) -> UInt32 {
        let halves: UInt32 = commands[Int(tasks[slot].row)].handler == .medium(.compareAndWrite) ? 2 : 1
        return tasks[slot].chunk.count * UInt32(ProtectionTuple.blockBytes) * halves
    }

    private mutating func receivePiece(_ slot: Int) {
        let count = min(Self.pieceBytes, wireLimit(slot) - tasks[slot].wire)
        transport.append(
            .receiveDataOut(
                tasks[slot].handle, run: PageRun(parameter: Frames.parameter(slot), count: Int(count)),
                bufferOffset: wireBytes(slot, tasks[slot].moved) + tasks[slot].wire))
    }

    /// A piece of Data-Out is in the parameter page: its blocks go to the pages.
    mutating func pieceReceived(_ slot: Int) {
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let block = ProtectionTuple.blockBytes
        let count = min(Self.pieceBytes, wireLimit(slot) - tasks[slot].wire)
        for index in 0..<Int(count) / block {
            let number = Int(tasks[slot].wire) / block + index
            let (run, at) = place(slot, number)
            run.piece(at: at, frames: frames, lists: lists).base.copyMemory(
                from: page + index * block, byteCount: 512)
            run.tuple(at: at, frames: frames, lists: lists).copyMemory(
                from: page + (index * block + 512), byteCount: ProtectionTuple.bytes)
        }
        tasks[slot].wire += count
        if tasks[slot].wire < wireLimit(slot) { receivePiece(slot) } else { resume(slot, .commit) }
    }

    /// Where block `number` of the Data-Out belongs: the first half of a COMPARE AND WRITE is compared.
    private func place(_ slot: Int, _ number: Int) -> (run: PageRun, at: Int) {
        guard commands[Int(tasks[slot].row)].handler == .medium(.compareAndWrite) else {
            return (tasks[slot].received, number * 512)
        }
        let half = Int(tasks[slot].chunk.count)
        return number < half ? (scratch(slot), number * 512) : (tasks[slot].received, (number - half) * 512)
    }

    /// The pages of the compare data of a COMPARE AND WRITE.
    func scratch(_ slot: Int) -> PageRun {
        PageRun(
            list: slot, offset: Int(tasks[slot].received.offset) + tasks[slot].chunk.pageCount * PageSize.bytes,
            count: Int(tasks[slot].span))
    }

    /// VERIFY with BYTCHK 01b and VRPROTECT other than zero: where the first block of the chunk begins in which the
    /// piece of Data-Out in the parameter page differs from the medium, in what the code compares (SBC-3 table 109).
    func differenceInterleaved(_ slot: Int, _ run: PageRun) -> Int? {
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let checks = ProtectionChecks(code: tasks[slot].protect == 3 ? 1 : tasks[slot].protect)
        let ownsTag = units[Int(tasks[slot].unit)].flags.contains(.applicationTagOwner)
        for index in 0..<Int(tasks[slot].chunk.count) {
            let came = page + index * ProtectionTuple.blockBytes
            let data = run.piece(at: index * 512, frames: frames, lists: lists).base
            if Self.difference(UnsafeRawPointer(data), came, 512) != nil { return index * 512 }
            let theirs = ProtectionTuple(came + 512)
            let ours = ProtectionTuple(run.tuple(at: index * 512, frames: frames, lists: lists))
            let differs = checks.contains(.blockGuard) && theirs.blockGuard != ours.blockGuard
                || checks.contains(.applicationTag) && ownsTag && theirs.applicationTag != ours.applicationTag
                || checks.contains(.referenceTag) && theirs.referenceTag != ours.referenceTag
            if differs { return index * 512 }
        }
        return nil
    }

    /// The checks of a VERIFY: of the medium, unless protection information came to be compared with it; then of that.
    func verifyChecks(_ slot: Int, _ run: PageRun) -> SenseData? {
        let code = tasks[slot].protect
        if code == 0 || flags(slot) >> 1 & 3 == 0 { return checkMedium(slot, run) }
        let rule = protectionRule(slot)
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        for index in 0..<Int(tasks[slot].chunk.count) {
            let came = page + index * ProtectionTuple.blockBytes
            let lba = tasks[slot].chunk.start + UInt64(index)
            if let fault = rule.fault(
                ProtectionTuple(came + 512), data: came, lba: lba, ProtectionChecks(code: code), isMedium: false)
            {
                return SenseData(.abortedCommand, fault, information: lba)
            }
        }
        return nil
    }
}
