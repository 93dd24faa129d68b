import ISCSIFormats
import Primitives

// How connections and sessions leave by the initiator's logout.

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
}
