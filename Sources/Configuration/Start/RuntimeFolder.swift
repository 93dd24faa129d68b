import Foundation

/// Where the control sockets of running arrays are: `/run/gemel` for root, `$XDG_RUNTIME_DIR/gemel`, else
/// `/tmp/gemel-UID`; in it a folder for each array.
///
///     pair.sock      the supervisor
///     a.sock         controller a, and so on
///     a.lock         held by whoever runs controller a: two arrays of one name are in each other's way
package struct RuntimeFolder: Sendable {
    package let base: String

    package init(isRoot: Bool, environment: [String: String], user: UInt32) {
        if isRoot {
            base = "/run/gemel"
        } else if let folder = environment["XDG_RUNTIME_DIR"], folder.hasPrefix("/") {
            base = folder + "/gemel"
        } else {
            base = "/tmp/gemel-\(user)"
        }
    }

    /// That of this process.
    package static var process: RuntimeFolder {
        RuntimeFolder(isRoot: geteuid() == 0, environment: ProcessInfo.processInfo.environment, user: geteuid())
    }

    package func folder(array: String) -> String { "\(base)/\(array)" }
    package func pairSocket(array: String) -> String { "\(base)/\(array)/pair.sock" }
    package func controllerSocket(array: String, controller: String) -> String { "\(base)/\(array)/\(controller).sock" }

    /// Makes the folder of an array. A folder below /tmp that somebody else made is refused: they could listen there
    /// in our place.
    package func make(array: String) throws(StartError) {
        try StateFolder.makeFolder(folder(array: array))
        for path in [base, folder(array: array)] {
            var information = stat()
            guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFDIR,
                information.st_uid == geteuid(), information.st_mode & 0o022 == 0
            else {
                throw StartError(
                    .inputOutput, "folder \(path) belongs to somebody else, or others may write there; remove it")
            }
        }
        // sockaddr_un holds 108 bytes with the final zero.
        let longest = controllerSocket(array: array, controller: "pair")
        guard longest.utf8.count < 108 else {
            throw StartError(
                .configuration, "the path \(longest) is too long for a socket; set XDG_RUNTIME_DIR to a shorter one")
        }
    }

    /// Arrays that have a folder here, whether they run or not.
    package var arrays: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []).sorted()
    }
}
