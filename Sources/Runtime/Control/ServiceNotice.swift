import CLinux
import Glibc
import Primitives

/// sd_notify(3) in a few lines: says READY, STOPPING, and WATCHDOG as often as the service manager wants it. Without
/// `NOTIFY_SOCKET` in the environment it does nothing.
struct ServiceNotice {
    private let path: String?
    /// Half of the manager's watchdog time; nil when it wants none.
    let interval: Interval?

    init() {
        path = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        let microseconds = getenv("WATCHDOG_USEC").flatMap { UInt64(String(cString: $0)) }
        let forUs = getenv("WATCHDOG_PID").map { String(cString: $0) == String(getpid()) } ?? true
        interval = forUs && path != nil ? microseconds.map { .microseconds(Swift.max($0 / 2, 1)) } : nil
    }

    func say(_ text: String) {
        if let path { _ = gemel_notify(path, text) }
    }
}
