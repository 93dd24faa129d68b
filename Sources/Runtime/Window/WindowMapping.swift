import CLinux
import Glibc
import PagingFormats
import Primitives

/// The partner's memory as this controller sees it: all of it to read, its mirror area (frames and the pages of their
/// headers) to write. The first header page of the mirror area may also hold headers of the partner's own frames;
/// only slots of the mirror area are ever written.
///
/// A page that the partner's file lost (somebody truncated it) becomes zeros of our own, and `isBroken` says so: the
/// window is closed then, the controller goes on.
package struct WindowMapping: ~Copyable {
    package let layout: RegionLayout
    package let incarnation: UInt64
    package let base: UnsafeMutableRawPointer

    /// Maps what was offered; the descriptor stays the caller's. nil when it is shorter than offered. An earlier
    /// mapping must be gone: a process guards one.
    package init?(_ offer: WindowOffer, memory: Int32) {
        guard let mapped = Self.map(offer.layout, memory) else { return nil }
        layout = offer.layout
        incarnation = offer.incarnation
        base = mapped
    }

    private static func map(_ layout: RegionLayout, _ memory: Int32) -> UnsafeMutableRawPointer? {
        var status = stat()
        guard fstat(memory, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            Int(status.st_size) >= layout.bytes, layout.mirrorFrames > 0,
            let base = mmap(nil, layout.bytes, PROT_READ, MAP_SHARED, memory, 0), base != MAP_FAILED
        else { return nil }
        let headers = layout.header(layout.mirrorStart) / PageSize.bytes * PageSize.bytes
        let frames = layout.frame(layout.mirrorStart)
        let writable = PROT_READ | PROT_WRITE
        if mprotect(base + headers, layout.frameOffset - headers, writable) == 0,
            mprotect(base + frames, layout.bytes - frames, writable) == 0,
            gemel_guard_mapping(base, layout.bytes) == 0
        {
            return base
        }
        munmap(base, layout.bytes)
        return nil
    }

    deinit {
        _ = gemel_guard_mapping(nil, 0)
        munmap(base, layout.bytes)
    }

    /// The partner's window word as it is now.
    package var word: UInt64 { SharedWord.load(base + RegionLayout.controlOffset) }
    /// A page of the mapping was lost.
    package var isBroken: Bool { gemel_mapping_faulted() != 0 }

    /// Whether a slot is one of the mirror area: a frame that may be written here.
    private func owns(_ slot: UInt32) -> Bool { Int(slot) >= layout.mirrorStart && Int(slot) < layout.frames }

    /// Copies a page past the caches; false, and nothing changed, when the slot is not in the mirror area. The page
    /// does not count before `seal`.
    package func place(page: UnsafeRawPointer, slot: UInt32) -> Bool {
        if !owns(slot) { return false }
        let target = base + layout.header(Int(slot))
        CacheHint.soon(target + 64)
        // A slot is free when it is placed in; should it still be sealed, nobody may see old header and new bytes.
        if SharedWord.load(target) != 0 {
            FrameHeader.open(at: target)
            SharedWord.fence()
        }
        CacheHint.copyPageAway(to: base + layout.frame(Int(slot)), from: page)
        return true
    }

    /// Copies the header of a page that was placed, with the trailer if it counts, the seal last.
    /// `CacheHint.finishCopies` stands between the two. The caller looks at the window word after a fence behind the
    /// last seal of its batch.
    package func seal(header: UnsafeRawPointer, slot: UInt32) {
        if !owns(slot) { return }
        let target = base + layout.header(Int(slot))
        memcpy(target + 8, header + 8, min(FrameHeader.length(header), layout.headerBytes) - 8)
        let role = FrameHeader.role(SharedWord.load(header)) ?? .standing
        FrameHeader.seal(FrameHeader.sealWord(target, role), at: target)
    }

    /// Settles a header of the mirror area: the page no longer depends on its group.
    package func settle(slot: UInt32) {
        if owns(slot) { FrameHeader.settle(at: base + layout.header(Int(slot))) }
    }

    /// Opens a header of the mirror area; nothing happens for a slot that is not there.
    package func clear(slot: UInt32) {
        if owns(slot) { FrameHeader.open(at: base + layout.header(Int(slot))) }
    }
}
