import BlockModel
import Primitives

/// This controller's part in a unit's format or sanitize operation: what its state block said last, and the step at
/// hand. There is at most one step a unit, and as many at once as there are workers.
struct BackgroundWork {
    enum Step: UInt8 {
        case idle
        /// The pattern is read from the unit's first block.
        case loading
        /// Pages for a chunk, or for the first block with the pattern, are on their way.
        case preparing
        case committing
        case discarding
        /// Everything of a pass goes to the device.
        case synchronizing
        /// A change of the state block waits, or is being committed.
        case recording
    }
    /// How it ends with the next record.
    enum Ending: UInt8 { case none, finished, failed }

    /// nil: none goes on, and none failed.
    var operation: BackgroundOperation?
    var step = Step.idle
    /// The worker's slot of the step at hand; -1 for none.
    var slot: Int32 = -1
    var chunk = BlockExtent(start: 0, count: 0)
    /// What is done of the operation, further than the state block says.
    var pass: UInt8 = 0
    var position: UInt64 = 0
    var isSeeded = false
    /// Number of the operation whose pattern is in the unit's pattern page; nil: none is there.
    var patternOf: UInt32?
    var ending = Ending.none
    /// The state block must be written before anything else is done.
    var needsRecord = false
    /// The state pointer is wanted, to go on or to see whether there is anything to do.
    var wantsState = false
    /// Every worker was busy.
    var wantsWorker = false
    /// Not before this.
    var due = Instant.zero
    /// When the step at hand began, and when the state block was last written.
    var began = Instant.zero
    var recorded = Instant.zero
    /// Steps in a row that failed.
    var faults = 0
    /// Commands that are answered by what becomes of it.
    var waiters = 0

    /// Whether the pattern page has the operation's pattern.
    var hasPattern: Bool { operation.map { $0.number == patternOf } ?? false }
}
