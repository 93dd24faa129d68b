/// Address arithmetic for page frames: a view of the memory that a driver mapped, handed by value to every engine that
/// must name bytes. Frames 0 ..< `count` are the cache (own area, then mirror area); indices from
/// `Frames.parameterBase` on are parameter pages, 4 KiB of scratch per command slot for everything that is not block
/// data (INQUIRY data, parameter lists, sense).
///
/// The view owns nothing. Whoever holds a frame's index must hold it by right (a pin, an operation, a command slot).
@frozen
@usableFromInline
package struct Frames {
    /// First byte of frame 0, aligned to the page.
    @usableFromInline package let base: UnsafeMutableRawPointer
    /// Frames in the cache.
    @usableFromInline package let count: Int
    /// First byte of parameter page 0.
    @usableFromInline package let parameters: UnsafeMutableRawPointer
    /// Parameter pages, one a command slot.
    @usableFromInline package let parameterCount: Int
    /// First byte of the trailer of frame 0; nil in a memory whose frames have none.
    @usableFromInline package let trailers: UnsafeMutableRawPointer?

    @inlinable package static var parameterBase: UInt32 { 0x8000_0000 }
    /// Bytes from the trailer of a frame to that of the next: a trailer stands behind its frame's header.
    @inlinable package static var trailerStride: Int { 192 }

    @inlinable package init(
        base: UnsafeMutableRawPointer, count: Int, parameters: UnsafeMutableRawPointer, parameterCount: Int,
        trailers: UnsafeMutableRawPointer? = nil
    ) {
        self.base = base
        self.count = count
        self.parameters = parameters
        self.parameterCount = parameterCount
        self.trailers = trailers
    }

    /// The trailer of a frame of the cache: `PageSize.trailerBytes`, for the protection information of the page's
    /// sectors. Traps in a memory without trailers.
    @inlinable package func trailer(_ frame: FrameIndex) -> UnsafeMutableRawPointer {
        guard let trailers, frame.raw < UInt32(count) else { preconditionFailure("a frame without a trailer") }
        return trailers + Int(frame.raw) * Self.trailerStride
    }

    /// First byte of a frame or parameter page; traps on an index that names neither.
    @inlinable package func pointer(_ frame: FrameIndex) -> UnsafeMutableRawPointer {
        if frame.raw < UInt32(count) { return base + Int(frame.raw) * PageSize.bytes }
        let parameter = Int(frame.raw & ~Self.parameterBase)
        precondition(frame.raw >= Self.parameterBase && parameter < parameterCount)
        return parameters + parameter * PageSize.bytes
    }

    /// The parameter page of a command slot.
    @inlinable package static func parameter(_ slot: Int) -> FrameIndex {
        FrameIndex(parameterBase | UInt32(slot))
    }
}

/// The frames of block operations: one list of up to `PageSize.operationPages` frames for each command slot, in one
/// table that the controller owns and its engines see. A list is filled by whoever answers a block request, and is
/// valid until the request is released.
@frozen
@usableFromInline
package struct PageLists {
    @usableFromInline package let base: UnsafeMutablePointer<FrameIndex>
    @usableFromInline package let count: Int

    @inlinable package init(base: UnsafeMutablePointer<FrameIndex>, count: Int) {
        self.base = base
        self.count = count
    }

    /// The list of slot `index`.
    @inlinable package subscript(index: Int) -> UnsafeMutablePointer<FrameIndex> {
        precondition(index >= 0 && index < count)
        return base + index * PageSize.operationPages
    }
}

/// A run of bytes scattered over page frames: `count` bytes that begin `offset` bytes into the first frame of list
/// `list` and go on through the following frames of that list, each from its first byte. With `list` nil the bytes are
/// in the one parameter page `parameter`.
@frozen
@usableFromInline
package struct PageRun: Sendable {
    @usableFromInline package var list: Int32
    @usableFromInline package var parameter: FrameIndex
    @usableFromInline package var offset: UInt32
    @usableFromInline package var count: UInt32

    @inlinable package init(list: Int, offset: Int, count: Int) {
        self.list = Int32(list)
        parameter = .none
        self.offset = UInt32(offset)
        self.count = UInt32(count)
    }

    /// The protection information of the sector that holds byte `position` of the run.
    @inlinable package func tuple(
        at position: Int, frames: Frames, lists: PageLists
    ) -> UnsafeMutableRawPointer {
        precondition(list >= 0 && position >= 0)
        let place = UInt(offset) &+ UInt(bitPattern: position)
        let index = Int(place / UInt(PageSize.bytes))
        precondition(index < PageSize.operationPages)
        return frames.trailer(lists[Int(list)][index]) + Int(place % UInt(PageSize.bytes)) / 512 * 8
    }

    /// `count` bytes at the start of a parameter page.
    @inlinable package init(parameter: FrameIndex, count: Int) {
        list = -1
        self.parameter = parameter
        offset = 0
        self.count = UInt32(count)
    }

    /// Where byte `position` of the run is, and how many bytes follow it in the same frame and belong to the run.
    @inlinable package func piece(
        at position: Int, frames: Frames, lists: PageLists
    ) -> (base: UnsafeMutableRawPointer, count: Int) {
        let remaining = Int(count) - position
        if list < 0 { return (frames.pointer(parameter) + Int(offset) + position, remaining) }
        precondition(position >= 0)
        let place = UInt(offset) &+ UInt(bitPattern: position)
        let index = Int(place / UInt(PageSize.bytes))
        precondition(index < PageSize.operationPages)
        let within = Int(place % UInt(PageSize.bytes))
        let base = frames.pointer(lists[Int(list)][index]) + within
        return (base, Swift.min(remaining, PageSize.bytes - within))
    }
}
