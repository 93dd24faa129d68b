import CPrimitives

/// Words of a mapping that two processes share: the seal of a frame header, the window word.
@usableFromInline
package enum SharedWord {
    /// Stores `value` after everything that this thread wrote before (release).
    package static func store(_ value: UInt64, at word: UnsafeMutableRawPointer) { gemel_store_release(word, value) }
    /// Loads the word before everything that this thread reads after (acquire).
    package static func load(_ word: UnsafeRawPointer) -> UInt64 { gemel_load_acquire(word) }
    /// A full barrier: what was stored before is visible before what is loaded after.
    package static func fence() { gemel_fence() }
}
