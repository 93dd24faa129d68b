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
        if c.pointee.state != .cleanupWait { endConnection(index, flush: false) }
        c.pointee.output.removeAll()
        c.pointee.state = .free
        exchanges[index] = TextExchange()
        streams.remove(UInt64(stream.raw))
        connectionPlaces.giveBack(index)
    }

    /// Ends a connection from our side: its session and commands go at once, then it is closed.
    /// - Parameter flush: what is in the output is still sent.
    mutating func closeConnection(_ index: Int, flush: Bool) {
        let c = connections + index
        if c.pointee.state == .free || c.pointee.state == .cleanupWait { return }
        endConnection(index, flush: flush)
        effects.append(.close(c.pointee.stream))
    }

    /// The initiator broke the protocol in a way that only the end of the connection answers.
    mutating func fail(_ index: Int, _ fault: TransportFault) {
        statistics.protocolErrors &+= 1
        effects.append(.protocolError(connections[index].stream, fault))
        closeConnection(index, flush: true)
    }

    /// Takes the connection out of its session, which ends with it: ErrorRecoveryLevel is 0, so nothing can be
    /// recovered (RFC 7143 §7.1.4), and DefaultTime2Retain is 0, so nothing is kept.
    mutating func endConnection(_ index: Int, flush: Bool) {
        let c = connections + index
        c.pointee.state = .cleanupWait
        c.pointee.wait = .nothing
        c.pointee.segment = IncomingSegment()
        c.pointee.head = 0
        c.pointee.tail = 0
        loseCommands(of: index, flush: flush)
        if !flush { c.pointee.output.removeAll() }
        let session = Int(c.pointee.session)
        c.pointee.session = -1
        if session >= 0 { endSession(session) }
    }

    /// No command of the connection is left to it: those without a response are lost; those that are answered are
    /// delivered, as their bytes are copied (or dropped) and no longer need their pages.
    private mutating func loseCommands(of index: Int, flush: Bool) {
        let c = connections + index
        if c.pointee.session >= 0 {
            for slot in 0..<commands.capacity {
                let command = commands.pointer(slot)
                if command.pointee.state == .free || Int(command.pointee.connection) != index { continue }
                loseCommand(slot, flush: flush)
            }
        }
        c.pointee.firstSender = -1
        c.pointee.lastSender = -1
        if c.pointee.taskManagementRequests > 0 {
            for slot in 0..<taskManagement.capacity where Int(taskManagement[slot].connection) == index {
                taskManagement[slot].connection = -1
            }
            c.pointee.taskManagementRequests = 0
        }
    }

    private mutating func loseCommand(_ slot: Int, flush: Bool) {
        let command = commands.pointer(slot)
        if flush { keepPayload(of: slot) }
        tasks.remove(taskKey(Int(command.pointee.connection), command.pointee.initiatorTaskTag))
        command.pointee.queued = false
        command.pointee.next = -1
        let handle = CommandHandle(slot: slot, generation: command.pointee.generation)
        switch command.pointee.state {
        case .free, .lost: return
        case .responded:
            indications.append(.dataInDelivered(handle))
            free(slot)
        case .active where command.pointee.hasStatus:
            // The device server has said its last word about it, unless it waits for a delivery without bytes.
            if command.pointee.deliversWithResponse { indications.append(.dataInDelivered(handle)) }
            free(slot)
        case .active:
            indications.append(.commandLost(handle))
            command.pointee.state = .lost
            command.pointee.connection = -1
        case .failing:
            if command.pointee.hasStatus {
                free(slot)
            } else {
                command.pointee.state = .lost
                command.pointee.connection = -1
            }
        }
    }

    /// A session ends: its nexus is lost, after all of its commands.
    mutating func endSession(_ index: Int) {
        let session = sessions.pointer(index)
        session.pointee.inUse = false
        session.pointee.connection = -1
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

    /// Closes every connection. With `askLogout` initiators are told before: an Asynchronous Message asks for a logout
    /// (RFC 7143 §11.9.1, event 1) on each that is logged in.
    package mutating func closeAllSessions(askLogout: Bool) {
        for index in 0..<madeConnections {
            if askLogout && connections[index].state == .loggedIn { sendLogoutRequest(index) }
            closeConnection(index, flush: askLogout)
        }
    }
}
