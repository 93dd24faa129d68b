import BlockModel
import PagingFormats
import Primitives

/// The state of Pair as a value to keep, for status and metrics.
package struct PairSnapshot: Sendable {
    /// The state's name; `stopping` while a clean stop is under way.
    package var stateName: String
    package var state: PairState
    package var epoch: UInt32
    package var incarnation: UInt64
    /// Exclusive end of the lease; `never` where none is needed, `zero` when there is none.
    package var leaseEnd: Instant
    /// The last record that was read; nil when there is none, or none was read.
    package var record: WitnessRecord?
    package var channelConnected: Bool
    package var connection: UInt32
    package var windowOpen: Bool
    package var witnessReachable: Bool
    package var bytesSent: UInt64
    package var bytesReceived: UInt64
    /// Messages and answers of the partner that were void by epoch or state.
    package var messagesVoided: UInt64
    private var counters: MessageCounters

    init(_ engine: borrowing PairEngine) {
        state = engine.state
        let stopping = engine.leave.stopAt != nil && engine.state != .stopped
        stateName = stopping ? "stopping" : engine.state.name
        epoch = engine.epoch
        incarnation = engine.configuration.incarnation
        leaseEnd = engine.condition.leaseEnd
        record = engine.record
        channelConnected = engine.channel.isUp
        connection = engine.channel.connection
        windowOpen = engine.window.isOpen
        witnessReachable = engine.witness.isReachable
        bytesSent = engine.channel.bytesSent
        bytesReceived = engine.channel.bytesReceived
        messagesVoided = engine.counters.voided
        counters = engine.counters
    }

    /// Messages of a kind that were sent, answers included.
    package func sent(_ kind: MessageKind) -> UInt64 { counters.sent[Int(kind.rawValue)] }
    /// Messages of a kind that were received, answers included.
    package func received(_ kind: MessageKind) -> UInt64 { counters.received[Int(kind.rawValue)] }
}

extension PairEngine {
    /// The state of everything, as a value to keep.
    package func snapshot() -> PairSnapshot { PairSnapshot(self) }
}
