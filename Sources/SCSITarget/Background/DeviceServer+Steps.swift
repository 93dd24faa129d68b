import BlockModel
import Primitives
import SCSIFormats

// The steps of a format or sanitize operation: the pattern goes to the unit's first block before anything else (whoever
// carries the operation on finds it there), then each pass goes over the unit in chunks and ends when the device has
// everything.

extension DeviceServer {
    /// The unit's pattern page: one logical block of it counts.
    func pattern(_ unit: Int) -> UnsafeMutableRawPointer { patterns + unit * PageSize.bytes }

    private func token(_ unit: Int) -> BlockToken { BlockToken(slot: Int(works[unit].slot)) }

    /// Begins the step that is next; the unit has a worker.
    mutating func beginStep(_ unit: Int) {
        guard let operation = works[unit].operation else { return endStep(unit) }
        let first = BlockExtent(start: 0, count: 1 << UInt32(units[unit].blockShift))
        if operation.flags.contains(.patterned) {
            if !works[unit].isSeeded {
                // Whoever had the pattern is gone, and its command was never answered.
                return works[unit].hasPattern ? prepare(unit, first) : fail(operationOf: unit)
            }
            if !works[unit].hasPattern {
                works[unit].chunk = first
                works[unit].step = .loading
                blocks.append(.read(token(unit), units[unit].index, first, sequential: false))
                return
            }
        }
        if works[unit].position >= units[unit].sectors {
            works[unit].step = .synchronizing
            blocks.append(.synchronize(token(unit), units[unit].index, BlockExtent(start: 0, count: 0)))
        } else {
            beginChunk(unit, operation)
        }
    }

    private mutating func beginChunk(_ unit: Int, _ operation: BackgroundOperation) {
        let start = works[unit].position
        let left = units[unit].sectors - start
        let pages = UInt64(PageSize.sectors)
        if units[unit].profile.thin, !operation.flags.contains(.patterned), start % pages == 0, left >= pages {
            let count = min(left / pages * pages, UInt64(DeviceServerLimits.discardBytes / 512))
            works[unit].chunk = BlockExtent(start: start, count: UInt32(truncatingIfNeeded: count))
            works[unit].step = .discarding
            blocks.append(.discard(token(unit), units[unit].index, works[unit].chunk))
            return
        }
        let limit = (start / pages + UInt64(PageSize.operationPages)) * pages
        prepare(unit, BlockExtent(start: start, count: UInt32(truncatingIfNeeded: min(left, limit - start))))
    }

    private mutating func prepare(_ unit: Int, _ chunk: BlockExtent) {
        works[unit].chunk = chunk
        works[unit].step = .preparing
        blocks.append(.prepareWrite(token(unit), units[unit].index, chunk, scratch: false))
    }

    /// The unit whose step has the token of slot `slot`; nil for none.
    private func workUnit(_ slot: Int) -> Int? {
        let worker = slot - tasks.capacity
        guard worker >= 0, worker < workers.capacity, workers[worker] >= 0 else { return nil }
        return Int(workers[worker])
    }

    /// Pages of a step are here.
    mutating func workPagesReady(_ slot: Int, _ run: PageRun) {
        guard let unit = workUnit(slot) else { return }
        switch works[unit].step {
        case .loading: patternLoaded(unit, run)
        case .preparing:
            var run = run
            run.count = min(run.count, works[unit].chunk.count * 512)
            fill(unit, run)
            works[unit].step = .committing
            blocks.append(.commitWrite(token(unit), CommitOptions(durable: false)))
        case .idle, .committing, .discarding, .synchronizing, .recording: break
        }
    }

    /// The first block carries the pattern, or its inversion after a pass that wrote that.
    private mutating func patternLoaded(_ unit: Int, _ run: PageRun) {
        let block = Int(units[unit].blockBytes)
        let page = pattern(unit)
        let piece = run.piece(at: 0, frames: frames, lists: lists)
        page.copyMemory(from: piece.base, byteCount: min(block, piece.count))
        blocks.append(.release(token(unit)))
        guard let operation = works[unit].operation else { return endStep(unit) }
        for _ in 0..<2 {
            if Checksum.crc32c(page, block) == operation.checksum {
                works[unit].patternOf = operation.number
                return endStep(unit)
            }
            Self.invert(page, block)
        }
        fail(operationOf: unit)
    }

    private static func invert(_ base: UnsafeMutableRawPointer, _ count: Int) {
        for index in 0..<count { base.put(byte: ~UnsafeRawPointer(base).byte(index), index) }
    }

    /// Fills the pages of a chunk with what the pass at hand writes.
    private func fill(_ unit: Int, _ run: PageRun) {
        guard let operation = works[unit].operation else { return }
        let block = Int(units[unit].blockBytes)
        var present = operation
        present.pass = works[unit].pass
        let isPatterned = operation.flags.contains(.patterned)
        // The first block has the pattern itself until the first pass comes there.
        let inverts = present.isInverted && works[unit].isSeeded
        var position = 0
        while position < Int(run.count) {
            let piece = run.piece(at: position, frames: frames, lists: lists)
            let within = position % block
            let length = min(piece.count, block - within, Int(run.count) - position)
            if isPatterned {
                piece.base.copyMemory(from: pattern(unit) + within, byteCount: length)
                if inverts { Self.invert(piece.base, length) }
            } else {
                piece.base.initializeMemory(as: UInt8.self, repeating: 0, count: length)
            }
            position += length
        }
        guard units[unit].profile.protectionType != 0 else { return }
        for sector in stride(from: 0, to: Int(run.count), by: 512) {
            ProtectionTuple.unwritten.write(to: run.tuple(at: sector, frames: frames, lists: lists))
        }
    }

    /// The end of a step's block operation.
    mutating func workCompleted(_ slot: Int, _ fault: BlockFault?) {
        guard let unit = workUnit(slot), works[unit].step != .recording, works[unit].step != .idle else { return }
        if let fault { return stepFailed(unit, fault) }
        works[unit].faults = 0
        switch works[unit].step {
        case .committing where isSeeding(unit):
            works[unit].isSeeded = true
            works[unit].needsRecord = true
        case .committing, .discarding: works[unit].position = works[unit].chunk.end
        case .synchronizing: endPass(unit)
        // Pages did not come, without a fault: asked for again.
        case .loading, .preparing, .idle, .recording: break
        }
        endStep(unit)
    }

    private func isSeeding(_ unit: Int) -> Bool {
        guard let operation = works[unit].operation else { return false }
        return operation.flags.contains(.patterned) && !works[unit].isSeeded
    }

    private mutating func endPass(_ unit: Int) {
        guard let operation = works[unit].operation else { return }
        works[unit].needsRecord = true
        if works[unit].pass + 1 < operation.passes {
            works[unit].pass += 1
            works[unit].position = 0
        } else {
            works[unit].ending = .finished
        }
    }

    /// A step failed: it is tried again, unless it cannot succeed.
    private mutating func stepFailed(_ unit: Int, _ fault: BlockFault) {
        switch fault {
        case .aborted, .notServing: return endStep(unit, pause: .milliseconds(100))
        case .spaceExhausted: return fail(operationOf: unit)
        case .unreadable, .unwritable, .deviceGone: works[unit].faults += 1
        }
        if works[unit].faults >= Self.faultLimit { return fail(operationOf: unit) }
        endStep(unit, pause: Self.faultPause)
    }

    private mutating func fail(operationOf unit: Int) {
        works[unit].ending = .failed
        works[unit].needsRecord = true
        endStep(unit)
    }
}
