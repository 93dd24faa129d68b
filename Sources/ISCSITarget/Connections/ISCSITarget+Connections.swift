import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// A host connected to portal `portal`; `peer` tells addresses apart, 0: not known. False: the table is full, and
    /// the driver closes the stream without telling the engine any more of it.
    package mutating func hostConnected(
        _ stream: StreamID, portal: UInt16, peer: UInt64 = 0, at now: Instant
    ) -> Bool {
        makeRoomForLogin(peer)
        guard streams[UInt64(stream.raw)] == nil, let index = connectionPlaces.take() else {
            statistics.connectionsRefused &+= 1
            return false
        }
        while madeConnections <= index {
            (connections + madeConnections).initialize(to: Connection())
            madeConnections += 1
        }
        self.now = now
        let c = connections + index
        c.pointee.reset(stream: stream, portal: portal, at: now)
        c.pointee.peer = peer
        c.pointee.statSN = UInt32(truncatingIfNeeded: random.next())
        exchanges[index] = TextExchange()
        streams.set(UInt64(stream.raw), UInt32(index))
        expect(now + limits.loginTime)
        return true
    }

    /// The stream is at its end, reset, or closed by us; its number may come again.
    package mutating func closed(_ stream: StreamID, at now: Instant) {
        guard let index = connection(stream) else { return }
        let c = connections + index
        self.now = now
        if c.pointee.state != .cleanupWait { endConnection(index, flush: false, .failed) }
        c.pointee.output.removeAll()
        c.pointee.state = .free
        exchanges[index] = TextExchange()
        streams.remove(UInt64(stream.raw))
        connectionPlaces.giveBack(index)
    }

    /// Ends a connection from our side: its commands go at once, then it is closed.
    /// - Parameter flush: what is in the output is still sent.
    mutating func closeConnection(_ index: Int, flush: Bool, _ end: ConnectionEnd = .closed) {
        let c = connections + index
        if c.pointee.state == .free || c.pointee.state == .cleanupWait { return }
        endConnection(index, flush: flush, end)
        effects.append(.close(c.pointee.stream))
    }

    /// The initiator broke the protocol in a way that only the end of the connection answers.
    mutating func fail(_ index: Int, _ fault: TransportFault) {
        statistics.protocolErrors &+= 1
        effects.append(.protocolError(connections[index].stream, fault))
        closeConnection(index, flush: true, .failed)
    }

    /// Takes the connection out of its session. At ErrorRecoveryLevel 2 the session survives a failure for a while, and
    /// the connection's commands too. Below it a failed connection ends its session, as nobody can tell which commands
    /// were lost with it (RFC 7143 §7.1.4); one that was logged out does so when it was the last.
    /// - Parameter end: why; a recovery Logout counts as a failure that has been dealt with.
    mutating func endConnection(_ index: Int, flush: Bool, _ end: ConnectionEnd) {
        let c = connections + index
        c.pointee.state = .cleanupWait
        c.pointee.wait = .nothing
        let session = Int(c.pointee.session)
        let recovers = end != .closed && rememberLost(index, isReleased: end == .released)
        if recovers { orphanCommands(of: index, flush: flush) } else { loseCommands(of: index, flush: flush) }
        c.pointee.segment = IncomingSegment()
        c.pointee.head = 0
        c.pointee.tail = 0
        pool.removeAll(&c.pointee.draft)
        pool.removeAll(&c.pointee.responses)
        if !flush { c.pointee.output.removeAll() }
        c.pointee.session = -1
        if session < 0 { return }
        if c.pointee.ordered { dropHeld(of: index, session: session) }
        sessions.pointer(session).pointee.connectionCount -= 1
        forgetFence(of: index, session: Int32(truncatingIfNeeded: session))
        if end == .failed && !recovers { dropSession(session, flush: flush) } else { endIfEmpty(session) }
    }

    /// Ends a session with all of its connections.
    mutating func dropSession(_ session: Int, flush: Bool) {
        for index in 0..<madeConnections where Int(connections[index].session) == session {
            closeConnection(index, flush: flush)
        }
        if sessions.pointer(session).pointee.inUse { endSession(session) }
    }

    /// The commands of a failed connection wait for another one.
    private mutating func orphanCommands(of index: Int, flush: Bool) {
        for slot in 0..<commands.capacity {
            let command = commands.pointer(slot)
            if command.pointee.state == .free || Int(command.pointee.connection) != index { continue }
            if command.pointee.state == .responded {
                loseCommand(slot, flush: flush)
            } else {
                if flush { copyPayload(of: slot) }
                orphan(slot)
            }
        }
        forgetRequests(of: index)
    }

    /// No command of the connection is left to it: those without a response are lost; those that are answered are
    /// delivered, as their bytes are copied (or dropped) and no longer need their pages.
    private mutating func loseCommands(of index: Int, flush: Bool) {
        if connections[index].session >= 0 {
            for slot in 0..<commands.capacity {
                let command = commands.pointer(slot)
                if command.pointee.state == .free || Int(command.pointee.connection) != index { continue }
                loseCommand(slot, flush: flush)
            }
        }
        forgetRequests(of: index)
    }

    /// Nobody waits any more for what was to be sent, or for answers of the task manager.
    private mutating func forgetRequests(of index: Int) {
        let c = connections + index
        c.pointee.firstSender = -1
        c.pointee.lastSender = -1
        if c.pointee.taskManagementRequests == 0 { return }
        for slot in 0..<taskManagement.capacity where Int(taskManagement[slot].connection) == index {
            taskManagement[slot].connection = -1
        }
        c.pointee.taskManagementRequests = 0
    }

    /// A command ends without a response.
    mutating func loseCommand(_ slot: Int, flush: Bool) {
        let command = commands.pointer(slot)
        let wasActive = command.pointee.inActive
        if flush { keepPayload(of: slot) }
        command.pointee.queued = false
        command.pointee.next = -1
        let handle = CommandHandle(slot: slot, generation: command.pointee.generation)
        switch command.pointee.state {
        case .free, .lost: return
        case .responded:
            indications.append(.dataInDelivered(handle))
            free(slot)
            return
        case .answered:
            orderedTaskIsOver(slot)
            if wasActive { indications.append(.dataInDelivered(handle)) }
            free(slot)
            return
        case .active, .failing: taskIsOver(slot)
        }
        if command.pointee.hasStatus {
            // The device server has said its last word about it, unless it waits for a delivery.
            let isDelivering = command.pointee.deliversWithResponse
                || command.pointee.retains && wasActive && command.pointee.inFinal
            if isDelivering { indications.append(.dataInDelivered(handle)) }
            free(slot)
            return
        }
        if command.pointee.state == .active { indications.append(.commandLost(handle)) }
        command.pointee.state = .lost
        command.pointee.connection = -1
    }

    /// A session ends: its nexus is lost, after all of its commands.
    mutating func endSession(_ index: Int) {
        forgetSession(index)
        let session = sessions.pointer(index)
        session.pointee.inUse = false
        session.pointee.fence = ResponseFence()
        if !delayedAnswers.isEmpty { delayedAnswers.removeAll { Int($0.session) == index } }
        session.pointee.connectionCount = 0
        if !session.pointee.discovery {
            let nexus = NexusIndex(UInt16(truncatingIfNeeded: index))
            indications.append(.nexusLost(nexus))
            effects.append(.sessionClosed(nexus))
        }
        sessions.giveBack(index)
        shareWindow()
    }

    /// Divides the command slots among the sessions.
    mutating func shareWindow() {
        let fair = max(8, limits.maxCommands / max(1, sessions.count))
        commandShare = min(limits.commandWindow, limits.maxCommands, fair)
    }
}
