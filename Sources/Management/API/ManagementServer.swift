import FlyingFox
import FlyingSocks
import Foundation
import Glibc

/// Serves the API over HTTP on a unix socket or a loopback address.
package struct ManagementServer: Sendable {
    /// Where it listens.
    package enum Address: Sendable {
        /// A socket in a folder that only its owner can enter.
        case unix(path: String)
        /// IPv4 or IPv6 (without brackets), loopback.
        case tcp(host: String, port: UInt16)
    }
    private let server: HTTPServer
    private let address: Address

    package init(_ address: Address, service: any ManagementService) throws {
        self.address = address
        let port: UInt16? = if case .tcp(_, let port) = address { port } else { nil }
        let handler = Handler(router: ManagementRouter(service: service, port: port))
        server = HTTPServer(config: try Self.configuration(address), handler: handler)
    }

    /// Serves until the task is cancelled; throws when it cannot listen.
    package func run() async throws {
        // Whoever starts the server holds the lock of the array, so a socket that is left there is nobody's.
        if case .unix(let path) = address { unlink(path) }
        try await server.run()
    }

    /// Returns when requests are taken.
    package func untilListening(seconds: TimeInterval = 5) async throws {
        try await server.waitUntilListening(timeout: seconds)
        if case .unix(let path) = address { chmod(path, 0o600) }
    }

    private static func configuration(_ address: Address) throws -> HTTPServer.Configuration {
        var configuration: HTTPServer.Configuration
        switch address {
        case .unix(let path):
            configuration = .init(address: sockaddr_un.unix(path: path))
        case .tcp(let host, let port) where host.contains(":"):
            configuration = .init(address: try sockaddr_in6.inet6(ip6: host, port: port))
        case .tcp(let host, let port):
            configuration = .init(address: try sockaddr_in.inet(ip4: host, port: port))
        }
        // A body up to the limit is read before the handler runs; a longer one is read away by the handler, so that
        // nothing of it is ever taken for another request. No time limit may cut that short.
        configuration.sharedRequestBufferSize = ManagementRouter.bodyLimit
        configuration.sharedRequestReplaySize = 0
        configuration.timeout = 3600
        configuration.logger = .disabled
        return configuration
    }

    private struct Handler: HTTPHandler {
        let router: ManagementRouter

        func handleRequest(_ request: HTTPRequest) async throws -> HTTPResponse {
            // One byte more than the limit, and the router refuses.
            var body = Data()
            for try await chunk in request.bodySequence where body.count <= ManagementRouter.bodyLimit {
                body.append(chunk.prefix(ManagementRouter.bodyLimit + 1 - body.count))
            }
            let answer = await router.respond(
                to: APIRequest(
                    method: request.method.rawValue, path: request.path, host: request.headers[.host],
                    origin: request.headers[HTTPHeader("Origin")], contentType: request.headers[.contentType],
                    body: body))
            var headers: HTTPHeaders = [
                .contentType: answer.contentType,
                HTTPHeader("Cache-Control"): "no-store",
                HTTPHeader("X-Content-Type-Options"): "nosniff",
                HTTPHeader("Referrer-Policy"): "no-referrer",
                HTTPHeader("Content-Security-Policy"): StatusPage.contentSecurityPolicy,
            ]
            if let allow = answer.allow { headers[HTTPHeader("Allow")] = allow }
            return HTTPResponse(
                statusCode: HTTPStatusCode(answer.status, phrase: Self.phrase(answer.status)), headers: headers,
                body: answer.body)
        }

        private static func phrase(_ status: Int) -> String {
            let phrases = [
                200: "OK", 201: "Created", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
                405: "Method Not Allowed", 409: "Conflict", 413: "Content Too Large", 415: "Unsupported Media Type",
                421: "Misdirected Request", 503: "Service Unavailable", 504: "Gateway Timeout",
            ]
            return phrases[status] ?? "Error"
        }
    }
}
