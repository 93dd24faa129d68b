import Controller
import Foundation

// The secret files of CHAP. Those in the state folder are made when they are missing; others must be there.
extension StartChecks {
    /// Every secret file is nobody else's to read and long enough, and no initiator's is one of the target's too.
    package static func accessSecrets(_ configuration: Configuration) throws(StartError) {
        var found: [(credential: CredentialDescription, secret: [UInt8])] = []
        for credential in configuration.description.credentials {
            switch credential.place {
            case .here(let text): found.append((credential, text.bytes))
            case .file(let path):
                if let secret = try secret(path, credential.key, configuration) { found.append((credential, secret)) }
            }
        }
        for own in found where own.credential.isTargets {
            for other in found where !other.credential.isTargets && other.secret == own.secret {
                throw StartError(
                    .configuration,
                    "\(own.credential.key) and \(other.credential.key) have the same secret; an initiator and the "
                        + "target never share one, or the proof of one would be the other's")
            }
        }
    }

    /// What a secret file has; nil when it is to be made.
    private static func secret(
        _ path: String, _ key: String, _ configuration: Configuration
    ) throws(StartError) -> [UInt8]? {
        let size = try StartChecks.secretSize(
            path, named: "\(key): secret file \(path)",
            isOurs: StateFolder(configuration.stateFolder).name(of: path) != nil,
            advice: "make it, mode 0600, with the secret in it")
        guard size != nil else { return nil }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw StartError(.noInput, "\(key): secret file \(path) cannot be read")
        }
        let secret = Array(data.prefix { $0 != 0x0A && $0 != 0x0D })
        let bytes = AccessSection.secretBytes
        guard secret.count >= bytes.lowerBound else {
            throw StartError(
                .noInput,
                "\(key): the secret in \(path) has \(secret.count) bytes; it needs \(bytes.lowerBound) or more")
        }
        guard secret.count <= bytes.upperBound else {
            throw StartError(
                .configuration,
                "\(key): the secret in \(path) has more than \(bytes.upperBound) bytes; make it shorter")
        }
        return secret
    }
}

extension StateFolder {
    /// The name in this folder of a file that is in it; nil for others.
    func name(of file: String) -> String? {
        file.hasPrefix(path + "/") ? String(file.dropFirst(path.utf8.count + 1)) : nil
    }

    /// Makes the secret files of this folder that are missing: 16 characters, which are 96 random bits, since some
    /// initiators take no more.
    func makeSecrets(_ configuration: Configuration) throws(StartError) {
        for credential in configuration.description.credentials {
            guard case .file(let file) = credential.place, let name = name(of: file) else { continue }
            if name.contains("/") { try Self.makeFolder((file as NSString).deletingLastPathComponent) }
            try makeOnce(name, Self.randomText(characters: 16) + "\n")
        }
    }

    private static func randomText(characters: Int) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var generator = SystemRandomNumberGenerator()
        return String((0..<characters).compactMap { _ in alphabet.randomElement(using: &generator) })
    }
}
