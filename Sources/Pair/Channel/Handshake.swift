import PagingFormats
import Primitives

/// One connection of the channel from its first byte on: hello and proof in both directions.
///
///     free → shaking → live → closing → free          every fault: → closing
///
/// In each direction exactly one hello frame and one proof frame go before everything else, 256 bytes together; a
/// peer that is not proved can make us keep no more than that.
struct Handshake {
    enum Phase: UInt8 { case free, shaking, live, closing }

    /// Bytes of a hello and a proof, in each direction.
    static var bytes: Int { ChannelHello.frameSize + ChannelProof.frameSize }

    var phase: Phase = .free
    var stream: StreamID = .none
    /// We dialled it.
    var dialled = false
    var startedAt: Instant = .zero
    /// Counts the uses of this slot, so that late answers to `random` and `authenticate` find nobody.
    var generation: UInt32 = 0
    var received = 0
    /// Bytes of our hello and proof that are ready, and that have left.
    var queued = 0
    var sent = 0
    var own: ChannelHello?
    var partner: ChannelHello?
    var version: UInt16 = 0
    var connection: UInt32 = 0
    /// The digest that the partner's proof must have.
    var expected: InlineArray<32, UInt8>?

    /// The answer that a token asks for.
    enum Question: UInt32 { case nonce = 0, ownProof, partnerProof, memoryID }

    /// Number of an `authenticate` or `random` for slot `slot`.
    func token(_ slot: Int, _ question: Question) -> UInt32 {
        UInt32(slot) | question.rawValue << 8 | (generation & 0xFFFF) << 16
    }

    /// Why this hello is not the one of our partner, nil when it is.
    static func fault(_ hello: ChannelHello, own: ChannelHello, incarnationSeen: UInt64) -> ChannelFault? {
        if hello.controller == own.controller { return .ownReflection }
        if hello.pairID != own.pairID { return .foreignPair }
        if hello.versionMinimum > own.versionMaximum || hello.versionMaximum < own.versionMinimum {
            return .versionUnknown
        }
        if hello.incarnation < incarnationSeen { return .earlierIncarnation }
        return nil
    }
}
