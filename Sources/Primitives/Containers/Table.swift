/// A fixed table of slots in one piece of memory: the place of everything that has a life per command, connection or
/// operation. Taking and giving back a slot costs no allocation. A slot's content is whatever it was given last.
@frozen
@usableFromInline
package struct Table<Element>: ~Copyable {
    @usableFromInline let storage: UnsafeMutablePointer<Element>
    @usableFromInline let free: UnsafeMutablePointer<UInt32>
    @usableFromInline var freeCount: Int
    /// Slots in all.
    @usableFromInline package let capacity: Int

    /// Every slot begins as a copy of `initial`.
    @inlinable package init(capacity: Int, initial: Element) {
        self.capacity = capacity
        storage = .allocate(capacity: capacity)
        storage.initialize(repeating: initial, count: capacity)
        free = .allocate(capacity: capacity)
        for index in 0..<capacity { free[index] = UInt32(capacity - 1 - index) }
        freeCount = capacity
    }

    @inlinable deinit {
        storage.deinitialize(count: capacity)
        storage.deallocate()
        free.deallocate()
    }

    /// Slots in use.
    @inlinable package var count: Int { capacity - freeCount }
    @inlinable package var isFull: Bool { freeCount == 0 }

    /// Takes a slot, nil when all are in use.
    @inlinable package mutating func take() -> Int? {
        if freeCount == 0 { return nil }
        freeCount -= 1
        return Int(free[freeCount])
    }

    /// Gives a slot back; it must be in use.
    @inlinable package mutating func giveBack(_ index: Int) {
        precondition(freeCount < capacity, "a slot was given back twice")
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
        precondition(index >= 0 && index < capacity)
        return index
    }
}
