import PagingFormats
import Primitives

// Frames of the live connection, in and out.
extension Channel {
    /// The next whole frame of the live connection, nil when there is none; a fault when the bytes are no frame that
    /// may come here and now.
    mutating func nextFrame(at now: Instant) throws(ChannelFault) -> ReceivedFrame? {
        guard let slot = live, input.count >= ChannelHeader.encodedSize else { return nil }
        guard let header = ChannelHeader(decoding: input.front) else { throw .malformed }
        guard header.version == connections[slot].version, header.connection == connections[slot].connection,
            header.sequence == sequenceReceived + 1, header.acknowledged <= sequenceSent
        else { throw .malformed }
        let size = ChannelHeader.encodedSize + Int(header.payloadLength)
        if input.count < size { return nil }
        let payload = input.front + ChannelHeader.encodedSize
        try Self.check(header, payload)
        input.take(size)
        sequenceReceived = header.sequence
        lastHeard = now
        return ReceivedFrame(header: header, payload: payload)
    }

    /// Checks that the payload is what the header says, to the last record, before anything of it counts.
    static func check(_ header: ChannelHeader, _ payload: UnsafeRawPointer) throws(ChannelFault) {
        let length = Int(header.payloadLength)
        switch header.kind {
        case .hello, .proof: throw .malformed
        case .announcement:
            guard header.records == 0, length == ChannelAnnouncement.encodedSize,
                Checksum.crc32c(payload, length) == header.payloadChecksum,
                ChannelAnnouncement(decoding: payload, count: length) != nil
            else { throw .malformed }
        case .messages:
            var at = 0
            var checksum: UInt32 = ~0
            for _ in 0..<header.records {
                guard length - at >= PagingMessage.encodedSize,
                    let message = PagingMessage(decoding: payload + at)
                else { throw .malformed }
                checksum = Checksum.extend(checksum, payload + at, PagingMessage.encodedSize)
                at += PagingMessage.encodedSize
                let data = ChannelLimits.padded(Int(message.dataLength))
                guard length - at >= data else { throw .malformed }
                at += data
            }
            guard at == length, ~checksum == header.payloadChecksum else { throw .malformed }
        }
    }

    /// Queues a message; false when the output is full and the connection must be given up. Without a live connection
    /// nothing happens.
    mutating func send(
        _ message: PagingMessage, data: UnsafeRawPointer?, stable: Bool, trailer: UnsafeRawPointer? = nil,
        epoch: UInt32, _ effects: inout Queue<PairEffect>
    ) -> Bool {
        if live == nil { return true }
        if output.isOpen, !output.hasRoom(data: Int(message.dataLength)) { flush(&effects) }
        if output.isFull { return false }
        if !output.isOpen { output.begin(.messages, epoch: epoch) }
        output.add(message, data: data, stable: stable, trailer: trailer)
        return true
    }

    /// Queues an announcement as a frame of its own, behind what was queued before.
    mutating func send(
        _ announcement: ChannelAnnouncement, epoch: UInt32, _ effects: inout Queue<PairEffect>
    ) -> Bool {
        if live == nil { return true }
        flush(&effects)
        if output.isFull { return false }
        output.begin(.announcement, epoch: epoch)
        output.add(announcement)
        flush(&effects)
        return true
    }

    /// Completes the open frame, if there is one.
    mutating func flush(_ effects: inout Queue<PairEffect>) {
        guard let slot = live, output.isOpen else { return }
        sequenceSent += 1
        let (sequence, acknowledged, lamport) = (sequenceSent, sequenceReceived, min(lamport, ChannelLimits.counter))
        let (version, connection) = (connections[slot].version, connections[slot].connection)
        output.complete { header in
            header.version = version
            header.connection = connection
            header.sequence = sequence
            header.acknowledged = acknowledged
            header.lamport = lamport
        }
        effects.append(.transmit(connections[slot].stream))
    }
}
