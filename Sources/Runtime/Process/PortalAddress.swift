import CLinux

/// A numeric address and port: `127.0.0.1:3260` or `[::1]:3260`. Port 0 lets the kernel choose.
package struct PortalAddress: Equatable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: UInt16
    /// 4 or 6.
    package var family: Int32

    /// nil when the text is no such address.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = String(text[..<colon])
        family = 4
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            family = 6
        }
        var room = sockaddr_storage()
        if gemel_address(host, port, family, &room) == 0 { return nil }
        self.host = host
        self.port = port
    }

    package var description: String { family == 6 ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
