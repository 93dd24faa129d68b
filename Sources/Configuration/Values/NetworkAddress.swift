import Glibc

/// A numeric `address:port`, IPv4 (`127.0.0.1:3260`) or IPv6 in brackets (`[::1]:3260`).
package struct NetworkAddress: Hashable, Sendable, CustomStringConvertible {
    /// Without brackets, in its canonical form.
    package var host: String
    package var port: UInt16
    package var isIPv6: Bool

    /// What was wrong with a text that is no address, and what would be right.
    package struct Flaw: Error { package var message: String }

    package init(parsing text: String) throws(Flaw) {
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            throw Flaw(message: "'\(text)' has no port; write address:port, such as 127.0.0.1:3260")
        }
        let digits = text[text.index(after: colon)...]
        guard let port = UInt16(digits), port > 0, digits.allSatisfy(\.isNumber) else {
            throw Flaw(message: "'\(digits)' is no port; write a number from 1 to 65535, such as 3260")
        }
        var host = String(text[..<colon])
        isIPv6 = host.hasPrefix("[") && host.hasSuffix("]")
        if isIPv6 { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty, let canonical = Self.canonical(host, isIPv6: isIPv6) else {
            throw Flaw(
                message: "'\(host)' is no numeric address; write IPv4 as 127.0.0.1:3260 or IPv6 as \"[::1]:3260\"")
        }
        self.host = canonical
        self.port = port
    }

    private static func canonical(_ host: String, isIPv6: Bool) -> String? {
        let family = isIPv6 ? AF_INET6 : AF_INET
        var bytes = in6_addr()
        guard inet_pton(family, host, &bytes) == 1 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, &bytes, &text, socklen_t(text.count)) != nil else { return nil }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// As it is written in a configuration.
    package var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Only this machine can connect to it.
    package var isLoopback: Bool { isIPv6 ? host == "::1" : host.hasPrefix("127.") }

    /// Every address of the machine.
    package var isWildcard: Bool { host == "0.0.0.0" || host == "::" }

    /// Whether two listeners on these addresses would be in each other's way.
    package func collides(with other: NetworkAddress) -> Bool {
        guard port == other.port else { return false }
        if self == other { return true }
        // An IPv6 wildcard listener takes the IPv4 addresses too on Linux's default setting.
        return isWildcard && (isIPv6 || !other.isIPv6) || other.isWildcard && (other.isIPv6 || !isIPv6)
    }
}

extension Entry {
    /// An `address:port`; anything else is refused.
    func address() -> NetworkAddress? {
        guard let text = text("address; write address:port, such as 127.0.0.1:3260") else { return nil }
        do {
            return try NetworkAddress(parsing: text)
        } catch {
            refuse(error.message)
            return nil
        }
    }
}
