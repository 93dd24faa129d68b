import PagingFormats
import Primitives

/// What a call of `Channel` changed for the engine.
enum ChannelChange { case none, up, down }

/// A frame of the live connection; the payload is valid until the next bytes are asked for.
struct ReceivedFrame {
    var header: ChannelHeader
    var payload: UnsafeRawPointer
}

/// The channel between the two controllers: at most one live (authenticated) connection, and a few that shake hands.
///
/// It knows nothing of membership: it proves who is there, numbers connections, orders and checks frames.
struct Channel: ~Copyable {
    /// Connections at a time, the live one and those that close included. When all are taken, the one that has been
    /// shaking hands for longest goes.
    static var slots: Int { 6 }

    /// What our next hello says; the engine keeps it up to date.
    var identity: ChannelHello
    /// The incarnation of the last partner that was proved.
    var incarnationSeen: UInt64 = 0
    /// When the last valid frame came on the live connection, or when it was proved.
    var lastHeard: Instant = .zero
    var bytesSent: UInt64 = 0
    var bytesReceived: UInt64 = 0
    /// The next Lamport counter that frames carry.
    var lamport: UInt64 = 0

    private let patience: Interval
    private let connections: UnsafeMutablePointer<Handshake>
    private let bytes: UnsafeMutableRawPointer
    private(set) var live: Int?
    private var output = SendRing()
    private var input = ReceiveBuffer()
    private var sequenceSent: UInt64 = 0
    private var sequenceReceived: UInt64 = 0
    private var highestConnection: UInt32 = 0

    init(identity: ChannelHello, patience: Interval) {
        self.identity = identity
        self.patience = patience
        connections = .allocate(capacity: Self.slots)
        connections.initialize(repeating: Handshake(), count: Self.slots)
        bytes = .allocate(byteCount: Self.slots * 2 * Handshake.bytes, alignment: 64)
    }

    deinit {
        connections.deinitialize(count: Self.slots)
        connections.deallocate()
        bytes.deallocate()
    }

    // MARK: What holds

    var isUp: Bool { live != nil }
    /// Number of the live connection; 0 when there is none.
    var connection: UInt32 { live.map { connections[$0].connection } ?? 0 }
    var stream: StreamID { live.map { connections[$0].stream } ?? .none }
    /// Who is at the other end of the live connection.
    var partner: ChannelHello? { live.flatMap { connections[$0].partner } }
    /// A connection that we dialled is there and not closing.
    var isDialled: Bool {
        for slot in 0..<Self.slots where connections[slot].dialled {
            if connections[slot].phase == .shaking || connections[slot].phase == .live { return true }
        }
        return false
    }
    /// When the oldest handshake is given up.
    var handshakeDeadline: Instant {
        var deadline = Instant.never
        for slot in 0..<Self.slots where connections[slot].phase == .shaking {
            deadline = min(deadline, connections[slot].startedAt + patience)
        }
        return deadline
    }

    private func input(of slot: Int) -> UnsafeMutableRawPointer { bytes + slot * 2 * Handshake.bytes }
    private func output(of slot: Int) -> UnsafeMutableRawPointer { input(of: slot) + Handshake.bytes }

    private func slot(of stream: StreamID) -> Int? {
        for slot in 0..<Self.slots where connections[slot].phase != .free && connections[slot].stream == stream {
            return slot
        }
        return nil
    }

    // MARK: Streams

    /// A stream is there; the handshake begins with our nonce.
    mutating func opened(_ stream: StreamID, dialled: Bool, at now: Instant, _ effects: inout Queue<PairEffect>) {
        guard let slot = freeSlot(&effects) else {
            effects.append(.close(stream))
            return
        }
        let generation = connections[slot].generation &+ 1
        connections[slot] = Handshake()
        connections[slot].phase = .shaking
        connections[slot].stream = stream
        connections[slot].dialled = dialled
        connections[slot].startedAt = now
        connections[slot].generation = generation
        effects.append(.random(token: connections[slot].token(slot, .nonce)))
    }

    /// A free slot. When there is none, the oldest handshake is given up for the next caller, and this one gets nil.
    private mutating func freeSlot(_ effects: inout Queue<PairEffect>) -> Int? {
        var oldest: Int?
        for slot in 0..<Self.slots {
            switch connections[slot].phase {
            case .free: return slot
            case .shaking:
                if oldest == nil || connections[slot].startedAt < connections[oldest ?? 0].startedAt { oldest = slot }
            case .live, .closing: break
            }
        }
        if let oldest { refuse(oldest, .handshakeTimeout, &effects) }
        return nil
    }

    mutating func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) {
        guard let slot = slot(of: stream) else { return }
        switch connections[slot].phase {
        case .shaking:
            let received = connections[slot].received
            vector.append(input(of: slot) + received, Handshake.bytes - received)
        case .live: input.target(into: &vector)
        case .closing, .free: break
        }
    }

    mutating func transmitSources(_ stream: StreamID, into vector: inout ByteVector) {
        guard let slot = slot(of: stream), connections[slot].phase != .closing else { return }
        let sent = connections[slot].sent
        if connections[slot].queued > sent {
            if !vector.append(output(of: slot) + sent, connections[slot].queued - sent) { return }
        }
        if slot == live { output.sources(into: &vector) }
    }

    mutating func transmitted(_ stream: StreamID, _ count: Int) {
        guard count > 0, let slot = slot(of: stream), connections[slot].phase != .closing else { return }
        bytesSent &+= UInt64(count)
        let own = min(count, connections[slot].queued - connections[slot].sent)
        connections[slot].sent += own
        if slot == live { _ = output.transmitted(count - own) }
    }

    /// Bytes came. On the live connection the engine goes on with `nextFrame`.
    mutating func received(
        _ stream: StreamID, _ count: Int, at now: Instant, _ effects: inout Queue<PairEffect>
    ) -> ChannelChange {
        guard count > 0, let slot = slot(of: stream) else { return .none }
        bytesReceived &+= UInt64(count)
        switch connections[slot].phase {
        case .shaking:
            guard count <= Handshake.bytes - connections[slot].received else { return .none }
            connections[slot].received += count
            return advance(slot, at: now, &effects)
        case .live:
            if input.received(count) { return .none }
            return drop(.malformed, &effects)
        case .closing, .free: return .none
        }
    }

    mutating func closed(_ stream: StreamID, _ effects: inout Queue<PairEffect>) -> ChannelChange {
        guard let slot = slot(of: stream) else { return .none }
        let wasLive = slot == live
        connections[slot].phase = .free
        if !wasLive { return .none }
        effects.append(.log(PairLog(.channelDown, UInt64(connections[slot].connection), 1)))
        live = nil
        return .down
    }

    /// Gives the live connection up.
    mutating func drop(_ fault: ChannelFault, _ effects: inout Queue<PairEffect>) -> ChannelChange {
        guard let slot = live else { return .none }
        live = nil
        connections[slot].phase = .closing
        effects.append(.close(connections[slot].stream))
        effects.append(
            .log(PairLog(.channelDown, UInt64(connections[slot].connection), UInt64(fault.rawValue))))
        return .down
    }

    /// Gives up the handshakes that took too long.
    mutating func expire(at now: Instant, _ effects: inout Queue<PairEffect>) {
        for slot in 0..<Self.slots where connections[slot].phase == .shaking {
            if now >= connections[slot].startedAt + patience { refuse(slot, .handshakeTimeout, &effects) }
        }
    }

    /// Closes everything.
    mutating func closeAll(_ effects: inout Queue<PairEffect>) {
        for slot in 0..<Self.slots where connections[slot].phase == .shaking || connections[slot].phase == .live {
            connections[slot].phase = .closing
            effects.append(.close(connections[slot].stream))
        }
        live = nil
    }

    // MARK: Handshake

    /// 32 random bytes for the connection that `token` names.
    mutating func random(_ token: UInt32, _ nonce: InlineArray<32, UInt8>, at now: Instant,
        _ effects: inout Queue<PairEffect>
    ) -> ChannelChange {
        guard let slot = slot(asking: token, .nonce), connections[slot].own == nil else { return .none }
        var hello = identity
        hello.nonce = nonce
        hello.connection = highestConnection
        connections[slot].own = hello
        hello.encodeFrame(to: output(of: slot))
        connections[slot].queued = ChannelHello.frameSize
        effects.append(.transmit(connections[slot].stream))
        return advance(slot, at: now, &effects)
    }

    /// A digest for the connection that `token` names: our proof, or the one that the partner must send.
    mutating func authenticated(_ token: UInt32, _ digest: InlineArray<32, UInt8>, at now: Instant,
        _ effects: inout Queue<PairEffect>
    ) -> ChannelChange {
        if let slot = slot(asking: token, .ownProof), connections[slot].queued == ChannelHello.frameSize {
            ChannelProof.encodeFrame(digest, to: output(of: slot) + ChannelHello.frameSize)
            connections[slot].queued = Handshake.bytes
            effects.append(.transmit(connections[slot].stream))
            return advance(slot, at: now, &effects)
        }
        if let slot = slot(asking: token, .partnerProof), connections[slot].expected == nil {
            connections[slot].expected = digest
            return advance(slot, at: now, &effects)
        }
        return .none
    }

    private func slot(asking token: UInt32, _ question: Handshake.Question) -> Int? {
        let slot = Int(token & 0xFF)
        guard slot < Self.slots, connections[slot].phase == .shaking,
            connections[slot].token(slot, question) == token
        else { return nil }
        return slot
    }

    /// Takes the handshake as far as what is there allows.
    private mutating func advance(_ slot: Int, at now: Instant, _ effects: inout Queue<PairEffect>) -> ChannelChange {
        guard let own = connections[slot].own else { return .none }
        if connections[slot].partner == nil {
            guard connections[slot].received >= ChannelHello.frameSize else { return .none }
            guard let hello = ChannelHello(decodingFrame: input(of: slot)) else {
                refuse(slot, .malformed, &effects)
                return .none
            }
            if let fault = Handshake.fault(hello, own: own, incarnationSeen: incarnationSeen) {
                refuse(slot, fault, &effects)
                return .none
            }
            accept(slot, own: own, partner: hello, &effects)
        }
        guard connections[slot].received == Handshake.bytes, connections[slot].queued == Handshake.bytes,
            let expected = connections[slot].expected
        else { return .none }
        guard ChannelProof.matches(expected, frame: input(of: slot) + ChannelHello.frameSize) else {
            refuse(slot, .proofWrong, &effects)
            return .none
        }
        return promote(slot, at: now, &effects)
    }

    /// The hello may be our partner's: ask for both proofs.
    private mutating func accept(
        _ slot: Int, own: ChannelHello, partner: ChannelHello, _ effects: inout Queue<PairEffect>
    ) {
        let version = min(own.versionMaximum, partner.versionMaximum)
        let connection = max(own.connection, partner.connection) + 1
        connections[slot].partner = partner
        connections[slot].version = version
        connections[slot].connection = connection
        let a = own.controller == .a ? own : partner
        let b = own.controller == .a ? partner : own
        for (prover, question) in [(own.controller, Handshake.Question.ownProof), (partner.controller, .partnerProof)] {
            effects.append(
                .authenticate(
                    token: connections[slot].token(slot, question),
                    message: ChannelProof.message(prover: prover, a, b, version: version, connection: connection),
                    count: ChannelProof.messageSize))
        }
    }

    /// The partner is proved: this connection is the live one from now on, and every earlier one is void.
    private mutating func promote(_ slot: Int, at now: Instant, _ effects: inout Queue<PairEffect>) -> ChannelChange {
        guard let partner = connections[slot].partner, partner.incarnation >= incarnationSeen,
            connections[slot].connection > highestConnection
        else {
            refuse(slot, .earlierIncarnation, &effects)
            return .none
        }
        _ = drop(.replaced, &effects)
        live = slot
        connections[slot].phase = .live
        highestConnection = connections[slot].connection
        incarnationSeen = partner.incarnation
        output.removeAll()
        input.removeAll()
        sequenceSent = 0
        sequenceReceived = 0
        lastHeard = now
        effects.append(.log(PairLog(.channelUp, UInt64(connections[slot].connection), partner.incarnation)))
        effects.append(.resumeReceive(connections[slot].stream))
        return .up
    }

    private mutating func refuse(_ slot: Int, _ fault: ChannelFault, _ effects: inout Queue<PairEffect>) {
        connections[slot].phase = .closing
        effects.append(.close(connections[slot].stream))
        let peer = connections[slot].partner.map { UInt64($0.controller.rawValue) } ?? UInt64.max
        effects.append(.log(PairLog(.channelRefused, UInt64(fault.rawValue), peer)))
    }

    // MARK: Frames

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
        _ message: PagingMessage, data: UnsafeRawPointer?, stable: Bool, epoch: UInt32,
        _ effects: inout Queue<PairEffect>
    ) -> Bool {
        if live == nil { return true }
        if output.isOpen, !output.hasRoom(data: Int(message.dataLength)) { flush(&effects) }
        if output.isFull { return false }
        if !output.isOpen { output.begin(.messages, epoch: epoch) }
        output.add(message, data: data, stable: stable)
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
