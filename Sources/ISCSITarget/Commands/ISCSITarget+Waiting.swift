import ISCSIFormats
import Primitives

// Task management requests that are immediate and concern commands that have not come yet (RFC 7143 §11.5.1): they
// wait until everything with a lower CmdSN is here, so that it is covered too.

extension ISCSITarget {
    /// Keeps an immediate task management request until the command order has reached it; false when it need not wait.
    mutating func waits(_ index: Int, _ header: UnsafeRawPointer) -> Bool {
        let pdu = BasicHeaderSegment(header)
        let session = connections[index].session
        let state = sessions.pointer(Int(session))
        if !connections[index].ordered || !pdu.immediate || pdu.cmdSN <= state.pointee.expCmdSN { return false }
        if state.pointee.maxCmdSN &+ 1 < pdu.cmdSN { return false }
        guard let place = held.take() else { return false }
        var entry = HeldPDU()
        entry.session = session
        entry.connection = Int32(truncatingIfNeeded: index)
        entry.cmdSN = pdu.cmdSN.raw
        entry.next = state.pointee.waiting
        (heldHeaders + place * Sizes.headerCopy).copyMemory(from: header, byteCount: Field.headerLength)
        held[place] = entry
        state.pointee.waiting = Int32(truncatingIfNeeded: place)
        return true
    }

    /// Executes the requests whose turn has come.
    mutating func deliverWaiting(_ session: Int) {
        var before = -1
        var at = Int(sessions.pointer(session).pointee.waiting)
        while at >= 0 {
            let isDue = SerialNumber(held[at].cmdSN) <= sessions.pointer(session).pointee.expCmdSN
            if !isDue || !hasParseReserve(Int(held[at].connection)) {
                before = at
                at = Int(held[at].next)
                continue
            }
            unlinkWaiting(session, at, after: before)
            let index = Int(held[at].connection)
            held.giveBack(at)
            taskManagementRequest(index, UnsafeRawPointer(heldHeaders + at * Sizes.headerCopy))
            // It may have ended the session, and others that wait with it.
            before = -1
            at = Int(sessions.pointer(session).pointee.waiting)
        }
    }

    /// Gives up those that a connection sent, -1: all.
    mutating func dropWaiting(of connection: Int, session: Int) {
        var before = -1
        var at = Int(sessions.pointer(session).pointee.waiting)
        while at >= 0 {
            let following = Int(held[at].next)
            if connection < 0 || Int(held[at].connection) == connection {
                unlinkWaiting(session, at, after: before)
                held.giveBack(at)
            } else {
                before = at
            }
            at = following
        }
    }

    private mutating func unlinkWaiting(_ session: Int, _ place: Int, after before: Int) {
        if before < 0 {
            sessions.pointer(session).pointee.waiting = held[place].next
        } else {
            held[before].next = held[place].next
        }
    }
}
