import BlockModel
import PagingFormats
import Primitives

// State blocks from the device: at the start of a life, and whenever somebody else may have written them there.
extension MemoryEngine {
    /// Reads the state blocks at the start of a life; what a sealed frame of the memory holds is newer.
    mutating func readStateBlocks() {
        // A frame that takes a state block is changed by it.
        guard membership.hasBegun else { return }
        for index in configuration.units.indices where !units[index].isLoaded && units[index].readAt <= now {
            let unit = UnitIndex(UInt16(index))
            guard let slot = pages.findOrAdd(PageKey.state(unit)) else { continue }
            if pages[slot].current != .none {
                pool[pages[slot].current].pointee.pins += 1
                loaded(unit, pages[slot].current)
                continue
            }
            guard !pages[slot].isStaging, let frame = takeFrame(), let transfer = transfers.take() else { continue }
            pool[frame].pointee.state = .staging
            pool[frame].pointee.key = PageKey.state(unit)
            pages[slot].isStaging = true
            transfers[transfer] = Transfer(
                kind: .stateRead, device: units[index].device, unit: unit, firstPage: 0, count: 1)
            transferFrames[transfer * PageSize.operationPages] = frame
            let slices = transferSlices + transfer * PageSize.operationPages
            slices[0] = ByteSlice(base: frames.pointer(frame), count: PageSize.bytes)
            effects.append(
                .storage(
                    StorageRequest(
                        kind: .read, id: UInt32(transfer), device: units[index].device,
                        offset: units[index].stateOffset, count: UInt32(PageSize.bytes), slices: slices,
                        sliceCount: 1)))
        }
    }

    /// Reads the state blocks again whose newest version may be on the device: of a partner that is no more, or of
    /// either member when both are clean. What is in use, being written or dirty here is the newest itself.
    mutating func rereadStateBlocks() {
        for index in configuration.units.indices {
            if let slot = pages.find(PageKey.state(UnitIndex(UInt16(index)))), pages[slot].isStaging {
                pages[slot].isDoomed = true
            }
            let content = units[index].content
            guard content != .none, !units[index].userHolds, !units[index].isWriting, !pool[content].pointee.isDirty
            else { continue }
            units[index].isLoaded = false
            units[index].content = .none
            pool[content].pointee.pins = 0
            dropPage(of: content)
        }
        readStateBlocks()
    }

    mutating func stateReadEnded(_ unit: UnitIndex, _ frame: FrameIndex, fault: BlockFault?) {
        let state = units + Int(unit.raw)
        guard let slot = pages.find(PageKey.state(unit)) else { return pool.free(frame) }
        pages[slot].isStaging = false
        let isDoomed = pages[slot].isDoomed
        pages[slot].isDoomed = false
        if pages[slot].current != .none {
            // A takeover has brought a newer one meanwhile.
            pool.free(frame)
        } else if isDoomed || fault != nil {
            // Read before the partner's last write was over, or not at all: nothing is made up for it.
            pool.free(frame)
            if fault != nil { state.pointee.readAt = now + MemoryLimits.deviceRetry }
            forgetIfIdle(slot)
            readStateBlocks()
            return
        } else {
            if !StateBlock(frames.pointer(frame)).isValid {
                StateBlock(frames.pointer(frame)).format(home: state.pointee.preferred)
            }
            pages[slot].current = frame
            pool[frame].pointee.state = .current
            pool[frame].pointee.validMask = PageSize.fullMask
            pool[frame].pointee.pins = 1
            loaded(unit, frame)
        }
        pageChanged(slot)
    }
}
