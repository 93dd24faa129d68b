import ISCSIFormats
import Primitives
import SAM

// TaskReporting=ResponseFence (RFC 7143 §4.2.2.3.3, §13.23). The responses of a session with several connections can
// overtake each other. A fenced response does not: it leaves when every response that was handed over before it has
// been acknowledged on its connection, and none that was handed over after it leaves before it is acknowledged itself.
// On one connection the order is that of the stream, and nothing has to be done.
//
// Fenced (§4.2.2.3.4) are responses of task management functions on many tasks, of PREEMPT AND ABORT, and those that
// tell of either by a unit attention. A SCSI Response for a command that was refused at its arrival passes: nothing
// of it was ever handed to the device server.

extension ISCSITarget {
    /// The next number of the order in which responses are handed over.
    mutating func handOver() -> UInt64 {
        handedOver &+= 1
        return handedOver
    }

    private mutating func needsFence(_ session: Int32) -> Bool {
        if session < 0 { return false }
        let state = sessions.pointer(Int(session))
        return state.pointee.parameters.responseFence && state.pointee.connectionCount > 1
    }

    /// A command of an ordered session has its status.
    mutating func handOverStatus(_ slot: Int) {
        let stamp = handOver()
        recovery[slot].handedOver = stamp
        let session = recovery[slot].session
        let command = commands.pointer(slot)
        if command.pointee.connection < 0 || !needsFence(session) { return }
        recovery[slot].isFenced = recovery[slot].isPreemptAndAbort || tellsOfAbort(slot)
        if !recovery[slot].isFenced || sessions.pointer(Int(session)).pointee.fence.phase != .none { return }
        raiseFence(session, ResponseFence(
            connection: command.pointee.connection, slot: Int32(truncatingIfNeeded: slot),
            generation: command.pointee.generation, stamp: stamp))
    }

    /// Unit attentions after tasks were aborted: 29h (reset), 2Fh (cleared), 2Ah/03h to 05h (preempted).
    private mutating func tellsOfAbort(_ slot: Int) -> Bool {
        let command = commands.pointer(slot)
        if command.pointee.status != .checkCondition || command.pointee.sense.count < 14 { return false }
        let sense = command.pointee.sense.piece(at: 0, frames: frames, lists: lists)
        if sense.count < 14 { return false }
        let base = UnsafeRawPointer(sense.base)
        let isDescriptor = base.byte(0) & 0x7F >= 0x72
        if base.byte(isDescriptor ? 1 : 2) & 0x0F != 6 { return false }
        let code = base.byte(isDescriptor ? 2 : 12)
        let qualifier = base.byte(isDescriptor ? 3 : 13)
        return code == 0x29 || code == 0x2F || code == 0x2A && (3...5).contains(qualifier)
    }

    /// A task management response is handed over: it is sent, unless a fence is up or has to be for it.
    mutating func deliver(_ index: Int, _ tag: UInt32, _ code: TaskManagementResponseCode, isFenced: Bool) {
        let session = connections[index].session
        if !needsFence(session) {
            answer(index, tag, code)
            return
        }
        let delayed = DelayedAnswer(
            session: session, connection: Int32(truncatingIfNeeded: index), initiatorTaskTag: tag, code: code,
            isFenced: isFenced, stamp: handOver())
        if sessions.pointer(Int(session)).pointee.fence.phase == .none {
            send(delayed)
        } else if delayedAnswers.count < limits.maxTaskManagementRequests {
            delayedAnswers.append(delayed)
        } else {
            fail(index, .outOfOrder)
        }
    }

    private mutating func send(_ delayed: DelayedAnswer) {
        if !delayed.isFenced {
            answer(Int(delayed.connection), delayed.initiatorTaskTag, delayed.code)
            return
        }
        raiseFence(delayed.session, ResponseFence(
            connection: delayed.connection, initiatorTaskTag: delayed.initiatorTaskTag, code: delayed.code,
            stamp: delayed.stamp))
    }

    private mutating func raiseFence(_ session: Int32, _ fence: ResponseFence) {
        let state = sessions.pointer(Int(session))
        state.pointee.fence = fence
        state.pointee.fence.phase = .before
        state.pointee.fence.until = now + limits.pingAfter + max(limits.pingPatience, .seconds(1))
        expect(state.pointee.fence.until)
        for index in 0..<madeConnections where connections[index].session == session {
            connections[index].isFenced = true
            connections[index].fenceStatSN = connections[index].statSN
            connections[index].isFencePinged = false
        }
        goOnWithFence(session)
    }

    /// Something about a fence may have changed: an acknowledgement came, a response left, a connection ended.
    mutating func goOnWithFence(_ session: Int32) {
        if session < 0 { return }
        let state = sessions.pointer(Int(session))
        if state.pointee.fence.phase == .before || state.pointee.fence.phase == .due {
            if !isFenceValid(session) {
                lowerFence(session)
            } else if state.pointee.fence.phase == .before && isAcknowledgedBeforeFence(session) {
                sendFenced(session)
            }
        }
        if state.pointee.fence.phase == .after {
            let index = Int(state.pointee.fence.connection)
            if connections[index].session != session || isFenceAcknowledged(index) { lowerFence(session) }
        }
    }

    /// The response is still to be sent, on a connection of the session.
    private mutating func isFenceValid(_ session: Int32) -> Bool {
        let fence = sessions.pointer(Int(session)).pointee.fence
        if fence.connection < 0 || connections[Int(fence.connection)].session != session { return false }
        if fence.slot < 0 { return true }
        let command = commands.pointer(Int(fence.slot))
        return command.pointee.generation == fence.generation && command.pointee.connection == fence.connection
            && command.pointee.state == .active && command.pointee.hasStatus
    }

    /// Every response before the fenced one has left, and those of other connections are acknowledged.
    private mutating func isAcknowledgedBeforeFence(_ session: Int32) -> Bool {
        let fence = sessions.pointer(Int(session)).pointee.fence
        var isReady = true
        for index in 0..<madeConnections where connections[index].session == session {
            if hasEarlier(index, than: fence.stamp) {
                isReady = false
            } else if index != Int(fence.connection) && !isFenceAcknowledged(index) {
                isReady = false
            }
        }
        return isReady
    }

    /// Whether a connection's initiator has all that it must have; it is asked once.
    private mutating func isFenceAcknowledged(_ index: Int) -> Bool {
        let c = connections + index
        if SerialNumber(c.pointee.fenceStatSN) <= SerialNumber(c.pointee.acknowledgedStatSN) { return true }
        if !c.pointee.isFencePinged {
            c.pointee.isFencePinged = true
            sendPing(index)
        }
        return false
    }

    private mutating func hasEarlier(_ index: Int, than stamp: UInt64) -> Bool {
        var at = Int(connections[index].firstSender)
        while at >= 0 {
            if hasResponse(at) && handedOver(at) < stamp { return true }
            at = Int(commands.pointer(at).pointee.next)
        }
        return false
    }

    /// When a command's response was handed over; before the session had several connections, nobody counted.
    private mutating func handedOver(_ slot: Int) -> UInt64 {
        commands.pointer(slot).pointee.ordered ? recovery[slot].handedOver : 0
    }

    private mutating func hasResponse(_ slot: Int) -> Bool {
        let command = commands.pointer(slot)
        return command.pointee.hasStatus || command.pointee.inActive && command.pointee.inFinal
    }

    private mutating func sendFenced(_ session: Int32) {
        let state = sessions.pointer(Int(session))
        let fence = state.pointee.fence
        let index = Int(fence.connection)
        state.pointee.fence.phase = .due
        if fence.slot < 0 {
            answer(index, fence.initiatorTaskTag, fence.code)
            fencedIsSent(index)
        } else {
            serveFenced(index)
        }
    }

    private mutating func fencedIsSent(_ index: Int) {
        let c = connections + index
        c.pointee.fenceStatSN = c.pointee.statSN
        c.pointee.isFencePinged = false
        sessions.pointer(Int(c.pointee.session)).pointee.fence.phase = .after
    }

    /// Sends for the commands of a connection with a fence: what is handed over after the fenced response waits.
    mutating func serveFenced(_ index: Int) {
        let session = connections[index].session
        if session < 0 { return }
        let fence = sessions.pointer(Int(session)).pointee.fence
        var at = Int(connections[index].firstSender)
        while at >= 0 {
            let following = Int(commands.pointer(at).pointee.next)
            let isFenced = fence.slot == Int32(truncatingIfNeeded: at) && fence.phase == .due
            let isEarlier = hasResponse(at) && handedOver(at) < fence.stamp
            if isFenced || isEarlier || !hasResponse(at) {
                if !serveOne(index, at) { break }
                if isEarlier { connections[index].fenceStatSN = connections[index].statSN }
                if isFenced { fencedIsSent(index) }
            }
            at = following
        }
        goOnWithFence(session)
    }

    private mutating func lowerFence(_ session: Int32) {
        let state = sessions.pointer(Int(session))
        state.pointee.fence = ResponseFence()
        for index in 0..<madeConnections where connections[index].session == session {
            connections[index].isFenced = false
        }
        while state.pointee.fence.phase == .none {
            let slot = nextFenced(session)
            let delayed = delayedAnswers.firstIndex { $0.session == session }
            if let delayed, slot == nil || delayedAnswers[delayed].stamp < recovery[slot ?? 0].handedOver {
                send(delayedAnswers.remove(at: delayed))
            } else if let slot {
                let command = commands.pointer(slot)
                raiseFence(session, ResponseFence(
                    connection: command.pointee.connection, slot: Int32(truncatingIfNeeded: slot),
                    generation: command.pointee.generation, stamp: recovery[slot].handedOver))
            } else {
                break
            }
        }
        for index in 0..<madeConnections where connections[index].session == session { serveSenders(index) }
    }

    /// The first command with a fenced response that waits.
    private mutating func nextFenced(_ session: Int32) -> Int? {
        var found: Int?
        for slot in 0..<commands.capacity {
            let command = commands.pointer(slot)
            let waits = command.pointee.state == .active && command.pointee.ordered && command.pointee.hasStatus
                && command.pointee.connection >= 0 && recovery[slot].isFenced && recovery[slot].session == session
            if waits && recovery[slot].handedOver < recovery[found ?? slot].handedOver || waits && found == nil {
                found = slot
            }
        }
        return found
    }

    /// What an initiator without recovery acknowledges; above ErrorRecoveryLevel 0 `acknowledge` sees to it.
    mutating func acknowledgeFence(_ index: Int, _ expStatSN: SerialNumber) {
        let c = connections + index
        let isNew = SerialNumber(c.pointee.acknowledgedStatSN) < expStatSN
        if !c.pointee.retains && isNew && expStatSN <= SerialNumber(c.pointee.statSN) {
            c.pointee.acknowledgedStatSN = expStatSN.raw
        }
        goOnWithFence(c.pointee.session)
    }

    /// A connection leaves its session: what waits for it does not any more.
    mutating func forgetFence(of index: Int, session: Int32) {
        connections[index].isFenced = false
        if session < 0 || !sessions.pointer(Int(session)).pointee.parameters.responseFence { return }
        delayedAnswers.removeAll { Int($0.connection) == index }
        if sessions.pointer(Int(session)).pointee.fence.phase != .none { goOnWithFence(session) }
    }

    /// Gives up who has not acknowledged in time.
    mutating func tickFences(at now: Instant) {
        for session in 0..<sessions.capacity {
            let state = sessions.pointer(session)
            if !state.pointee.inUse || state.pointee.fence.phase == .none { continue }
            if now < state.pointee.fence.until {
                expect(state.pointee.fence.until)
                continue
            }
            for index in 0..<madeConnections where Int(connections[index].session) == session {
                let c = connections + index
                if SerialNumber(c.pointee.acknowledgedStatSN) < SerialNumber(c.pointee.fenceStatSN) {
                    fail(index, .unacknowledged)
                }
            }
            // Else the fenced response itself waits for its host.
            let fenced = Int(state.pointee.fence.connection)
            if state.pointee.fence.phase != .none { fail(fenced, .unacknowledged) }
        }
    }
}
