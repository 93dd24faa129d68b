/// `targets:` by iSCSI name; every target shows every logical unit, on the portals of both controllers.
struct TargetsSection {
    var names: [String] = []

    static let targetsLimit = 16

    private static let keys: [KnownKey] = [
        .unavailable("portals", "a target is reached through every portal of both controllers"),
        .unavailable("access", "every initiator may log in; the portals' addresses decide who reaches them"),
        .unavailable("initiators", "every initiator may log in"),
        .unavailable("chap", "logins need no password"),
        .unavailable("mutual", "logins need no password"),
        .unavailable("luns", "a target shows every logical unit"),
        .unavailable("limits", "the limits are built in"),
    ]

    init(_ entry: Entry) {
        guard let entries = entry.entries("of iSCSI names, such as {iqn.2026-11.io.gemel:demo: {}}") else { return }
        if entries.isEmpty { entry.refuseKey("no target; write iqn.2026-11.io.gemel:demo: {}") }
        if entries.count > Self.targetsLimit {
            entry.refuseKey("\(entries.count) targets; an array has at most \(Self.targetsLimit)")
        }
        for (name, inner) in entries {
            if let violation = ISCSIName.violation(name) {
                inner.refuseKey(violation)
            } else {
                names.append(name)
            }
            _ = Section(inner, keys: Self.keys)
        }
    }
}
