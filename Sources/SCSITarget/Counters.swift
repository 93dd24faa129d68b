/// What a device server counted since it was made.
package struct DeviceServerCounters: Sendable {
    package var commands: UInt64 = 0
    package var reads: UInt64 = 0
    package var writes: UInt64 = 0
    /// Bytes of Data-In of READ commands, and of Data-Out that WRITE commands committed.
    package var readBytes: UInt64 = 0
    package var writtenBytes: UInt64 = 0
    package var checkConditions: UInt64 = 0
    package var unitAttentions: UInt64 = 0
    /// Commands that had to wait before they could start or go on.
    package var held: UInt64 = 0
    /// Those whose patience ended.
    package var expired: UInt64 = 0
    /// Commands that ended by task management or a lost nexus.
    package var aborted: UInt64 = 0
    package var taskManagement: UInt64 = 0
    /// State blocks that were changed here.
    package var stateCommits: UInt64 = 0
    package init() {}
}
