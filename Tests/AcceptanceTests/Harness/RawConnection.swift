import Foundation
import Glibc

/// A TCP connection to a port of the loopback that says what it likes.
final class RawConnection {
    let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        let descriptor = descriptor
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(descriptor)
            throw Failure("port \(port) takes no connection: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Sends as much as the peer takes.
    func send(_ bytes: [UInt8]) {
        _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// What has come so far, without waiting.
    func receiveNow() -> (bytes: [UInt8], closed: Bool) {
        var all: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &room, room.count, Int32(MSG_DONTWAIT))
            if count == 0 { return (all, true) }
            if count < 0 { return (all, errno != EAGAIN) }
            all += room.prefix(count)
        }
    }

    /// Exactly `count` bytes; nil: the peer closed, or said nothing for `milliseconds`.
    func take(_ count: Int, milliseconds: Int = 5000) -> [UInt8]? {
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var all = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = all.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + done, count - done, 0) }
            if got <= 0 { return nil }
            done += got
        }
        return all
    }

    /// What comes until the peer closes, or says nothing for a while.
    func receive(milliseconds: Int) -> (bytes: [UInt8], closed: Bool) {
        var limit = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var all: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = recv(descriptor, &room, room.count, 0)
            if count == 0 { return (all, true) }
            if count < 0 { return (all, errno == ECONNRESET) }
            all += room.prefix(count)
        }
    }
}
