import Primitives

/// What a frame of the inter-controller channel carries; the raw value is the wire's.
package enum ChannelFrameKind: UInt8, Sendable, CaseIterable {
    /// The first frame in each direction: `ChannelHello`.
    case hello = 1
    /// The second: 32 bytes of `ChannelProof`.
    case proof
    /// Any number of `PagingMessage` records, each with its page data.
    case messages
    /// What the sender's membership is: `ChannelAnnouncement`.
    case announcement
}

/// Bounds of the channel's frames; a frame beyond them is malformed.
package enum ChannelLimits {
    /// The most payload bytes in a frame.
    package static var payloadBytes: Int { 256 << 10 }
    /// The most records in a frame: a payload of records without data.
    package static var records: Int { payloadBytes / PagingMessage.encodedSize }
    /// The versions of the protocol that this release speaks.
    package static var versions: ClosedRange<UInt16> { 1...1 }
    /// Counters above this are no counters of ours: room to count on without overflow.
    package static var counter: UInt64 { 1 << 62 }
    /// The same for connection numbers.
    package static var connection: UInt32 { 1 << 31 }
    /// `count` rounded up to the 8 bytes that page data is padded to.
    package static func padded(_ count: Int) -> Int { (count + 7) & ~7 }
}

/// The 64 bytes before each frame of the channel, little-endian.
///
///      0 magic      4 version   6 kind  7 reserved   8 records   12 payload length   16 connection   20 epoch
///     24 sequence  32 cumulative acknowledgement    40 Lamport counter              48 reserved
///     56 CRC32C of the payload's records (page data has the checksum in its record)  60 CRC32C of bytes 0 ..< 60
package struct ChannelHeader: Equatable, Sendable {
    package var version: UInt16 = 0
    package var kind: ChannelFrameKind
    package var records: UInt32 = 0
    /// Payload bytes behind the header; a multiple of 8, at most `ChannelLimits.payloadBytes`.
    package var payloadLength: UInt32 = 0
    /// Number of the connection; 0 in the handshake.
    package var connection: UInt32 = 0
    /// The record's epoch as the sender knows it.
    package var epoch: UInt32 = 0
    /// 1 for the first frame after the handshake, growing by one.
    package var sequence: UInt64 = 0
    /// The highest sequence that the sender has received on this connection.
    package var acknowledged: UInt64 = 0
    package var lamport: UInt64 = 0
    /// CRC32C of the records (not of the page data between them), or of the whole payload of other kinds.
    package var payloadChecksum: UInt32 = 0

    package init(_ kind: ChannelFrameKind) { self.kind = kind }

    package static var encodedSize: Int { 64 }
    static var magic: UInt32 { 0x4D45_4743 }

    /// Writes the 64 bytes with their checksum.
    package func encode(to base: UnsafeMutableRawPointer) {
        base.put(little32: Self.magic, 0)
        base.put(little16: version, 4)
        base.put(byte: kind.rawValue, 6)
        base.put(byte: 0, 7)
        base.put(little32: records, 8)
        base.put(little32: payloadLength, 12)
        base.put(little32: connection, 16)
        base.put(little32: epoch, 20)
        base.put(little64: sequence, 24)
        base.put(little64: acknowledged, 32)
        base.put(little64: lamport, 40)
        base.put(little64: 0, 48)
        base.put(little32: payloadChecksum, 56)
        base.put(little32: Checksum.crc32c(base, 60), 60)
    }

    /// Reads 64 bytes; nil when they are not a header that a sender of ours writes.
    package init?(decoding base: UnsafeRawPointer) {
        guard base.little32(0) == Self.magic, base.little32(60) == Checksum.crc32c(base, 60),
            let kind = ChannelFrameKind(rawValue: base.byte(6)), base.byte(7) == 0, base.little64(48) == 0
        else { return nil }
        self.kind = kind
        version = base.little16(4)
        records = base.little32(8)
        payloadLength = base.little32(12)
        connection = base.little32(16)
        epoch = base.little32(20)
        sequence = base.little64(24)
        acknowledged = base.little64(32)
        lamport = base.little64(40)
        payloadChecksum = base.little32(56)
        guard payloadLength <= UInt32(ChannelLimits.payloadBytes), payloadLength & 7 == 0,
            records <= UInt32(ChannelLimits.records), connection <= ChannelLimits.connection,
            sequence <= ChannelLimits.counter, acknowledged <= ChannelLimits.counter,
            lamport <= ChannelLimits.counter
        else { return nil }
    }
}
