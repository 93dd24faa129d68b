import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// Task Management Function Request (RFC 7143 §11.5).
    mutating func taskManagementRequest(_ index: Int, _ header: UnsafeRawPointer) {
        let pdu = TaskManagementRequestPDU(decoding: header)
        if !isAdmitted(index, header) { return }
        let session = sessions.pointer(Int(connections[index].session))
        if session.pointee.discovery || pdu.initiatorTaskTag == Tag.none {
            reject(index, header, .protocolError)
            return
        }
        guard let code = TaskManagementCode(rawValue: pdu.function) else {
            deliver(index, pdu.initiatorTaskTag, .notSupported, isFenced: false)
            return
        }
        switch code {
        case .abortTask: abortTask(index, pdu, header)
        case .taskReassign: taskReassign(index, pdu)
        case .queryTask where hasQueries(index): queryTask(index, pdu, header)
        case .abortTaskSet, .clearACA, .clearTaskSet, .logicalUnitReset, .targetWarmReset, .targetColdReset:
            forwardInOrder(index, pdu, header, code)
        case .queryTaskSet, .iTNexusReset, .queryAsynchronousEvent:
            if hasQueries(index) {
                forwardInOrder(index, pdu, header, code)
            } else {
                deliver(index, pdu.initiatorTaskTag, .notSupported, isFenced: false)
            }
        case .queryTask: deliver(index, pdu.initiatorTaskTag, .notSupported, isFenced: false)
        }
    }

    /// RFC 7144 has functions 9 to 12 for iSCSIProtocolLevel 2.
    private mutating func hasQueries(_ index: Int) -> Bool { connections[index].parameters.protocolLevel >= 2 }

    /// Hands on a function that concerns many tasks, when all commands before it are here.
    private mutating func forwardInOrder(
        _ index: Int, _ pdu: TaskManagementRequestPDU, _ header: UnsafeRawPointer, _ code: TaskManagementCode
    ) {
        guard let function = Self.function(code), !waits(index, header) else { return }
        forward(index, pdu, header, function)
    }

    private static func function(_ code: TaskManagementCode) -> TaskManagementFunction? {
        switch code {
        case .abortTaskSet: .abortTaskSet
        case .clearACA: .clearACA
        case .clearTaskSet: .clearTaskSet
        case .logicalUnitReset: .logicalUnitReset
        case .targetWarmReset: .targetWarmReset
        case .targetColdReset: .targetColdReset
        case .queryTaskSet: .queryTaskSet
        case .iTNexusReset: .iTNexusReset
        case .queryAsynchronousEvent: .queryAsynchronousEvent
        case .abortTask, .queryTask, .taskReassign: nil
        }
    }

    /// QUERY TASK (RFC 7144 §4.3.1): a task that is not known here is not in the task set.
    private mutating func queryTask(_ index: Int, _ pdu: TaskManagementRequestPDU, _ header: UnsafeRawPointer) {
        guard let slot = tasks[taskKey(connections[index].session, pdu.referencedTaskTag)] else {
            deliver(index, pdu.initiatorTaskTag, .functionComplete, isFenced: false)
            return
        }
        let command = commands.pointer(Int(slot))
        let handle = CommandHandle(slot: Int(slot), generation: command.pointee.generation)
        forward(index, pdu, header, .queryTask, handle)
    }

    /// ABORT TASK. A task that is not known has either been answered, or its command did not arrive; RFC 7143 §11.6.1
    /// tells them apart by RefCmdSN.
    private mutating func abortTask(_ index: Int, _ pdu: TaskManagementRequestPDU, _ header: UnsafeRawPointer) {
        if let slot = tasks[taskKey(connections[index].session, pdu.referencedTaskTag)] {
            let command = commands.pointer(Int(slot))
            if command.pointee.state == .active && !command.pointee.hasStatus {
                let handle = CommandHandle(slot: Int(slot), generation: command.pointee.generation)
                if command.pointee.lun != pdu.lun {
                    deliver(index, pdu.initiatorTaskTag, .lunDoesNotExist, isFenced: false)
                } else {
                    forward(index, pdu, header, .abortTask, handle)
                }
                return
            }
            // Its response is decided and only waits for the last of its data.
            deliver(index, pdu.initiatorTaskTag, .taskDoesNotExist, isFenced: false)
            return
        }
        let session = sessions.pointer(Int(connections[index].session))
        let reference = SerialNumber(pdu.refCmdSN)
        let inWindow = session.pointee.expCmdSN <= reference && reference <= session.pointee.maxCmdSN
        if inWindow && reference < SerialNumber(pdu.cmdSN) {
            // The command is considered received, so that the order can go on behind it.
            if connections[index].ordered {
                skip(connections[index].session, reference)
            } else if reference == session.pointee.expCmdSN {
                session.pointee.expCmdSN = reference &+ 1
            }
            deliver(index, pdu.initiatorTaskTag, .functionComplete, isFenced: false)
        } else {
            deliver(index, pdu.initiatorTaskTag, .taskDoesNotExist, isFenced: false)
        }
    }

    /// Hands a request to the device server; too many at once are refused (RFC 7143 §11.17.1, immediate command
    /// reject).
    private mutating func forward(
        _ index: Int, _ pdu: TaskManagementRequestPDU, _ header: UnsafeRawPointer,
        _ function: TaskManagementFunction, _ referenced: CommandHandle? = nil
    ) {
        let c = connections + index
        guard c.pointee.taskManagementRequests < limits.maxTaskManagementRequestsPerConnection,
            let slot = taskManagement.take()
        else {
            reject(index, header, .immediateCommandReject)
            return
        }
        c.pointee.taskManagementRequests += 1
        let session = Int(c.pointee.session)
        taskManagement[slot] = TaskManagementSlot(
            connection: Int32(truncatingIfNeeded: index), initiatorTaskTag: pdu.initiatorTaskTag, function: function,
            target: sessions.pointer(session).pointee.target, inUse: true)
        indications.append(.taskManagementRequestReceived(TaskManagementRequest(
            request: UInt16(truncatingIfNeeded: slot), nexus: NexusIndex(UInt16(truncatingIfNeeded: session)),
            function: function, lun: pdu.lun, referenced: referenced)))
    }

    /// The device server has executed a request.
    mutating func taskManagementFunctionExecuted(_ slot: Int, _ response: ServiceResponse) {
        guard slot < taskManagement.capacity, taskManagement[slot].inUse else { return }
        let request = taskManagement[slot]
        taskManagement[slot].inUse = false
        taskManagement.giveBack(slot)
        let index = Int(request.connection)
        if index >= 0 {
            connections[index].taskManagementRequests -= 1
            deliver(
                index, request.initiatorTaskTag, Self.code(response), isFenced: Self.concernsMany(request.function))
        }
        if request.function == .targetColdReset && response == .functionComplete { dropSessions(of: request.target) }
    }

    /// A function whose response is fenced (RFC 7143 §4.2.2.3.4).
    private static func concernsMany(_ function: TaskManagementFunction) -> Bool {
        switch function {
        case .abortTaskSet, .clearTaskSet, .clearACA, .logicalUnitReset, .targetWarmReset, .iTNexusReset: true
        case .abortTask, .queryTask, .queryTaskSet, .queryAsynchronousEvent, .targetColdReset: false
        }
    }

    private static func code(_ response: ServiceResponse) -> TaskManagementResponseCode {
        switch response {
        case .functionComplete: .functionComplete
        case .functionSucceeded: .functionSucceeded
        case .functionRejected: .rejected
        case .incorrectLogicalUnit: .lunDoesNotExist
        }
    }

    /// TARGET COLD RESET also ends every session with the target, like a power cycle (RFC 7143 §11.5.1).
    private mutating func dropSessions(of target: UInt16) {
        for place in 0..<sessions.capacity {
            let session = sessions.pointer(place)
            if session.pointee.inUse && !session.pointee.discovery && session.pointee.target == target {
                dropSession(place, flush: true)
            }
        }
    }

    mutating func answer(_ index: Int, _ initiatorTaskTag: UInt32, _ code: TaskManagementResponseCode) {
        guard let base = beginPDU(index, dataLength: 0) else { return }
        var pdu = TaskManagementResponsePDU()
        pdu.response = code.rawValue
        pdu.initiatorTaskTag = initiatorTaskTag
        pdu.serials = serials(index, advance: true)
        pdu.encode(into: base)
        finishPDU(index, base, dataLength: 0)
    }
}
