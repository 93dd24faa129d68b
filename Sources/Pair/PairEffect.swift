import PagingFormats
import Primitives

/// What Pair asks for; the controller performs or forwards it, in order.
package enum PairEffect {
    // The channel's streams.
    case transmit(StreamID)
    case resumeReceive(StreamID)
    /// Close it now; what was not sent is not wanted any more. `closed` follows.
    case close(StreamID)
    case connectChannel

    // The witness.
    case witnessRead
    case witnessSwap(expected: UInt64, WitnessRecord)

    // The partner's process and memory, and the window.
    case fencePartner
    case adoptPartnerMemory
    case releasePartnerMemory
    case openWindow
    case closeWindow
    case setWindowWord(UInt64)

    // Cryptography: HMAC-SHA-256 with the pair's secret; 32 random bytes.
    case authenticate(token: UInt32, message: InlineArray<128, UInt8>, count: Int)
    case random(token: UInt32)

    // Memory.
    case order(MembershipOrder)
    /// A message of the partner for Memory; the data is valid until the next call of the engine.
    case deliver(PagingMessage, data: UnsafeRawPointer?)
    /// The partner's Lamport counter is this, above the highest one seen before.
    case lamport(UInt64)

    /// Write these into the superblock before the effects that follow.
    case superblockChanged(memoryID: WitnessRecord.MemoryID, epoch: UInt32, lineage: UInt64)

    /// Label every device with the record's epoch and lineage, and flush it; answered by `labelled`.
    case writeLabels(epoch: UInt32, lineage: UInt64)

    /// Look again at what stands where the devices' labels belong; answered by `labelsRead`.
    case readLabels

    // Life. After one of these the engine does nothing more.
    case restart(RestartReason)
    case stopped
    case refuse(RefusalReason)

    case log(PairLog)
}

/// Something worth telling: a code that the controller's log has by the same name, and two numbers.
package struct PairLog: Equatable, Sendable {
    package enum Code: UInt8, Sendable {
        /// First: the state's raw value; second: the epoch.
        case stateChanged
        /// First: the new epoch; second: the record's state.
        case epochChanged
        /// First: the partner's incarnation.
        case partnerLost, partnerJoined, fenced
        /// First: pages.
        case adopted, caughtUp
        /// First: the connection's number; second: the partner's incarnation.
        case channelUp
        /// First: the connection's number; second: why, `ChannelFault.rawValue`.
        case channelDown
        /// First: why, `ChannelFault.rawValue`; second: which controller the peer said that
        /// it is (the highest number when it did not), or of a foreign one, which pair.
        case channelRefused
        case windowOpened, windowClosed
        /// The memory's new identity, high half and low half.
        case memoryVoided
    }
    package var code: Code
    package var first: UInt64
    package var second: UInt64
    package init(_ code: Code, _ first: UInt64 = 0, _ second: UInt64 = 0) {
        self.code = code
        self.first = first
        self.second = second
    }
}

/// Why a connection of the channel was refused or given up.
package enum ChannelFault: UInt8, Sendable, Error {
    /// The stream ended.
    case closed = 1
    /// Nothing was heard for the channel's patience.
    case silent
    /// A newer connection took its place.
    case replaced
    /// The bytes are not a frame, or a frame that may not come here.
    case malformed
    /// The handshake took too long, or more peers shake hands than we have places for.
    case handshakeTimeout
    /// The hello names ourselves, another pair, a version that we do not speak, or an earlier life of the partner.
    case ownReflection, foreignPair, versionUnknown, earlierIncarnation
    /// The proof is not one of somebody who knows the secret.
    case proofWrong
    /// The partner takes no bytes and our output is full.
    case outputFull
}
