import BlockModel
import Controller
import Foundation

/// The folder that an array keeps itself in, and what a first start makes there.
///
///     a.lock     held while controller a runs, or is supervised; names the process; the same for b
///     secret     32 random bytes as 64 hexadecimal digits, mode 0600; shared by the two controllers
///     pair-id    16 random bytes as 32 digits; with the array's name it tells this pair from every other
///     NAME       secret files of CHAP that the configuration names by a relative path, mode 0600
///     NAME.img   a device without a path of its own: sparse, data and the array's first MiB
///     witness    made by the controllers
package struct StateFolder: Sendable {
    package let path: String

    package init(_ path: String) { self.path = path }

    /// Makes what a start needs and is not there yet. Nothing that is there is changed, but a device of ours that has
    /// become larger in the configuration grows. Returns the configuration with its pair id.
    package func prepare(_ configuration: Configuration) throws(StartError) -> Configuration {
        try Self.makeFolder(path)
        let pair = configuration.description.pair
        if pair.secretFile == path + "/secret" { try makeOnce("secret", Self.randomDigits(bytes: 32) + "\n") }
        // The witness begins empty with the pair, and never again: one that is lost later is for an operator to decide.
        if access(path + "/pair-id", F_OK) != 0, pair.witnessFile == path + "/witness" {
            try makeOnce("witness", String(repeating: "\0", count: 2 * 4096))
        }
        try makeOnce("pair-id", Self.randomDigits(bytes: 16) + "\n")
        try makeSecrets(configuration)
        for device in configuration.description.devices where !configuration.givenDevices.contains(device.name) {
            if case .file(let file) = device.kind {
                try Self.makeSparse(file, device.fileBytes)
            }
        }
        try Self.makeFolder(folder(of: pair.witnessFile))
        for controller in configuration.description.controllers {
            try Self.makeFolder(folder(of: controller.memoryFile))
        }
        return try identified(configuration)
    }

    /// The configuration with the pair id that a first start drew.
    package func identified(_ configuration: Configuration) throws(StartError) -> Configuration {
        let file = path + "/pair-id"
        guard
            let drawn = try? String(contentsOfFile: file, encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines), drawn.count == 32, drawn.allSatisfy(\.isHexDigit)
        else {
            throw StartError(
                .noInput, "\(file) is missing or damaged; it names the pair, and 32 hexadecimal digits belong there")
        }
        var identified = configuration
        identified.description.pairID = Identity.pairID(array: configuration.description.name, drawn: drawn)
        return identified
    }

    private func folder(of file: String) -> String { (file as NSString).deletingLastPathComponent }

    /// A folder that only its owner may enter, with its parents; one that is there stays as it is.
    package static func makeFolder(_ path: String) throws(StartError) {
        if FileManager.default.fileExists(atPath: path) { return }
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StartError(.inputOutput, "folder \(path) cannot be made: \(StartChecks.reason(errno))")
        }
    }

    /// Writes a small file that must never change again: whole under another name, then linked, so that a start that
    /// was cut short leaves none or all of it.
    func makeOnce(_ name: String, _ text: String) throws(StartError) {
        let file = "\(path)/\(name)"
        if access(file, F_OK) == 0 { return }
        let temporary = "\(file).new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure(file) }
        defer {
            close(descriptor)
            unlink(temporary)
        }
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            throw Self.failure(file)
        }
        guard link(temporary, file) == 0 || errno == EEXIST else { throw Self.failure(file) }
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    /// A device file of at least `bytes`, holes where nothing was written.
    private static func makeSparse(_ file: String, _ bytes: UInt64) throws(StartError) {
        let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(file) }
        defer { close(descriptor) }
        let end = lseek(descriptor, 0, SEEK_END)
        if end >= 0, UInt64(end) >= bytes { return }
        guard ftruncate(descriptor, off_t(bytes)) == 0, fsync(descriptor) == 0 else { throw failure(file) }
    }

    private static func failure(_ file: String) -> StartError {
        StartError(.inputOutput, "\(file): \(StartChecks.reason(errno))")
    }

    private static func randomDigits(bytes: Int) -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<bytes).map { _ in Identity.hex(UInt64(UInt8.random(in: 0...255, using: &generator)), digits: 2) }
            .joined().lowercased()
    }
}

/// A lock that lasts as long as its process: `flock` on a file, which the kernel lets go however the process ends.
/// Children do not inherit it.
package final class ProcessLock: Sendable {
    private let descriptor: Int32

    /// Takes the lock of a folder. Throws `temporary`, naming the process that has it.
    package init(folder: String, name: String, what: String) throws(StartError) {
        let path = "\(folder)/\(name)"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StartError(.inputOutput, "\(path): \(StartChecks.reason(errno))") }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            var buffer = [UInt8](repeating: 0, count: 32)
            let count = pread(file, &buffer, buffer.count, 0)
            close(file)
            guard code == EWOULDBLOCK else { throw StartError(.inputOutput, "\(path): \(StartChecks.reason(code))") }
            let owner = String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines)
            throw StartError(.temporary, "\(what) runs already (process \(owner)); stop it first, or see gemel status")
        }
        ftruncate(file, 0)
        let text = Array("\(getpid())\n".utf8)
        pwrite(file, text, text.count, 0)
        descriptor = file
    }

    deinit { close(descriptor) }
}
