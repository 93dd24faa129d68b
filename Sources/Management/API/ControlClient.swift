import Foundation
import Glibc

/// Speaks the API over a unix socket: one request a connection, blocking, bounded in time and size. The command uses it
/// for the pair, the supervisor for its controllers; it must not be called on a task's thread (`detached` is for that).
package struct ControlClient: Sendable {
    package var socketPath: String
    /// Bytes of an answer: the largest status is far below.
    package static let answerLimit = 8 << 20

    package init(socketPath: String) { self.socketPath = socketPath }

    /// Why there is no answer.
    package enum Failure: Error, Equatable, Sendable {
        /// Nobody listens: errno of `connect`.
        case unreachable(Int32)
        case timedOut
        /// The answer is no HTTP, or too large.
        case malformed
        /// The path does not fit in a socket address.
        case pathTooLong
    }

    /// An answer: the HTTP status and the body.
    package struct Answer: Sendable {
        package var status: Int
        package var body: Data

        /// The sentence of a refusal.
        package var message: String {
            (try? JSONDecoder().decode([String: String].self, from: body))?["error"] ?? "HTTP status \(status)"
        }
    }

    /// Sends a request and waits for the answer, at most `seconds` in all.
    package func request(
        _ method: String, _ path: String, body: Data? = nil, seconds: Double = 5
    ) throws(Failure) -> Answer {
        let deadline = Clock.milliseconds() + Int64(seconds * 1000)
        let socket = try connect()
        defer { close(socket) }
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        if let body { head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n" }
        try send(Data((head + "\r\n").utf8) + (body ?? Data()), to: socket, until: deadline)
        return try Self.parse(try receive(from: socket, until: deadline))
    }

    /// The same, with a value as JSON.
    package func request(
        _ method: String, _ path: String, json: some Encodable, seconds: Double = 5
    ) throws(Failure) -> Answer {
        guard let body = try? JSONEncoder().encode(json) else { throw .malformed }
        return try request(method, path, body: body, seconds: seconds)
    }

    /// Runs blocking work on a thread of its own, off the tasks' few threads.
    package static func detached<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: work()) }
        }
    }

    // MARK: The connection

    private func connect() throws(Failure) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(socketPath.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { throw .pathTooLong }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw .unreachable(errno) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(descriptor)
            throw .unreachable(code)
        }
        return descriptor
    }

    private func wait(_ socket: Int32, _ events: Int32, until deadline: Int64) throws(Failure) {
        while true {
            let left = deadline - Clock.milliseconds()
            guard left > 0 else { throw .timedOut }
            var descriptor = pollfd(fd: socket, events: Int16(events), revents: 0)
            let count = poll(&descriptor, 1, Int32(min(left, 60_000)))
            if count > 0 { return }
            if count < 0, errno != EINTR { throw .unreachable(errno) }
        }
    }

    private func send(_ bytes: Data, to socket: Int32, until deadline: Int64) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try wait(socket, POLLOUT, until: deadline)
            let sent = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if sent > 0 {
                rest = rest.dropFirst(sent)
            } else if errno != EAGAIN, errno != EINTR {
                throw .unreachable(errno)
            }
        }
    }

    private func receive(from socket: Int32, until deadline: Int64) throws(Failure) -> Data {
        var all = Data()
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while all.count <= Self.answerLimit {
            if Self.isComplete(all) { return all }
            try wait(socket, POLLIN, until: deadline)
            let count = recv(socket, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count == 0 { return all }
            if count > 0 {
                all.append(contentsOf: buffer[..<count])
            } else if errno != EAGAIN, errno != EINTR {
                throw .unreachable(errno)
            }
        }
        throw .malformed
    }

    // MARK: The answer

    private static let separator = Data("\r\n\r\n".utf8)

    /// Status, length if it is said, and where the body starts.
    private static func head(_ bytes: Data) -> (status: Int, length: Int?, body: Int)? {
        guard let end = bytes.range(of: separator),
            let text = String(data: bytes[bytes.startIndex..<end.lowerBound], encoding: .utf8)
        else { return nil }
        let lines = text.components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
        var length: Int?
        for line in lines.dropFirst() where line.lowercased().hasPrefix("content-length:") {
            length = Int(line.dropFirst("content-length:".count).trimmingCharacters(in: .whitespaces))
        }
        return (status, length, end.upperBound)
    }

    private static func isComplete(_ bytes: Data) -> Bool {
        guard let head = head(bytes), let length = head.length, length >= 0 else { return false }
        return bytes.count - head.body >= length
    }

    static func parse(_ bytes: Data) throws(Failure) -> Answer {
        guard let head = head(bytes) else { throw .malformed }
        let body = bytes[head.body...]
        guard let length = head.length else { return Answer(status: head.status, body: Data(body)) }
        guard length >= 0, body.count >= length else { throw .malformed }
        return Answer(status: head.status, body: Data(body.prefix(length)))
    }
}

/// Time for timeouts outside of the data path.
package enum Clock {
    /// Milliseconds of the boot clock, which goes on while the machine sleeps.
    package static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
