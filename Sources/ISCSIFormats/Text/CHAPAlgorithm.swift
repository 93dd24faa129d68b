/// Hash algorithms of CHAP by their numbers in IANA's registry "PPP Authentication Algorithms" (RFC 1994, RFC 7143
/// §12.1.3).
package enum CHAPAlgorithm: UInt8, Sendable, CaseIterable {
    case md5 = 5
    case sha1 = 6
    case sha256 = 7
    case sha3x256 = 8

    /// Bytes of a digest, and so of a CHAP_R.
    package var digestBytes: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256, .sha3x256: 32
        }
    }
}

/// A digest that a front end needs: over the identifier, the secret that the driver has under `credential`, and the
/// challenge, in this order (RFC 1994 §4.1). The secret itself never is in an engine.
package struct CHAPDigestRequest: Equatable, Sendable {
    package var algorithm: CHAPAlgorithm
    package var identifier: UInt8
    /// Index of the secret among the array's credentials.
    package var credential: UInt16
    /// At most `TextLimits.challenge` bytes.
    package var challenge: [UInt8]

    package init(algorithm: CHAPAlgorithm, identifier: UInt8, credential: UInt16, challenge: [UInt8]) {
        self.algorithm = algorithm
        self.identifier = identifier
        self.credential = credential
        self.challenge = challenge
    }
}
