import Foundation
import Management

/// Tells the service manager how the process is (sd_notify(3)): a datagram to the socket that `NOTIFY_SOCKET` names.
/// Without that variable nothing is sent.
struct ServiceNotification: Sendable {
    private let socketName: String?
    /// Half of what `WATCHDOG_USEC` allows, in milliseconds; nil without a watchdog.
    let watchdogPeriod: Int64?

    init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        socketName = environment["NOTIFY_SOCKET"]
        let isForUs = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        watchdogPeriod =
            isForUs
            ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.map { max(10, $0 / 2000) } : nil
    }

    func ready() { send("READY=1\nSTATUS=serving") }
    func stopping() { send("STOPPING=1") }
    func alive() { send("WATCHDOG=1") }

    private func send(_ text: String) {
        guard let socketName, !socketName.isEmpty else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var name = Array(socketName.utf8)
        guard name.count < MemoryLayout.size(ofValue: address.sun_path) else { return }
        // A leading @ stands for the abstract name space, whose names start with a zero byte and end with their length.
        let isAbstract = name[0] == UInt8(ascii: "@")
        if isAbstract { name[0] = 0 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
        let length = MemoryLayout<sa_family_t>.size + name.count + (isAbstract ? 0 : 1)
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL), $0, socklen_t(length))
            }
        }
    }
}
