import SAM

/// A task management request that is under way, in its place of the engine's table.
struct TaskManagement {
    /// The place is in use.
    var active = false
    /// The transport's slot for the request.
    var request: UInt16 = 0
    var nexus: UInt16 = 0
    var function = TaskManagementFunction.abortTask
    /// Ordinal of the unit; no meaning for functions that reach all units.
    var unit: UInt16 = 0
    /// The command that ABORT TASK names.
    var referenced: CommandHandle?
    /// Only commands that arrived before it are its business.
    var sequence: UInt64 = 0
    /// State commits that it waits for.
    var commits = 0
    /// A commit failed: the partner's nexuses were not told.
    var failed = false

    /// Whether a command must have ended before the function is complete.
    func affects(_ task: CommandTask) -> Bool {
        guard task.phase != .free, task.sequence < sequence else { return false }
        switch function {
        case .abortTask: return task.handle == referenced && task.nexus == nexus
        case .abortTaskSet: return task.unit == unit && task.nexus == nexus
        case .clearTaskSet, .logicalUnitReset: return task.unit == unit
        case .iTNexusReset: return task.nexus == nexus
        case .targetWarmReset, .targetColdReset: return true
        case .clearACA, .queryTask, .queryTaskSet, .queryAsynchronousEvent: return false
        }
    }
}
