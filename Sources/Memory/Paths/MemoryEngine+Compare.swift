import BlockModel
import PagingFormats
import Primitives

// Writes that depend on what was there: COMPARE AND WRITE and ORWRITE (SBC-4 §5.3, §5.15). They look at the readable
// version under the page's lock, so that nothing comes between the look and the new version.
extension MemoryEngine {
    /// Whether page `index` can only be written over its present content: the mode looks at that, or the page has a
    /// trailer, which goes to the device as a whole.
    @inline(__always) func needsContent(_ op: UnsafeMutablePointer<Operation>, _ index: Int) -> Bool {
        op.pointee.mode != .replace
            || op.pointee.isProtected && op.pointee.kind != .stateWrite
                && op.pointee.mask(of: index) != PageSize.fullMask
    }

    /// Whether the page's present content is here where the operation needs it; when not, it is staged, and the
    /// operation waits for the page, or ends because a device cannot read it.
    mutating func hasContent(_ id: Int, _ index: Int, _ slot: Int) -> Bool {
        let op = operations + id
        let current = pages[slot].current
        let needed = op.pointee.isProtected ? PageSize.fullMask : op.pointee.mask(of: index)
        if current != .none, pool[current].pointee.validMask & needed == needed { return true }
        if op.pointee.fault != nil {
            let failure = failure(id)
            op.pointee.phase = .page
            undoWrite(id)
            responses.append(failure)
            return false
        }
        let page = op.pointee.firstPage + UInt64(index)
        guard stage(op.pointee.unit, from: page, upTo: page + 1) else {
            // Staging may have found no frame, and forgotten the page already.
            if let idle = pages.find(PageKey.data(op.pointee.unit, page)) { forgetIfIdle(idle) }
            op.pointee.phase = .page
            waitingForFrames.append(UInt32(id))
            return false
        }
        wait(id, onPage: slot)
        return false
    }

    /// The page's present content stays while the operation waits for other pages: frames run short, and a clean one
    /// would be given up.
    func keepOlder(_ id: Int, _ index: Int, _ slot: Int) {
        let frame = pages[slot].current
        pool[frame].pointee.pins += 1
        olderFrames[id * PageSize.operationPages + index] = frame
    }

    /// Whether the content that `hasContent` found is still there for every page: a takeover voids what was cached, and
    /// puts in its place what the partner had. The locks are taken anew where it is not.
    mutating func keptContent(_ id: Int) -> Bool {
        let op = operations + id
        for index in 0..<op.pointee.pageCount where needsContent(op, index) {
            let needed = op.pointee.isProtected ? PageSize.fullMask : op.pointee.mask(of: index)
            let current = pages[lockedPage(id, index, pageKey(id, index))].current
            if current != .none, pool[current].pointee.validMask & needed == needed { continue }
            unlockPages(id, count: op.pointee.progress)
            op.pointee.phase = .space
            runnable.append(UInt32(id))
            return false
        }
        return true
    }

    /// It is not needed any more.
    mutating func letOlderGo(_ id: Int, _ index: Int) {
        let at = id * PageSize.operationPages + index
        let frame = olderFrames[at]
        olderFrames[at] = .none
        if frame != .none { unpin(frame) }
    }

    /// Compares the readable content of the extent with the compare data in the scratch pages, whose frames are free
    /// afterwards. When they differ, the operation is over.
    mutating func compares(_ id: Int) -> Bool {
        let op = operations + id
        guard mayAnswer else {
            // What is readable now may not be later: the locks and pointers are taken anew then.
            unlockPages(id, count: op.pointee.progress)
            op.pointee.phase = .space
            op.pointee.usesPointers = false
            held.append(UInt32(id))
            evaluatePointers()
            return false
        }
        var offset = 0
        var isSame = true
        for index in 0..<op.pointee.pageCount where isSame {
            guard let slot = pages.find(pageKey(id, index)) else { continue }
            let mask = op.pointee.mask(of: index)
            let present = UnsafeRawPointer(frames.pointer(pages[slot].current))
            let expected = UnsafeRawPointer(frames.pointer(lists[id][op.pointee.pageCount + index]))
            for sector in 0..<PageSize.sectors where mask & (1 << UInt8(sector)) != 0 && isSame {
                let same = Self.commonPrefix(present + sector * 512, expected + sector * 512)
                isSame = same == 512
                offset += same
            }
        }
        for index in op.pointee.pageCount..<op.pointee.frameCount { pool.free(lists[id][index]) }
        if op.pointee.isAdmitted { admittedPages -= op.pointee.frameCount - op.pointee.pageCount }
        op.pointee.frameCount = op.pointee.pageCount
        wakeForFrames()
        if isSame || Planted.isOn(.looseCompare) { return true }
        op.pointee.phase = .page
        undoWrite(id)
        responses.append(.miscompared(BlockToken(slot: id), offset: UInt32(offset)))
        return false
    }

    /// How many bytes of a sector are the same before the first that differs.
    private static func commonPrefix(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer) -> Int {
        var at = 0
        while at < 512 {
            let difference = a.little64(at) ^ b.little64(at)
            if difference != 0 { return at + difference.trailingZeroBitCount / 8 }
            at += 8
        }
        return 512
    }

    /// ORWRITE: the sectors of `mask` of the older frame are laid over the new data, bit by bit. Their guards are those
    /// of the result (SBC-3 §5.6).
    func combine(_ older: FrameIndex, into frame: FrameIndex, mask: UInt8, isProtected: Bool) {
        guard older != .none else { return }
        let from = UnsafeRawPointer(frames.pointer(older))
        let to = frames.pointer(frame)
        for sector in 0..<PageSize.sectors where mask & (1 << UInt8(sector)) != 0 {
            for at in stride(from: sector * 512, to: sector * 512 + 512, by: 8) {
                to.put(little64: UnsafeRawPointer(to).little64(at) | from.little64(at), at)
            }
            guard isProtected else { continue }
            frames.trailer(frame).put(big16: Checksum.blockGuard(to + sector * 512, 512), sector * 8)
        }
    }
}
