import Controller
import Yams

/// `access:` of a target or of discovery: a list of who may come, what they prove, and what they get.
struct AccessSection {
    struct Account {
        var user: String
        var entry: Entry
        /// As it was written.
        var file: String?
        var text: HiddenText?
    }
    struct Item {
        var entry: Entry
        var initiators = ["*"]
        var chap: Account?
        var mutual: Account?
        /// LUN of the initiators, LUN of the unit.
        var luns: [(lun: UInt16, unit: UInt16, entry: Entry)]?
        var readOnly = false
        var sessions: Int?
        var commandWindow: Int?
    }
    var items: [Item] = []

    static let rulesLimit = 256
    static let initiatorsLimit = 256
    /// Bytes of a secret: 96 bits at the least (RFC 7143 §9.2.1).
    static let secretBytes = 12...256

    private static let keys: [KnownKey] = [
        .read("initiators"), .read("chap"), .read("mutual"), .read("luns"), .read("read_only"), .read("sessions"),
        .read("command_window"),
    ]
    /// Discovery has no units.
    private static let discoveryKeys: [KnownKey] = [.read("initiators"), .read("chap"), .read("mutual")]
    private static let accountKeys: [KnownKey] = [.read("user"), .read("secret_file"), .read("secret")]

    init(_ entry: Entry, forDiscovery: Bool = false) {
        guard let list = entry.list("entries such as {initiators: [iqn.2026-11.com.example:host]}") else { return }
        if list.isEmpty { entry.refuse("nobody may come by an empty list; leave the key out to let everybody come") }
        if list.count > Self.rulesLimit {
            entry.refuse("\(list.count) entries; a list has at most \(Self.rulesLimit)")
        }
        for inner in list {
            guard let section = Section(inner, keys: forDiscovery ? Self.discoveryKeys : Self.keys) else { continue }
            var item = Item(entry: inner)
            if let names = section["initiators"] { item.initiators = initiators(names) }
            item.chap = section["chap"].flatMap(Self.account)
            item.mutual = section["mutual"].flatMap(Self.account)
            if let mutual = section["mutual"], section["chap"] == nil {
                mutual.refuseKey("the target proves itself only to initiators that do; write chap: {user: NAME, …} too")
            }
            item.luns = section["luns"].flatMap(Self.luns)
            item.readOnly = section["read_only"]?.flag() ?? false
            item.sessions = section["sessions"]?.number(1...256)
            item.commandWindow = section["command_window"]?.number(1...1024)
            items.append(item)
        }
    }

    // MARK: Initiators

    /// Names and patterns; one that an earlier entry takes away is refused.
    private func initiators(_ entry: Entry) -> [String] {
        guard let list = entry.list("iSCSI names, or beginnings of them with *") else { return [] }
        if list.isEmpty { entry.refuse("an empty list is nobody; leave the key out to mean everybody") }
        if list.count > Self.initiatorsLimit {
            entry.refuse("\(list.count) names; an entry has at most \(Self.initiatorsLimit)")
        }
        var names: [String] = []
        for inner in list {
            guard let name = inner.text("iSCSI name") else { continue }
            if let violation = Self.violation(name) {
                inner.refuse(violation)
                continue
            }
            for item in items {
                if let other = item.initiators.first(where: { Self.covers($0, name) }) {
                    inner.refuse("'\(name)' never counts here: '\(other)' in \(item.entry.path) comes before it")
                    break
                }
            }
            names.append(name)
        }
        return names
    }

    private static func violation(_ name: String) -> String? {
        guard name.hasSuffix("*") else { return ISCSIName.violation(name) }
        let start = name.dropLast()
        if start.contains("*") { return "'\(name)' has a '*' inside; only the last character may be one" }
        let types = ["iqn.", "eui.", "naa."]
        let isStart = start.isEmpty || types.contains { start.hasPrefix($0) }
        guard isStart, start.utf8.count <= ISCSIName.bytesLimit, start.unicodeScalars.allSatisfy(ISCSIName.isAllowed)
        else { return "'\(name)' is no beginning of an iSCSI name; write one such as iqn.2026-11.com.example:*" }
        return nil
    }

    /// Whether everything that `name` means is meant by `pattern`.
    private static func covers(_ pattern: String, _ name: String) -> Bool {
        pattern.hasSuffix("*") ? name.hasPrefix(pattern.dropLast()) : pattern == name
    }

    // MARK: Proofs

    private static func account(_ entry: Entry) -> Account? {
        guard let section = Section(entry, keys: accountKeys),
            let user = section.required("user", "host1")?.text("name") else { return nil }
        guard user.utf8.count <= 255, user.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            section["user"]?.refuse("a name has 1 to 255 printable ASCII characters without blanks")
            return nil
        }
        var account = Account(user: user, entry: entry)
        if let file = section["secret_file"] {
            if let both = section["secret"] { both.refuseKey("'secret_file' is given too; keep one of them") }
            guard let path = file.text("path") else { return nil }
            account.file = path
            return account
        }
        guard let inline = section["secret"] else {
            entry.refuseKey(
                "'secret_file' is missing; write secret_file: \(user).secret, a file that only you can read")
            return nil
        }
        // Whatever is wrong with it, no message repeats it.
        guard let text = inline.value.scalar?.string, secretBytes.contains(text.utf8.count),
            text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else {
            inline.refuse(
                "a secret has \(secretBytes.lowerBound) to \(secretBytes.upperBound) bytes without control characters "
                    + "(RFC 7143 §9.2.1)")
            return nil
        }
        account.text = HiddenText(text)
        return account
    }

    // MARK: LUNs

    /// A mask, `[0, 1]`, or a map, `{0: 3, 1: 5}`.
    private static func luns(_ entry: Entry) -> [(lun: UInt16, unit: UInt16, entry: Entry)]? {
        let range = LogicalUnitsSection.lun
        var found: [(lun: UInt16, unit: UInt16, entry: Entry)] = []
        func add(_ lun: Int, _ unit: Int, _ entry: Entry) {
            if found.contains(where: { Int($0.lun) == lun }) {
                entry.refuseKey("LUN \(lun) is given twice; keep one")
            } else if let other = found.first(where: { Int($0.unit) == unit }) {
                entry.refuse("the unit \(unit) has LUN \(other.lun) already; a unit has one LUN for an initiator")
            } else {
                found.append((UInt16(lun), UInt16(unit), entry))
            }
        }
        if entry.value.mapping != nil {
            for (name, inner) in entry.entries("of LUNs") ?? [] {
                guard let lun = Int(name), range.contains(lun) else {
                    inner.refuseKey(
                        "'\(name)' is no LUN; write a number from \(range.lowerBound) to \(range.upperBound)")
                    continue
                }
                if let unit = inner.number(range) { add(lun, unit, inner) }
            }
        } else {
            guard let list = entry.list("LUNs (or a mapping of them, {0: 3, 1: 5})") else { return nil }
            for inner in list {
                if let lun = inner.number(range) { add(lun, lun, inner) }
            }
        }
        if found.isEmpty { entry.refuse("no unit is left; name one, or leave the key out to show all") }
        return found
    }
}
