import CLinux
import Devices
import Glibc
import Synchronization

/// Gives a memory file its blocks beside everything else that a start does: a file system needs a tenth of a second for
/// what a controller needs before it serves, and as long again for the rest.
///
/// The own area, with all headers, comes first and is awaited before the controller runs. The mirror area follows when
/// the start is over; there is room for it, since the file system was asked before. What the partner places there
/// meanwhile gets its blocks by being written.
final class MemoryReservation: Sendable {
    private struct Span: Sendable {
        var offset: Int
        var bytes: Int
        var isLater: Bool
    }

    /// The mirror area waits for so long, in microseconds, so as not to take a processor from the start.
    private static var pause: Int { 300_000 }

    private let worker: Worker<Span, Int32>
    private let wake: Int32
    private let isStopping: StopFlag

    private final class StopFlag: Sendable {
        let value = Mutex(false)
    }

    /// - Parameters:
    ///   - descriptor: of the file, which has its length; it outlives the reservation.
    ///   - first: bytes that are awaited, of `bytes` in all.
    init(_ descriptor: Int32, path: String, first: Int, bytes: Int) {
        let flag = StopFlag()
        isStopping = flag
        wake = eventfd(0, Int32(EFD_CLOEXEC))
        worker = Worker(limit: 2, wake: wake) { span in
            for _ in 0..<(span.isLater ? Self.pause / 10_000 : 0) {
                if flag.value.withLock({ $0 }) { return 0 }
                usleep(10_000)
            }
            let code = posix_fallocate(descriptor, off_t(span.offset), off_t(span.bytes))
            if code != 0 && span.isLater { Self.end(path, code) }
            return code
        }
        _ = worker.submit(Span(offset: 0, bytes: first, isLater: false))
        if bytes > first { _ = worker.submit(Span(offset: first, bytes: bytes - first, isLater: true)) }
    }

    /// Waits until the first span is there; an errno when the file system cannot give it, 0 when it is.
    func awaitFirst() -> Int32 {
        var count: UInt64 = 0
        while read(wake, &count, 8) != 8 && errno == EINTR {}
        return worker.nextAnswer() ?? EIO
    }

    /// Ends the thread; the last use.
    func stop() {
        isStopping.value.withLock { $0 = true }
        worker.stop()
        close(wake)
    }

    /// Somebody took the room that was there: the process ends before it writes where there is none. Its partner has
    /// everything that was acknowledged.
    private static func end(_ path: String, _ code: Int32) {
        let reason = String(cString: strerror(code))
        let text = "gemel: memory file \(path) cannot be given its blocks any more: \(reason)\n"
        _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
        _exit(RuntimeError.ExitCode.ioError.rawValue)
    }
}
