import BlockModel
import ISCSIFormats
import PagingFormats
import Primitives

/// What a controller asks its driver to do. Effects are performed in order, after `handle` returned.
package enum ControllerEffect {
    // Streams.
    /// There are bytes to send: ask `transmitSources` until it gives none.
    case transmit(StreamID)
    /// Reading was paused (`receiveTargets` gave nothing) and may go on.
    case resumeReceive(StreamID)
    /// Send what is there, then close; `closed` follows.
    case close(StreamID)
    /// Connect to the partner's channel listener; answered by `channelConnected`.
    case connectChannel

    // Devices.
    case storage(StorageRequest)

    // The window.
    /// Map the partner's mirror area; answered by `windowOpened`, or not at all.
    case openWindow
    case closeWindow
    /// Set our own window word.
    case setWindowWord(UInt64)
    /// Place a page in the partner's memory; answered by `placed`.
    case place(WindowPlacement)
    /// Open (unseal) the header of a frame of the partner's mirror area.
    case clear(slot: UInt32)
    /// Settle the header of a frame of the partner's mirror area: it no longer depends on its group.
    case settle(slot: UInt32)

    // The witness and the partner.
    case witnessRead
    /// Replace the record if its sequence is still `expected` (0: only if there is none).
    case witnessSwap(expected: UInt64, WitnessRecord)
    /// End the partner and get the proof; answered by `fenced`.
    case fencePartner
    /// Lock and map the partner's memory file (start-up, its owner not running); answered by `partnerMemory`.
    case adoptPartnerMemory
    /// The mapping of `partnerMemory` is no longer needed.
    case releasePartnerMemory

    // Cryptography: HMAC-SHA-256 with the pair's secret over the bytes; answered by `authenticated`.
    case authenticate(token: UInt32, message: InlineArray<128, UInt8>, count: Int)
    /// 32 bytes from the system's random source; answered by `random`.
    case random(token: UInt32)

    // Cryptography of logins (CHAP).
    /// 32 bytes from the system's random source; answered by `loginChallenge`.
    case loginChallenge(token: UInt32)
    /// A digest with one of the array's credentials; answered by `loginDigest`.
    case loginDigest(token: UInt32, CHAPDigestRequest)

    // Life.
    /// This controller must go and start anew as a joiner (it lost membership): drop everything at once.
    case restart(reason: RestartReason)
    /// A clean stop is complete.
    case stopped
    /// Start is refused until an operator acts; exit code 78.
    case refuse(RefusalReason)
    /// Something worth telling happened.
    case log(LogEntry)
}

/// One line for people: a code that the driver turns into a sentence, and two numbers.
package struct LogEntry: Sendable {
    package enum Code: UInt8, Sendable, CaseIterable {
        case stateChanged, epochChanged, partnerLost, partnerJoined, fenced, adopted, caughtUp, channelUp, channelDown,
            channelRefused, windowOpened, windowClosed, homeMoved, deviceFault, loginRefused, sessionOpened,
            sessionClosed, protocolError, memoryVoided, tornFrame
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
