import ISCSIFormats
import Primitives

// How connections and sessions leave: by the initiator's logout, or because the target asks for it.

extension ISCSITarget {
    /// Logout Request (RFC 7143 §11.14).
    mutating func logoutRequest(_ index: Int, _ header: UnsafeRawPointer) {
        let pdu = LogoutRequestPDU(decoding: header)
        if !isAdmitted(index, header) { return }
        let session = Int(connections[index].session)
        switch LogoutReason(rawValue: pdu.reason) {
        case .closeSession:
            answerLogout(index, pdu, .closed)
            closeSession(session, before: index)
        case .closeConnection: logout(pdu, over: index, .closed)
        case .removeConnectionForRecovery:
            if connections[index].parameters.errorRecoveryLevel < 2 {
                answerLogout(index, pdu, .recoveryNotSupported)
            } else {
                logout(pdu, over: index, .released)
            }
        case nil: reject(index, header, .invalidPDUField)
        }
    }

    /// Ends a session by its initiator's will: the connection of the request is the last, with the answer.
    private mutating func closeSession(_ session: Int, before index: Int) {
        for other in 0..<madeConnections where other != index && Int(connections[other].session) == session {
            closeConnection(other, flush: true)
        }
        closeConnection(index, flush: true)
        if sessions.pointer(session).pointee.inUse { endSession(session) }
    }

    /// Removes one connection of the session: that of the request, another, or one that is gone already.
    private mutating func logout(_ pdu: LogoutRequestPDU, over index: Int, _ end: ConnectionEnd) {
        let session = connections[index].session
        if pdu.cid == connections[index].cid {
            answerLogout(index, pdu, .closed)
            closeConnection(index, flush: true, end)
            return
        }
        if let other = connection(of: session, cid: pdu.cid) {
            if connections[other].retains { acknowledge(other, SerialNumber(pdu.expStatSN)) }
            closeConnection(other, flush: false, end)
            answerLogout(index, pdu, .closed)
        } else if let place = lostConnection(session, pdu.cid) {
            acknowledgeLost(session, pdu.cid, SerialNumber(pdu.expStatSN))
            if end == .released {
                releaseLost(place, connections[index].parameters)
            } else {
                expireLost(place)
            }
            answerLogout(index, pdu, .closed)
        } else {
            answerLogout(index, pdu, .cidNotFound)
            return
        }
        if end == .released { forgetIfSettled(session, pdu.cid) }
    }

    /// The connection of a session with a CID that is logged in.
    func connection(of session: Int32, cid: UInt16) -> Int? {
        for index in 0..<madeConnections
        where connections[index].session == session && connections[index].cid == cid { return index }
        return nil
    }

    /// Logout Response (RFC 7143 §11.15), with the times of a recovery.
    private mutating func answerLogout(_ index: Int, _ pdu: LogoutRequestPDU, _ code: LogoutResponseCode) {
        guard let base = beginPDU(index, dataLength: 0) else { return }
        let parameters = connections[index].parameters
        var answer = LogoutResponsePDU()
        answer.response = code.rawValue
        answer.initiatorTaskTag = pdu.initiatorTaskTag
        answer.serials = serials(index, advance: true)
        if parameters.errorRecoveryLevel == 2 {
            answer.time2Retain = parameters.time2Retain
        }
        answer.encode(into: base)
        finishPDU(index, base, dataLength: 0)
    }

    /// Asks every initiator to log out, within `interval` (RFC 7143 §11.9.1, event 1). Those that have not by then are
    /// told that their connection is dropped, and it is closed; `tick` sees to it. Discovery sessions end at once. The
    /// controller calls it before a clean stop; sessions go on meanwhile.
    package mutating func requestLogouts(within interval: Interval, at now: Instant) {
        self.now = now
        let seconds = UInt16(truncatingIfNeeded: (interval.nanoseconds + 999_999_999) / 1_000_000_000)
        for index in 0..<madeConnections {
            switch connections[index].state {
            case .free, .cleanupWait: continue
            case .inLogin: closeConnection(index, flush: false)
            case .loggedIn:
                let session = Int(connections[index].session)
                if session < 0 || sessions.pointer(session).pointee.discovery {
                    closeConnection(index, flush: true)
                } else {
                    sendEvent(index, .logoutRequested, parameter3: seconds)
                }
            }
        }
        logoutDeadline = now + interval
        expect(logoutDeadline)
    }

    /// A request for logouts is under way.
    package var isAwaitingLogouts: Bool { logoutDeadline != .never && sessionCount > 0 }

    /// Closes every connection at once. With `askLogout` the initiators are asked for a logout, and told of the end.
    package mutating func closeAllSessions(askLogout: Bool) {
        if askLogout {
            for index in 0..<madeConnections where connections[index].state == .loggedIn {
                sendEvent(index, .logoutRequested)
            }
        }
        dropAll()
    }

    /// Drops every connection, with a word on those that are logged in (RFC 7143 §11.9.1, event 2).
    mutating func dropAll() {
        logoutDeadline = .never
        for index in 0..<madeConnections {
            if connections[index].state == .loggedIn {
                sendEvent(index, .connectionWillBeDropped, parameter1: connections[index].cid)
            }
            closeConnection(index, flush: true)
        }
        for session in 0..<sessions.capacity where sessions.pointer(session).pointee.inUse { endSession(session) }
    }

    /// Asynchronous Message (RFC 7143 §11.9).
    private mutating func sendEvent(
        _ index: Int, _ event: AsyncEvent, parameter1: UInt16 = 0, parameter3: UInt16 = 0
    ) {
        guard let base = beginPDU(index, dataLength: 0) else { return }
        var pdu = AsyncMessagePDU()
        pdu.event = event.rawValue
        pdu.parameter1 = parameter1
        pdu.parameter3 = parameter3
        pdu.serials = serials(index, advance: true)
        pdu.encode(into: base)
        finishPDU(index, base, dataLength: 0)
    }
}
