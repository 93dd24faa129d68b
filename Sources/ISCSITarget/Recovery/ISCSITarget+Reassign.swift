import ISCSIFormats
import Primitives
import SAM

// Commands of connections that are gone (RFC 7143 §7.2.2): the device server goes on with them, and another connection
// of the session takes them over.

extension ISCSITarget {
    /// TASK REASSIGN (RFC 7143 §11.5.1): the answer comes before anything else of the task on its new connection.
    mutating func taskReassign(_ index: Int, _ pdu: TaskManagementRequestPDU) {
        let c = connections + index
        if c.pointee.parameters.errorRecoveryLevel < 2 {
            answer(index, pdu.initiatorTaskTag, .reassignmentNotSupported)
            return
        }
        guard let found = tasks[taskKey(c.pointee.session, pdu.referencedTaskTag)] else {
            answer(index, pdu.initiatorTaskTag, .taskDoesNotExist)
            return
        }
        let slot = Int(found)
        let command = commands.pointer(slot)
        if command.pointee.connection >= 0 || !isReleased(c.pointee.session, recovery[slot].cid) {
            answer(index, pdu.initiatorTaskTag, .taskStillAllegiant)
            return
        }
        answer(index, pdu.initiatorTaskTag, .functionComplete)
        let cid = recovery[slot].cid
        command.pointee.connection = Int32(truncatingIfNeeded: index)
        recovery[slot].cid = c.pointee.cid
        recovery[slot].isOfEarlierConnection = false
        forgetIfSettled(c.pointee.session, cid)
        recovery[slot].snackTag = 0
        recovery[slot].answersAgain = false
        if command.pointee.state == .answered { command.pointee.state = .active }
        if command.pointee.dataInLength > 0 { continueData(index, slot, pdu.expDataSN) }
        if command.pointee.state == .failing && !command.pointee.hasStatus { return }
        feedStaged(slot)
        wantToSend(slot)
    }

    /// All data that are not acknowledged are sent to the new connection, in PDUs of its size (RFC 7143 §11.5.6).
    private mutating func continueData(_ index: Int, _ slot: Int, _ expDataSN: UInt32) {
        let command = commands.pointer(slot)
        let end = command.pointee.inDataSN
        let isReference = SerialNumber(recovery[slot].acknowledged) < SerialNumber(expDataSN)
            && SerialNumber(expDataSN) <= SerialNumber(end)
        if expDataSN != 0 && isReference { acknowledgeData(slot, before: expDataSN) }
        if recovery[slot].acknowledged == end { return }
        let limit = connections[index].parameters.initiatorMaxRecvDataSegmentLength
        if !recovery[slot].isGone && resegment(slot, limit: limit) {
            repeatData(slot, from: recovery[slot].acknowledged, to: command.pointee.inDataSN)
        } else if command.pointee.hasStatus {
            command.pointee.status = .checkCondition
            command.pointee.failure = TransportSense.snackRejected
        } else if command.pointee.state == .active {
            failCommand(slot, TransportSense.snackRejected)
        }
    }

    /// A command whose connection is gone goes on without one. What it had in the output is kept, or cannot be sent
    /// again; what it had asked for is asked for anew.
    mutating func orphan(_ slot: Int) {
        let command = commands.pointer(slot)
        let index = Int(command.pointee.connection)
        if index >= 0 && connections[index].segment.active && Int(connections[index].segment.slot) == slot {
            rewind(slot, connections[index].segment, connections[index].headerCopy)
            connections[index].segment.slot = -1
        }
        command.pointee.connection = -1
        command.pointee.queued = false
        command.pointee.next = -1
        command.pointee.unsolicitedOpen = false
        command.pointee.r2tOutstanding = false
        recovery[slot].isBroken = false
        recovery[slot].againFrom = recovery[slot].againTo
        if command.pointee.inActive && command.pointee.inQueued == command.pointee.inLength {
            command.pointee.inActive = false
            indications.append(.dataInDelivered(CommandHandle(slot: slot, generation: command.pointee.generation)))
        }
        if command.pointee.accepting && command.pointee.outActive { feedStaged(slot) }
    }

    /// A Data-Out that is not complete has not been there when it has a digest.
    private mutating func rewind(_ slot: Int, _ segment: IncomingSegment, _ header: UnsafeMutableRawPointer) {
        let command = commands.pointer(slot)
        if !segment.hasDigest || !segment.solicited || !command.pointee.outActive { return }
        let offset = UnsafeRawPointer(header).big32(Field.bufferOffset)
        if offset >= command.pointee.outStart && offset <= command.pointee.outPosition {
            command.pointee.outPosition = offset
        }
    }

    /// The command no longer counts, wherever its connection is.
    mutating func orderedTaskIsOver(_ slot: Int) {
        let session = recovery[slot].session
        if session < 0 { return }
        if !recovery[slot].isForgotten {
            tasks.remove(taskKey(session, commands.pointer(slot).pointee.initiatorTaskTag))
        }
        recovery[slot].session = -1
        sessions.pointer(Int(session)).pointee.outstanding -= 1
    }

    /// The initiator gives the tag of an answered command to another one: the command cannot be asked for again.
    /// False: the command in `slot` is not answered.
    mutating func forget(_ slot: Int) -> Bool {
        let command = commands.pointer(slot)
        if command.pointee.state != .answered { return false }
        tasks.remove(taskKey(recovery[slot].session, command.pointee.initiatorTaskTag))
        recovery[slot].isForgotten = true
        return true
    }

    /// Gives back what was kept for a command.
    mutating func forgetRecovery(_ slot: Int) {
        pool.removeAll(&recovery[slot].sent)
        pool.removeAll(&recovery[slot].staged)
    }
}
