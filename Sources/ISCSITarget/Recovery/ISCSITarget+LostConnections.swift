import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// A connection is gone, and its commands wait for another one; false when the session does not recover, or there
    /// is no place to remember it.
    mutating func rememberLost(_ index: Int, isReleased: Bool) -> Bool {
        let c = connections + index
        let parameters = c.pointee.parameters
        if c.pointee.session < 0 || parameters.errorRecoveryLevel < 2 || parameters.time2Retain == 0 { return false }
        guard let place = lostConnection(c.pointee.session, c.pointee.cid) ?? lostConnections.take() else {
            return false
        }
        lostConnections[place] = LostConnection(
            session: c.pointee.session, cid: c.pointee.cid, isReleased: isReleased,
            acknowledgedStatSN: c.pointee.acknowledgedStatSN, statSN: c.pointee.statSN,
            until: now + Self.retention(parameters))
        expect(lostConnections[place].until)
        return true
    }

    /// How long commands wait for another connection (RFC 7143 §13.15, §13.16).
    private static func retention(_ parameters: NegotiatedParameters) -> Interval {
        .seconds(UInt64(parameters.time2Wait) + UInt64(parameters.time2Retain))
    }

    /// The place of a lost connection, nil when there is none with this CID.
    func lostConnection(_ session: Int32, _ cid: UInt16) -> Int? {
        for place in 0..<lostConnections.capacity
        where lostConnections[place].session == session && lostConnections[place].cid == cid { return place }
        return nil
    }

    /// Whether commands of a connection may be taken over: it has been logged out, or forgotten since.
    func isReleased(_ session: Int32, _ cid: UInt16) -> Bool {
        guard let place = lostConnection(session, cid) else { return true }
        return lostConnections[place].isReleased
    }

    /// Ends the allegiances of a lost connection; its commands have their time from now on.
    mutating func releaseLost(_ place: Int, _ parameters: NegotiatedParameters) {
        lostConnections[place].isReleased = true
        lostConnections[place].until = now + Self.retention(parameters)
        expect(lostConnections[place].until)
    }

    /// The last ExpStatSN of a lost connection, as a Logout Request or the Login Request that restarts it tells
    /// (RFC 7143 §11.12.9, §11.14.5): what was answered before it needs no other connection.
    mutating func acknowledgeLost(_ session: Int32, _ cid: UInt16, _ expStatSN: SerialNumber) {
        guard let place = lostConnection(session, cid) else { return }
        let isNew = SerialNumber(lostConnections[place].acknowledgedStatSN) < expStatSN
        if !isNew || SerialNumber(lostConnections[place].statSN) < expStatSN { return }
        for slot in 0..<commands.capacity where isOrphan(slot, of: session) && recovery[slot].cid == cid {
            let isAnswered = commands.pointer(slot).pointee.state == .answered
                && !recovery[slot].isOfEarlierConnection
            if isAnswered && SerialNumber(recovery[slot].statSN) < expStatSN { endAnswered(slot) }
        }
    }

    /// Another connection with the CID begins, whose StatSNs mean nothing to the commands of the lost one.
    mutating func beginAgain(_ session: Int32, _ cid: UInt16) {
        for slot in 0..<commands.capacity where isOrphan(slot, of: session) && recovery[slot].cid == cid {
            recovery[slot].isOfEarlierConnection = true
        }
    }

    /// The time of a lost connection is over: its commands end, and the session, when it has no other.
    mutating func expireLost(_ place: Int) {
        let lost = lostConnections[place]
        forgetLost(place)
        let session = Int(lost.session)
        for slot in 0..<commands.capacity where isOrphan(slot, of: lost.session) && recovery[slot].cid == lost.cid {
            loseCommand(slot, flush: false)
        }
        endIfEmpty(session)
    }

    /// Forgets a lost connection whose commands have all ended or found another connection.
    mutating func forgetIfSettled(_ session: Int32, _ cid: UInt16) {
        guard let place = lostConnection(session, cid), lostConnections[place].isReleased,
            sessions.pointer(Int(session)).pointee.connectionCount > 0
        else { return }
        for slot in 0..<commands.capacity where isOrphan(slot, of: session) && recovery[slot].cid == cid { return }
        forgetLost(place)
    }

    /// A lost connection is back, or its time is over.
    mutating func forgetLost(_ place: Int) {
        lostConnections[place] = LostConnection()
        lostConnections.giveBack(place)
    }

    /// A session without connections, and without any that could come back, is over.
    mutating func endIfEmpty(_ session: Int) {
        let state = sessions.pointer(session)
        if !state.pointee.inUse || state.pointee.connectionCount > 0 { return }
        for place in 0..<lostConnections.capacity where Int(lostConnections[place].session) == session { return }
        endSession(session)
    }

    /// The place of a session that only waits for its connections to come back: a new one is worth more. Nil: all
    /// sessions have connections.
    mutating func takeAbandoned() -> Int? {
        for place in 0..<sessions.capacity {
            let session = sessions.pointer(place)
            if session.pointee.inUse && session.pointee.connectionCount == 0 {
                endSession(place)
                return sessions.take()
            }
        }
        return nil
    }

    /// The command waits for a connection.
    func isOrphan(_ slot: Int, of session: Int32) -> Bool {
        let command = commands.pointer(slot)
        switch command.pointee.state {
        case .active, .failing, .answered:
            return command.pointee.ordered && command.pointee.connection < 0 && recovery[slot].session == session
        case .free, .responded, .lost: return false
        }
    }

    /// Nothing of a session waits any more.
    mutating func forgetSession(_ session: Int) {
        let number = Int32(truncatingIfNeeded: session)
        dropHeld(of: -1, session: session)
        for slot in 0..<commands.capacity where isOrphan(slot, of: number) { loseCommand(slot, flush: false) }
        for place in 0..<lostConnections.capacity where lostConnections[place].session == number {
            forgetLost(place)
        }
    }
}
