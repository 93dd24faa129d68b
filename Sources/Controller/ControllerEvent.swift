import BlockModel
import PagingFormats
import Primitives

/// What a driver tells its controller. Time is the argument of `handle`; randomness is in the events that need it.
/// Pointers are valid during the call only.
package enum ControllerEvent {
    // Streams: iSCSI connections and the channel.
    /// A host connected to portal `portal` (index in the description); `peer` is the same for connections from one
    /// address, 0: not known.
    case hostConnected(StreamID, portal: UInt16, peer: UInt64 = 0)
    /// The partner connected to our channel listener.
    case channelAccepted(StreamID)
    /// Our `connectChannel` succeeded, or failed (`nil`).
    case channelConnected(StreamID?)
    /// `count` bytes were placed where `receiveTargets` said.
    case received(StreamID, count: Int)
    /// `count` bytes that `transmitSources` gave have left.
    case transmitted(StreamID, count: Int)
    /// The stream is at its end, reset, or closed by us; its number is free again after this call.
    case closed(StreamID)

    // Devices.
    case storageCompleted(StorageCompletion)

    // The window on the partner's memory (one host only).
    /// The partner's mirror area is mapped: frames of its memory, and its incarnation.
    case windowOpened(layout: RegionLayout, incarnation: UInt64)
    case windowClosed
    /// Result of a `place`: it is in the partner's memory, sealed, and the window word was right after the seal.
    case placed(token: UInt32, ok: Bool)

    // The witness.
    case witnessRead(WitnessAnswer)
    /// Result of a `witnessSwap`: the record now there, and whether the swap was ours.
    case witnessSwapped(WitnessAnswer, won: Bool)

    // The partner's process (one host only).
    /// The partner's process was seen to end (its pidfd is readable), or no process holds its memory file.
    case partnerEnded
    /// `fencePartner` has its proof (pair-rules 5), or could not get it yet.
    case fenced(Bool)
    /// `adoptPartnerMemory`: the partner's memory file is mapped and locked by us, or (nil) cannot be had.
    case partnerMemory(UnsafeMutableRawPointer?, RegionLayout?)

    // Cryptography of the channel handshake: answers to `authenticate`.
    case authenticated(token: UInt32, digest: InlineArray<32, UInt8>)
    case random(token: UInt32, InlineArray<32, UInt8>)

    // Cryptography of logins: answers to the effects of these names; nil when it cannot be had.
    case loginChallenge(token: UInt32, InlineArray<32, UInt8>?)
    /// The digest is in the algorithm's first bytes.
    case loginDigest(token: UInt32, InlineArray<32, UInt8>?)

    // Administration.
    /// Make `to` home of the units in `units` (bit mask by unit index / all when nil).
    case moveHome(unit: UnitIndex?, to: ControllerID)
    /// Maintenance begins or ends: while the partner serves too, logins are sent to its portals.
    case maintenance(Bool)
    /// Clean stop: drain, hand over, then `stopped`.
    case stop
    /// A deadline passed (`nextDeadline`).
    case tick
}
