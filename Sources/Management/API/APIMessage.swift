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
    private let fields: [String: Field]

    /// A value of the object; the API takes texts and whole numbers only.
    private enum Field: Decodable {
        case null
        case text(String)
        case number(Int)
        case other

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .null
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let number = try? container.decode(Int.self) {
                self = .number(number)
            } else {
                self = .other
            }
        }
    }

    /// Reads an object whose keys are all in `known`; an empty body is an empty object.
    init(_ body: Data, known: [String]) throws(ManagementRefusal) {
        if body.isEmpty {
            fields = [:]
            return
        }
        guard Self.depth(body) <= Self.depthLimit else {
            throw .badRequest("the JSON is nested more than \(Self.depthLimit) deep")
        }
        guard let fields = try? JSONDecoder().decode([String: Field].self, from: body) else {
            throw .badRequest("the body is no JSON object; write one such as {\"to\": \"b\"}")
        }
        if let unknown = fields.keys.sorted().first(where: { !known.contains($0) }) {
            throw .badRequest("'\(unknown.prefix(64))' is not known here; there are: \(known.joined(separator: ", "))")
        }
        self.fields = fields
    }

    /// A text; nil when it is not there.
    func text(_ key: String) throws(ManagementRefusal) -> String? {
        switch fields[key] {
        case nil, .null: return nil
        case .text(let text): return text
        case .number, .other: throw .badRequest("'\(key)' must be a text")
        }
    }

    /// A LUN; nil when it is not there.
    func lun(_ key: String) throws(ManagementRefusal) -> UInt16? {
        switch fields[key] {
        case nil, .null: return nil
        case .number(let number):
            if let lun = UInt16(exactly: number) { return lun }
            throw .badRequest("\(number) is no logical unit")
        case .text, .other: throw .badRequest("'\(key)' must be the number of a logical unit")
        }
    }

    /// How deep brackets are nested outside of strings, before anything is built from them.
    private static func depth(_ body: Data) -> Int {
        var depth = 0
        var deepest = 0
        var inString = false
        var escaped = false
        for byte in body {
            if inString {
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
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
