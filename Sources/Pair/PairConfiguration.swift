import PagingFormats
import Primitives

/// What Pair must know before it starts; it never changes while the engine lives.
package struct PairConfiguration: Sendable {
    /// This controller; `a` is the preferred one in every race.
    package var controller: ControllerID
    package var pairID: UInt64
    /// Larger than every earlier one of this controller.
    package var incarnation: UInt64
    /// No partner is configured: no channel, no lease, no fence.
    package var single = false
    /// The partner can be ended, and its memory file locked and read, by our driver.
    package var partnerOnThisHost = true

    /// Length of a lease (pair-rules 3); the promise behind it is a tenth longer.
    package var lease: Interval = .seconds(3)
    /// Sense requests are sent this often.
    package var heartbeat: Interval = .milliseconds(250)
    /// A connection that is silent for this long is lost; a member whose channel is lost for this long is a candidate.
    package var channelPatience: Interval = .seconds(1)
    /// A clean stop that is not complete after this long ends all the same, as a crash would: nothing is lost by it.
    package var stopPatience: Interval = .seconds(30)

    /// The identity in the superblock; `none` when there is no superblock.
    package var memoryID: WitnessRecord.MemoryID = .none
    /// Random: what a memory that is formatted or voided takes first.
    package var freshMemoryID: WitnessRecord.MemoryID
    /// No superblock was there.
    package var memoryIsFresh = false
    /// The content cannot be trusted (pair-rules 4).
    package var memoryIsLost = false
    /// This boot of the host; the partner's memory is adopted only if it was last used in the same boot …
    package var bootID: WitnessRecord.MemoryID = .none
    /// … or if its place is declared safe against power loss.
    package var partnerMemoryIsDurable = false
    /// Epoch in the superblock: a record with a lower one is refused.
    package var epochKnown: UInt32 = 0
    /// Lineage in the superblock; 0 for none. A record with another one is refused.
    package var lineageKnown: UInt64 = 0
    /// The devices, with the labels that they carry.
    package var devices: [DeviceFacts] = []
    /// The highest feature level of a record that this release understands.
    package var featureLevel: UInt32 = 1
    /// Alone, the record's `dirty` may be cleared as soon as Memory reports everything on the devices. False where a
    /// policy keeps writes back in one memory: then it is cleared by the clean stop only.
    package var clearsDirtyAlone = true

    package init(
        controller: ControllerID, pairID: UInt64, incarnation: UInt64, freshMemoryID: WitnessRecord.MemoryID
    ) {
        self.controller = controller
        self.pairID = pairID
        self.incarnation = incarnation
        self.freshMemoryID = freshMemoryID
    }

    /// How long after its last sense answer a controller must leave its partner alone (pair-rules 3: lease + 10 %).
    package var promise: Interval { lease + lease.scaled(1, over: 10) }
    /// The not preferred controller lets the preferred one go first by this.
    package var precedence: Interval { controller == .a ? .zero : .milliseconds(200) }
}

/// Fixed times of Pair that no configuration changes.
enum PairTimes {
    /// A partner whose process is not there may be just starting: it gets this long to show up.
    static var startGrace: Interval { .seconds(1) }
    /// Pause before the witness is asked again, doubling up to the longest.
    static var witnessRetry: Interval { .milliseconds(100) }
    static var witnessRetryLongest: Interval { .seconds(1) }
    /// Waiting at start, the record is read this often.
    static var waitingRead: Interval { .milliseconds(500) }
    /// Serving, the record is read this often (status says whether the witness is there).
    static var servingRead: Interval { .seconds(5) }
    /// A controller that starts as solo lets a partner that starts as well say that it holds nothing, before it is
    /// ended.
    static var fenceGrace: Interval { .milliseconds(300) }
    /// Pause between attempts to end the partner, to open the window, to get the partner's memory.
    static var fenceRetry: Interval { .milliseconds(200) }
    static var windowRetry: Interval { .seconds(1) }
    static var adoptRetry: Interval { .milliseconds(500) }
    /// `dirty` is cleared when nothing was dirty for this long.
    static var dirtyRest: Interval { .seconds(2) }
    /// Pause before a label that could not be written is tried again.
    static var labelRetry: Interval { .seconds(1) }
    /// Pause before the channel is dialled again, doubling up to the longest.
    static var dialRetry: Interval { .milliseconds(50) }
    static var dialRetryLongest: Interval { .milliseconds(200) }
}
