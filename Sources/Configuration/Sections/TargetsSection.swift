/// `targets:` by iSCSI name; a target is there on the portals of both controllers.
struct TargetsSection {
    var targets: [(name: String, access: AccessSection?)] = []

    static let targetsLimit = 256

    private static let keys: [KnownKey] = [
        .read("access"),
        .unavailable("portals", "a target is reached through every portal of both controllers"),
    ]

    init(_ entry: Entry) {
        guard let entries = entry.entries("of iSCSI names, such as {iqn.2026-11.io.gemel:demo: {}}") else { return }
        if entries.isEmpty { entry.refuseKey("no target; write iqn.2026-11.io.gemel:demo: {}") }
        if entries.count > Self.targetsLimit {
            entry.refuseKey("\(entries.count) targets; an array has at most \(Self.targetsLimit)")
        }
        for (name, inner) in entries {
            let violation = ISCSIName.violation(name)
            if let violation { inner.refuseKey(violation) }
            let access = Section(inner, keys: Self.keys)?["access"].map { AccessSection($0) }
            if violation == nil { targets.append((name, access)) }
        }
    }
}

/// `discovery:` who may ask which targets there are.
struct DiscoverySection {
    var access: AccessSection?

    private static let keys: [KnownKey] = [.read("access")]

    init() {}

    init(_ entry: Entry) {
        guard let section = Section(entry, keys: Self.keys) else { return }
        access = section.required("access", "[{chap: {user: NAME, secret_file: PATH}}]").map {
            AccessSection($0, forDiscovery: true)
        }
    }
}
