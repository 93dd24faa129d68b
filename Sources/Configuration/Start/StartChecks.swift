import BlockModel
import Controller
import Glibc
import Primitives

/// What must be so before anything is touched. Each check throws its own exit code and names what is in the way.
package enum StartChecks {
    /// Devices that the user gave exist, are of the right kind, and are long enough.
    package static func devices(_ configuration: Configuration) throws(StartError) {
        for device in configuration.description.devices where configuration.givenDevices.contains(device.name) {
            let path: String
            let isBlock: Bool
            switch device.kind {
            case .file(let file): (path, isBlock) = (file, false)
            case .block(let block): (path, isBlock) = (block, true)
            case .memory: continue
            }
            var information = stat()
            guard stat(path, &information) == 0 else {
                throw StartError(
                    .noInput, "device \(device.name): \(path): \(reason(errno)); make it, or leave the path out")
            }
            let format = information.st_mode & S_IFMT
            guard format == (isBlock ? S_IFBLK : S_IFREG) else {
                let wanted = isBlock ? "block device; name a file with file:" : "file; name a block device with block:"
                throw StartError(.noInput, "device \(device.name): \(path) is no \(wanted)")
            }
            guard access(path, R_OK | W_OK) == 0 else {
                throw StartError(
                    .noInput, "device \(device.name): \(path): \(reason(errno)); give the right to read and write it")
            }
            let wanted = device.fileBytes
            let size = Configuration.Surroundings.process.deviceSize(path) ?? 0
            guard size >= wanted else {
                throw StartError(
                    .noInput,
                    "device \(device.name): \(path) has \(size) bytes and needs \(wanted), "
                        + "the first MiB for the array itself; make it longer, or its size smaller")
            }
        }
    }

    /// A secret that is there already is nobody else's to read, and long enough.
    package static func secret(_ configuration: Configuration) throws(StartError) {
        let path = configuration.description.pair.secretFile
        let size = try secretSize(
            path, named: "secret file \(path)", isOurs: path == configuration.stateFolder + "/secret",
            advice: "make it with 64 hexadecimal digits, mode 0600")
        guard let size else { return }
        guard size >= 32 else {
            throw StartError(.noInput, "secret file \(path) has \(size) bytes; it needs 32 or more")
        }
    }

    /// Bytes of a secret file that nobody else can read; nil when there is none and it is ours to make. `name` is what
    /// errors call it, and `advice` what to do when it cannot be found.
    static func secretSize(
        _ path: String, named name: String, isOurs: Bool, advice: String
    ) throws(StartError) -> Int? {
        var information = stat()
        guard stat(path, &information) == 0 else {
            let code = errno
            if code == ENOENT, isOurs { return nil }
            throw StartError(.noInput, "\(name): \(reason(code)); \(advice)")
        }
        guard information.st_mode & S_IFMT == S_IFREG else { throw StartError(.noInput, "\(name) is no file") }
        guard information.st_mode & 0o077 == 0 else {
            throw StartError(.configuration, "\(name) can be read by others; run chmod 600 on it")
        }
        return Int(information.st_size)
    }

    /// Nobody listens on the addresses that the controllers and the management will listen on.
    package static func ports(_ configuration: Configuration) throws(StartError) {
        let array = configuration.description
        for controller in array.controllers {
            for portal in controller.portals { try port(portal, "portal of controller \(controller.id.name)") }
            if array.controllers.count == 2 {
                try port(controller.channel, "channel of controller \(controller.id.name)")
            }
        }
        if let management = configuration.management { try port("\(management)", "management address") }
    }

    /// The same for one controller that is started alone.
    package static func ports(_ controller: ControllerDescription, isPair: Bool) throws(StartError) {
        for portal in controller.portals { try port(portal, "portal of controller \(controller.id.name)") }
        if isPair { try port(controller.channel, "channel of controller \(controller.id.name)") }
    }

    private static func port(_ text: String, _ what: String) throws(StartError) {
        guard let address = try? NetworkAddress(parsing: text) else { return }
        let descriptor = socket(address.isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw StartError(.inputOutput, "\(what) \(text): \(reason(errno))") }
        defer { close(descriptor) }
        var yes: Int32 = 1
        // As the listeners do: connections of an earlier run that are still closing are not in the way.
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let bound = address.withSocketAddress { bind(descriptor, $0, $1) }
        if bound == 0, listen(descriptor, 1) == 0 { return }
        switch errno {
        case EADDRINUSE:
            throw StartError(
                .temporary, "\(what): port \(text) is taken by another program; stop it, or choose another port")
        case EADDRNOTAVAIL:
            throw StartError(.configuration, "\(what): \(text) is no address of this machine")
        case let code: throw StartError(.inputOutput, "\(what) \(text): \(reason(code))")
        }
    }

    static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}

extension NetworkAddress {
    /// The address for `bind` and `connect`.
    package func withSocketAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        if isIPv6 {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            _ = inet_pton(AF_INET6, host, &address.sin6_addr)
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        _ = inet_pton(AF_INET, host, &address.sin_addr)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
