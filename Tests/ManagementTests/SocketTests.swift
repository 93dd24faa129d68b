import Foundation
import Management
import Synchronization
import Testing

/// The API over a real unix socket, asked by the client that the command and the supervisor use.
@Suite struct SocketTests {
    /// A path that is short enough for a socket.
    static func socketPath() -> String { "/tmp/gemel-test-\(UUID().uuidString.prefix(13)).sock" }

    func serving(_ body: (ControlClient, FakePair) async throws -> Void) async throws {
        let path = Self.socketPath()
        let pair = FakePair()
        let server = try ManagementServer(.unix(path: path), service: pair)
        let task = Task { try await server.run() }
        defer {
            task.cancel()
            unlink(path)
        }
        try await server.untilListening()
        try await body(ControlClient(socketPath: path), pair)
    }

    func ask(
        _ client: ControlClient, _ method: String, _ path: String, _ body: Data? = nil
    ) async throws -> ControlClient.Answer {
        try await ControlClient.detached {
            Result { () throws(ControlClient.Failure) in try client.request(method, path, body: body, seconds: 20) }
        }.get()
    }

    @Test func requestsAreAnsweredAndRefusalsHaveASentence() async throws {
        try await serving { client, pair in
            let health = try await ask(client, "GET", "/health")
            #expect(health.status == 200)
            let status = try JSONDecoder().decode(PairStatus.self, from: try await ask(client, "GET", "/status").body)
            #expect(status.array == "demo")
            let moved = try await ask(client, "POST", "/failover", Data(#"{"to":"b","lun":0}"#.utf8))
            #expect(moved.status == 200)
            #expect(pair.state.withLock { $0.homes[0] } == "b")
            let refusal = try await ask(client, "POST", "/failover", Data(#"{"to":"x"}"#.utf8))
            #expect(refusal.status == 400)
            #expect(refusal.message == "'to' must be a or b: the controller that the units move to")
        }
    }

    @Test func aBodyAboveTheLimitIsReadAwayAndNothingOfItIsARequest() async throws {
        try await serving { client, pair in
            var body = Data(count: ManagementRouter.bodyLimit + 1)
            body.append(Data("POST /failover HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n".utf8))
            body.append(Data("Content-Length: 10\r\n\r\n{\"to\":\"b\"}".utf8))
            let answer = try await ask(client, "POST", "/reset", body)
            #expect(answer.status == 413)
            #expect(pair.state.withLock { $0.homes[0] } == "a")
        }
    }

    @Test func onlyItsOwnerReachesTheSocket() async throws {
        try await serving { client, _ in
            let attributes = try FileManager.default.attributesOfItem(atPath: client.socketPath)
            #expect((attributes[.posixPermissions] as? Int) == 0o600)
        }
    }

    @Test func aSocketThatIsNotThereIsUnreachable() {
        #expect(throws: ControlClient.Failure.unreachable(ENOENT)) {
            try ControlClient(socketPath: "/tmp/gemel-nobody.sock").request("GET", "/health")
        }
        let long = "/tmp/" + String(repeating: "x", count: 200)
        #expect(throws: ControlClient.Failure.pathTooLong) {
            try ControlClient(socketPath: long).request("GET", "/health")
        }
    }

    @Test func whoeverListensAndSaysNothingCostsTheTimeoutOnly() throws {
        let path = Self.socketPath()
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer {
            close(listener)
            unlink(path)
        }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && listen(listener, 4) == 0)
        #expect(throws: ControlClient.Failure.timedOut) {
            try ControlClient(socketPath: path).request("GET", "/health", seconds: 0.2)
        }
    }
}
