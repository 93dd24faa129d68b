/// Hash index from a 64-bit key to a 32-bit value with a fixed number of places: open addressing, linear probing,
/// deletion by shifting back. No allocation after `init`, no iteration (so no order that could leak into behaviour).
@frozen
@usableFromInline
package struct KeyIndex: ~Copyable {
    @usableFromInline let keys: UnsafeMutablePointer<UInt64>
    @usableFromInline let values: UnsafeMutablePointer<UInt32>
    @usableFromInline let mask: Int
    /// Entries in the index.
    package private(set) var count = 0

    /// Keys may have any value but this one.
    @inlinable package static var noKey: UInt64 { .max }

    /// - Parameter entries: the most entries that will ever be in; the index takes twice as many places.
    package init(entries: Int) {
        var size = 16
        while size < entries * 2 { size <<= 1 }
        keys = .allocate(capacity: size)
        keys.initialize(repeating: Self.noKey, count: size)
        values = .allocate(capacity: size)
        values.initialize(repeating: 0, count: size)
        mask = size - 1
    }

    deinit {
        keys.deallocate()
        values.deallocate()
    }

    @inlinable func place(_ key: UInt64) -> Int {
        var hash = key &* 0x9E37_79B9_7F4A_7C15
        hash ^= hash >> 32
        return Int(truncatingIfNeeded: hash) & mask
    }

    /// The value of `key`, nil when it has none.
    @inlinable package subscript(key: UInt64) -> UInt32? {
        var at = place(key)
        while keys[at] != Self.noKey {
            if keys[at] == key { return values[at] }
            at = (at + 1) & mask
        }
        return nil
    }

    /// Sets the value of `key`.
    package mutating func set(_ key: UInt64, _ value: UInt32) {
        precondition(key != Self.noKey)
        var at = place(key)
        while keys[at] != Self.noKey {
            if keys[at] == key {
                values[at] = value
                return
            }
            at = (at + 1) & mask
        }
        precondition(count * 2 <= mask, "an index got more entries than its owner proved")
        keys[at] = key
        values[at] = value
        count += 1
    }

    /// Removes `key`; nothing happens when it is not there.
    package mutating func remove(_ key: UInt64) {
        var at = place(key)
        while keys[at] != key {
            if keys[at] == Self.noKey { return }
            at = (at + 1) & mask
        }
        count -= 1
        var hole = at
        var next = (at + 1) & mask
        while keys[next] != Self.noKey {
            let home = place(keys[next])
            if ((next - home) & mask) >= ((next - hole) & mask) {
                keys[hole] = keys[next]
                values[hole] = values[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        keys[hole] = Self.noKey
    }
}
