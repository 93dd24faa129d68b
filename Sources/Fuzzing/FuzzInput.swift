/// The bytes of one fuzz input, read from the front. When they are used up every further read gives zero, so that any
/// sequence of bytes is a whole story; `isEmpty` ends loops.
struct FuzzInput {
    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = Array(bytes) }

    /// Nothing is left.
    var isEmpty: Bool { at >= bytes.count }

    mutating func byte() -> UInt8 {
        guard at < bytes.count else { return 0 }
        at += 1
        return bytes[at - 1]
    }

    mutating func big16() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }
    mutating func big32() -> UInt32 { UInt32(big16()) << 16 | UInt32(big16()) }
    mutating func big64() -> UInt64 { UInt64(big32()) << 32 | UInt64(big32()) }

    /// A number below `bound`, which is at most 256.
    mutating func below(_ bound: Int) -> Int { Int(byte()) % bound }

    mutating func flag() -> Bool { byte() & 1 == 1 }

    /// One of the elements; `all` is not empty.
    mutating func pick<Element>(_ all: [Element]) -> Element { all[below(all.count)] }

    /// As many bytes as are there, at most `count`.
    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, at + count)
        defer { at = end }
        return Array(bytes[at..<end])
    }

    mutating func rest() -> [UInt8] { take(bytes.count) }

    /// A length: mostly short, sometimes near the bounds that code has, sometimes anything.
    mutating func length() -> UInt32 {
        switch byte() {
        case 0..<96: UInt32(byte())
        case 96..<176: UInt32(big16())
        case 176..<208: UInt32(byte()) << 9
        case 208..<232: UInt32(byte()) << 12
        case 232..<248: big32() >> 8
        default: big32()
        }
    }
}
