import CCrypto
import Controller
import ISCSIFormats

/// The secrets of CHAP, by their index in the description: only the driver has them. Nothing shows them.
package struct Credentials: Sendable, CustomStringConvertible, CustomReflectable {
    private let secrets: [[UInt8]]

    /// Bytes of a secret: 96 bits at the least (RFC 7143 §9.2.1).
    package static var bytes: ClosedRange<Int> { 12...256 }

    /// None.
    package init() { secrets = [] }

    /// For tests: the secrets themselves.
    package init(_ secrets: [[UInt8]]) { self.secrets = secrets }

    /// Reads every secret of the description. Throws when one is missing, open to others, of a wrong length, or when an
    /// initiator's equals one of the target's: then a proof of one would be a proof of the other (RFC 7143 §9.2.1).
    package init(_ description: ArrayDescription, _ options: ProcessOptions) throws(RuntimeError) {
        var secrets: [[UInt8]] = []
        for credential in description.credentials {
            let secret =
                switch credential.place {
                case .here(let text): text.bytes
                case .file(let path): Self.trimmed(try Secret.read(options.resolve(path), least: Self.bytes.lowerBound))
                }
            guard Self.bytes.contains(secret.count) else {
                throw RuntimeError(
                    secret.count < Self.bytes.lowerBound ? .noInput : .configuration,
                    "\(credential.key): the secret has \(secret.count) bytes; a secret of CHAP has "
                        + "\(Self.bytes.lowerBound) to \(Self.bytes.upperBound)")
            }
            secrets.append(secret)
        }
        for (index, own) in description.credentials.enumerated() where own.isTargets {
            for (place, other) in description.credentials.enumerated()
            where !other.isTargets && secrets[place] == secrets[index] {
                throw RuntimeError(
                    .configuration,
                    "\(own.key) and \(other.key) have the same secret; the target's proof would be the initiator's")
            }
        }
        self.secrets = secrets
    }

    /// Without the newline that editors leave.
    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") })
    }

    package var description: String { "\(secrets.count) secrets" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    /// The digest over identifier, secret and challenge (RFC 1994 §4.1), in the first bytes; nil when libcrypto does
    /// not offer the algorithm, or the secret is not there.
    package func digest(_ request: CHAPDigestRequest) -> InlineArray<32, UInt8>? {
        guard Int(request.credential) < secrets.count, let context = EVP_MD_CTX_new() else { return nil }
        defer { EVP_MD_CTX_free(context) }
        let algorithm =
            switch request.algorithm {
            case .md5: EVP_md5()
            case .sha1: EVP_sha1()
            case .sha256: EVP_sha256()
            case .sha3x256: EVP_sha3_256()
            }
        let secret = secrets[Int(request.credential)]
        var identifier = request.identifier
        var digest = InlineArray<32, UInt8>(repeating: 0)
        var length: UInt32 = 0
        var output = digest.mutableSpan
        let isMade = output.withUnsafeMutableBufferPointer { output in
            EVP_DigestInit_ex(context, algorithm, nil) == 1 && EVP_DigestUpdate(context, &identifier, 1) == 1
                && EVP_DigestUpdate(context, secret, secret.count) == 1
                && EVP_DigestUpdate(context, request.challenge, request.challenge.count) == 1
                && EVP_DigestFinal_ex(context, output.baseAddress, &length) == 1
        }
        return isMade && Int(length) == request.algorithm.digestBytes ? digest : nil
    }
}
