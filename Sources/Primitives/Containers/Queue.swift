/// First-in first-out queue of values in one ring: the only container for events and effects. It doubles when full
/// and never shrinks, so that a steady state allocates nothing; `limit` is the owner's proof that it is bounded, and
/// exceeding it is a bug of ours, not an input.
@frozen
@usableFromInline
package struct Queue<Element>: ~Copyable {
    @usableFromInline var storage: UnsafeMutablePointer<Element>
    @usableFromInline var mask: Int
    @usableFromInline var head = 0
    /// Elements in the queue.
    @usableFromInline package var count = 0
    @usableFromInline let limit: Int

    /// - Parameters:
    ///   - capacity: elements to have room for at once; rounded up to a power of two.
    ///   - limit: the most elements that its owner can ever put in.
    @inlinable package init(capacity: Int = 64, limit: Int = 1 << 22) {
        var size = 16
        while size < capacity { size <<= 1 }
        storage = .allocate(capacity: size)
        mask = size - 1
        self.limit = limit
    }

    @inlinable deinit {
        for index in 0..<count { (storage + ((head + index) & mask)).deinitialize(count: 1) }
        storage.deallocate()
    }

    @inlinable package var isEmpty: Bool { count == 0 }

    @inlinable package mutating func append(_ element: Element) {
        if count > mask { grow() }
        (storage + ((head + count) & mask)).initialize(to: element)
        count += 1
    }

    /// Takes the oldest element, nil when the queue is empty.
    @inlinable package mutating func popFirst() -> Element? {
        if count == 0 { return nil }
        let element = (storage + head).move()
        count -= 1
        // A queue that runs empty begins anew at its start, so that it stays in the nearest cache.
        head = count == 0 ? 0 : (head + 1) & mask
        return element
    }

    /// The oldest element without taking it.
    @inlinable package var first: Element? { count == 0 ? nil : storage[head] }

    /// The element `index` places behind the oldest; the caller has checked `index < count`.
    @inlinable package subscript(index: Int) -> Element {
        get { storage[(head + index) & mask] }
        set { storage[(head + index) & mask] = newValue }
    }

    @inlinable package mutating func removeAll() { while popFirst() != nil {} }

    @usableFromInline mutating func grow() {
        precondition(count < limit, "a queue grew past the limit that its owner proved")
        let size = (mask + 1) * 2
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: size)
        for index in 0..<count { (larger + index).initialize(to: (storage + ((head + index) & mask)).move()) }
        storage.deallocate()
        storage = larger
        mask = size - 1
        head = 0
    }
}
