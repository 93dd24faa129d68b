import BlockModel
import PagingFormats
import Primitives

// Trailers: the protection information of a page, 8 bytes a sector, is a part of its version. In the memory it stands
// behind the frame's header, on the device in a sector of its own behind the page's, so that one transfer moves both.
//
// Trailers go with whole pages only: a write of a part of a page first has the rest of it staged, and all of the page
// is dirty then. On the device a trailer is stored complemented: what was never written, or discarded, reads as zeros,
// and so as FFFFFFFF_FFFFFFFFh, which says that there is nothing to check (SBC-3 §4.22.4).
extension MemoryEngine {
    /// The protection information of the sectors of `mask` goes from one frame to another.
    func copyTuples(from: FrameIndex, to: FrameIndex, mask: UInt8) {
        let source = UnsafeRawPointer(frames.trailer(from))
        let target = frames.trailer(to)
        for sector in 0..<PageSize.sectors where mask & (1 << UInt8(sector)) != 0 {
            target.put(little64: source.little64(sector * 8), sector * 8)
        }
    }

    /// The device sector of a trailer, for piece `piece` of a transfer.
    private func sector(_ transfer: Int, _ piece: Int) -> UnsafeMutableRawPointer {
        let place = (transfer * PageSize.operationPages + piece) * 512
        guard let base = transferSectors.baseAddress, place + 512 <= transferSectors.count else {
            preconditionFailure("a trailer without a place for its sector")
        }
        return base + place
    }

    /// Adds a page with its trailer to a write transfer under construction, as `addToTransfer` does with sectors.
    mutating func addProtected(
        _ open: Int?, _ frame: FrameIndex, _ kind: Transfer.Kind, _ operation: UInt32
    ) -> Int? {
        let key = pool[frame].pointee.key
        guard let transfer = openTransfer(open, key, kind, operation, at: deviceOffset(key), pieces: 2) else {
            return nil
        }
        let piece = transfers[transfer].count
        let at = transfer * PageSize.operationPages + piece
        let room = sector(transfer, piece + 1)
        let trailer = UnsafeRawPointer(frames.trailer(frame))
        for index in 0..<PageSize.sectors { room.put(little64: ~trailer.little64(index * 8), index * 8) }
        (room + PageSize.trailerBytes).initializeMemory(
            as: UInt8.self, repeating: 0, count: 512 - PageSize.trailerBytes)
        transferFrames[at] = frame
        transferFrames[at + 1] = frame
        transferSlices[at] = ByteSlice(base: frames.pointer(frame), count: PageSize.bytes)
        transferSlices[at + 1] = ByteSlice(base: room, count: 512)
        transfers[transfer].count += 2
        transfers[transfer].bytes += PageSize.bytes + 512
        pool[frame].pointee.writePieces += 2
        return transfer
    }

    /// The device read of a staging transfer whose `count` pages have trailers.
    mutating func submitProtectedStage(_ transfer: Int, _ offset: UInt64, _ count: Int) {
        let slices = transferSlices + transfer * PageSize.operationPages
        for index in 0..<count {
            let frame = transferFrames[transfer * PageSize.operationPages + index]
            slices[2 * index] = ByteSlice(base: frames.pointer(frame), count: PageSize.bytes)
            slices[2 * index + 1] = ByteSlice(base: sector(transfer, 2 * index + 1), count: 512)
        }
        let bytes = UInt64(count) * UnitMap.protectedPageBytes
        statistics.stagedBytes += bytes
        effects.append(
            .storage(
                StorageRequest(
                    kind: .read, id: UInt32(transfer), device: transfers[transfer].device, offset: offset,
                    count: UInt32(bytes), slices: slices, sliceCount: UInt32(2 * count))))
    }

    /// The trailer of page `index` of a staging transfer that ended.
    func takeTrailer(_ frame: FrameIndex, _ transfer: Int, _ index: Int) {
        let room = UnsafeRawPointer(sector(transfer, 2 * index + 1))
        let trailer = frames.trailer(frame)
        for tuple in 0..<PageSize.sectors { trailer.put(little64: ~room.little64(tuple * 8), tuple * 8) }
    }

    /// The content of a page as a seal or message vouches for it: with the trailer, if the page has one.
    func contentChecksum(_ frame: FrameIndex, hasTrailer: Bool) -> UInt32 {
        FrameHeader.contentChecksum(
            frames.pointer(frame), trailer: hasTrailer ? UnsafeRawPointer(frames.trailer(frame)) : nil)
    }

    /// The entries of a query, in place: ranges of the device become ranges of pages, in sectors. A page is mapped when
    /// any part of it is.
    func translateEntries(_ id: Int, _ base: UnsafeMutableRawPointer) {
        let op = operations + id
        let map = units + Int(op.pointee.unit.raw)
        let raw = UnsafeRawPointer(base)
        let count = min(Int(raw.little64(0)), (PageSize.bytes - 8) / 16)
        let limit = op.pointee.extent.count == 0 ? map.pointee.sectors : min(op.pointee.extent.end, map.pointee.sectors)
        var kept = 0
        var cursor = op.pointee.extent.start
        for entry in 0..<count {
            let length = raw.little64(16 + entry * 16)
            let end = (raw.little64(8 + entry * 16) &- map.pointee.dataOffset) &+ (length & ~(1 << 63))
            let isMapped = length >> 63 == 1
            let page = (end / map.pointee.pageBytes) &+ (isMapped && end % map.pointee.pageBytes != 0 ? 1 : 0)
            let reached = min(page &* UInt64(PageSize.sectors), limit)
            if reached <= cursor { continue }
            base.put(little64: cursor, 8 + kept * 16)
            base.put(little64: (reached - cursor) | (isMapped ? 1 << 63 : 0), 16 + kept * 16)
            kept += 1
            cursor = reached
        }
        base.put(little64: UInt64(kept), 0)
    }

    /// A range of a unit, in bytes, as it stands on the device: whole pages where they have trailers.
    func deviceRange(_ unit: UnitIndex, start: UInt64, count: UInt64) -> (offset: UInt64, count: UInt64) {
        let map = units + Int(unit.raw)
        guard map.pointee.isProtected else { return (map.pointee.dataOffset + start, count) }
        let page = UInt64(PageSize.bytes)
        let pages = (start % page + count + page - 1) / page
        return (map.pointee.offset(ofPage: start / page), pages * map.pointee.pageBytes)
    }
}
