import CPrimitives

/// Hash index from a 64-bit key to a 32-bit value with a fixed number of places: open addressing, linear probing,
/// deletion by shifting back. No allocation after `init`, no iteration (so no order that could leak into behaviour).
@frozen
@usableFromInline
package struct KeyIndex: ~Copyable {
    /// Key and value side by side: a look costs one cache line.
    @frozen
    @usableFromInline
    struct Place {
        /// The complement of the key, so that zeroed memory is an empty index.
        @usableFromInline var complement: UInt64
        @usableFromInline var value: UInt32
    }
    @usableFromInline let places: UnsafeMutablePointer<Place>
    @usableFromInline let mask: Int
    /// Entries in the index.
    package private(set) var count = 0

    /// Keys may have any value but this one.
    @inlinable package static var noKey: UInt64 { .max }

    /// - Parameter entries: the most entries that will ever be in; the index takes twice as many places.
    package init(entries: Int) {
        var size = 16
        while size < entries * 2 { size <<= 1 }
        places = gemel_zeroed(size * MemoryLayout<Place>.stride).bindMemory(to: Place.self, capacity: size)
        mask = size - 1
    }

    deinit { gemel_free(places) }

    @inlinable @inline(__always) func home(_ key: UInt64) -> Int {
        var hash = key &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 32
        return Int(truncatingIfNeeded: hash) & mask
    }

    /// The value of `key`, nil when it has none.
    @inlinable @inline(__always) package subscript(key: UInt64) -> UInt32? {
        var at = home(key)
        while true {
            let place = places[at]
            if place.complement == 0 { return nil }
            if place.complement == ~key { return place.value }
            at = (at &+ 1) & mask
        }
    }

    /// `key` will be looked for soon.
    @inlinable @inline(__always) package func expect(_ key: UInt64) { CacheHint.soon(places + home(key)) }

    /// Sets the value of `key`.
    package mutating func set(_ key: UInt64, _ value: UInt32) {
        precondition(key != Self.noKey)
        var at = home(key)
        while places[at].complement != 0 {
            if places[at].complement == ~key {
                places[at].value = value
                return
            }
            at = (at + 1) & mask
        }
        precondition(count * 2 <= mask, "an index got more entries than its owner proved")
        places[at] = Place(complement: ~key, value: value)
        count += 1
    }

    /// Removes `key`; nothing happens when it is not there.
    package mutating func remove(_ key: UInt64) {
        if key == Self.noKey { return }
        var at = home(key)
        while places[at].complement != ~key {
            if places[at].complement == 0 { return }
            at = (at + 1) & mask
        }
        count -= 1
        var hole = at
        var next = (at + 1) & mask
        while places[next].complement != 0 {
            let home = home(~places[next].complement)
            if ((next - home) & mask) >= ((next - hole) & mask) {
                places[hole] = places[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        places[hole].complement = 0
    }
}
