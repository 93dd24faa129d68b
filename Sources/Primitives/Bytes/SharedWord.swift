import CPrimitives

/// Words of a mapping that two processes share: the seal of a frame header, the window word.
@usableFromInline
package enum SharedWord {
    /// Stores `value` after everything that this thread wrote before (release).
    @inlinable @inline(__always) package static func store(_ value: UInt64, at word: UnsafeMutableRawPointer) {
        gemel_store_release(word, value)
    }
    /// Loads the word before everything that this thread reads after (acquire).
    @inlinable @inline(__always) package static func load(_ word: UnsafeRawPointer) -> UInt64 {
        gemel_load_acquire(word)
    }
    /// A full barrier: what was stored before is visible before what is loaded after.
    @inlinable package static func fence() { gemel_fence() }
}

/// What the cache should know of the path of a page.
@usableFromInline
package enum CacheHint {
    /// The line at `address` will be used soon. Any address will do: nothing is read.
    @inlinable @inline(__always) package static func soon(_ address: UnsafeRawPointer) { gemel_prefetch(address) }

    /// Copies a page to where nobody here reads it: past the caches. Both ends are page-aligned. A store that tells
    /// others of the page comes after `finishCopies`, because a release does not order what went past the caches.
    @inlinable @inline(__always) package static func copyPageAway(
        to: UnsafeMutableRawPointer, from: UnsafeRawPointer
    ) { gemel_copy_page(to, from) }

    /// Behind the last `copyPageAway` of a batch.
    @inlinable @inline(__always) package static func finishCopies() { gemel_copy_fence() }
}
