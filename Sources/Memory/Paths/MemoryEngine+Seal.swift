import BlockModel
import PagingFormats
import Primitives

// Sealing: the host's data become versions of their pages, here and at the partner.
extension MemoryEngine {
    /// All locks are held: one version a page, sealed here, and copies for the partner.
    mutating func seal(_ id: Int) {
        let op = operations + id
        op.pointee.isSealed = true
        op.pointee.outstanding = 0
        op.pointee.phase = .mirror
        if op.pointee.isGroup { return sealGroup(id) }
        for index in 0..<op.pointee.pageCount {
            sealPage(id, index, .standing, group: 0)
            copyPage(id, index)
        }
        if op.pointee.outstanding == 0 { mirrored(id) }
    }

    /// Sends a sealed page to the partner, when the operation has slots there.
    mutating func copyPage(_ id: Int, _ index: Int) {
        let op = operations + id
        if Planted.isOn(.acknowledgeBeforeMirror) && op.pointee.kind != .stateWrite { return }
        if Planted.isOn(.forgetState) && op.pointee.kind == .stateWrite { return }
        guard op.pointee.reserved > 0 else { return }
        guard let slot = slots.take() else { preconditionFailure("a slot that was set aside is not there") }
        let methods = copyPreference(op.pointee.unit, op.pointee.row)
        if copiesByMessage(methods) { announceBlock(pages[lockedPage(id, index, pageKey(id, index))].block) }
        let frame = frame(id, index)
        op.pointee.reserved -= 1
        pool[frame].pointee.slot = slot
        op.pointee.outstanding += 1
        effects.copy(frame, slot, methods)
    }

    /// Seals page `index` as a new version, in a role of its group whose leader has the counter `group`.
    mutating func sealPage(_ id: Int, _ index: Int, _ role: FrameHeader.Role, group: UInt64) {
        let frame = frame(id, index)
        let key = pageKey(id, index)
        let slot = lockedPage(id, index, key)
        let isState = operations[id].kind == .stateWrite
        let isProtected = !isState && operations[id].isProtected
        let mask = isState ? PageSize.fullMask : (operations + id).pointee.mask(of: index)
        let record = pool[frame]
        record.pointee.key = key
        record.pointee.validMask = mask
        record.pointee.dirtyMask = mask
        record.pointee.state = .pending
        record.pointee.operation = UInt32(id)
        record.pointee.version = nextVersion()
        let older = pages[slot].current
        if operations[id].mode == .or { combine(older, into: frame, mask: mask, isProtected: isProtected) }
        if older != .none && mask != PageSize.fullMask {
            let old = pool[older].pointee
            copySectors(from: older, to: frame, mask: old.validMask & ~mask)
            if isProtected { copyTuples(from: older, to: frame, mask: old.validMask & ~mask) }
            record.pointee.validMask = old.validMask | mask
            record.pointee.dirtyMask = isProtected ? PageSize.fullMask : old.dirtyMask | mask
        }
        let size = role == .standing ? 1 : UInt16(operations[id].pageCount)
        sealHeader(
            frame, block: Int(pages[slot].block), role, groupSize: size,
            groupCounter: role == .standing ? lamport : group)
    }

    /// Whether the page has protection information.
    @inline(__always) func hasTrailer(_ key: UInt64) -> Bool {
        (units + Int(PageKey.unit(key).raw)).pointee.isProtected && !PageKey.isState(key)
    }

    /// Writes and seals the persistent header of a frame from its record.
    func sealHeader(
        _ frame: FrameIndex, block: Int, _ role: FrameHeader.Role = .standing, groupSize: UInt16 = 1,
        groupCounter: UInt64
    ) {
        let record = pool[frame]
        let key = record.pointee.key
        var header = FrameHeader()
        header.role = role
        header.version = record.pointee.version
        header.guid = block == Int(UInt32.max) ? .none : blocks[block].guid
        header.unit = PageKey.unit(key).raw
        header.kind = PageKey.isState(key) ? .state : .data
        header.validMask = record.pointee.validMask
        header.dirtyMask = record.pointee.dirtyMask
        header.groupSize = groupSize
        header.page = PageKey.page(key)
        header.hasTrailer = hasTrailer(key)
        header.checksum = contentChecksum(frame, hasTrailer: header.hasTrailer)
        header.groupCounter = groupCounter
        header.mirrorSlot = record.pointee.slot
        let base = region + layout.header(Int(frame.raw))
        FrameHeader.open(at: base)
        FrameHeader.seal(header.encode(to: base), at: base)
    }
}
