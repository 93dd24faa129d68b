import PagingFormats
import Primitives

// What the peers of an engine say.
extension ChannelTarget {
    /// A digest that stands for HMAC-SHA-256 with a secret: it depends on every byte.
    static func digest(_ message: InlineArray<128, UInt8>, _ count: Int) -> InlineArray<32, UInt8> {
        var hash = SeededRandom(seed: 0x5EC2E7)
        for index in 0..<count { hash.state = hash.next() ^ UInt64(message[index]) &* 0x9E37_79B9 }
        var digest = InlineArray<32, UInt8>(repeating: 0)
        for index in 0..<32 { digest[index] = UInt8(truncatingIfNeeded: hash.next()) }
        return digest
    }

    /// Answers the engine's hello as the partner would, with an incarnation of the input's choice.
    func prove(_ stream: UInt32, _ input: inout FuzzInput) {
        let incarnation = UInt64(input.below(8))
        let number = UInt32(input.below(4))
        guard let outgoing = peers[stream]?.outgoing, outgoing.count >= ChannelHello.frameSize,
            peers[stream]?.isProved == false,
            let theirs = outgoing.withUnsafeBytes({ raw in
                raw.baseAddress.flatMap { ChannelHello(decodingFrame: $0) }
            })
        else { return }
        var own = ChannelHello(
            controller: theirs.controller.partner, pairID: Self.pairID, incarnation: incarnation,
            memoryID: .init(high: 2, low: 2))
        own.connection = number
        own.nonce = InlineArray(repeating: 7)
        let connection = max(own.connection, theirs.connection) + 1
        let (a, b) = own.controller == .a ? (own, theirs) : (theirs, own)
        let message = ChannelProof.message(prover: own.controller, a, b, version: 1, connection: connection)
        let digest = Self.digest(message, ChannelProof.messageSize)
        append(stream, ChannelHello.frameSize + ChannelProof.frameSize) { base in
            own.encodeFrame(to: base)
            ChannelProof.encodeFrame(digest, to: base + ChannelHello.frameSize)
        }
        peers[stream]?.isProved = true
        peers[stream]?.connection = connection
    }

    /// Any bytes; with a checksum that is right if there is a header's worth of them.
    func rawBytes(_ stream: UInt32, _ input: inout FuzzInput) {
        let fixes = input.flag()
        var bytes = input.take(input.below(200))
        if fixes, bytes.count >= ChannelHeader.encodedSize {
            bytes.replaceSubrange(0..<4, with: [0x43, 0x47, 0x45, 0x4D])
            bytes.withUnsafeMutableBytes { raw in
                guard let base = raw.baseAddress else { return }
                let rest = raw.count - ChannelHeader.encodedSize
                base.put(little32: Checksum.crc32c(base + ChannelHeader.encodedSize, rest), 56)
                base.put(little32: Checksum.crc32c(base, 60), 60)
            }
        }
        peers[stream]?.incoming += bytes
    }

    func announce(_ stream: UInt32, _ input: inout FuzzInput) {
        var announcement = ChannelAnnouncement()
        announcement.standing = ChannelAnnouncement.Standing(rawValue: UInt8(input.below(7))) ?? .starting
        announcement.flags = .init(rawValue: UInt8(input.below(32)))
        announcement.epoch = small(&input)
        announcement.sequence = UInt64(small(&input))
        announcement.memoryID = input.pick([.none, .init(high: 1, low: 1), .init(high: 2, low: 2)])
        var payload = [UInt8](repeating: 0, count: ChannelAnnouncement.encodedSize)
        payload.withUnsafeMutableBytes { raw in raw.baseAddress.map { announcement.encode(to: $0) } }
        frame(stream, .announcement, records: 0, payload, checked: payload, &input)
    }

    func messages(_ stream: UInt32, _ input: inout FuzzInput) {
        var payload: [UInt8] = []
        var checked: [UInt8] = []
        let count = 1 + input.below(4)
        for _ in 0..<count {
            var message = MessageMaker.message(&input)
            let data = [UInt8](repeating: input.byte(), count: Int(message.dataLength))
            message.checksum = data.withUnsafeBytes { raw in
                raw.baseAddress.map { Checksum.crc32c($0, raw.count) } ?? 0
            }
            var record = [UInt8](repeating: 0, count: PagingMessage.encodedSize)
            record.withUnsafeMutableBytes { raw in raw.baseAddress.map { message.encode(to: $0) } }
            checked += record
            payload += record + data + [UInt8](repeating: 0, count: ChannelLimits.padded(data.count) - data.count)
        }
        frame(stream, .messages, records: UInt32(count), payload, checked: checked, &input)
    }

    /// A frame that is right, but for one thing now and then.
    private func frame(
        _ stream: UInt32, _ kind: ChannelFrameKind, records: UInt32, _ payload: [UInt8], checked: [UInt8],
        _ input: inout FuzzInput
    ) {
        guard let peer = peers[stream] else { return }
        var header = ChannelHeader(kind)
        header.version = 1
        header.records = records
        header.payloadLength = UInt32(payload.count)
        header.connection = peer.connection
        header.epoch = small(&input)
        header.sequence = peer.sequence + 1
        header.lamport = UInt64(small(&input))
        header.payloadChecksum = checked.withUnsafeBytes { raw in
            raw.baseAddress.map { Checksum.crc32c($0, raw.count) } ?? 0
        }
        switch input.byte() {
        case 250: header.sequence &+= 1
        case 251: header.acknowledged = UInt64(input.byte())
        case 252: header.records = UInt32(input.byte())
        case 253: header.connection = UInt32(input.byte())
        case 254: header.payloadLength = UInt32(input.byte()) * 8
        case 255: header.lamport = ChannelLimits.counter
        default: break
        }
        peers[stream]?.sequence += 1
        append(stream, ChannelHeader.encodedSize) { header.encode(to: $0) }
        peers[stream]?.incoming += payload
    }

    private func append(_ stream: UInt32, _ count: Int, _ encode: (UnsafeMutableRawPointer) -> Void) {
        var bytes = [UInt8](repeating: 0, count: count)
        bytes.withUnsafeMutableBytes { raw in raw.baseAddress.map(encode) }
        peers[stream]?.incoming += bytes
    }

    /// An epoch or a sequence near the present one, or the highest.
    private func small(_ input: inout FuzzInput) -> UInt32 {
        let byte = input.byte()
        return byte == 255 ? UInt32.max : UInt32(byte & 15)
    }
}
