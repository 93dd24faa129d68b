import Primitives

/// The first frame of a connection in each direction, sent before anything is proved. Its layout never changes, so
/// that two releases can tell each other their versions.
///
///      0 magic  8 version minimum  10 maximum  12 controller  16 pair id  24 incarnation  32 memory id high  40 low
///     48 epoch  52 connection      56 nonce    88 feature level  92 reserved
package struct ChannelHello: Sendable {
    package var versionMinimum: UInt16 = ChannelLimits.versions.lowerBound
    package var versionMaximum: UInt16 = ChannelLimits.versions.upperBound
    package var controller: ControllerID
    package var pairID: UInt64
    package var incarnation: UInt64
    package var memoryID: WitnessRecord.MemoryID
    package var epoch: UInt32 = 0
    /// The highest connection number that the sender has used: the new one is above both sides' numbers.
    package var connection: UInt32 = 0
    /// 32 random bytes, new for each connection.
    package var nonce = InlineArray<32, UInt8>(repeating: 0)
    package var featureLevel: UInt32 = 1

    package init(
        controller: ControllerID, pairID: UInt64, incarnation: UInt64, memoryID: WitnessRecord.MemoryID
    ) {
        self.controller = controller
        self.pairID = pairID
        self.incarnation = incarnation
        self.memoryID = memoryID
    }

    /// Bytes of the payload.
    package static var encodedSize: Int { 96 }
    /// Bytes of the whole frame.
    package static var frameSize: Int { ChannelHeader.encodedSize + encodedSize }
    static var magic: UInt64 { 0x4C45_4E48_4C45_4D47 }

    /// Writes header and payload: `frameSize` bytes.
    package func encodeFrame(to base: UnsafeMutableRawPointer) {
        let body = base + ChannelHeader.encodedSize
        body.initializeMemory(as: UInt8.self, repeating: 0, count: Self.encodedSize)
        body.put(little64: Self.magic, 0)
        body.put(little16: versionMinimum, 8)
        body.put(little16: versionMaximum, 10)
        body.put(little32: UInt32(controller.rawValue), 12)
        body.put(little64: pairID, 16)
        body.put(little64: incarnation, 24)
        body.put(little64: memoryID.high, 32)
        body.put(little64: memoryID.low, 40)
        body.put(little32: epoch, 48)
        body.put(little32: connection, 52)
        for index in 0..<32 { body.put(byte: nonce[index], 56 + index) }
        body.put(little32: featureLevel, 88)
        var header = ChannelHeader(.hello)
        header.payloadLength = UInt32(Self.encodedSize)
        header.payloadChecksum = Checksum.crc32c(body, Self.encodedSize)
        header.encode(to: base)
    }

    /// Reads `frameSize` bytes; nil when they are not a hello.
    package init?(decodingFrame base: UnsafeRawPointer) {
        let body = base + ChannelHeader.encodedSize
        guard let header = ChannelHeader(decoding: base), header.kind == .hello,
            header.payloadLength == UInt32(Self.encodedSize),
            header.payloadChecksum == Checksum.crc32c(body, Self.encodedSize), body.little64(0) == Self.magic,
            body.little32(12) <= 1, body.little32(52) < ChannelLimits.connection
        else { return nil }
        controller = body.little32(12) == 0 ? .a : .b
        pairID = body.little64(16)
        incarnation = body.little64(24)
        memoryID = .init(high: body.little64(32), low: body.little64(40))
        versionMinimum = body.little16(8)
        versionMaximum = body.little16(10)
        epoch = body.little32(48)
        connection = body.little32(52)
        for index in 0..<32 { nonce[index] = body.byte(56 + index) }
        featureLevel = body.little32(88)
    }
}

/// The second frame of a connection: HMAC-SHA-256 with the pair's secret over what both hellos said.
///
/// The label names the prover, and a controller takes no hello with its own name, so a proof that is sent back, or
/// one that was made on another connection, proves nothing.
package enum ChannelProof {
    /// Bytes of the payload.
    package static var encodedSize: Int { 32 }
    /// Bytes of the whole frame.
    package static var frameSize: Int { ChannelHeader.encodedSize + encodedSize }
    /// Bytes of the message that the digest covers.
    package static var messageSize: Int { 128 }

    /// What `prover` authenticates: label, both nonces, pair, both incarnations, both ids, version, connection, both
    /// epochs and memories. The hellos stand in the order of the controllers' names, whoever called.
    package static func message(
        prover: ControllerID, _ a: ChannelHello, _ b: ChannelHello, version: UInt16, connection: UInt32
    ) -> InlineArray<128, UInt8> {
        var message = InlineArray<128, UInt8>(repeating: 0)
        var at = 0
        func add(_ value: UInt64, _ count: Int) {
            for index in 0..<count { message[at + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))) }
            at += count
        }
        add(prover == .a ? 0x6F72_702D_6120_6D67 : 0x6F72_702D_6220_6D67, 8)
        for index in 0..<32 { message[8 + index] = a.nonce[index] }
        for index in 0..<32 { message[40 + index] = b.nonce[index] }
        at = 72
        add(a.pairID, 8)
        add(a.incarnation, 8)
        add(b.incarnation, 8)
        add(UInt64(a.controller.rawValue), 1)
        add(UInt64(b.controller.rawValue), 1)
        add(UInt64(version), 2)
        add(UInt64(connection), 4)
        add(UInt64(a.epoch), 4)
        add(UInt64(b.epoch), 4)
        add(a.memoryID.low, 8)
        add(b.memoryID.low, 8)
        return message
    }

    /// Writes header and digest: `frameSize` bytes.
    package static func encodeFrame(_ digest: InlineArray<32, UInt8>, to base: UnsafeMutableRawPointer) {
        let body = base + ChannelHeader.encodedSize
        for index in 0..<32 { body.put(byte: digest[index], index) }
        var header = ChannelHeader(.proof)
        header.payloadLength = UInt32(encodedSize)
        header.payloadChecksum = Checksum.crc32c(body, encodedSize)
        header.encode(to: base)
    }

    /// Whether the frame is a proof frame with this digest; the time does not depend on where they differ.
    package static func matches(_ digest: InlineArray<32, UInt8>, frame base: UnsafeRawPointer) -> Bool {
        let body = base + ChannelHeader.encodedSize
        guard let header = ChannelHeader(decoding: base), header.kind == .proof,
            header.payloadLength == UInt32(encodedSize),
            header.payloadChecksum == Checksum.crc32c(body, encodedSize)
        else { return false }
        var difference: UInt8 = 0
        for index in 0..<32 { difference |= digest[index] ^ body.byte(index) }
        return difference == 0
    }
}
