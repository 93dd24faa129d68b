import CLinux
import Controller
import Glibc
import Primitives

extension Listeners {
    /// Binds the portals, the channel's listener and the window's socket of a controller, all or none.
    package init(
        _ own: ControllerDescription, partner: ControllerDescription?, options: ProcessOptions
    ) throws(RuntimeError) {
        var bound: [Int32] = []
        var channel: Int32 = -1
        var window: Int32 = -1
        let path = options.windowSocket(own.id.name)
        do {
            for portal in own.portals { bound.append(try Self.bind("portal", portal, own.id)) }
            if partner != nil {
                channel = try Self.bind("channel", own.channel, own.id)
                window = try Self.bindWindow(path)
            }
        } catch {
            for descriptor in bound + [channel] where descriptor >= 0 { close(descriptor) }
            throw error
        }
        portals = bound
        self.channel = channel
        self.window = window
        windowPath = path
    }

    static func unreadable(_ what: String, _ text: String, _ id: ControllerID) -> String {
        "\(what) \(text) of controller \(id.name) is no numeric address and port, as 127.0.0.1:3260 or [::1]:3260"
    }

    private static func bind(_ what: String, _ text: String, _ id: ControllerID) throws(RuntimeError) -> Int32 {
        guard let address = PortalAddress(text) else {
            throw RuntimeError(.configuration, unreadable(what, text, id))
        }
        let descriptor = gemel_listen_tcp(address.host, address.port, address.family)
        if descriptor >= 0 { return descriptor }
        let reason = String(cString: strerror(-descriptor))
        switch -descriptor {
        case EADDRINUSE:
            throw RuntimeError(
                .temporary,
                "\(what) \(address) of controller \(id.name) is taken: another program listens there (`ss -ltnp` names "
                    + "it); stop it, or configure another port")
        case EACCES:
            throw RuntimeError(
                .temporary, "\(what) \(address) of controller \(id.name): ports below 1024 need root; \(reason)")
        case EADDRNOTAVAIL:
            throw RuntimeError(
                .configuration, "\(what) \(address) of controller \(id.name): no interface has this address")
        default: throw RuntimeError(.ioError, "\(what) \(address) of controller \(id.name): \(reason)")
        }
    }

    private static func bindWindow(_ path: String) throws(RuntimeError) -> Int32 {
        let descriptor = gemel_listen_unix(path)
        if descriptor >= 0 { return descriptor }
        if descriptor == -ENAMETOOLONG {
            throw RuntimeError(
                .configuration, "the socket path \(path) is longer than 107 bytes; choose a shorter run folder")
        }
        throw .failed("window socket \(path)", -descriptor)
    }
}

/// The pair's secret file.
package enum Secret {
    /// Most bytes that a secret may have.
    package static var limit: Int { 1024 }

    /// Reads the secret: a regular file of this user, closed to others.
    package static func read(_ path: String, least: Int = 16) throws(RuntimeError) -> [UInt8] {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 {
            if errno == ENOENT || errno == ENOTDIR {
                throw RuntimeError(
                    .noInput, "secret file \(path) does not exist; `gemel up` makes it, both controllers need the same")
            }
            throw .failed("secret file \(path)", errno)
        }
        defer { close(fd) }
        var status = stat()
        if fstat(fd, &status) != 0 { throw .failed("secret file \(path)", errno) }
        if status.st_mode & 0o077 != 0 {
            throw RuntimeError(
                .configuration, "secret file \(path) is open to others than its owner; `chmod 600` it and change it")
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: limit + 1) { room, count in
            count = Swift.max(0, Glibc.read(fd, room.baseAddress, limit + 1))
        }
        if bytes.count < least {
            throw RuntimeError(.noInput, "secret file \(path) has \(bytes.count) bytes; at least \(least) are needed")
        }
        if bytes.count > limit {
            throw RuntimeError(.configuration, "secret file \(path) has more than \(limit) bytes")
        }
        return bytes
    }
}
