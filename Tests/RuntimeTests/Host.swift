import Controller
import Devices
import Glibc
import PagingFormats
import Primitives
import Runtime

/// A reactor with an echo engine on a thread of its own, and the folder that it lives in.
final class Running: @unchecked Sendable {
    let diary = EchoEngine.Diary()
    let scratch: Scratch
    let control: ControlPort
    let port: UInt16
    let channelPort: UInt16
    private var thread = pthread_t()
    private var reactor: Reactor<EchoEngine>?
    private(set) var outcome: ProcessOutcome?

    /// - Parameters:
    ///   - id: two in one folder are each other's partners.
    ///   - partnerPort: port of the partner's channel listener.
    init(
        _ id: ControllerID = .a, in scratch: Scratch = Scratch(), partnerPort: UInt16 = 1,
        opening: [ControllerEffect] = [],
        handlesSignals: Bool = false
    ) throws {
        self.scratch = scratch
        var options = ProcessOptions(runDirectory: scratch.path, stateDirectory: scratch.path) { _ in }
        options.handlesSignals = handlesSignals
        options.maximumStreams = 12
        let memory = try MemoryFile(
            path: options.resolve("\(id.name).memory"), layout: Sample.layout, identity: Sample.identity(id))
        Sample.superblock(id).encode(to: memory.base)
        Sample.seal(memory.base, frame: 2, dirty: 0xFF)
        let disk = options.resolve("disk-\(id.name)")
        try DeviceFile.create(disk, bytes: 1 << 20)
        _ = WitnessFile.create(options.resolve("witness"))
        let plant = try Plant.forTests(
            id: id, memory: memory, disk: disk, partnerPort: partnerPort, options: options)
        control = plant.control
        port = plant.portalPort
        channelPort = plant.channelPort
        let engine = EchoEngine(
            diary, memory: plant.memory.base, layout: Sample.layout, opening: opening)
        reactor = try Reactor(engine: engine, plant: plant)
        start()
    }

    private func start() {
        pthread_create(&thread, nil, { argument in
            guard let argument else { return nil }
            Unmanaged<Running>.fromOpaque(argument).takeUnretainedValue().run()
            return nil
        }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func run() {
        guard let reactor = reactor.take() else { return }
        outcome = reactor.run()
    }

    /// Waits for the end of the reactor.
    func join() -> ProcessOutcome? {
        pthread_join(thread, nil)
        thread = pthread_t()
        return outcome
    }

    deinit {
        if thread != pthread_t() {
            _ = control.halt()
            pthread_join(thread, nil)
        }
    }
}

/// A blocking TCP client.
final class Client {
    let fd: Int32

    /// - Parameter family: 4 or 6; to the loopback of that family.
    init(port: UInt16, family: Int32 = 4) {
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        fd = socket(family == 6 ? AF_INET6 : AF_INET, kind, 0)
        if family == 6 { Self.connectIPv6(fd, port) } else { Self.connectIPv4(fd, port) }
        var limit = timeval(tv_sec: 3, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    private static func connectIPv6(_ fd: Int32, _ port: UInt16) {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        address.sin6_addr = in6addr_loopback
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }

    private static func connectIPv4(_ fd: Int32, _ port: UInt16) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    deinit { close(fd) }

    func send(_ bytes: [UInt8]) -> Bool { Glibc.send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count }

    /// Exactly `count` bytes, or what came before the end or the time limit.
    func receive(_ count: Int) -> [UInt8] {
        var found: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65536)
        while found.count < count {
            let got = recv(fd, &room, Swift.min(room.count, count - found.count), 0)
            if got <= 0 { break }
            found += room[..<got]
        }
        return found
    }

    /// The peer closed, without a reset.
    var isAtEnd: Bool {
        var byte: UInt8 = 0
        return recv(fd, &byte, 1, 0) == 0
    }
}
