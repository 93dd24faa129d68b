import Foundation
import Glibc
import Simulation

/// A recovering host's streams are TCP connections.
final class SocketWires: HostWires {
    private let port: Int
    private var connections: [UInt32: RawConnection] = [:]

    init(port: Int) { self.port = port }

    func connect(_ number: UInt32) -> Bool {
        connections[number] = try? RawConnection(port: port)
        return connections[number] != nil
    }

    func send(_ number: UInt32, _ bytes: [UInt8]) { connections[number]?.send(bytes) }

    func receive(_ number: UInt32) -> (bytes: [UInt8], isClosed: Bool) {
        guard let (bytes, closed) = connections[number]?.receiveNow() else { return ([], true) }
        return (bytes, closed)
    }

    func drop(_ number: UInt32) { connections[number] = nil }

    func turn() -> Bool {
        var waited = connections.values.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        return poll(&waited, UInt(waited.count), 20) > 0
    }
}
