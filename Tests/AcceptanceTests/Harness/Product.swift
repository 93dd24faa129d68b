import Foundation

/// Where the product is: what was built, release before debug, or what the environment names.
enum Product {
    /// The checkout, from this file's place in it.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    static func gemel() throws -> String { try built("gemel", variable: "GEMEL_BINARY") }
    static func load() throws -> String { try built("gemel-load", variable: "GEMEL_LOAD") }

    private static func built(_ name: String, variable: String) throws -> String {
        if let path = ProcessInfo.processInfo.environment[variable] {
            guard access(path, X_OK) == 0 else { throw Failure("\(variable) names \(path), which is not there") }
            return path
        }
        let places = ["release", "debug"].map { "\(root)/.build/\($0)/\(name)" }
        if let path = places.first(where: { access($0, X_OK) == 0 }) { return path }
        throw Failure("\(name) is not built: swift build -c release --product \(name)")
    }

    /// How often a test of faults repeats them: 2, or more in a soak (`GEMEL_ROUNDS`).
    static var rounds: Int { ProcessInfo.processInfo.environment["GEMEL_ROUNDS"].flatMap { Int($0) } ?? 2 }

    private static let lock = NSLock()
    private nonisolated(unsafe) static var count = 0
    private nonisolated(unsafe) static var givenPorts: Set<Int> = []

    /// A name that no other array on this machine has.
    static func arrayName() -> String {
        lock.withLock {
            count += 1
            return "test-\(getpid())-\(count)"
        }
    }

    /// A loopback port that nobody listens at, and that was not given before.
    static func freePort() throws -> Int {
        for _ in 0..<200 {
            guard let listener = Listener() else { continue }
            if lock.withLock({ givenPorts.insert(listener.port).inserted }) { return listener.port }
        }
        throw Failure("no free port")
    }
}

/// A socket that listens at a port of the loopback, as somebody else's service would.
final class Listener {
    private let descriptor: Int32
    private(set) var port = 0

    init?() {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard bound else { return nil }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
