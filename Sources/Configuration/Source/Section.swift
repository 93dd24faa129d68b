import Yams

/// Collects what is wrong while a configuration is read. One value a file; used from one thread.
final class Diagnostics {
    private(set) var all: [Diagnostic] = []

    /// Notes an error at a node.
    func add(_ node: Node, _ message: String) {
        all.append(Diagnostic(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1, message: message))
    }

    func add(_ diagnostics: [Diagnostic]) { all += diagnostics }

    /// As a reader of the file meets them; one sentence about one place once.
    var inOrder: [Diagnostic] { Set(all).sorted() }
}

/// A value of the file with its dotted name, such as `devices.disk0.size`.
struct Entry {
    var path: String
    /// Where the key stands (for what is missing or misplaced).
    var key: Node
    var value: Node
    let diagnostics: Diagnostics

    /// Notes that this value is wrong: `path: message`.
    func refuse(_ message: String) { diagnostics.add(value, prefix + message) }

    /// Notes that this key is wrong, where the key stands.
    func refuseKey(_ message: String) { diagnostics.add(key, prefix + message) }

    /// The top level has no name.
    private var prefix: String { path.isEmpty ? "" : "\(path): " }

    /// The text of a scalar; anything else is refused.
    func text(_ wanted: String) -> String? {
        guard let scalar = value.scalar, !scalar.string.isEmpty else {
            refuse("\(value.kind) is no \(wanted)")
            return nil
        }
        return scalar.string
    }

    /// The elements of a sequence; anything else is refused.
    func list(_ wanted: String) -> [Entry]? {
        guard let sequence = value.sequence else {
            refuse("must be a list of \(wanted), written [one, two]; this is \(value.kind)")
            return nil
        }
        return sequence.enumerated().map {
            Entry(path: "\(path)[\($0.offset)]", key: $0.element, value: $0.element, diagnostics: diagnostics)
        }
    }

    /// The entries of a mapping with names of the user's, in the order of the file; anything else is refused.
    func entries(_ wanted: String) -> [(name: String, entry: Entry)]? {
        if value.isNull { return [] }
        guard let mapping = value.mapping else {
            refuse("must be a mapping \(wanted); this is \(value.kind)")
            return nil
        }
        return mapping.compactMap { pair in
            guard let name = pair.key.scalar?.string else {
                diagnostics.add(pair.key, prefix + "a key must be a plain name; this is \(pair.key.kind)")
                return nil
            }
            // A key that was made different because it stands twice is reported already.
            if let first = name.unicodeScalars.first, YAMLDocument.isMask(first) { return nil }
            let dotted = path.isEmpty ? name : "\(path).\(name)"
            return (name, Entry(path: dotted, key: pair.key, value: pair.value, diagnostics: diagnostics))
        }
    }
}

/// One key that a section knows: either it is read, or the feature behind it is not there yet.
struct KnownKey {
    var name: String
    /// Why it is refused, when it is.
    var unavailable: String?

    static func read(_ name: String) -> KnownKey { KnownKey(name: name) }
    static func unavailable(_ name: String, _ instead: String) -> KnownKey {
        KnownKey(name: name, unavailable: instead)
    }
}

/// A section with a fixed set of keys. Making it refuses every key that is unknown (naming the nearest one) or whose
/// feature is not there yet.
struct Section {
    let entry: Entry
    private var values: [String: Entry] = [:]

    /// Reads the section; nil when it is no mapping. An empty section (`name:` or `{}`) has no keys.
    init?(_ entry: Entry, keys: [KnownKey]) {
        self.entry = entry
        let names = keys.map(\.name)
        guard let found = entry.entries("of \(names.prefix(4).joined(separator: ", "))") else { return nil }
        for (name, value) in found {
            guard let known = keys.first(where: { $0.name == name }) else {
                let nearest = NearestName.of(name, among: names)
                let what = nearest.map { "did you mean '\($0)'?" } ?? "known here: \(names.joined(separator: ", "))"
                value.refuseKey("unknown key; \(what)")
                continue
            }
            if let instead = known.unavailable {
                value.refuseKey("not available in this version: \(instead)")
            } else {
                values[name] = value
            }
        }
    }

    /// The entry of a key, if it is there.
    subscript(key: String) -> Entry? { values[key] }

    /// The entry of a key that must be there; its absence is refused at the section.
    func required(_ key: String, _ example: String) -> Entry? {
        if let value = values[key] { return value }
        entry.refuseKey("'\(key)' is missing; write \(key): \(example)")
        return nil
    }

    /// A section of the top level, which must be there.
    func section(_ key: String, _ example: String) -> Entry? {
        if let entry = self[key] { return entry }
        entry.diagnostics.add(entry.key, "section '\(key)' is missing; write \(key): \(example)")
        return nil
    }
}

extension Node {
    /// For messages.
    var kind: String {
        switch self {
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "'\(scalar.string)'"
        case .alias: "an alias"
        }
    }

    /// `key:` without a value, or `~`.
    var isNull: Bool {
        guard let scalar, scalar.style == .plain else { return false }
        return scalar.string.isEmpty || scalar.string == "~" || scalar.string == "null"
    }
}
