import PagingFormats
import Primitives

/// The channel's input: frames are parsed where they were received. What was parsed stays in place until the next
/// bytes are asked for.
struct ReceiveBuffer: ~Copyable {
    /// Two of the longest frames: behind one that is being received there is always room for its rest.
    static var capacity: Int { 2 * (ChannelHeader.encodedSize + ChannelLimits.payloadBytes) }

    private let base: UnsafeMutableRawPointer
    private var parsed = 0
    private var filled = 0

    init() { base = .allocate(byteCount: Self.capacity, alignment: 4096) }

    deinit { base.deallocate() }

    mutating func removeAll() {
        parsed = 0
        filled = 0
    }

    /// Bytes that are received and not parsed.
    var count: Int { filled - parsed }
    /// The first of them.
    var front: UnsafeRawPointer { UnsafeRawPointer(base + parsed) }

    mutating func take(_ count: Int) { parsed += count }

    mutating func target(into vector: inout ByteVector) {
        if parsed == filled {
            removeAll()
        } else if Self.capacity - filled < ChannelHeader.encodedSize + ChannelLimits.payloadBytes {
            base.copyMemory(from: base + parsed, byteCount: count)
            filled -= parsed
            parsed = 0
        }
        vector.append(base + filled, Self.capacity - filled)
    }

    /// False when more was reported than there was room for.
    mutating func received(_ count: Int) -> Bool {
        guard count >= 0, count <= Self.capacity - filled else { return false }
        filled += count
        return true
    }
}
