import BlockModel
import PagingFormats
import Primitives

// The end of a version: published as its page's readable one, superseded, or given up before it had an effect.
extension MemoryEngine {
    /// Makes a pending frame its page's current one.
    mutating func publish(_ frame: FrameIndex, _ id: Int, _ index: Int) {
        let op = operations + id
        let record = pool[frame]
        let slot = lockedPage(id, index, record.pointee.key)
        let older = pages[slot].current
        pages[slot].current = frame
        pages[slot].writer = .max
        if op.pointee.hasDeviceTurn { pages[slot].isDeviceBusy = false }
        record.pointee.state = .current
        record.pointee.operation = .max
        record.pointee.isReferenced = true
        // What the device never had keeps its age and place in the list; what it had begins anew.
        if older != .none, pool[older].pointee.neverWritten {
            record.pointee.dirtySince = pool[older].pointee.dirtySince
            dirty.replace(older, by: frame, in: pool.records)
            pool[older].pointee.dirtyMask = 0
        } else {
            record.pointee.dirtySince = now
            dirty.append(frame, in: pool.records)
        }
        if older != .none { retire(older) }
        if op.pointee.isThrough && op.pointee.fault == nil {
            wrote(frame, mark: op.pointee.writtenMark)
            if op.pointee.isFlushed { clean(frame) }
        }
        pageChanged(slot)
    }

    /// A frame is no longer its page's: its mirror copy goes, its header is opened, and it is free when nothing uses
    /// it.
    mutating func retire(_ frame: FrameIndex) {
        let record = pool[frame]
        if record.pointee.isDirty {
            unlist(frame)
            record.pointee.dirtyMask = 0
        }
        dropSlot(of: frame)
        FrameHeader.open(at: region + layout.header(Int(frame.raw)))
        record.pointee.state = .retired
        freeIfRetired(frame)
    }

    /// Takes a dirty frame out of the list that it is in.
    mutating func unlist(_ frame: FrameIndex) {
        let record = pool[frame]
        if record.pointee.isWritten {
            devices[Int(device(of: record.pointee.key).raw)].written.remove(frame, in: pool.records)
            record.pointee.isWritten = false
        } else {
            dirty.remove(frame, in: pool.records)
        }
    }

    /// An operation that was let go before it had an effect.
    mutating func abandonWrite(_ id: Int) {
        undoWrite(id)
        responses.append(.completed(BlockToken(slot: id), .aborted))
    }

    /// Ends a write that was not sealed: its locks and frames are free again.
    mutating func undoWrite(_ id: Int) {
        let op = operations + id
        let locked = op.pointee.phase == .page || op.pointee.phase == .room ? op.pointee.progress : 0
        if op.pointee.phase == .frames {
            dropFilling(id, count: op.pointee.progress)
        } else {
            unlockPages(id, count: locked)
            dropFilling(id)
        }
        end(id)
    }

    /// Gives back the locks of the operation's first pages.
    mutating func unlockPages(_ id: Int, count: Int) {
        for index in 0..<count {
            letOlderGo(id, index)
            guard let slot = pages.find(pageKey(id, index)), pages[slot].writer == UInt32(id) else { continue }
            pages[slot].writer = .max
            pageChanged(slot)
        }
    }

    /// Gives back frames that were lent for host data.
    mutating func dropFilling(_ id: Int, count: Int? = nil) {
        for index in 0..<(count ?? operations[id].frameCount) { pool.free(lists[id][index]) }
        wakeForFrames()
    }
}
