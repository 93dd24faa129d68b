import Primitives

extension ISCSITarget {
    /// Something is to be looked at by `instant`.
    mutating func expect(_ instant: Instant) {
        if instant < nextDeadline { nextDeadline = instant }
    }

    /// When a connection next needs attention.
    private func deadline(_ c: UnsafeMutablePointer<Connection>) -> Instant {
        switch c.pointee.state {
        case .free, .cleanupWait: .never
        case .inLogin: min(c.pointee.connectedAt + limits.loginTime, c.pointee.refusedAt)
        case .loggedIn:
            if limits.pingAfter == .zero {
                .never
            } else if c.pointee.ping != nil {
                c.pointee.lastReceived + limits.pingAfter + limits.pingPatience
            } else {
                c.pointee.lastReceived + limits.pingAfter
            }
        }
    }

    /// Ends logins that take too long, pings initiators that are silent, and ends connections whose ping nobody
    /// answered. Early calls do nothing.
    package mutating func tick(at now: Instant) {
        if now < nextDeadline { return }
        self.now = now
        nextDeadline = .never
        for index in 0..<madeConnections {
            let c = connections + index
            if deadline(c) <= now { expire(index, at: now) }
            expect(deadline(c))
        }
        for place in 0..<lostConnections.capacity where lostConnections[place].session >= 0 {
            if lostConnections[place].until <= now { expireLost(place) } else { expect(lostConnections[place].until) }
        }
        tickFences(at: now)
        if logoutDeadline <= now { dropAsked() } else { expect(logoutDeadline) }
    }

    private mutating func expire(_ index: Int, at now: Instant) {
        let c = connections + index
        if c.pointee.refusedAt <= now {
            releaseRefusal(index)
        } else if c.pointee.state == .inLogin {
            fail(index, .loginTimer)
        } else if c.pointee.wait == .output && c.pointee.stalledSince + limits.pingAfter + limits.pingPatience <= now {
            // The initiator asks, and takes no answer: it holds commands of all others.
            fail(index, .outputStalled)
        } else if c.pointee.wait != .nothing {
            // We do not read, so that the silence is ours.
            c.pointee.lastReceived = now
            c.pointee.ping = nil
        } else if c.pointee.ping != nil {
            fail(index, .pingUnanswered)
        } else {
            sendPing(index)
        }
    }
}
