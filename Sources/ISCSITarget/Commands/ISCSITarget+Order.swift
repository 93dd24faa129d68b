import ISCSIFormats
import Primitives

// Command order over several connections (RFC 7143 §4.2.2.1): what arrives early is held, within the window, and
// executed when everything before it has been. Sessions with one connection at ErrorRecoveryLevel 0 need none of it.

extension ISCSITarget {
    /// Parses one PDU of an ordered session whose header is there and right; false when more bytes are needed.
    mutating func parseOrdered(_ index: Int, _ header: BasicHeaderSegment, _ headerLength: Int) -> Bool {
        let c = connections + index
        if c.pointee.overdue {
            fail(index, .unacknowledged)
            return false
        }
        switch header.opcode {
        case .scsiCommand:
            consumeHeader(index, headerLength)
            if header.dataSegmentLength == 0 {
                enter(index, header.base, UnsafeRawBufferPointer(start: nil, count: 0), Arrival())
            } else {
                beginDraft(index, header)
            }
            return true
        case .dataOut:
            consumeHeader(index, headerLength)
            orderedDataOut(index, header.base)
            return true
        case .nopOut, .taskManagementRequest, .loginRequest, .textRequest, .logoutRequest, .snackRequest, .nopIn,
            .scsiResponse, .taskManagementResponse, .loginResponse, .textResponse, .dataIn, .logoutResponse,
            .readyToTransfer, .asyncMessage, .reject, nil:
            return parseCollected(index, header, headerLength)
        }
    }

    /// A complete PDU with a place in the command order: it is executed now, held, or dropped. The data of a SCSI
    /// Command are in the connection's draft, those of others in `data`.
    mutating func enter(
        _ index: Int, _ header: UnsafeRawPointer, _ data: UnsafeRawBufferPointer, _ arrival: Arrival
    ) {
        let pdu = BasicHeaderSegment(header)
        let place = connections[index].session
        let session = sessions.pointer(Int(place))
        if pdu.immediate {
            execute(index, header, data, arrival)
            return
        }
        let isInWindow = session.pointee.expCmdSN <= pdu.cmdSN && pdu.cmdSN <= session.pointee.maxCmdSN
        if !isInWindow || order[taskKey(place, pdu.cmdSN.raw)] != nil {
            statistics.dropped &+= 1
            pool.removeAll(&connections[index].draft)
        } else if pdu.cmdSN == session.pointee.expCmdSN {
            execute(index, header, data, arrival)
            deliverHeld(Int(place))
        } else {
            hold(index, header, data, arrival)
        }
    }

    private mutating func execute(
        _ index: Int, _ header: UnsafeRawPointer, _ data: UnsafeRawBufferPointer, _ arrival: Arrival
    ) {
        if BasicHeaderSegment(header).opcode == .scsiCommand {
            orderedCommand(index, header, arrival)
        } else {
            perform(index, BasicHeaderSegment(header), data)
        }
    }

    /// Keeps a PDU until those before it have come.
    private mutating func hold(
        _ index: Int, _ header: UnsafeRawPointer, _ data: UnsafeRawBufferPointer, _ arrival: Arrival
    ) {
        let pdu = BasicHeaderSegment(header)
        let session = connections[index].session
        guard pool.hasRoom(data.count), let place = held.take() else {
            fail(index, .outOfOrder)
            return
        }
        var entry = HeldPDU()
        entry.session = session
        entry.connection = Int32(truncatingIfNeeded: index)
        entry.cmdSN = pdu.cmdSN.raw
        entry.arrival = arrival
        let length = min(Field.headerLength + pdu.additionalLength, Sizes.headerCopy)
        (heldHeaders + place * Sizes.headerCopy).copyMemory(from: header, byteCount: length)
        if pdu.opcode == .scsiCommand {
            swap(&entry.data, &connections[index].draft)
            let key = taskKey(session, pdu.initiatorTaskTag)
            if heldTasks[key] == nil { heldTasks.set(key, UInt32(place)) }
        } else if let start = data.baseAddress {
            pool.append(&entry.data, start, data.count)
        }
        held[place] = entry
        order.set(taskKey(session, pdu.cmdSN.raw), UInt32(place))
    }

    /// A CmdSN whose task was aborted before it came: it counts as received (RFC 7143 §11.6.1).
    mutating func skip(_ session: Int32, _ cmdSN: SerialNumber) {
        let key = taskKey(session, cmdSN.raw)
        if let place = order[key] {
            order.remove(key)
            dropHeld(Int(place))
        }
        guard let place = held.take() else { return }
        var entry = HeldPDU()
        entry.session = session
        entry.cmdSN = cmdSN.raw
        held[place] = entry
        order.set(key, UInt32(place))
        deliverHeld(Int(session))
    }

    /// Executes what has been held and is next, on the connections that have room for an answer.
    mutating func deliverHeld(_ session: Int) {
        while sessions.pointer(session).pointee.inUse {
            let next = sessions.pointer(session).pointee.expCmdSN
            let key = taskKey(Int32(truncatingIfNeeded: session), next.raw)
            guard let found = order[key] else { break }
            let place = Int(found)
            let index = Int(held[place].connection)
            if index < 0 {
                sessions.pointer(session).pointee.expCmdSN = next &+ 1
                order.remove(key)
                dropHeld(place)
                continue
            }
            if !hasParseReserve(index) { return }
            order.remove(key)
            executeHeld(place)
        }
        deliverWaiting(session)
    }

    /// Executes a held PDU, and gives its place back.
    private mutating func executeHeld(_ place: Int) {
        let entry = held[place]
        let index = Int(entry.connection)
        let header = UnsafeRawPointer(heldHeaders + place * Sizes.headerCopy)
        let pdu = BasicHeaderSegment(header)
        if pdu.opcode == .scsiCommand {
            // The connection may be drafting another command.
            var draft = entry.data
            forgetHeldTask(place)
            swap(&draft, &connections[index].draft)
            orderedCommand(index, header, entry.arrival)
            swap(&draft, &connections[index].draft)
            pool.removeAll(&draft)
        } else {
            pool.copy(entry.data, at: 0, entry.data.count, to: scratch)
            pool.removeAll(&held[place].data)
            perform(index, pdu, UnsafeRawBufferPointer(start: scratch, count: entry.data.count))
        }
        held[place].data = ByteChain()
        held.giveBack(place)
    }

    private mutating func forgetHeldTask(_ place: Int) {
        let header = BasicHeaderSegment(UnsafeRawPointer(heldHeaders + place * Sizes.headerCopy))
        let key = taskKey(held[place].session, header.initiatorTaskTag)
        if let named = heldTasks[key], Int(named) == place { heldTasks.remove(key) }
    }

    /// Gives up a held PDU that is not in the order any more.
    mutating func dropHeld(_ place: Int) {
        if held[place].connection >= 0 { forgetHeldTask(place) }
        pool.removeAll(&held[place].data)
        held.giveBack(place)
    }

    /// Gives up what a connection has sent too early, as if it had never come: -1 for all of the session.
    mutating func dropHeld(of connection: Int, session: Int) {
        let place = Int32(truncatingIfNeeded: session)
        var at = sessions.pointer(session).pointee.expCmdSN
        while at <= sessions.pointer(session).pointee.maxCmdSN {
            let key = taskKey(place, at.raw)
            at = at &+ 1
            guard let found = order[key] else { continue }
            if connection >= 0 && Int(held[Int(found)].connection) != connection { continue }
            order.remove(key)
            dropHeld(Int(found))
        }
        dropWaiting(of: connection, session: session)
    }

    /// Output for an answer of the largest kind is free.
    @inline(__always) mutating func hasParseReserve(_ index: Int) -> Bool {
        connections[index].output.hasRoom(bytes: Sizes.parseReserve, entries: Sizes.controlEntries * 2)
    }
}
