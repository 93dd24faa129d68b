import ISCSIFormats
import Primitives

/// One login: who comes, to what, and what is agreed. A value of its own, so that negotiation can be tested without
/// streams. The target opens no negotiation; it answers, and declares its MaxRecvDataSegmentLength.
struct LoginNegotiation {
    // From the first Login Request; the same in all of them (RFC 7143 §11.12).
    let first: LoginRequestPDU
    var stage: UInt8

    var parameters = NegotiatedParameters()
    /// Lower-case, as names are compared (RFC 7143 §4.2.7.1).
    private(set) var initiatorName: [UInt8] = []
    private(set) var targetName: [UInt8] = []
    private(set) var discovery = false
    /// Index of the target; without meaning in a discovery session.
    private(set) var target: UInt16 = 0
    /// By which the initiator may come.
    private(set) var rule = AccessRule()
    /// CHAP, once the initiator and the target have agreed on it.
    var chap: CHAPExchange?
    /// The first text has been judged: initiator, session type and target are known.
    var identified = false
    var declared = false
    var reply = KeyValueWriter()

    private var seen: UInt64 = 0
    private var unknown = 0
    private var reportedGroup = false
    /// ErrorRecoveryLevel will be 2: DefaultTime2Retain means something.
    private var keepsConnections = false

    init(first: LoginRequestPDU) {
        self.first = first
        stage = first.currentStage
    }

    /// Takes the text of one exchange, and leaves the answer in `reply`. Nil: it was acceptable.
    mutating func accept(
        _ text: UnsafeRawBufferPointer, stage: UInt8, _ configuration: ISCSITargetConfiguration
    ) -> LoginStatus? {
        reply.removeAll()
        do {
            if !identified, let status = try identify(text) ?? admit(configuration) { return status }
            if stage != LoginStage.securityNegotiation.rawValue && !isAuthenticated { return .authenticationFailure }
            chap?.beginText()
            keepsConnections = try keepsConnections || asksForConnectionRecovery(text, configuration.limits)
            var reader = KeyValueReader(text)
            while let pair = try reader.next() {
                if let status = negotiate(pair, stage, configuration.limits) { return status }
            }
        } catch {
            return .initiatorError
        }
        if let status = chap?.endText() { return status }
        if !discovery && !reportedGroup {
            // RFC 7143 §13.9: in the first response of a normal session.
            reply.append(TextKey.targetPortalGroupTag.row.name, String(configuration.portalGroupTag))
            reportedGroup = true
        }
        if stage == LoginStage.operationalNegotiation.rawValue && !declared {
            declared = true
            parameters.targetMaxRecvDataSegmentLength = configuration.limits.maxRecvDataSegmentLength
            reply.append(
                TextKey.maxRecvDataSegmentLength.row.name, String(configuration.limits.maxRecvDataSegmentLength))
        }
        return reply.bytes.count > TextLimits.loginSegment ? .initiatorError : nil
    }

    /// Whether a text settles ErrorRecoveryLevel 2; other keys of the same text depend on it.
    private func asksForConnectionRecovery(
        _ text: UnsafeRawBufferPointer, _ limits: ISCSITargetConfiguration.Limits
    ) throws(TextFault) -> Bool {
        var reader = KeyValueReader(text)
        while let pair = try reader.next() {
            if TextKey(pair.key) != .errorRecoveryLevel { continue }
            return !discovery && TextValue.number(pair.value) == 2 && limits.maxErrorRecoveryLevel == 2
        }
        return false
    }

    /// The keys that must be in the first text (RFC 7143 §6.3.1): they decide what the others mean.
    private mutating func identify(_ text: UnsafeRawBufferPointer) throws(TextFault) -> LoginStatus? {
        var reader = KeyValueReader(text)
        while let pair = try reader.next() {
            switch TextKey(pair.key) {
            case .initiatorName:
                guard let name = NodeName.normalized(pair.value) else { return .initiatorError }
                initiatorName = name
            case .targetName:
                guard let name = NodeName.normalized(pair.value) else { return .initiatorError }
                targetName = name
            case .sessionType:
                if TextValue.equal(pair.value, "Discovery") {
                    discovery = true
                } else if !TextValue.equal(pair.value, "Normal") {
                    return .sessionTypeNotSupported
                }
            default: break
            }
        }
        if initiatorName.isEmpty { return .missingParameter }
        if !discovery && targetName.isEmpty { return .missingParameter }
        identified = true
        return nil
    }

    /// Whether the initiator may come at all. A target that it may not reach is answered like one that is not there.
    private mutating func admit(_ configuration: ISCSITargetConfiguration) -> LoginStatus? {
        if discovery {
            guard let found = configuration.discovery.first(where: { $0.fits(initiatorName) }) else {
                return .authorizationFailure
            }
            rule = found
            return nil
        }
        guard let index = configuration.target(named: targetName), let found = configuration.rule(index, initiatorName)
        else { return .notFound }
        target = index
        rule = found
        return nil
    }

    /// The initiator has proved what its rule wants.
    var isAuthenticated: Bool { rule.account == nil || chap?.isDone == true }

    private mutating func negotiate(
        _ pair: KeyValueReader.Pair, _ stage: UInt8, _ limits: ISCSITargetConfiguration.Limits
    ) -> LoginStatus? {
        guard let key = TextKey(pair.key) else {
            if pair.value.count > TextLimits.value { return .initiatorError }
            unknown += 1
            reply.append(pair.key, "NotUnderstood")
            return unknown > Sizes.unknownKeys ? .initiatorError : nil
        }
        // A key is negotiated once (RFC 7143 §6.2).
        let bit = UInt64(1) << UInt64(key.rawValue)
        if seen & bit != 0 { return .initiatorError }
        seen |= bit
        let mayBeLong = key.row.rule == .list || key.row.rule == .authentication
        if !mayBeLong && pair.value.count > TextLimits.value { return .initiatorError }
        if key.row.normalSessionOnly && discovery {
            reply.append(key.row.name, "Irrelevant")
            return nil
        }
        if first.tsih != 0 && key.row.isLeadingOnly {
            // What the leading login settled holds for all connections of the session (RFC 7143 §13).
            reply.append(key.row.name, "Reject")
            return nil
        }
        switch key.row.rule {
        case .declared: return declare(key, pair.value)
        case .list where key == .authMethod: return chooseMethod(pair.value, stage)
        case .list: return choose(key, pair.value, limits)
        case .authentication: return chap?.take(key, pair.value) ?? (chap == nil ? .initiatorError : nil)
        case .or, .and: agree(key, pair.value, limits)
        case .minimum(let range), .maximum(let range): agree(key, pair.value, in: range, limits)
        case .obsolete:
            // RFC 7143 §13.25 lets markers be answered No, and wants Reject for their intervals.
            reply.append(key.row.name, key == .ifMarker || key == .ofMarker ? "No" : "Reject")
        }
        return nil
    }

    private mutating func declare(_ key: TextKey, _ value: UnsafeRawBufferPointer) -> LoginStatus? {
        switch key {
        case .maxRecvDataSegmentLength:
            guard let length = TextValue.number(value), (512...16_777_215).contains(length) else {
                return .initiatorError
            }
            parameters.initiatorMaxRecvDataSegmentLength = UInt32(length)
            return nil
        case .initiatorName, .initiatorAlias, .targetName, .sessionType: return nil
        default:
            // SendTargets belongs to the full-feature phase, the others are the target's to say.
            return .initiatorError
        }
    }

    /// A digest that must be is not agreed on; a discovery session needs none.
    func lacksDigests(_ limits: ISCSITargetConfiguration.Limits) -> Bool {
        if discovery { return false }
        return limits.headerDigest == .required && !parameters.headerDigest
            || limits.dataDigest == .required && !parameters.dataDigest
    }

    /// AuthMethod (RFC 7143 §12.1): what the rule wants, and nothing less. It belongs to the security stage; None may
    /// be said anywhere.
    private mutating func chooseMethod(_ value: UnsafeRawBufferPointer, _ stage: UInt8) -> LoginStatus? {
        let wanted = rule.account == nil ? "None" : "CHAP"
        guard TextValue.choose(value, among: [wanted]) != nil, chap == nil else { return .authenticationFailure }
        if let account = rule.account { chap = CHAPExchange(rule, account) }
        reply.append(TextKey.authMethod.row.name, wanted)
        return nil
    }

    private mutating func choose(
        _ key: TextKey, _ value: UnsafeRawBufferPointer, _ limits: ISCSITargetConfiguration.Limits
    ) -> LoginStatus? {
        guard let choice = TextValue.choose(value, among: limits.choices(key)) else {
            reply.append(key.row.name, "Reject")
            return nil
        }
        if key == .headerDigest { parameters.headerDigest = choice == "CRC32C" }
        if key == .dataDigest { parameters.dataDigest = choice == "CRC32C" }
        if key == .taskReporting { parameters.responseFence = choice == "ResponseFence" }
        reply.append(key.row.name, choice)
        return nil
    }

    private mutating func agree(
        _ key: TextKey, _ value: UnsafeRawBufferPointer, _ limits: ISCSITargetConfiguration.Limits
    ) {
        guard let offer = TextValue.boolean(value) else {
            reply.append(key.row.name, "Reject")
            return
        }
        let result = key.row.rule == .or ? offer || limits.stance(key) : offer && limits.stance(key)
        if key == .initialR2T { parameters.initialR2T = result }
        if key == .immediateData { parameters.immediateData = result }
        reply.append(key.row.name, result ? "Yes" : "No")
    }

    private mutating func agree(
        _ key: TextKey, _ value: UnsafeRawBufferPointer, in range: ClosedRange<UInt64>,
        _ limits: ISCSITargetConfiguration.Limits
    ) {
        guard let offer = TextValue.number(value), range.contains(offer) else {
            reply.append(key.row.name, "Reject")
            return
        }
        let result = limited(offer, key, limits)
        switch key {
        case .maxBurstLength: parameters.maxBurstLength = UInt32(result)
        case .firstBurstLength: parameters.firstBurstLength = UInt32(result)
        case .defaultTime2Wait: parameters.time2Wait = UInt16(result)
        case .defaultTime2Retain: parameters.time2Retain = UInt16(result)
        case .errorRecoveryLevel: parameters.errorRecoveryLevel = UInt8(result)
        case .maxConnections: parameters.maxConnections = UInt16(result)
        case .iSCSIProtocolLevel: parameters.protocolLevel = UInt8(result)
        default: break
        }
        reply.append(key.row.name, String(result))
    }

    private func limited(_ offer: UInt64, _ key: TextKey, _ limits: ISCSITargetConfiguration.Limits) -> UInt64 {
        if key == .errorRecoveryLevel && discovery { return 0 }
        // Nothing is retained where connections are not recovered.
        if key == .defaultTime2Retain && !keepsConnections { return 0 }
        if case .maximum = key.row.rule { return max(offer, limits.bound(key)) }
        return min(offer, limits.bound(key))
    }
}
