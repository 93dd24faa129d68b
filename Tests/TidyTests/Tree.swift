import Foundation

/// The files of the checkout that belong to the project: what git tracks or would track, else everything not hidden.
enum Tree {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// Paths from the root, in order.
    static let files: [String] = (fromGit() ?? fromFolder()).sorted()

    static let swift = files.filter { $0.hasSuffix(".swift") }
    static let sources = swift.filter { $0.hasPrefix("Sources/") }
    /// Code of all kinds.
    static let code = files.filter { path in [".swift", ".c", ".h"].contains { path.hasSuffix($0) } }

    static func bytes(_ path: String) -> Data {
        (try? Data(contentsOf: URL(fileURLWithPath: "\(root)/\(path)"))) ?? Data()
    }
    static func text(_ path: String) -> String { String(decoding: bytes(path), as: UTF8.self) }
    static func lines(_ path: String) -> [Substring] {
        text(path).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The module that a source file is of: `Sources/NAME/…`, or `Sources/Benchmarks/NAME/…`.
    static func module(_ path: String) -> String {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[1] == "Benchmarks" ? String(parts[2]) : parts.count > 1 ? String(parts[1]) : ""
    }

    private static func fromGit() -> [String]? {
        let git = Process()
        let output = Pipe()
        git.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        git.arguments = ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        git.standardOutput = output
        git.standardError = FileHandle.nullDevice
        guard (try? git.run()) != nil else { return nil }
        let names = output.fileHandleForReading.readDataToEndOfFile()
        git.waitUntilExit()
        guard git.terminationStatus == 0 else { return nil }
        let paths = String(decoding: names, as: UTF8.self).split(separator: "\0").map(String.init)
        return paths.filter { FileManager.default.fileExists(atPath: "\(root)/\($0)") }
    }

    private static func fromFolder() -> [String] {
        let all = FileManager.default.enumerator(atPath: root)?.allObjects as? [String] ?? []
        return all.filter { path in
            var isFolder: ObjCBool = false
            _ = FileManager.default.fileExists(atPath: "\(root)/\(path)", isDirectory: &isFolder)
            return !isFolder.boolValue && !path.split(separator: "/").contains { $0.hasPrefix(".") }
        }
    }
}
