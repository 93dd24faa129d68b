/// Task management functions (SAM-6 §7).
@usableFromInline
package enum TaskManagementFunction: UInt8, Sendable {
    case abortTask, abortTaskSet, clearACA, clearTaskSet, logicalUnitReset, iTNexusReset
    case queryTask, queryTaskSet, queryAsynchronousEvent
    /// Not a SAM function any more, but an iSCSI one (RFC 7143 §11.5.1): every unit of the target.
    case targetWarmReset, targetColdReset
}

/// Service responses of a task management request (SAM-6 §7.1).
@usableFromInline
package enum ServiceResponse: UInt8, Sendable {
    case functionComplete, functionSucceeded, functionRejected, incorrectLogicalUnit
}

/// A task management request. `request` is the transport's slot for it, given back with the response.
@usableFromInline
package struct TaskManagementRequest: Sendable {
    @usableFromInline package var request: UInt16
    @usableFromInline package var nexus: NexusIndex
    @usableFromInline package var function: TaskManagementFunction
    @usableFromInline package var lun: UInt64
    /// The command named by ABORT TASK and QUERY TASK; the transport answers itself when it knows no such command.
    @usableFromInline package var referenced: CommandHandle?
    package init(
        request: UInt16, nexus: NexusIndex, function: TaskManagementFunction, lun: UInt64, referenced: CommandHandle?
    ) {
        self.request = request
        self.nexus = nexus
        self.function = function
        self.lun = lun
        self.referenced = referenced
    }
}
