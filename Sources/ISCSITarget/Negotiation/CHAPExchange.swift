import ISCSIFormats

/// The target's side of CHAP in one login (RFC 7143 §12.1.3, RFC 1994). It decides; challenges and digests are asked
/// of the driver, which has the secrets.
///
///     initiator                    target
///     AuthMethod=CHAP,…            AuthMethod=CHAP
///     CHAP_A=list                  CHAP_A, CHAP_I, CHAP_C
///     CHAP_N, CHAP_R               (nothing)
///      and CHAP_I, CHAP_C          CHAP_N, CHAP_R
struct CHAPExchange {
    /// What the driver is asked.
    enum Question {
        case challenge
        case digest(CHAPDigestRequest)
    }

    private enum Step {
        /// AuthMethod is answered in the text at hand.
        case selected
        case algorithmExpected, drawing, responseExpected, verifying, answering, done
    }

    /// Both digests have 32 bytes at the most.
    static let challengeBytes = 32

    private let account: AccessRule.Account
    private let mutual: AccessRule.Account?
    private var step = Step.selected
    private var algorithm = CHAPAlgorithm.md5
    private var identifier: UInt8 = 0
    /// Ours; empty before it is drawn.
    private(set) var challenge: [UInt8] = []
    private var name: [UInt8]?
    private var response: [UInt8]?
    private var counterIdentifier: UInt8?
    /// The initiator's, in the text at hand.
    private(set) var counterChallenge: [UInt8]?
    private var chosen = false
    /// What must be asked before the login can go on.
    private(set) var question: Question?

    init(_ rule: AccessRule, _ account: AccessRule.Account) {
        self.account = account
        mutual = rule.mutual
    }

    /// The initiator has proved who it is.
    var isDone: Bool { step == .done }

    /// A text begins: what AuthMethod's answer said is known to the initiator now.
    mutating func beginText() {
        if step == .selected { step = .algorithmExpected }
    }

    /// Takes one key of the text.
    mutating func take(_ key: TextKey, _ value: UnsafeRawBufferPointer) -> LoginStatus? {
        let expected: Step = key == .chapA ? .algorithmExpected : .responseExpected
        if step != expected { return .initiatorError }
        switch key {
        case .chapA:
            let offered = value.split(separator: UInt8(ascii: ",")).lazy.compactMap { element in
                TextValue.number(UnsafeRawBufferPointer(rebasing: element)).flatMap { UInt8(exactly: $0) }
            }
            guard let first = offered.compactMap(CHAPAlgorithm.init(rawValue:)).first else {
                return .authenticationFailure
            }
            algorithm = first
            chosen = true
        case .chapN:
            if value.count > TextLimits.value { return .initiatorError }
            name = Array(value)
        case .chapR: response = BinaryValue.decode(value, limit: TextLimits.challenge) ?? []
        case .chapI:
            counterIdentifier = TextValue.number(value).flatMap { UInt8(exactly: $0) }
            if counterIdentifier == nil { return .initiatorError }
        default:
            guard let bytes = BinaryValue.decode(value, limit: TextLimits.challenge) else { return .initiatorError }
            counterChallenge = bytes
        }
        return nil
    }

    /// The text is at its end: what comes next, or why it ends here.
    mutating func endText() -> LoginStatus? {
        switch step {
        case .selected, .done: return nil
        case .algorithmExpected:
            if !chosen { return .initiatorError }
            step = .drawing
            question = .challenge
        case .responseExpected:
            guard name != nil, let response else { return .initiatorError }
            if (counterIdentifier == nil) != (counterChallenge == nil) { return .initiatorError }
            if response.isEmpty { return .initiatorError }
            // Who is asked for a proof and has none must not let the initiator in either.
            if counterChallenge != nil && mutual == nil { return .authenticationFailure }
            step = .verifying
            question = .digest(CHAPDigestRequest(
                algorithm: algorithm, identifier: identifier, credential: account.credential, challenge: challenge))
        case .drawing, .verifying, .answering: return .initiatorError
        }
        return nil
    }

    /// The challenge is drawn; `identifier` differs from the one before (RFC 1994 §4.1).
    mutating func drawn(_ bytes: [UInt8], identifier: UInt8, _ reply: inout KeyValueWriter) {
        question = nil
        challenge = bytes
        self.identifier = identifier
        step = .responseExpected
        reply.append(TextKey.chapA.row.name, String(algorithm.rawValue))
        reply.append(TextKey.chapI.row.name, String(identifier))
        reply.append(TextKey.chapC.row.name, BinaryValue.hexadecimal(bytes))
    }

    /// A digest has come. Then there may be another `question`.
    mutating func digested(_ digest: [UInt8], _ reply: inout KeyValueWriter) -> LoginStatus? {
        question = nil
        let proof = Array(digest.prefix(algorithm.digestBytes))
        if step == .answering, let mutual {
            reply.append(TextKey.chapN.row.name, mutual.name)
            reply.append(TextKey.chapR.row.name, BinaryValue.hexadecimal(proof))
            step = .done
            return nil
        }
        // Both are compared in any case: the time tells nothing.
        let isNamed = Self.areEqual(name ?? [], Array(account.name.utf8))
        let isProved = Self.areEqual(response ?? [], proof)
        if !(isNamed && isProved) { return .authenticationFailure }
        guard let mutual, let counterIdentifier, let counterChallenge else {
            step = .done
            return nil
        }
        step = .answering
        question = .digest(CHAPDigestRequest(
            algorithm: algorithm, identifier: counterIdentifier, credential: mutual.credential,
            challenge: counterChallenge))
        return nil
    }

    /// Compares in a time that depends on the lengths only.
    static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        if a.count != b.count { return false }
        var difference: UInt8 = 0
        for index in a.indices { difference |= a[index] ^ b[index] }
        return difference == 0
    }
}
