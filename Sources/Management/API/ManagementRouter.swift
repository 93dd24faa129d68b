import Foundation

/// The API: which request does what. It knows neither sockets nor the HTTP library.
///
///     GET  /health            200 while the process lives
///     GET  /ready             200 when the pair is able to serve, 503 before
///     GET  /status            PairStatus
///     GET  /metrics           Prometheus text
///     POST /failover          {"to": "b", "lun": 0}   without lun: every unit
///     POST /failback
///     POST /maintenance       {"controller": "a", "mode": "on"}   or off
///     GET  /faults            the faults in effect
///     POST /faults            {"type": "controller-kill", "controller": "a"}; 201 when new, 200 when there already
///     GET, DELETE /faults/NAME
///     POST /reset             no faults any more
///     GET  /                  the page
package struct ManagementRouter: Sendable {
    /// Bytes of a body.
    package static let bodyLimit = 64 << 10
    let service: any ManagementService
    /// Host headers that are answered, in lower case: a name that a page in somebody's browser had pointed at this
    /// machine is not among them (DNS rebinding).
    let hosts: Set<String>

    /// - Parameter port: of the TCP listener; nil for a unix socket.
    package init(service: any ManagementService, port: UInt16?) {
        self.service = service
        let names = ["localhost", "127.0.0.1", "[::1]"]
        hosts = Set(names + (port.map { port in names.map { "\($0):\(port)" } } ?? []))
    }

    /// Answers a request. Never throws: every refusal is an answer.
    package func respond(to request: APIRequest) async -> APIResponse {
        guard let host = request.host?.lowercased(), hosts.contains(host) else {
            return .error(421, "this address answers to \(hosts.sorted().joined(separator: ", ")) only")
        }
        if let origin = request.origin, origin.lowercased() != "http://\(host)" {
            return .error(403, "requests of pages from elsewhere are not answered")
        }
        guard request.body.count <= Self.bodyLimit else {
            return .error(413, "the body has more than \(Self.bodyLimit) bytes")
        }
        // A form of another site can post text, but not JSON, without the browser asking first.
        if request.method == "POST", !Self.isJSON(request.contentType) {
            return .error(415, "a POST has Content-Type: application/json")
        }
        do throws(ManagementRefusal) {
            return try await route(request)
        } catch {
            return .error(error.status, error.message)
        }
    }

    private static func isJSON(_ type: String?) -> Bool {
        guard let type else { return false }
        let essence = type.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces)
        return essence.lowercased() == "application/json"
    }

    private func route(_ request: APIRequest) async throws(ManagementRefusal) -> APIResponse {
        switch (request.method, request.path) {
        case ("GET", "/health"): return .json(["health": "ok"])
        case ("GET", "/ready"):
            let ready = await service.status().ready
            return .json(["ready": ready], status: ready ? 200 : 503)
        case ("GET", "/status"): return .json(await service.status())
        case ("GET", "/metrics"):
            let text = MetricsText.render(await service.status())
            return APIResponse(status: 200, contentType: MetricsText.contentType, body: Data(text.utf8))
        case ("POST", "/failover"): return try await failover(request)
        case ("POST", "/failback"):
            _ = try JSONBody(request.body, known: [])
            try await service.failback()
            return .json(await service.status().units)
        case ("POST", "/maintenance"): return try await maintenance(request)
        case ("GET", "/faults"): return .json(await service.status().faults)
        case ("POST", "/faults"): return try await addFault(request)
        case ("POST", "/reset"):
            _ = try JSONBody(request.body, known: [])
            try await service.reset()
            return .json(await service.status().faults)
        default: break
        }
        if let asset = StatusPage.asset(request.path) {
            guard request.method == "GET" else { return Self.notAllowed("GET") }
            return asset
        }
        if request.path.hasPrefix("/faults/") { return try await oneFault(request) }
        let methods = [
            "/health": "GET", "/ready": "GET", "/status": "GET", "/metrics": "GET", "/failover": "POST",
            "/failback": "POST", "/maintenance": "POST", "/faults": "GET, POST", "/reset": "POST",
        ]
        if let allow = methods[request.path] { return Self.notAllowed(allow) }
        throw .notFound("nothing is here; there are: \(methods.keys.sorted().joined(separator: ", "))")
    }

    private static func notAllowed(_ methods: String) -> APIResponse {
        var response = APIResponse.error(405, "the method is not known here; there are: \(methods)")
        response.allow = methods
        return response
    }

    private func failover(_ request: APIRequest) async throws(ManagementRefusal) -> APIResponse {
        let body = try JSONBody(request.body, known: ["to", "lun"])
        guard let to = try body.text("to"), ["a", "b"].contains(to) else {
            throw .badRequest("'to' must be a or b: the controller that the units move to")
        }
        try await service.moveHome(lun: try body.lun("lun"), to: to)
        return .json(await service.status().units)
    }

    private func maintenance(_ request: APIRequest) async throws(ManagementRefusal) -> APIResponse {
        let body = try JSONBody(request.body, known: ["controller", "mode"])
        guard let name = try body.text("controller"), ["a", "b"].contains(name) else {
            throw .badRequest("'controller' must be a or b: the one that sends its hosts to the other")
        }
        guard let mode = try body.text("mode"), ["on", "off"].contains(mode) else {
            throw .badRequest("'mode' must be on or off")
        }
        try await service.maintenance(name, mode == "on")
        return .json(await service.status().controllers)
    }

    private func addFault(_ request: APIRequest) async throws(ManagementRefusal) -> APIResponse {
        let body = try JSONBody(request.body, known: ["name", "type", "controller", "direction"])
        guard let type = try body.text("type") else { throw .badRequest("'type' is missing, such as controller-kill") }
        let fault = try Fault(
            name: try body.text("name"), type: type, controller: try body.text("controller"),
            direction: try body.text("direction"))
        let isNew = try await service.add(fault)
        return .json(fault, status: isNew ? 201 : 200)
    }

    private func oneFault(_ request: APIRequest) async throws(ManagementRefusal) -> APIResponse {
        let name = String(request.path.dropFirst("/faults/".count))
        guard Fault.isName(name) else { throw .notFound("no fault is called that") }
        switch request.method {
        case "GET":
            guard let fault = await service.status().faults.first(where: { $0.name == name }) else {
                throw .notFound("no fault is called '\(name)'")
            }
            return .json(fault)
        case "DELETE":
            try await service.remove(fault: name)
            return .json(await service.status().faults)
        default: return Self.notAllowed("GET, DELETE")
        }
    }
}
