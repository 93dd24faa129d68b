import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// Parses one PDU of a connection in its login phase; false when more bytes are needed. Anything but a Login
    /// Request ends the connection.
    mutating func parseLogin(_ index: Int, _ header: BasicHeaderSegment) -> Bool {
        let c = connections + index
        if header.opcode != .loginRequest {
            fail(index, .firstPDUIsNoLogin)
            return false
        }
        if header.additionalLength > 0 {
            fail(index, .additionalHeader)
            return false
        }
        if header.dataSegmentLength > TextLimits.loginSegment {
            refuse(index, LoginRequestPDU(decoding: header.base), .initiatorError)
            return false
        }
        let length = Field.headerLength + BasicHeaderSegment.padded(header.dataSegmentLength)
        if c.pointee.available < length { return false }
        c.pointee.head += length
        statistics.pdusReceived &+= 1
        let data = UnsafeRawBufferPointer(
            start: header.base + Field.headerLength, count: header.dataSegmentLength)
        login(index, LoginRequestPDU(decoding: header.base), data)
        return true
    }

    private mutating func login(_ index: Int, _ pdu: LoginRequestPDU, _ data: UnsafeRawBufferPointer) {
        if let status = order(index, pdu) {
            refuse(index, pdu, status)
            return
        }
        exchanges[index].incoming.append(contentsOf: data)
        if exchanges[index].incoming.count > TextLimits.exchange {
            refuse(index, pdu, .initiatorError)
            return
        }
        if pdu.continues {
            answer(index, pdu, transit: false, text: [])
            return
        }
        let text = exchanges[index].incoming
        exchanges[index].incoming = []
        guard var negotiation = exchanges[index].login else { return }
        let known = negotiation.identified
        var status = text.withUnsafeBytes { negotiation.accept($0, stage: pdu.currentStage, configuration) }
        if status == nil && !known { status = judge(index, negotiation) }
        exchanges[index].login = negotiation
        if let status {
            refuse(index, pdu, status)
        } else if let challenge = negotiation.chap?.counterChallenge, isOwnChallenge(challenge) {
            hold(index, pdu)
        } else if let question = negotiation.chap?.question {
            ask(index, pdu, question)
        } else {
            conclude(index, pdu)
        }
    }

    /// The text of a Login Request was acceptable: its answer, and the transition if the initiator may make it.
    mutating func conclude(_ index: Int, _ pdu: LoginRequestPDU) {
        guard let negotiation = exchanges[index].login else { return }
        if pdu.transit && !negotiation.isAuthenticated && negotiation.chap == nil {
            // The initiator wants to leave the security stage, and has not even begun (RFC 7143 §6.3.2).
            refuse(index, pdu, .authenticationFailure)
        } else if !pdu.transit || !negotiation.isAuthenticated {
            answer(index, pdu, transit: false, text: negotiation.reply.bytes)
        } else if pdu.nextStage != LoginStage.fullFeaturePhase.rawValue {
            exchanges[index].login?.stage = pdu.nextStage
            answer(index, pdu, transit: true, text: negotiation.reply.bytes)
        } else if negotiation.lacksDigests(limits) {
            refuse(index, pdu, .initiatorError)
        } else {
            establish(index, pdu, negotiation)
        }
    }

    /// Version, stages, and what must not change from one Login Request to the next (RFC 7143 §11.12).
    private mutating func order(_ index: Int, _ pdu: LoginRequestPDU) -> LoginStatus? {
        if pdu.versionMin > 0 { return .unsupportedVersion }
        if exchanges[index].login == nil {
            exchanges[index].login = LoginNegotiation(first: pdu)
            connections[index].cid = pdu.cid
        }
        guard let login = exchanges[index].login else { return .targetError }
        let first = login.first
        if pdu.isid != first.isid || pdu.tsih != first.tsih || pdu.cid != first.cid
            || pdu.initiatorTaskTag != first.initiatorTaskTag || pdu.cmdSN != first.cmdSN {
            return .initiatorError
        }
        if pdu.transit && pdu.continues { return .initiatorError }
        if pdu.currentStage > 1 || pdu.currentStage != login.stage { return .invalidDuringLogin }
        if pdu.transit {
            guard let next = LoginStage(rawValue: pdu.nextStage), next.rawValue > pdu.currentStage else {
                return .invalidDuringLogin
            }
        }
        return nil
    }

    /// Whether initiator and target can have this session, once their names are known.
    private mutating func judge(_ index: Int, _ login: LoginNegotiation) -> LoginStatus? {
        if login.first.tsih == 0 { return isSentAway(index, login) ? .targetMovedTemporarily : nil }
        return judgeJoining(login)
    }

    func target(named name: [UInt8]) -> UInt16? { configuration.target(named: name) }

    func session(tsih: UInt16) -> Int? {
        for index in 0..<sessions.capacity {
            let session = sessions.pointer(index)
            if session.pointee.inUse && session.pointee.tsih == tsih { return index }
        }
        return nil
    }

    mutating func refuse(_ index: Int, _ pdu: LoginRequestPDU, _ status: LoginStatus) {
        statistics.loginsRefused &+= 1
        effects.append(.loginRefused(connections[index].stream, status: status.rawValue))
        let text = status == .targetMovedTemporarily ? redirectionText(index) : []
        answer(index, pdu, transit: false, text: text, status: status)
        closeConnection(index, flush: true)
    }

    /// Login Response (RFC 7143 §11.13).
    func loginSerials(_ index: Int, _ pdu: LoginRequestPDU) -> TargetSerialNumbers {
        TargetSerialNumbers(statSN: connections[index].statSN, expCmdSN: pdu.cmdSN, maxCmdSN: pdu.cmdSN)
    }

    mutating func answer(
        _ index: Int, _ pdu: LoginRequestPDU, transit: Bool, text: [UInt8], status: LoginStatus = .success,
        tsih: UInt16? = nil
    ) {
        guard let base = beginPDU(index, dataLength: text.count) else { return }
        var response = LoginResponsePDU()
        response.transit = transit
        response.currentStage = pdu.currentStage
        response.nextStage = transit ? pdu.nextStage : 0
        response.isid = pdu.isid
        response.tsih = tsih ?? pdu.tsih
        response.initiatorTaskTag = pdu.initiatorTaskTag
        response.serials = connections[index].session >= 0 ? serials(index, advance: false) : loginSerials(index, pdu)
        response.status = status.rawValue
        response.dataSegmentLength = UInt32(truncatingIfNeeded: text.count)
        connections[index].statSN &+= 1
        response.encode(into: base)
        text.withUnsafeBytes { source in
            if let start = source.baseAddress {
                dataSegment(index, base).copyMemory(from: start, byteCount: source.count)
            }
        }
        finishPDU(index, base, dataLength: text.count)
    }

    /// The last step of a login: the session begins. An older session of the same initiator port with the same target
    /// is ended first (session reinstatement, RFC 7143 §6.3.5).
    private mutating func establish(_ index: Int, _ pdu: LoginRequestPDU, _ login: LoginNegotiation) {
        if pdu.tsih != 0 {
            join(index, pdu, login)
            return
        }
        let name = Self.portName(login.initiatorName, pdu.isid)
        let target = login.target
        reinstate(name, target: target, discovery: login.discovery)
        guard name.count <= Sizes.portName, mayHaveSession(login), let place = sessions.take() ?? takeAbandoned() else {
            refuse(index, pdu, .outOfResources)
            return
        }
        (portNames + place * Sizes.portName).copyMemory(from: name, byteCount: name.count)
        var session = Session()
        session.discovery = login.discovery
        session.target = target
        session.access = login.rule.view
        session.commandWindow = login.rule.commandWindow ?? .max
        session.isid = pdu.isid
        session.tsih = freshTSIH()
        session.portNameLength = name.count
        session.connectionCount = 1
        session.ordered = login.parameters.errorRecoveryLevel > 0
        session.expCmdSN = SerialNumber(pdu.cmdSN)
        session.maxCmdSN = SerialNumber(pdu.cmdSN)
        session.inUse = true
        sessions[place] = session
        shareWindow()
        let c = connections + index
        c.pointee.session = Int32(truncatingIfNeeded: place)
        answer(index, pdu, transit: true, text: login.reply.bytes, tsih: session.tsih)
        // Digests begin with the first PDU after the login (RFC 7143 §13.1).
        c.pointee.parameters = login.parameters
        c.pointee.parameters.firstBurstLength = min(
            login.parameters.firstBurstLength, login.parameters.maxBurstLength)
        sessions[place].parameters = c.pointee.parameters
        enterFullFeaturePhase(index)
        announce(index, place)
    }

    /// A connection begins its full-feature phase in its session.
    mutating func enterFullFeaturePhase(_ index: Int) {
        let c = connections + index
        c.pointee.state = .loggedIn
        c.pointee.ordered = sessions.pointer(Int(c.pointee.session)).pointee.ordered
        c.pointee.retains = c.pointee.parameters.errorRecoveryLevel > 0
        c.pointee.acknowledgedStatSN = c.pointee.statSN
        c.pointee.againFrom = c.pointee.statSN
        c.pointee.againTo = c.pointee.statSN
        // A fence that is up holds for a connection that joins, too; there is nothing on it to wait for.
        c.pointee.isFenced = sessions.pointer(Int(c.pointee.session)).pointee.fence.phase != .none
        c.pointee.fenceStatSN = c.pointee.statSN
        c.pointee.isFencePinged = false
        exchanges[index] = TextExchange()
        statistics.logins &+= 1
        expect(c.pointee.lastReceived + limits.pingAfter)
    }

    private mutating func announce(_ index: Int, _ place: Int) {
        let session = sessions.pointer(place)
        let nexus = NexusIndex(UInt16(truncatingIfNeeded: place))
        if !session.pointee.discovery {
            indications.append(.nexusEstablished(
                nexus, NexusIdentity(
                    target: session.pointee.target, access: session.pointee.access, initiatorPort: portName(place))))
        }
        effects.append(.sessionOpened(connections[index].stream, session.pointee.discovery ? nil : nexus))
    }

    /// Whether the initiator's rule leaves it another session.
    private mutating func mayHaveSession(_ login: LoginNegotiation) -> Bool {
        guard let most = login.rule.maxSessions, !login.discovery else { return true }
        var count = 0
        for place in 0..<sessions.capacity {
            let session = sessions.pointer(place)
            let isThere = session.pointee.inUse && !session.pointee.discovery && session.pointee.target == login.target
            if isThere && initiatorName(place).elementsEqual(login.initiatorName) { count += 1 }
        }
        return count < most
    }

    private mutating func reinstate(_ name: [UInt8], target: UInt16, discovery: Bool) {
        for place in 0..<sessions.capacity {
            let session = sessions.pointer(place)
            if !session.pointee.inUse || session.pointee.discovery != discovery || session.pointee.target != target {
                continue
            }
            if portName(place).elementsEqual(name) { dropSession(place, flush: false) }
        }
    }

    /// `name,i,0xISID` (RFC 7143 §4.2.7.1: the initiator port name).
    static func portName(_ name: [UInt8], _ isid: ISID) -> [UInt8] {
        let digits = String(isid.raw, radix: 16)
        return name + Array((",i,0x" + String(repeating: "0", count: 12 - digits.count) + digits).utf8)
    }

    /// The iSCSI name that a session's port name begins with.
    func initiatorName(_ session: Int) -> Slice<UnsafeRawBufferPointer> { portName(session).dropLast(17) }

    /// A TSIH that no session has; never 0.
    private mutating func freshTSIH() -> UInt16 {
        repeat { lastTSIH &+= 1 } while lastTSIH == 0 || session(tsih: lastTSIH) != nil
        return lastTSIH
    }
}
