import ISCSIFormats
import Primitives

// What a login asks of the driver, which has the random source and the secrets. Until the answer is there, nothing of
// the connection is parsed.
extension ISCSITarget {
    /// Asks the driver; the Login Request is answered when it has.
    mutating func ask(_ index: Int, _ pdu: LoginRequestPDU, _ question: CHAPExchange.Question) {
        loginQuestions &+= 1
        // 0 is no question.
        let token = (loginQuestions & 0x7FFF | 0x8000) << 16 | UInt32(truncatingIfNeeded: index & 0xFFFF)
        exchanges[index].pause = LoginPause(request: pdu, token: token)
        connections[index].wait = .login
        switch question {
        case .challenge: effects.append(.challenge(token: token))
        case .digest(let request): effects.append(.digest(token: token, request))
        }
    }

    /// `challenge` is answered; nil: the random source failed.
    package mutating func challengeDrawn(token: UInt32, _ bytes: InlineArray<32, UInt8>?, at now: Instant) {
        guard let (index, pdu) = resumed(token) else { return }
        guard let bytes else {
            refuse(index, pdu, .targetError)
            return
        }
        challengeIdentifier &+= 1
        let challenge = (0..<CHAPExchange.challengeBytes).map { bytes[$0] }
        guard var login = exchanges[index].login else { return }
        login.chap?.drawn(challenge, identifier: challengeIdentifier, &login.reply)
        exchanges[index].login = login
        conclude(index, pdu)
    }

    /// `digest` is answered, in the algorithm's first bytes; nil: the driver cannot make it.
    package mutating func digestMade(token: UInt32, _ digest: InlineArray<32, UInt8>?, at now: Instant) {
        guard let (index, pdu) = resumed(token) else { return }
        guard let digest, var login = exchanges[index].login else {
            refuse(index, pdu, .targetError)
            return
        }
        let status = login.chap?.digested((0..<32).map { digest[$0] }, &login.reply)
        exchanges[index].login = login
        if status != nil {
            hold(index, pdu)
        } else if let question = login.chap?.question {
            ask(index, pdu, question)
        } else {
            conclude(index, pdu)
        }
    }

    /// The connection whose login waits for this answer, which it does no longer.
    private mutating func resumed(_ token: UInt32) -> (Int, LoginRequestPDU)? {
        let index = Int(token & 0xFFFF)
        guard index < madeConnections, connections[index].state == .inLogin, connections[index].wait == .login,
            let pause = exchanges[index].pause, pause.token == token
        else { return nil }
        exchanges[index].pause = nil
        connections[index].wait = .nothing
        makeRunnable(index)
        return (index, pause.request)
    }

    /// A proof failed: the answer waits, so that guessing takes time.
    mutating func hold(_ index: Int, _ pdu: LoginRequestPDU) {
        let c = connections + index
        if limits.failureDelay == .zero {
            refuse(index, pdu, .authenticationFailure)
            return
        }
        exchanges[index].pause = LoginPause(request: pdu, token: 0)
        c.pointee.wait = .login
        c.pointee.refusedAt = c.pointee.lastReceived + limits.failureDelay
        expect(c.pointee.refusedAt)
    }

    /// The time of a held refusal has come.
    mutating func releaseRefusal(_ index: Int) {
        connections[index].refusedAt = .never
        connections[index].wait = .nothing
        guard let pause = exchanges[index].pause else { return }
        refuse(index, pause.request, .authenticationFailure)
    }

    /// Whether a challenge is one of ours that nobody has answered yet: an initiator that sends it back wants us to
    /// make the very proof that it owes (RFC 7143 §9.2.1).
    mutating func isOwnChallenge(_ challenge: [UInt8]) -> Bool {
        for index in 0..<madeConnections where connections[index].state == .inLogin {
            if let own = exchanges[index].login?.chap?.challenge, own == challenge { return true }
        }
        return false
    }

    /// Before another connection begins its login: when too many are at that, of the same peer or of all, the oldest
    /// of them is given up.
    mutating func makeRoomForLogin(_ peer: UInt64) {
        var (all, own) = (0, 0)
        var (oldest, oldestOwn) = (-1, -1)
        for index in 0..<madeConnections where connections[index].state == .inLogin {
            all += 1
            if isOlder(index, oldest) { oldest = index }
            if peer == 0 || connections[index].peer != peer { continue }
            own += 1
            if isOlder(index, oldestOwn) { oldestOwn = index }
        }
        if own >= limits.maxLoginsPerPeer && oldestOwn >= 0 {
            fail(oldestOwn, .tooManyLogins)
        } else if all >= limits.maxLogins && oldest >= 0 {
            fail(oldest, .tooManyLogins)
        }
    }

    private func isOlder(_ index: Int, _ other: Int) -> Bool {
        other < 0 || connections[index].connectedAt < connections[other].connectedAt
    }
}
