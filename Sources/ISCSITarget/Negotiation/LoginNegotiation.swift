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
    /// The first text has been judged: initiator, session type and target are known.
    var identified = false
    var declared = false
    private(set) var reply = KeyValueWriter()

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
            if !identified, let status = try identify(text) { return status }
            keepsConnections = try keepsConnections || asksForConnectionRecovery(text, configuration.limits)
            var reader = KeyValueReader(text)
            while let pair = try reader.next() {
                if let status = negotiate(pair, configuration.limits) { return status }
            }
        } catch {
            return .initiatorError
        }
        if !identified { return .missingParameter }
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
                guard let name = Self.name(pair.value) else { return .initiatorError }
                initiatorName = name
            case .targetName:
                guard let name = Self.name(pair.value) else { return .initiatorError }
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

    /// An iSCSI name in the form in which names are compared; nil when it cannot be one.
    private static func name(_ value: UnsafeRawBufferPointer) -> [UInt8]? {
        if value.isEmpty || value.count > TextLimits.name { return nil }
        if value.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: ",") }) { return nil }
        return value.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
    }

    private mutating func negotiate(
        _ pair: KeyValueReader.Pair, _ limits: ISCSITargetConfiguration.Limits
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
        if key.row.rule != .list && pair.value.count > TextLimits.value { return .initiatorError }
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
        case .list: return choose(key, pair.value, limits)
        case .or, .and: agree(key, pair.value, limits)
        case .minimum(let range), .maximum(let range): agree(key, pair.value, in: range, limits)
        case .obsolete:
            // RFC 7143 §13.27 lets markers be answered No, and wants Reject for their intervals.
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

    private mutating func choose(
        _ key: TextKey, _ value: UnsafeRawBufferPointer, _ limits: ISCSITargetConfiguration.Limits
    ) -> LoginStatus? {
        let acceptable: [String]
        switch key {
        case .authMethod: acceptable = ["None"]
        case .headerDigest: acceptable = limits.allowHeaderDigest ? ["None", "CRC32C"] : ["None"]
        case .dataDigest: acceptable = limits.allowDataDigest ? ["None", "CRC32C"] : ["None"]
        default: acceptable = ["RFC3720"]
        }
        guard let choice = TextValue.choose(value, among: acceptable) else {
            if key == .authMethod { return .authenticationFailure }
            reply.append(key.row.name, "Reject")
            return nil
        }
        if key == .headerDigest { parameters.headerDigest = choice == "CRC32C" }
        if key == .dataDigest { parameters.dataDigest = choice == "CRC32C" }
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
        let result: Bool
        switch key {
        case .initialR2T:
            result = offer || limits.requireInitialR2T
            parameters.initialR2T = result
        case .immediateData:
            result = offer && limits.allowImmediateData
            parameters.immediateData = result
        default: result = true
        }
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
        let result: UInt64
        switch key {
        case .maxBurstLength:
            result = min(offer, UInt64(limits.maxBurstLength))
            parameters.maxBurstLength = UInt32(result)
        case .firstBurstLength:
            result = min(offer, UInt64(limits.firstBurstLength))
            parameters.firstBurstLength = UInt32(result)
        case .defaultTime2Wait:
            result = max(offer, 2)
            parameters.time2Wait = UInt16(result)
        case .defaultTime2Retain:
            result = keepsConnections ? min(offer, UInt64(limits.time2Retain)) : 0
            parameters.time2Retain = UInt16(result)
        case .errorRecoveryLevel:
            result = discovery ? 0 : min(offer, UInt64(limits.maxErrorRecoveryLevel))
            parameters.errorRecoveryLevel = UInt8(result)
        case .maxConnections:
            result = min(offer, UInt64(limits.maxConnectionsPerSession))
            parameters.maxConnections = UInt16(result)
        case .iSCSIProtocolLevel:
            result = min(offer, 2)
            parameters.protocolLevel = UInt8(result)
        default: result = min(offer, 1)
        }
        reply.append(key.row.name, String(result))
    }
}
