import PagingFormats
import Primitives

// The handshake: hello and proof in both directions, then the connection is the live one.
extension Channel {
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
    mutating func advance(_ slot: Int, at now: Instant, _ effects: inout Queue<PairEffect>) -> ChannelChange {
        guard let own = connections[slot].own else { return .none }
        if connections[slot].partner == nil {
            guard connections[slot].received >= ChannelHello.frameSize else { return .none }
            guard let hello = ChannelHello(decodingFrame: input(of: slot)) else {
                refuse(slot, .malformed, &effects)
                return .none
            }
            if let fault = Handshake.fault(hello, own: own, incarnationSeen: incarnationSeen) {
                refuse(slot, fault, &effects, hello: hello)
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

    mutating func refuse(
        _ slot: Int, _ fault: ChannelFault, _ effects: inout Queue<PairEffect>, hello: ChannelHello? = nil
    ) {
        connections[slot].phase = .closing
        effects.append(.close(connections[slot].stream))
        let peer = hello ?? connections[slot].partner
        let told = peer.map { fault == .foreignPair ? $0.pairID : UInt64($0.controller.rawValue) } ?? UInt64.max
        effects.append(.log(PairLog(.channelRefused, UInt64(fault.rawValue), told)))
    }
}
