import Primitives

/// What WRITE BUFFER keeps for READ BUFFER: for each nexus a data buffer and an echo buffer of a page each, so that
/// hosts do not disturb one another. Pages that nobody wrote are never touched.
struct NexusBuffers: ~Copyable {
    /// Bytes in a buffer.
    static var capacity: Int { PageSize.bytes }
    private let base: UnsafeMutableRawPointer
    /// Bytes in each nexus's echo buffer; -1: nothing was written.
    private let echoed: UnsafeMutablePointer<Int32>
    /// Whether each nexus's data buffer has content; else it reads as zeros.
    private let written: UnsafeMutablePointer<Bool>
    private let nexuses: Int

    init(nexuses: Int) {
        self.nexuses = nexuses
        base = .allocate(byteCount: max(1, nexuses) * 2 * Self.capacity, alignment: PageSize.bytes)
        echoed = .allocate(capacity: max(1, nexuses))
        echoed.initialize(repeating: -1, count: max(1, nexuses))
        written = .allocate(capacity: max(1, nexuses))
        written.initialize(repeating: false, count: max(1, nexuses))
    }

    deinit {
        base.deallocate()
        echoed.deallocate()
        written.deallocate()
    }

    private func place(_ nexus: Int, echo: Bool) -> UnsafeMutableRawPointer {
        precondition(nexus < nexuses)
        return base + (nexus * 2 + (echo ? 1 : 0)) * Self.capacity
    }

    /// Forgets what a nexus wrote.
    mutating func clear(nexus: Int) {
        echoed[nexus] = -1
        written[nexus] = false
    }

    /// Writes `count` bytes of the data buffer from `offset` on; both were checked.
    mutating func write(_ bytes: UnsafeRawPointer, count: Int, at offset: Int, nexus: Int) {
        precondition(offset >= 0 && count >= 0 && offset + count <= Self.capacity)
        let buffer = place(nexus, echo: false)
        if !written[nexus] { buffer.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity) }
        written[nexus] = true
        (buffer + offset).copyMemory(from: bytes, byteCount: count)
    }

    /// Fills the echo buffer; the count was checked.
    mutating func echo(_ bytes: UnsafeRawPointer, count: Int, nexus: Int) {
        precondition(count >= 0 && count <= Self.capacity)
        place(nexus, echo: true).copyMemory(from: bytes, byteCount: count)
        echoed[nexus] = Int32(count)
    }

    /// A byte of the data buffer.
    func byte(_ index: Int, nexus: Int) -> UInt8 {
        written[nexus] ? UnsafeRawPointer(place(nexus, echo: false)).byte(index) : 0
    }

    /// What the echo buffer holds; nil when nothing was written.
    func echo(nexus: Int) -> UnsafeRawBufferPointer? {
        echoed[nexus] < 0
            ? nil : UnsafeRawBufferPointer(start: place(nexus, echo: true), count: Int(echoed[nexus]))
    }
}
