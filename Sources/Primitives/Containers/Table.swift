/// A fixed table of slots in one piece of memory: the place of everything that has a life per command, connection or
/// operation. Taking and giving back a slot costs no allocation. A slot's content is whatever it was given last. Memory
/// of slots that were never in use is not touched, if the table is made `lazily`.
@frozen
@usableFromInline
package struct Table<Element>: ~Copyable {
    @usableFromInline let storage: UnsafeMutablePointer<Element>
    @usableFromInline let free: UnsafeMutablePointer<UInt32>
    @usableFromInline var freeCount = 0
    /// Slots from here on were never in use, and have no content.
    @usableFromInline var made: Int
    @usableFromInline let initial: Element
    /// Slots in all.
    @usableFromInline package let capacity: Int

    /// Every slot begins as a copy of `initial`: at once, or when it is first taken. A slot that was not taken yet
    /// cannot be looked at then.
    @inlinable package init(capacity: Int, initial: Element, lazily: Bool = false) {
        self.capacity = capacity
        self.initial = initial
        storage = .allocate(capacity: capacity)
        free = .allocate(capacity: capacity)
        made = 0
        if lazily { return }
        storage.initialize(repeating: initial, count: capacity)
        for index in 0..<capacity { free[index] = UInt32(capacity - 1 - index) }
        made = capacity
        freeCount = capacity
    }

    @inlinable deinit {
        storage.deinitialize(count: made)
        storage.deallocate()
        free.deallocate()
    }

    /// Slots in use.
    @inlinable package var count: Int { made - freeCount }
    @inlinable package var isFull: Bool { freeCount == 0 && made == capacity }

    /// Takes a slot, nil when all are in use.
    @inlinable package mutating func take() -> Int? {
        if freeCount == 0 { return takeFresh() }
        freeCount -= 1
        return Int(free[freeCount])
    }

    @inlinable mutating func takeFresh() -> Int? {
        if made == capacity { return nil }
        (storage + made).initialize(to: initial)
        made += 1
        return made - 1
    }

    /// Gives a slot back; it must be in use.
    @inlinable package mutating func giveBack(_ index: Int) {
        precondition(freeCount < made, "a slot was given back twice")
        free[freeCount] = UInt32(index)
        freeCount += 1
    }

    @inlinable package subscript(index: Int) -> Element {
        unsafeAddress { UnsafePointer(storage + check(index)) }
        unsafeMutableAddress { storage + check(index) }
    }

    /// The slot itself, for code that touches many of its fields; valid as long as the table.
    @inlinable package func pointer(_ index: Int) -> UnsafeMutablePointer<Element> { storage + check(index) }

    @inlinable func check(_ index: Int) -> Int {
        precondition(index >= 0 && index < made)
        return index
    }
}
