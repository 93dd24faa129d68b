import BlockModel
import Controller
import Primitives

/// Puts access together: resolves LUNs to units and secrets to credentials, and checks what spans several entries.
struct AccessAssembly {
    private let units: [UnitDescription]
    /// Folder of relative paths.
    private let folder: String
    /// Nobody else can read the file that the configuration is in.
    private let isPrivate: Bool
    private(set) var targets: [TargetDescription] = []
    private(set) var discovery: [AccessDescription] = []
    private(set) var credentials: [CredentialDescription] = []
    /// Where each credential stands.
    private var entries: [Entry] = []

    init(
        _ targets: TargetsSection, _ discovery: DiscoverySection, units: [UnitDescription], folder: String,
        isPrivate: Bool
    ) {
        self.units = units
        self.folder = folder
        self.isPrivate = isPrivate
        self.targets = targets.targets.map { TargetDescription(name: $0.name, access: descriptions($0.access)) }
        self.discovery = descriptions(discovery.access)
    }

    /// The entries of a list; everybody without one.
    private mutating func descriptions(_ section: AccessSection?) -> [AccessDescription] {
        guard let section, !section.items.isEmpty else { return [AccessDescription()] }
        return section.items.map { item in
            var access = AccessDescription()
            access.initiators = item.initiators
            access.chap = item.chap.map { account($0, isTargets: false) }
            access.mutual = item.mutual.map { account($0, isTargets: true) }
            access.mappings = item.luns.map { $0.compactMap(mapping) }
            access.readOnly = item.readOnly
            access.maxSessions = item.sessions
            access.commandWindow = item.commandWindow
            return access
        }
    }

    private func mapping(_ line: (lun: UInt16, unit: UInt16, entry: Entry)) -> AccessDescription.Mapping? {
        guard let index = units.firstIndex(where: { $0.lun == line.unit }) else {
            let known = units.map { "\($0.lun)" }.joined(separator: ", ")
            line.entry.refuse("there is no logical unit \(line.unit); there are: \(known)")
            return nil
        }
        return .init(lun: line.lun, unit: UnitIndex(UInt16(index)))
    }

    private mutating func account(_ account: AccessSection.Account, isTargets: Bool) -> AccessDescription.Account {
        let place: CredentialDescription.Place
        if let text = account.text {
            place = .here(text)
            if !isPrivate {
                account.entry.refuseKey(
                    "a secret stands in this file, and others can read it; run chmod 600 on the file, "
                        + "or write secret_file")
            }
        } else {
            place = .file(Assembly.absolute(account.file ?? "", in: folder))
        }
        for (index, other) in credentials.enumerated()
        where other.isTargets != isTargets && Self.areSame(other.place, place) {
            account.entry.refuseKey(
                "the secret is that of \(entries[index].path); an initiator and the target never share one, or the "
                    + "proof of one would be the other's (RFC 7143 §9.2.1)")
        }
        credentials.append(CredentialDescription(place: place, key: account.entry.path, isTargets: isTargets))
        entries.append(account.entry)
        return .init(name: account.user, credential: credentials.count - 1)
    }

    private static func areSame(_ a: CredentialDescription.Place, _ b: CredentialDescription.Place) -> Bool {
        switch (a, b) {
        case (.here(let first), .here(let second)): first == second
        case (.file(let first), .file(let second)): first == second
        case (.here, .file), (.file, .here): false
        }
    }
}
