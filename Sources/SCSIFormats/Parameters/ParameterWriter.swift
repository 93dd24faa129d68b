import Primitives

/// Builds parameter data into a buffer that may be shorter than the data: only the bytes that fall in the window
/// `window ..< window + capacity` of the whole are stored, the rest is counted. A long answer is sent in pieces by
/// building it once a piece, each time with the next window. The owner has zeroed the buffer.
package struct ParameterWriter {
    /// First byte of the buffer; it holds byte `window` of the data.
    let base: UnsafeMutableRawPointer
    /// Offset in the data of the buffer's first byte.
    let window: Int
    /// Bytes in the buffer.
    let capacity: Int
    /// Bytes of data so far, stored or not: the next byte's offset.
    package private(set) var count = 0

    package init(base: UnsafeMutableRawPointer, window: Int, capacity: Int) {
        self.base = base
        self.window = window
        self.capacity = capacity
    }

    /// Appends a byte.
    package mutating func put(_ byte: UInt8) {
        patch(byte, at: count)
        count += 1
    }

    /// Appends bytes.
    package mutating func put(_ bytes: [UInt8]) { for byte in bytes { put(byte) } }

    /// Appends 16 bits, most significant byte first.
    package mutating func put(big16 value: UInt16) {
        put(UInt8(truncatingIfNeeded: value >> 8))
        put(UInt8(truncatingIfNeeded: value))
    }

    /// Appends 24 bits, most significant byte first.
    package mutating func put(big24 value: UInt32) {
        put(UInt8(truncatingIfNeeded: value >> 16))
        put(big16: UInt16(truncatingIfNeeded: value))
    }

    /// Appends 32 bits, most significant byte first.
    package mutating func put(big32 value: UInt32) {
        put(big16: UInt16(truncatingIfNeeded: value >> 16))
        put(big16: UInt16(truncatingIfNeeded: value))
    }

    /// Appends 64 bits, most significant byte first.
    package mutating func put(big64 value: UInt64) {
        put(big32: UInt32(truncatingIfNeeded: value >> 32))
        put(big32: UInt32(truncatingIfNeeded: value))
    }

    /// Appends `width` bytes of left-aligned ASCII: `text`, cut or padded with spaces (SPC-4 §4.3.1).
    package mutating func put(ascii text: [UInt8], width: Int) {
        for index in 0..<width {
            let byte = index < text.count ? text[index] : 0x20
            put(byte >= 0x20 && byte < 0x7F ? byte : 0x20)
        }
    }

    /// Appends zeros up to data offset `end`; nothing when the data is already as long.
    package mutating func zeros(upTo end: Int) { while count < end { put(0) } }

    /// Stores a byte of data that was appended before, typically a length that is known only now.
    package func patch(_ byte: UInt8, at offset: Int) {
        let place = offset - window
        if place >= 0, place < capacity { base.put(byte: byte, place) }
    }

    /// Writes 16 bits over what was appended at `offset`, most significant byte first.
    package func patch(big16 value: UInt16, at offset: Int) {
        patch(UInt8(truncatingIfNeeded: value >> 8), at: offset)
        patch(UInt8(truncatingIfNeeded: value), at: offset + 1)
    }

    /// Writes 32 bits over what was appended at `offset`, most significant byte first.
    package func patch(big32 value: UInt32, at offset: Int) {
        patch(big16: UInt16(truncatingIfNeeded: value >> 16), at: offset)
        patch(big16: UInt16(truncatingIfNeeded: value), at: offset + 2)
    }
}
