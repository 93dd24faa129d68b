import ISCSIFormats
import Primitives

/// Whom the target asks to log out.
package enum Leavers: Sendable {
    /// Everybody, as the target itself goes: discovery sessions and logins under way end at once.
    case all
    /// Normal sessions that are there now; they may come back.
    case normalSessions
}

// How sessions leave because the target asks for it.
extension ISCSITarget {
    /// Asks initiators to log out, within `interval` (RFC 7143 §11.9.1, event 1). Sessions that have not by then are
    /// told that they are dropped, and end; `tick` sees to it. Meanwhile they are served. The controller calls it
    /// before a clean stop and when it goes into maintenance; a second call counts instead of the first.
    package mutating func requestLogouts(of leavers: Leavers, within interval: Interval, at now: Instant) {
        self.now = now
        cancelLogouts()
        let seconds = UInt16(truncatingIfNeeded: (interval.nanoseconds + 999_999_999) / 1_000_000_000)
        if leavers == .all { endPassers() }
        for session in 0..<sessions.capacity {
            let state = sessions.pointer(session)
            if state.pointee.inUse && !state.pointee.discovery { state.pointee.isAskedToLeave = true }
        }
        for index in 0..<madeConnections where connections[index].state == .loggedIn {
            if isAskedToLeave(index) { sendEvent(index, .logoutRequested, parameter3: seconds) }
        }
        goesAway = leavers == .all
        logoutDeadline = now + interval
        expect(logoutDeadline)
    }

    /// Nobody is dropped any more for a logout that did not come. What was asked stays asked.
    package mutating func cancelLogouts() {
        logoutDeadline = .never
        for session in 0..<sessions.capacity { sessions.pointer(session).pointee.isAskedToLeave = false }
    }

    /// A request for logouts is under way, and somebody who was asked is still there.
    package var isAwaitingLogouts: Bool {
        if logoutDeadline == .never { return false }
        for session in 0..<sessions.capacity {
            let state = sessions.pointer(session)
            if state.pointee.inUse && state.pointee.isAskedToLeave { return true }
        }
        return false
    }

    /// Closes every connection at once, with a word to those that are logged in. The controller calls it when it ends.
    package mutating func closeAllSessions() {
        goesAway = true
        endPassers()
        for session in 0..<sessions.capacity where sessions.pointer(session).pointee.inUse { drop(session) }
        logoutDeadline = .never
    }

    /// The time to log out is over.
    mutating func dropAsked() {
        logoutDeadline = .never
        for session in 0..<sessions.capacity {
            let state = sessions.pointer(session)
            if state.pointee.inUse && state.pointee.isAskedToLeave { drop(session) }
        }
    }

    private mutating func isAskedToLeave(_ index: Int) -> Bool {
        let session = Int(connections[index].session)
        return session >= 0 && sessions.pointer(session).pointee.isAskedToLeave
    }

    /// Ends logins under way and discovery sessions.
    private mutating func endPassers() {
        for index in 0..<madeConnections {
            switch connections[index].state {
            case .free, .cleanupWait: continue
            case .inLogin: closeConnection(index, flush: false)
            case .loggedIn:
                let session = Int(connections[index].session)
                if session < 0 || sessions.pointer(session).pointee.discovery { closeConnection(index, flush: true) }
            }
        }
    }

    /// Drops a session, with a word to its initiator (RFC 7143 §11.9.1, event 3): nothing is kept of it, and there is
    /// something to log in to at once, unless the target goes away.
    private mutating func drop(_ session: Int) {
        for index in 0..<madeConnections
        where connections[index].state == .loggedIn && Int(connections[index].session) == session {
            let wait = goesAway ? connections[index].parameters.time2Wait : 0
            sendEvent(index, .sessionWillBeDropped, parameter2: wait)
            break
        }
        dropSession(session, flush: true)
    }

    /// Asynchronous Message (RFC 7143 §11.9).
    private mutating func sendEvent(
        _ index: Int, _ event: AsyncEvent, parameter2: UInt16 = 0, parameter3: UInt16 = 0
    ) {
        guard let base = beginPDU(index, dataLength: 0) else { return }
        var pdu = AsyncMessagePDU()
        pdu.event = event.rawValue
        pdu.parameter2 = parameter2
        pdu.parameter3 = parameter3
        pdu.serials = serials(index, advance: true)
        pdu.encode(into: base)
        finishPDU(index, base, dataLength: 0)
    }
}
