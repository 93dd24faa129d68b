import Primitives

/// Functions of a Task Management Function Request (RFC 7143 §11.5.1; 9 to 12 by RFC 7144).
package enum TaskManagementCode: UInt8, Sendable, CaseIterable {
    case abortTask = 1
    case abortTaskSet = 2
    case clearACA = 3
    case clearTaskSet = 4
    case logicalUnitReset = 5
    case targetWarmReset = 6
    case targetColdReset = 7
    case taskReassign = 8
    case queryTask = 9
    case queryTaskSet = 10
    case iTNexusReset = 11
    case queryAsynchronousEvent = 12
}

/// Responses of a Task Management Function Response (RFC 7143 §11.6.1).
package enum TaskManagementResponseCode: UInt8, Sendable {
    case functionComplete = 0
    case taskDoesNotExist = 1
    case lunDoesNotExist = 2
    case taskStillAllegiant = 3
    case reassignmentNotSupported = 4
    case notSupported = 5
    case authorizationFailed = 6
    case functionSucceeded = 7
    case rejected = 255
}

/// Task Management Function Request (RFC 7143 §11.5).
package struct TaskManagementRequestPDU: Equatable, Sendable {
    package var immediate = true
    /// As it came; see `TaskManagementCode`.
    package var function: UInt8 = 0
    package var lun: UInt64 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var referencedTaskTag: UInt32 = Tag.none
    package var cmdSN: UInt32 = 0
    package var expStatSN: UInt32 = 0
    package var refCmdSN: UInt32 = 0
    package var expDataSN: UInt32 = 0

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        immediate = base.byte(Field.opcode) & 0x40 != 0
        function = base.byte(Field.flags) & 0x7F
        lun = base.big64(Field.lun)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        referencedTaskTag = base.big32(Field.referencedTaskTag)
        cmdSN = base.big32(Field.cmdSN)
        expStatSN = base.big32(Field.expStatSN)
        refCmdSN = base.big32(Field.refCmdSN)
        expDataSN = base.big32(Field.expDataSN)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(
            .taskManagementRequest, immediate: immediate, flags: 0x80 | function, initiatorTaskTag: initiatorTaskTag)
        base.put(big64: lun, Field.lun)
        base.put(big32: referencedTaskTag, Field.referencedTaskTag)
        base.put(big32: cmdSN, Field.cmdSN)
        base.put(big32: expStatSN, Field.expStatSN)
        base.put(big32: refCmdSN, Field.refCmdSN)
        base.put(big32: expDataSN, Field.expDataSN)
    }
}

/// Task Management Function Response (RFC 7143 §11.6).
package struct TaskManagementResponsePDU: Equatable, Sendable {
    /// As it came; see `TaskManagementResponseCode`.
    package var response: UInt8 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var serials = TargetSerialNumbers()

    package init() {}

    package init(decoding base: UnsafeRawPointer) {
        response = base.byte(Field.response)
        initiatorTaskTag = base.big32(Field.initiatorTaskTag)
        serials = TargetSerialNumbers(decoding: base)
    }

    /// Writes the basic header segment, 48 bytes at `base`, whole.
    package func encode(into base: UnsafeMutableRawPointer) {
        base.beginHeader(.taskManagementResponse, flags: 0x80, initiatorTaskTag: initiatorTaskTag)
        base.put(byte: response, Field.response)
        serials.encode(into: base)
    }
}
