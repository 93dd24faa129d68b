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

    let patience: Interval
    let connections: UnsafeMutablePointer<Handshake>
    let bytes: UnsafeMutableRawPointer
    var live: Int?
    var output = SendRing()
    var input = ReceiveBuffer()
    var sequenceSent: UInt64 = 0
    var sequenceReceived: UInt64 = 0
    var highestConnection: UInt32 = 0

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

    func input(of slot: Int) -> UnsafeMutableRawPointer { bytes + slot * 2 * Handshake.bytes }
    func output(of slot: Int) -> UnsafeMutableRawPointer { input(of: slot) + Handshake.bytes }

    func slot(of stream: StreamID) -> Int? {
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
}
