import PagingFormats
import Primitives

/// What the controller tells Pair. Pointers are valid during the call only, unless a case says otherwise.
package enum PairEvent {
    // The channel's streams.
    /// The partner (or somebody) connected to our listener.
    case channelAccepted(StreamID)
    /// The answer to `connectChannel`; nil when it failed.
    case channelConnected(StreamID?)
    case received(StreamID, count: Int)
    case transmitted(StreamID, count: Int)
    case closed(StreamID)

    // The witness; each `witnessRead` and `witnessSwap` is answered exactly once, by `unreachable` if need be.
    case witnessRead(WitnessAnswer)
    case witnessSwapped(WitnessAnswer, won: Bool)

    // The partner's process and memory.
    /// The partner's process was seen to end, or no process holds its memory file.
    case partnerEnded
    /// `fencePartner` has its proof, or could not get it yet.
    case fenced(Bool)
    /// `adoptPartnerMemory`: mapped and locked by us until `releasePartnerMemory`, or nil.
    case partnerMemory(UnsafeMutableRawPointer?, RegionLayout?)
    /// The partner's mirror area is mapped; it belongs to this incarnation.
    case windowOpened(incarnation: UInt64)
    case windowClosed
    /// Whether the shared devices take our writes: a candidate waits while they do not. True until told otherwise.
    case devicesWritable(Bool)

    /// `writeLabels` is done and flushed with this epoch; nil: a device failed.
    case labelled(UInt32?)
    /// What `readLabels` found, in the configuration's order; nil: a device failed.
    case labelsRead([DeviceFinding]?)

    // Answers to `authenticate` and `random`.
    case authenticated(token: UInt32, digest: InlineArray<32, UInt8>)
    case random(token: UInt32, InlineArray<32, UInt8>)

    // Memory.
    case report(MembershipReport)
    /// A message for the partner with its `dataLength` bytes of data. With `stable` the bytes stay unchanged until the
    /// message is answered or `channelDown` was ordered, and are sent from where they are; else they are copied.
    case send(PagingMessage, data: UnsafeRawPointer?, stable: Bool)
    /// A page with its trailer: stable `data`, and the `PageSize.trailerBytes` that follow it in the message.
    case sendPage(PagingMessage, data: UnsafeRawPointer, trailer: UnsafeRawPointer)

    /// Clean stop.
    case stop
    /// `nextDeadline` has passed.
    case tick
}
