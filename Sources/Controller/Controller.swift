import BlockModel
import PagingFormats
import Primitives

/// One controller of the pair: the composition of the engines. It routes and settles; it decides nothing.
///
/// A driver owns exactly one value, calls it from one thread, and performs `effects` after each `handle`. The same
/// value runs under `Runtime` and under `Simulation`.
package struct Controller: ~Copyable {
    /// What the driver must do, in order; the driver empties it after each call.
    package var effects = Queue<ControllerEffect>(capacity: 1024)

    /// - Parameters:
    ///   - memory: the mapped memory file, `layout.bytes` long; it outlives the controller.
    package init(
        _ description: ArrayDescription, id: ControllerID, memory: UnsafeMutableRawPointer, layout: RegionLayout,
        start: StartConditions, at now: Instant
    ) {
        _ = (description, id, memory, layout, start, now)
    }

    /// Tells the controller what happened. `now` is read after the last byte of what happened was received.
    package mutating func handle(_ event: ControllerEvent, at now: Instant) { _ = (event, now) }

    /// Once after each batch of events, before the effects are performed: work that is better done once than per
    /// event (destaging, channel frames, acknowledgements).
    package mutating func settle(at now: Instant) { _ = now }

    /// When `handle(.tick)` is wanted at the latest.
    package var nextDeadline: Instant { .never }

    /// Where the next bytes of a stream go. An empty vector: do not read until `resumeReceive`.
    package mutating func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) { _ = stream }

    /// The next bytes to send on a stream; the same ones again until `transmitted` says how many left.
    package mutating func transmitSources(_ stream: StreamID, into vector: inout ByteVector) { _ = stream }

    /// The state of everything, as a value to keep.
    package func status(at now: Instant) -> ControllerStatus { ControllerStatus() }
}

/// What a driver found before it made the controller.
package struct StartConditions: Sendable {
    /// The memory region is fresh (all zero): no superblock was there.
    package var memoryIsFresh: Bool
    /// The region's content cannot be trusted: truncated, another boot without a durable place, scribbled superblock.
    package var memoryIsLost: Bool
    /// Random: the identity that the memory takes when it is formatted or voided.
    package var freshMemoryID: WitnessRecord.MemoryID
    package var bootID: WitnessRecord.MemoryID
    /// Larger than every earlier one of this controller.
    package var incarnation: UInt64
    package var pid: UInt32
    package var pidStartTime: UInt64
    /// The partner runs on this host (or would): it can be ended, and its memory file can be locked and read.
    package var partnerOnThisHost: Bool

    package init(
        memoryIsFresh: Bool, memoryIsLost: Bool, freshMemoryID: WitnessRecord.MemoryID, bootID: WitnessRecord.MemoryID,
        incarnation: UInt64, pid: UInt32, pidStartTime: UInt64, partnerOnThisHost: Bool
    ) {
        self.memoryIsFresh = memoryIsFresh
        self.memoryIsLost = memoryIsLost
        self.freshMemoryID = freshMemoryID
        self.bootID = bootID
        self.incarnation = incarnation
        self.pid = pid
        self.pidStartTime = pidStartTime
        self.partnerOnThisHost = partnerOnThisHost
    }
}
