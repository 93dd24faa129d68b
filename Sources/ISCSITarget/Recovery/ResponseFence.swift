import ISCSIFormats
import Primitives

/// The fence of a session, if there is one.
struct ResponseFence {
    enum Phase: UInt8 {
        case none
        /// Responses before it are not all acknowledged.
        case before
        /// They are, and it can be sent.
        case due
        /// It was sent, and is not acknowledged.
        case after
    }
    var phase = Phase.none
    /// Connection of the fenced response.
    var connection: Int32 = -1
    /// Command slot and generation, -1: it is the task management response below.
    var slot: Int32 = -1
    var generation: UInt16 = 0
    var initiatorTaskTag: UInt32 = 0
    var code = TaskManagementResponseCode.functionComplete
    /// When it was handed over.
    var stamp: UInt64 = 0
    /// Who has not acknowledged by then is given up.
    var until = Instant.never
}

/// A task management response that waits for a fence.
struct DelayedAnswer {
    var session: Int32
    var connection: Int32
    var initiatorTaskTag: UInt32
    var code: TaskManagementResponseCode
    var isFenced: Bool
    var stamp: UInt64
}
