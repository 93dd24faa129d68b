/// `storage:` pools of devices. In this version a pool is one device.
struct StorageSection {
    struct Pool {
        var name: String
        var entry: Entry
        /// The name of its one device.
        var member: String
    }
    var pools: [Pool] = []
    /// Names of refused ones too.
    var names: [String] = []

    private static let keys: [KnownKey] = [
        .read("members"), .read("raid"),
        .unavailable("strip", "a pool has one member; leave the key out"),
        .unavailable("spares", "a pool has one member; leave the key out"),
        .unavailable("checksums", "leave the key out"),
        .unavailable("scrub", "leave the key out"),
    ]

    init(_ entry: Entry, devices: DevicesSection) {
        guard let entries = entry.entries("of pools, such as {pool0: {members: [disk0]}}") else { return }
        if entries.isEmpty { entry.refuseKey("no pool; write pool0: {members: [disk0]}") }
        var owners: [String: String] = [:]
        for (name, inner) in entries {
            names.append(name)
            guard let section = Section(inner, keys: Self.keys) else { continue }
            if let raid = section["raid"], let level = raid.text("level"), level != "linear" {
                raid.refuse("not available in this version: RAID level '\(level)'; a pool is linear, on one device")
            }
            guard let members = section.required("members", "[disk0]")?.list("devices") else { continue }
            let known = members.compactMap { Self.member($0, devices) }
            if members.count != 1 {
                section["members"]?.refuse(
                    members.isEmpty
                        ? "no device; write members: [disk0]"
                        : "not available in this version: \(members.count) members in one pool; "
                            + "make a pool of each device"
                )
            }
            for (member, entry) in known {
                if let owner = owners[member] {
                    entry.refuse("'\(member)' is in \(owner) already; a device belongs to one pool")
                }
                owners[member] = inner.path
            }
            if members.count == 1, let member = known.first {
                pools.append(Pool(name: name, entry: inner, member: member.0))
            }
        }
    }

    private static func member(_ entry: Entry, _ devices: DevicesSection) -> (String, Entry)? {
        guard let name = entry.text("name of a device") else { return nil }
        if devices.names.contains(name) { return (name, entry) }
        let nearest = NearestName.of(name, among: devices.names)
        let known = devices.names.joined(separator: ", ")
        entry.refuse(
            "no device is called '\(name)'; " + (nearest.map { "did you mean '\($0)'?" } ?? "there are: \(known)"))
        return nil
    }
}
