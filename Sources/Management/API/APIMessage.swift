import Foundation

/// A request of the API, free of the HTTP library: what the router decides by.
package struct APIRequest: Sendable {
    package var method: String
    package var path: String
    package var host: String?
    package var origin: String?
    package var contentType: String?
    package var body: Data

    package init(
        method: String, path: String, host: String? = "localhost", origin: String? = nil,
        contentType: String? = "application/json", body: Data = Data()
    ) {
        self.method = method
        self.path = path
        self.host = host
        self.origin = origin
        self.contentType = contentType
        self.body = body
    }
}

/// What the router answers.
package struct APIResponse: Sendable {
    package var status: Int
    package var contentType: String
    package var body: Data
    /// Methods that the path knows, with status 405.
    package var allow: String?

    package init(status: Int, contentType: String, body: Data) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// A value as JSON, keys in order, so that answers can be compared.
    static func json(_ value: some Encodable, status: Int = 200) -> APIResponse {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let body = try? encoder.encode(value) else {
            return APIResponse(status: 500, contentType: "application/json", body: Data(#"{"error":"no JSON"}"#.utf8))
        }
        return APIResponse(status: status, contentType: "application/json", body: body)
    }

    static func error(_ status: Int, _ message: String) -> APIResponse {
        json(["error": message], status: status)
    }
}

/// A JSON object from outside, looked at within bounds.
struct JSONBody {
    /// Nesting that is looked at; the API's own bodies are one deep.
    static let depthLimit = 8
    private let fields: [String: Any]

    /// Reads an object whose keys are all in `known`; an empty body is an empty object.
    init(_ body: Data, known: [String]) throws(ManagementRefusal) {
        if body.isEmpty {
            fields = [:]
            return
        }
        guard Self.depth(body) <= Self.depthLimit else {
            throw .badRequest("the JSON is nested more than \(Self.depthLimit) deep")
        }
        guard let object = try? JSONSerialization.jsonObject(with: body), let fields = object as? [String: Any] else {
            throw .badRequest("the body is no JSON object; write one such as {\"to\": \"b\"}")
        }
        if let unknown = fields.keys.sorted().first(where: { !known.contains($0) }) {
            throw .badRequest("'\(unknown.prefix(64))' is not known here; there are: \(known.joined(separator: ", "))")
        }
        self.fields = fields
    }

    /// A text; nil when it is not there.
    func text(_ key: String) throws(ManagementRefusal) -> String? {
        guard let value = fields[key], !(value is NSNull) else { return nil }
        guard let text = value as? String else { throw .badRequest("'\(key)' must be a text") }
        return text
    }

    /// A LUN; nil when it is not there.
    func lun(_ key: String) throws(ManagementRefusal) -> UInt16? {
        guard let value = fields[key], !(value is NSNull) else { return nil }
        guard let number = value as? Int, !(value is Bool), let lun = UInt16(exactly: number) else {
            throw .badRequest("'\(key)' must be the number of a logical unit")
        }
        return lun
    }

    /// How deep brackets are nested outside of strings, before anything is built from them.
    private static func depth(_ body: Data) -> Int {
        var depth = 0
        var deepest = 0
        var inString = false
        var escaped = false
        for byte in body {
            if inString {
                if escaped { escaped = false } else if byte == UInt8(ascii: "\\") { escaped = true }
                else if byte == UInt8(ascii: "\"") { inString = false }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): inString = true
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                deepest = max(deepest, depth)
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        return deepest
    }
}
