import BlockModel
import PagingFormats
import Primitives

// What a memory holds when a life begins: frames sealed by an earlier life, in the own area and (the partner's pages)
// in the mirror area. Each is checked by header and data checksum where it enters.
extension MemoryEngine {
    /// The region is this life's from now on: what an earlier one left in it is looked through, and the state blocks
    /// are read.
    mutating func beginLife() {
        guard !membership.hasBegun else { return }
        membership.hasBegun = true
        let left = UnsafeRawPointer(region).little64(RegionLayout.lamportOffset)
        raiseLamport(to: left)
        // What messages brought before may be ahead of what the region keeps.
        if lamport > left { region.put(little64: lamport, RegionLayout.lamportOffset) }
        adoptOwnArea()
        readStateBlocks()
    }

    /// Sealed frames of the own area are the dirty pages of their versions again.
    private mutating func adoptOwnArea() {
        settleMembers(from: 0, to: layout.mirrorStart)
        for index in 0..<layout.mirrorStart { _ = adopt(index) }
        pool.rebuildFreeList()
    }

    /// Sealed pages of the partner become ours, in place; answers how many.
    mutating func adoptMirrorArea() -> Int {
        var count = 0
        if Planted.isOn(.skipAdoption) { return 0 }
        settleMembers(from: layout.mirrorStart, to: layout.frames)
        for index in layout.mirrorStart..<layout.frames where pool.records[index].state == .free {
            if adopt(index) { count += 1 }
        }
        readAdoptedStates()
        return count
    }

    /// Takes the sealed page in frame `index`, when it is whole, of a unit of ours, and newer than what is here.
    private mutating func adopt(_ index: Int) -> Bool {
        let base = region + layout.header(index)
        guard SharedWord.load(base) != 0 else { return false }
        let frame = FrameIndex(UInt32(index))
        guard let header = FrameHeader(sealed: base), Int(header.unit) < configuration.units.count,
            header.kind == .state || header.page < units[Int(header.unit)].pageCount,
            header.hasTrailer == (header.kind == .data && units[Int(header.unit)].isProtected),
            !header.hasTrailer || header.validMask == PageSize.fullMask && header.dirtyMask == PageSize.fullMask,
            contentChecksum(frame, hasTrailer: header.hasTrailer) == header.checksum
        else {
            statistics.tornFrames += 1
            FrameHeader.open(at: base)
            effects.append(.tornFrame(frame, UnitIndex(0)))
            return false
        }
        raiseLamport(to: header.version.counter)
        guard header.dirtyMask != 0, let slot = addPage(header) else {
            FrameHeader.open(at: base)
            return false
        }
        let older = pages[slot].current
        if older != .none && pool[older].pointee.version >= header.version {
            FrameHeader.open(at: base)
            forgetIfIdle(slot)
            return false
        }
        if pages[slot].isStaging { pages[slot].isDoomed = true }
        pages[slot].current = frame
        let record = pool[frame]
        record.pointee = FrameRecord()
        record.pointee.key = header.kind == .state
            ? PageKey.state(UnitIndex(header.unit)) : PageKey.data(UnitIndex(header.unit), header.page)
        record.pointee.version = header.version
        record.pointee.validMask = header.validMask
        record.pointee.dirtyMask = header.dirtyMask
        record.pointee.dirtySince = now
        record.pointee.state = .current
        dirty.append(frame, in: pool.records)
        if older != .none { replaced(older, slot) }
        return true
    }

    /// An adopted version takes the place of what this memory had of the page.
    private mutating func replaced(_ older: FrameIndex, _ slot: Int) {
        if PageKey.isState(pages[slot].key) && pool[older].pointee.pins > 0 { pool[older].pointee.pins -= 1 }
        // What was cached clean beside the adopted part may be older than the partner's: it is staged again.
        retire(older)
    }

    /// The record of an adopted page. Its block keeps the GUID that the header names, also the partner's.
    private mutating func addPage(_ header: FrameHeader) -> Int? {
        if header.kind == .state { return pages.findOrAdd(PageKey.state(UnitIndex(header.unit))) }
        guard let slot = addPage(UnitIndex(header.unit), header.page) else { return nil }
        let block = Int(pages[slot].block)
        if blocks[block].use == 1 && header.guid != .none { blocks[block].guid = header.guid }
        return slot
    }

    /// State blocks that were adopted are the content now.
    private mutating func readAdoptedStates() {
        for index in configuration.units.indices {
            let unit = UnitIndex(UInt16(index))
            guard let slot = pages.find(PageKey.state(unit)), pages[slot].current != .none,
                pages[slot].current != units[index].content
            else { continue }
            let adopted = pages[slot].current
            guard Int(adopted.raw) >= pool.ownCount || units[index].content == .none || pool[adopted].pointee.isDirty
            else { continue }
            moveStateHome(unit, slot, adopted)
        }
    }

    /// A state block is kept in a frame of the own area: an adopted one is copied there, as the same version.
    private mutating func moveStateHome(_ unit: UnitIndex, _ slot: Int, _ adopted: FrameIndex) {
        var place = adopted
        if Int(adopted.raw) >= pool.ownCount, let own = takeFrame() {
            copySectors(from: adopted, to: own, mask: PageSize.fullMask)
            let from = pool[adopted].pointee
            let record = pool[own]
            record.pointee.key = from.key
            record.pointee.version = from.version
            record.pointee.validMask = from.validMask
            record.pointee.dirtyMask = from.dirtyMask
            record.pointee.dirtySince = from.dirtySince
            record.pointee.state = .current
            pages[slot].current = own
            sealHeader(own, block: Int(UInt32.max), groupCounter: from.version.counter)
            dirty.append(own, in: pool.records)
            retire(adopted)
            place = own
        }
        pool[place].pointee.pins += 1
        loaded(unit, place)
    }

    /// Takes every sealed page of a partner that does not run: copied into frames of ours, newest version wins.
    mutating func adoptForeign(_ base: UnsafeMutableRawPointer, _ other: RegionLayout) -> Int {
        var count = 0
        for index in 0..<other.frames {
            let headerBase = base + other.header(index)
            guard SharedWord.load(headerBase) != 0, let header = FrameHeader(placed: headerBase),
                header.role != .member || FrameHeader.hasLeader(header, in: base, other, ofAreaWith: index)
            else { continue }
            let data = UnsafeRawPointer(base + other.frame(index))
            let trailer = header.hasTrailer ? UnsafeRawPointer(base + other.trailer(index)) : nil
            guard trailer == nil || layout.hasTrailers && other.hasTrailers,
                FrameHeader.contentChecksum(data, trailer: trailer) == header.checksum, let frame = takeFrame()
            else {
                statistics.tornFrames += 1
                continue
            }
            frames.pointer(frame).copyMemory(from: data, byteCount: PageSize.bytes)
            if let trailer { frames.trailer(frame).copyMemory(from: trailer, byteCount: PageSize.trailerBytes) }
            var copy = header
            copy.mirrorSlot = .max
            copy.role = .standing
            let place = region + layout.header(Int(frame.raw))
            FrameHeader.open(at: place)
            FrameHeader.seal(copy.encode(to: place), at: place)
            pool[frame].pointee.state = .staging
            pool.free(frame)
            if adopt(Int(frame.raw)) { count += 1 }
            pool.rebuildFreeList()
        }
        readAdoptedStates()
        return count
    }

    /// Everything that this memory holds is void: headers opened, tables empty, state blocks to be read again.
    mutating func voidEverything() {
        if Planted.isOn(.keepVoidMemory) { return beginLife() }
        membership.hasBegun = true
        for index in 0..<layout.frames {
            FrameHeader.open(at: region + layout.header(index))
            let frame = FrameIndex(UInt32(index))
            guard pool.records[index].state == .current else { continue }
            if PageKey.isState(pool.records[index].key) { pool.records[index].pins = 0 }
            dropPage(of: frame)
        }
        for index in configuration.units.indices {
            units[index].isLoaded = false
            units[index].content = .none
        }
        membership.isBeingFilled = false
        forgetPartnersMemory()
        voidPointers()
        raiseLamport(to: UnsafeRawPointer(region).little64(RegionLayout.lamportOffset))
        readStateBlocks()
    }
}
