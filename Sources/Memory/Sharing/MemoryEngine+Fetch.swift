import BlockModel
import PagingFormats
import Primitives

// The data of allocate read: the home sends the pages of the asker's command that it has in its memory before the
// pointer, one answer a page, so the asker stages only what neither has.
//
// Such a page is worth nothing before the pointer: nobody reads it without, and whoever does not get the pointer drops
// it again. Between the two answers the home changes nothing, since both leave in one call.
extension MemoryEngine {
    /// The pages of an operation in the granule `key`, as the ask carries them: the first, counted from the granule's,
    /// and how many.
    func wantedPages(_ id: Int, in key: UInt64) -> UInt64 {
        let op = operations[id]
        let granule = PageKey.page(key)
        let first = max(op.firstPage, granule)
        let end = min(op.firstPage + UInt64(op.pageCount), granule + MemoryLimits.granulePages)
        return (first - granule) << 16 | min(end - first, MemoryLimits.fetchedPages)
    }

    /// Home: sends what it has of the pages that a read-only pointer was asked for.
    /// Pages with trailers do not travel this way: they are staged.
    mutating func sendPages(_ slot: Int) {
        let record = pointers[slot]
        if units[Int(PageKey.unit(record.key).raw)].isProtected { return }
        let first = record.wantedPages >> 16
        let count = min(record.wantedPages & 0xFFFF, MemoryLimits.fetchedPages)
        guard first + count <= MemoryLimits.granulePages else { return }
        for key in (record.key + first)..<(record.key + first + count) {
            guard let page = pages.find(key), pages[page].current != .none else { continue }
            let frame = pages[page].current
            guard pool[frame].pointee.validMask == PageSize.fullMask else { continue }
            let data = frames.pointer(frame)
            var answer = pointerMessage(.allocateRead, key, .shared)
            answer.isAnswer = true
            answer.status = .exists
            answer.request = record.wantedRequest
            answer.pageCount = 1
            answer.version = pool[frame].pointee.version
            answer.dataLength = UInt32(PageSize.bytes)
            answer.checksum = Checksum.crc32c(data, PageSize.bytes)
            statistics.pagesSent += 1
            effects.append(.send(answer, data: UnsafeRawPointer(data), stable: false))
        }
    }

    /// Not home: a page of the home that goes before the pointer to it.
    mutating func pageFetched(_ message: PagingMessage, _ data: UnsafeRawPointer?) {
        let unit = UnitIndex(message.unit)
        guard let data, message.dataLength == PageSize.bytes, message.firstPage < units[Int(unit.raw)].pageCount,
            !units[Int(unit.raw)].isProtected, Checksum.crc32c(data, PageSize.bytes) == message.checksum
        else { return }
        let key = PageKey.data(unit, message.firstPage)
        guard let slot = pointers.find(PointerDirectory.granule(of: key)), pointers[slot].asked == .shared,
            pointers[slot].mine == .none, message.request == UInt32(slot) + 1,
            let page = addPage(unit, message.firstPage)
        else { return }
        guard pages[page].isIdle, let frame = takeFrame() else { return forgetIfIdle(page) }
        frames.pointer(frame).copyMemory(from: data, byteCount: PageSize.bytes)
        install(frame, page, key)
        pool[frame].pointee.version = message.version
        pointers[slot].isPrefilled = true
        statistics.pagesFetched += 1
    }

    /// The pointer did not come, or not yet: the pages that came before it are no longer known to be the newest.
    mutating func dropPrefilled(_ slot: Int) {
        guard pointers[slot].isPrefilled else { return }
        pointers[slot].isPrefilled = false
        dropGranule(pointers[slot].key)
    }
}
