import ISCSIFormats
import Primitives
import SAM

// Logins with a TSIH: another connection for a session, or one in place of an old one (RFC 7143 §6.3.3, §6.3.4).

extension ISCSITarget {
    /// Whether the session that a login names takes the connection.
    func judgeJoining(_ login: LoginNegotiation) -> LoginStatus? {
        guard let place = session(tsih: login.first.tsih) else { return .sessionDoesNotExist }
        let session = sessions.pointer(place)
        let name = Self.portName(login.initiatorName, login.first.isid)
        let isSame = session.pointee.discovery == login.discovery && portName(place).elementsEqual(name)
            && (login.discovery || session.pointee.target == target(named: login.targetName))
        if !isSame { return .sessionDoesNotExist }
        if session.pointee.discovery { return .cannotIncludeInSession }
        let number = Int32(truncatingIfNeeded: place)
        let replaces = connection(of: number, cid: login.first.cid) == nil ? 0 : 1
        let count = session.pointee.connectionCount - replaces
        return count < Int(session.pointee.parameters.maxConnections) ? nil : .tooManyConnections
    }

    /// The last step of such a login. What it finds with the same CID is logged out without a word: at
    /// ErrorRecoveryLevel 2 its commands can be reassigned, below they end.
    mutating func join(_ index: Int, _ pdu: LoginRequestPDU, _ login: LoginNegotiation) {
        // The session may have changed since the first Login Request.
        if let status = judgeJoining(login) {
            refuse(index, pdu, status)
            return
        }
        guard let place = session(tsih: pdu.tsih) else { return }
        let session = sessions.pointer(place)
        let number = Int32(truncatingIfNeeded: place)
        let level = session.pointee.parameters.errorRecoveryLevel
        session.pointee.connectionCount += 1
        if let old = connection(of: number, cid: pdu.cid) {
            if level > 0 { acknowledge(old, SerialNumber(login.first.expStatSN)) }
            closeConnection(old, flush: false, level == 2 ? .released : .closed)
        }
        acknowledgeLost(number, pdu.cid, SerialNumber(login.first.expStatSN))
        if let lost = lostConnection(number, pdu.cid) { releaseLost(lost, session.pointee.parameters) }
        beginAgain(number, pdu.cid)
        forgetIfSettled(number, pdu.cid)
        let c = connections + index
        c.pointee.session = number
        answer(index, pdu, transit: true, text: login.reply.bytes, tsih: pdu.tsih)
        var parameters = session.pointee.parameters
        parameters.headerDigest = login.parameters.headerDigest
        parameters.dataDigest = login.parameters.dataDigest
        parameters.initiatorMaxRecvDataSegmentLength = login.parameters.initiatorMaxRecvDataSegmentLength
        parameters.targetMaxRecvDataSegmentLength = login.parameters.targetMaxRecvDataSegmentLength
        c.pointee.parameters = parameters
        session.pointee.ordered = true
        for other in 0..<madeConnections where connections[other].session == number {
            connections[other].ordered = true
        }
        enterFullFeaturePhase(index)
        effects.append(.sessionOpened(c.pointee.stream, NexusIndex(UInt16(truncatingIfNeeded: place))))
    }
}
