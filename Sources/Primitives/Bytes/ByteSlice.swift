/// A run of bytes in memory that somebody else owns: one element of a gather or scatter list. The layout equals the
/// kernel's `struct iovec`, so a driver passes a `ByteVector` to the kernel as it is.
@frozen
@usableFromInline
package struct ByteSlice {
    @usableFromInline package var base: UnsafeMutableRawPointer
    @usableFromInline package var count: Int
    @inlinable package init(base: UnsafeMutableRawPointer, count: Int) {
        self.base = base
        self.count = count
    }
}

/// A gather or scatter list of fixed capacity. An engine fills it when its driver asks where to receive, or what to
/// send; the slices stay valid until the driver has reported the bytes moved (`received`, `transmitted`).
@frozen
@usableFromInline
package struct ByteVector: ~Copyable {
    /// The slices; the first `count` are valid.
    @usableFromInline package let slices: UnsafeMutablePointer<ByteSlice>
    /// How many slices fit.
    @usableFromInline package let capacity: Int
    @usableFromInline package var count = 0
    /// Bytes in all slices.
    @usableFromInline package var byteCount = 0

    @inlinable package init(capacity: Int) {
        self.capacity = capacity
        slices = .allocate(capacity: capacity)
    }

    @inlinable deinit { slices.deallocate() }

    /// True when no further slice fits.
    @inlinable package var isFull: Bool { count == capacity }

    @inlinable package mutating func removeAll() {
        count = 0
        byteCount = 0
    }

    /// Adds a slice; false, and no change, when the list is full. Empty slices are not added.
    @discardableResult
    @inlinable package mutating func append(_ base: UnsafeMutableRawPointer, _ bytes: Int) -> Bool {
        if bytes == 0 { return true }
        if count == capacity { return false }
        slices[count] = ByteSlice(base: base, count: bytes)
        count += 1
        byteCount += bytes
        return true
    }
}
