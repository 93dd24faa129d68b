import BlockModel
import Primitives

/// `logical_units:` by LUN.
struct LogicalUnitsSection {
    struct Item {
        var lun: UInt16
        var entry: Entry
        var pool: String
        /// nil: the rest of the pool.
        var size: UInt64?
        var sizeEntry: Entry?
        var blockLength: UInt32 = 512
        var profile = UnitProfile()
        var policy = Policy.standard
        var preferred: ControllerID?
        var preferredEntry: Entry?
        var naa: (bytes: InlineArray<16, UInt8>, entry: Entry)?
        var serial: (text: String, entry: Entry)?
    }
    var items: [Item] = []

    /// The longest write that one block operation takes.
    static let atomicLimit = UInt64(PageSize.operationPages * PageSize.bytes)
    /// LUNs of the peripheral device addressing method (SAM-6 §4.7.7.2).
    static let lun: ClosedRange<Int> = 0...255
    /// Commands in a task set.
    static let commands: ClosedRange<Int> = 8...1024
    static let size: ClosedRange<UInt64> = (1 << 20)...(64 << 40)

    private static let keys: [KnownKey] = [
        .read("pool"), .read("size"), .read("block_size"), .read("policy"), .read("preferred"), .read("identity"),
        .read("removable"), .read("read_only"), .read("version"), .read("thin"), .read("atomic"),
        .read("protection"), .read("commands"),
    ]
    private static let identityKeys: [KnownKey] = [.read("naa"), .read("serial")]

    init(_ entry: Entry, storage: StorageSection, policies: PoliciesSection) {
        guard let entries = entry.entries("of LUNs, such as {0: {pool: pool0}}") else { return }
        if entries.isEmpty { entry.refuseKey("no logical unit; write 0: {pool: pool0}") }
        var seen: [UInt16: Entry] = [:]
        for (name, inner) in entries {
            guard let number = Int(name), Self.lun.contains(number) else {
                inner.refuseKey(
                    "'\(name)' is no LUN; write a number from \(Self.lun.lowerBound) to \(Self.lun.upperBound)")
                continue
            }
            let lun = UInt16(number)
            if let first = seen[lun] {
                inner.refuseKey("LUN \(lun) is given twice: first as '\(first.path)'; keep one")
                continue
            }
            seen[lun] = inner
            if let item = Self.item(lun, inner, storage, policies) { items.append(item) }
        }
        // Every array answers REPORT LUNS and the first INQUIRY at LUN 0 (SPC-5 §6.3).
        if !entries.isEmpty, seen[0] == nil, !items.isEmpty {
            entry.refuseKey("LUN 0 is missing; hosts look there first, so one unit must be 0")
        }
    }

    private static func item(
        _ lun: UInt16, _ entry: Entry, _ storage: StorageSection, _ policies: PoliciesSection
    ) -> Item? {
        guard let section = Section(entry, keys: keys) else { return nil }
        let pool = section.required("pool", storage.names.first ?? "pool0")?.name(in: storage.names, "pool")
        var item = Item(lun: lun, entry: entry, pool: pool ?? "")
        item.sizeEntry = section["size"]
        item.size = section["size"]?.size(multipleOf: 4096, size)
        readProfile(section, &item)
        if let entry = section["policy"] {
            let builtIn = [Policy.standard, Policy.writeThrough]
            let known = builtIn + policies.policies
            // A refused policy is known by its name: one error is enough.
            if let name = entry.name(in: builtIn.map(\.name) + policies.names, "policy") {
                item.policy = known.first { $0.name == name } ?? .standard
            }
        }
        item.preferredEntry = section["preferred"]
        item.preferred = section["preferred"]?.choice(ControllerID.allCases.map { ($0.name, $0) })
        if let entry = section["identity"] { identity(entry, &item) }
        return pool == nil ? nil : item
    }

    /// Block size and what else a unit is. Pages have 4096 bytes, so that 512e is what a small block really is.
    private static func readProfile(_ section: Section, _ item: inout Item) {
        let sizes: [(String, (length: UInt32, exponent: UInt8))] = [
            ("512", (512, 0)), ("512e", (512, 3)), ("4096", (4096, 0)), ("4KiB", (4096, 0)),
        ]
        let size = section["block_size"]?.choice(sizes) ?? (512, 3)
        item.blockLength = size.length
        item.profile.physicalExponent = size.exponent
        item.profile.removable = section["removable"]?.flag() ?? false
        item.profile.readOnly = section["read_only"]?.flag() ?? false
        item.profile.thin = section["thin"]?.flag() ?? false
        if let entry = section["atomic"], let bytes = entry.size(multipleOf: 4096, 4096...Self.atomicLimit) {
            item.profile.atomicBytes = UInt32(bytes)
        }
        readProtection(section, &item)
        if let limit = section["commands"]?.number(commands) { item.profile.taskSetLimit = UInt16(limit) }
        item.profile.version = section["version"]?.choice([("spc3", 0x05), ("spc4", 0x06)]) ?? 0x06
    }

    /// T10 protection information: 8 bytes with each block of 512.
    private static func readProtection(_ section: Section, _ item: inout Item) {
        guard let entry = section["protection"] else { return }
        let types: [(String, UInt8)] = [("1", 1), ("2", 2), ("3", 3)]
        guard let type = entry.choice(types) else { return }
        if item.blockLength != 512 {
            entry.refuse("protection information needs blocks of 512 bytes; write block_size: 512e, or 512")
        } else {
            item.profile.protectionType = type
        }
    }

    private static func identity(_ entry: Entry, _ item: inout Item) {
        guard let section = Section(entry, keys: identityKeys) else { return }
        if let entry = section["naa"], let text = entry.text("designator") {
            if let bytes = Identity.parseNAA(text) {
                item.naa = (bytes, entry)
            } else {
                entry.refuse("'\(text)' is no NAA designator; write naa. and 32 hexadecimal digits, the first one 6")
            }
        }
        if let entry = section["serial"], let text = entry.text("serial number") {
            if (1...32).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) {
                item.serial = (text, entry)
            } else {
                entry.refuse("'\(text)' is no serial number; write 1 to 32 printable ASCII characters without blanks")
            }
        }
    }
}

extension Entry {
    /// The name of something that another section defines.
    fileprivate func name(in names: [String], _ what: String) -> String? {
        guard let text = text("name of a \(what)") else { return nil }
        if names.contains(text) { return text }
        let nearest = NearestName.of(text, among: names)
        refuse(
            "no \(what) is called '\(text)'; "
                + (nearest.map { "did you mean '\($0)'?" } ?? "there are: \(names.joined(separator: ", "))"))
        return nil
    }
}
