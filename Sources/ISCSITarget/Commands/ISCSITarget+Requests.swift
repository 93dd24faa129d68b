import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// What the device server asks. Words about commands that are over are recognised by the handle, and ignored.
    package mutating func handle(_ request: TransportRequest, at now: Instant) {
        switch request {
        case .sendDataIn(let handle, let run, let bufferOffset, let final, let total):
            guard let slot = slot(handle) else { return }
            sendDataIn(slot, run, bufferOffset, final: final, total: total)
        case .receiveDataOut(let handle, let run, let bufferOffset):
            guard let slot = slot(handle) else { return }
            receiveDataOut(slot, run, bufferOffset)
        case .sendCommandComplete(let handle, let status, let sense, let total):
            guard let slot = slot(handle) else { return }
            sendCommandComplete(slot, status, sense, total)
        case .commandEnded(let handle):
            guard let slot = slot(handle) else { return }
            commandEnded(slot)
        case .taskManagementFunctionExecuted(let request, let response):
            taskManagementFunctionExecuted(Int(request), response)
        }
    }

    /// The slot of a handle, nil when the command is over.
    private mutating func slot(_ handle: CommandHandle) -> Int? {
        if handle.slot >= commands.capacity { return nil }
        let command = commands.pointer(handle.slot)
        if command.pointee.generation != handle.generation || command.pointee.state == .free { return nil }
        return handle.slot
    }

    private mutating func sendDataIn(_ slot: Int, _ run: PageRun, _ offset: UInt32, final: Bool, total: UInt32) {
        let command = commands.pointer(slot)
        if !command.pointee.accepting { return }
        precondition(!command.pointee.inActive, "a second sendDataIn while one is outstanding")
        let expected = command.pointee.dataInLength
        let length = offset < expected ? min(run.count, expected - offset) : 0
        if length == 0 && !final {
            indications.append(.dataInDelivered(CommandHandle(slot: slot, generation: command.pointee.generation)))
            return
        }
        // Data for a host that has flagged a write: nothing of what it expects to be transferred is.
        command.pointee.total = command.pointee.dataOutLength > 0 ? 0 : total
        if final && command.pointee.ordered { handOverStatus(slot) }
        if length == 0 {
            command.pointee.hasStatus = true
            command.pointee.status = .good
            command.pointee.deliversWithResponse = true
            respondWhenQuiet(slot)
            return
        }
        command.pointee.inRun = run
        command.pointee.inOffset = offset
        command.pointee.inLength = length
        command.pointee.inQueued = 0
        command.pointee.inFinal = final
        command.pointee.inActive = true
        wantToSend(slot)
    }

    private mutating func receiveDataOut(_ slot: Int, _ run: PageRun, _ offset: UInt32) {
        let command = commands.pointer(slot)
        if !command.pointee.accepting { return }
        precondition(!command.pointee.outActive, "a second receiveDataOut while one is outstanding")
        let offered = command.pointee.dataOutLength
        let length = offset < offered ? min(run.count, offered - offset) : 0
        if length == 0 {
            finishRun(slot)
            return
        }
        precondition(offset == command.pointee.outPosition, "receiveDataOut left a gap")
        command.pointee.outRun = run
        command.pointee.outStart = offset
        command.pointee.outEnd = offset + length
        command.pointee.outActive = true
        if command.pointee.ordered {
            feedStaged(slot)
        } else if segmentIsOnItsWay(slot) {
            makeRunnable(Int(command.pointee.connection))
        } else {
            solicit(slot)
        }
    }

    private mutating func sendCommandComplete(_ slot: Int, _ status: Status, _ sense: PageRun, _ total: UInt32) {
        let command = commands.pointer(slot)
        switch command.pointee.state {
        case .free, .responded, .answered: return
        case .lost, .failing:
            // The last word about a command that it had not yet heard to be lost.
            commandEnded(slot)
        case .active:
            if command.pointee.hasStatus { return }
            keepPayload(of: slot)
            command.pointee.outActive = false
            command.pointee.r2tWanted = false
            command.pointee.hasStatus = true
            command.pointee.status = status
            command.pointee.sense = sense
            // The same for a write of a host that has flagged a read.
            let isOtherWay = command.pointee.dataInLength > 0 && command.pointee.inDataSN == 0
            command.pointee.total = isOtherWay ? 0 : total
            if command.pointee.ordered { handOverStatus(slot) }
            respondWhenQuiet(slot)
        }
    }

    /// The status is known: it is sent now, or after the data that the initiator is still sending, which are dropped.
    private mutating func respondWhenQuiet(_ slot: Int) {
        if segmentIsOnItsWay(slot) { makeRunnable(Int(commands.pointer(slot).pointee.connection)) }
        if !expectsData(slot) { wantToSend(slot) }
    }

    private mutating func commandEnded(_ slot: Int) {
        let command = commands.pointer(slot)
        switch command.pointee.state {
        case .free, .answered: return
        case .lost: free(slot)
        case .responded:
            keepPayload(of: slot)
            free(slot)
        case .failing:
            if command.pointee.hasStatus { return }
            keepPayload(of: slot)
            command.pointee.hasStatus = true
            command.pointee.status = .checkCondition
            command.pointee.total = command.pointee.expected
            respondWhenQuiet(slot)
        case .active:
            keepPayload(of: slot)
            stopSending(slot)
            taskIsOver(slot)
            free(slot)
        }
    }

    /// The command no longer counts: its tag can come again, and its place in the window is free.
    @inline(__always) mutating func taskIsOver(_ slot: Int) {
        let command = commands.pointer(slot)
        if command.pointee.ordered {
            orderedTaskIsOver(slot)
            return
        }
        let index = Int(command.pointee.connection)
        if index < 0 { return }
        let session = connections[index].session
        tasks.remove(taskKey(session, command.pointee.initiatorTaskTag))
        if session >= 0 { sessions.pointer(Int(session)).pointee.outstanding -= 1 }
    }
}
