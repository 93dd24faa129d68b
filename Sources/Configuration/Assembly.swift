import BlockModel
import Controller
import Primitives
import Yams

/// Puts the sections together: reads each, checks what spans several, and lays the units out. One value a file.
struct Assembly {
    let diagnostics: Diagnostics
    let surroundings: Configuration.Surroundings
    let root: Entry
    let stateOption: String?
    /// Nobody but its owner can read the file.
    let isPrivate: Bool

    private var array: ArraySection?
    private var controllers: ControllersSection?
    private var pair = PairSection()
    private var devices: DevicesSection?
    private var storage: StorageSection?
    private var policies = PoliciesSection()
    private var targets: TargetsSection?
    private var discovery = DiscoverySection()
    private var limits = LimitsSection()
    private var units: LogicalUnitsSection?
    private var management = try? NetworkAddress(parsing: "127.0.0.1:8080")
    private var managementEntry: Entry?
    private var state: String?

    static let keys: [KnownKey] = [
        .read("array"), .read("devices"), .read("storage"), .read("logical_units"), .read("targets"),
        .read("controllers"), .read("pair"), .read("policies"), .read("state"), .read("management"),
        .read("discovery"), .read("limits"),
    ]

    init(
        _ node: Node, _ diagnostics: Diagnostics, _ surroundings: Configuration.Surroundings, stateOption: String?,
        isPrivate: Bool
    ) {
        self.isPrivate = isPrivate
        self.diagnostics = diagnostics
        self.surroundings = surroundings
        self.stateOption = stateOption
        root = Entry(path: "", key: node, value: node, diagnostics: diagnostics)
    }

    /// The configuration; nil when something was wrong that leaves nothing to build from (then it was noted).
    mutating func build() -> Configuration? {
        readSections()
        checkAddresses()
        guard let name = array?.name, let controllers, let devices, let storage, let units, let targets else {
            return nil
        }
        let folder = stateFolder(array: name)
        var deviceList = deviceDescriptions(devices, folder, shared: controllers.items.count == 2)
        let controllerList = controllerDescriptions(controllers, name, folder)
        let layout = UnitLayout(units, storage, deviceList)
        for (index, bytes) in layout.thin { deviceList[Int(index.raw)].thinBytes = bytes }
        let unitList = unitDescriptions(name, units, layout, controllers)
        checkFiles(devices, controllers, folder, name)
        let access = AccessAssembly(targets, discovery, units: unitList, folder: folder, isPrivate: isPrivate)
        guard diagnostics.all.isEmpty else { return nil }
        var description = ArrayDescription(
            name: name, pairID: 0, controllers: controllerList, devices: deviceList, units: unitList,
            targets: access.targets)
        description.discovery = access.discovery
        description.credentials = access.credentials
        description.limits = limits.limits
        description.personality = array?.personality ?? Personality()
        description.pair = pair.times
        description.pair.witnessFile = Self.absolute(pair.witness ?? "witness", in: folder)
        description.pair.secretFile = Self.absolute(pair.secret ?? "secret", in: folder)
        let given = devices.items.filter { if case .stateFolder = $0.place { false } else { true } }.map(\.name)
        return Configuration(
            description: description, stateFolder: folder, management: management, givenDevices: Set(given))
    }

    // MARK: Sections

    private mutating func readSections() {
        guard let top = Section(root, keys: Self.keys) else { return }
        array = top.section("array", "{name: demo}").map(ArraySection.init)
        devices = top.section("devices", "{disk0: {size: 1GiB}}").map(DevicesSection.init)
        if let entry = top.section("storage", "{pool0: {members: [disk0]}}"), let devices {
            storage = StorageSection(entry, devices: devices)
        }
        policies = top["policies"].map(PoliciesSection.init) ?? policies
        if let entry = top.section("logical_units", "{0: {pool: pool0}}"), let storage {
            units = LogicalUnitsSection(entry, storage: storage, policies: policies)
        }
        targets = top.section("targets", "{iqn.2026-11.io.gemel:demo: {}}").map(TargetsSection.init)
        controllers = top.section("controllers", "{a: {portals: [127.0.0.1:3260]}}").map(ControllersSection.init)
        pair = top["pair"].map(PairSection.init) ?? pair
        discovery = top["discovery"].map(DiscoverySection.init) ?? discovery
        limits = top["limits"].map(LimitsSection.init) ?? limits
        readState(top["state"])
        readManagement(top["management"])
    }

    private mutating func readState(_ entry: Entry?) {
        guard let entry, let path = entry.text("path of a folder") else { return }
        if path.hasPrefix("/") { state = path } else { entry.refuse("'\(path)' is not absolute; write the whole path") }
    }

    private mutating func readManagement(_ entry: Entry?) {
        guard let entry else { return }
        managementEntry = entry
        if entry.value.scalar?.string == "none" {
            management = nil
        } else if let address = entry.address() {
            management = address
            if !address.isLoopback {
                entry.refuse(
                    "not available in this version: management on \(address), an address that others can reach; "
                        + "write one of this machine's own, such as 127.0.0.1:8080")
            }
        }
    }

    private func stateFolder(array: String) -> String {
        if let stateOption { return Self.absolute(stateOption, in: surroundings.workingFolder) }
        if let state { return state }
        if surroundings.isRoot { return "/var/lib/gemel/\(array)" }
        return "\(surroundings.stateHome ?? "\(surroundings.home)/.local/state")/gemel/\(array)"
    }

    // MARK: Addresses

    /// Every listener of the file has an address of its own.
    private func checkAddresses() {
        var taken: [(address: NetworkAddress, what: String)] = []
        func take(_ address: NetworkAddress?, _ what: String, _ refuse: (String) -> Void) {
            guard let address else { return }
            if let other = taken.first(where: { $0.address.collides(with: address) }) {
                let way = other.address == address ? "" : " (as \(other.address))"
                refuse("\(address) is taken by \(other.what)\(way); every listener has a port of its own")
            }
            taken.append((address, what))
        }
        for item in controllers?.items ?? [] {
            for portal in item.portals { take(portal.address, portal.entry.path, portal.entry.refuse) }
        }
        guard let items = controllers?.items else { return }
        for item in items where items.count == 2 {
            let what = "controllers.\(item.id.name).channel"
            if let entry = item.channelEntry {
                take(item.channel, what, entry.refuse)
            } else {
                take(item.channel, what) {
                    item.entry.refuseKey("the default channel \($0) (write channel: ADDRESS:PORT)")
                }
            }
        }
        if let managementEntry {
            take(management, "management", managementEntry.refuse)
        } else {
            take(management, "management") {
                root.diagnostics.add(
                    root.key, "management: the default \($0) (write management: ADDRESS:PORT, or none)")
            }
        }
    }

    // MARK: Devices and memory

    private func deviceDescriptions(
        _ section: DevicesSection, _ folder: String, shared: Bool
    ) -> [DeviceDescription] {
        section.items.map { item in
            let kind: DeviceDescription.Kind
            switch item.place {
            case .stateFolder: kind = .file("\(folder)/\(item.name).img")
            case .file(_, let path): kind = .file(Self.absolute(path, in: folder))
            case .block(_, let path): kind = .block(path)
            case .memory(let entry):
                kind = .memory
                if shared { entry.refuse("two controllers cannot share a device in memory; use a file") }
            }
            let bytes = item.size ?? askedSize(item, kind) ?? 0
            return DeviceDescription(name: item.name, kind: kind, dataBytes: bytes)
        }
    }

    /// What a given file has room for beside the array's own first MiB, in whole MiB.
    private func askedSize(_ item: DevicesSection.Item, _ kind: DeviceDescription.Kind) -> UInt64? {
        let path: String
        switch kind {
        case .file(let file), .block(let file): path = file
        case .memory: return nil
        }
        guard let whole = surroundings.deviceSize(path) else {
            item.entry.refuseKey("'size' is missing and \(path) cannot be asked for it; write size: 1GiB")
            return nil
        }
        let reserved = DeviceLayout.labelArea
        guard whole >= reserved + DevicesSection.size.lowerBound else {
            item.entry.refuseKey("\(path) has \(whole) bytes; the least is 2MiB, of which the first is the array's own")
            return nil
        }
        return ((whole - reserved) >> 20) << 20
    }

    private func controllerDescriptions(
        _ section: ControllersSection, _ name: String, _ folder: String
    ) -> [ControllerDescription] {
        section.items.map { item in
            ControllerDescription(
                id: item.id, portals: item.portals.map(\.address.description), channel: item.channel?.description ?? "",
                memoryBytes: Int(item.memoryBytes), memoryFile: memoryFile(item, name, folder),
                memoryDurability: item.durability)
        }
    }

    private func memoryFile(_ item: ControllersSection.Item, _ name: String, _ folder: String) -> String {
        item.memoryFile.map { Self.absolute($0.path, in: folder) } ?? "/dev/shm/gemel-\(name)-\(item.id.name).memory"
    }

    /// No file has two uses: two devices, two memories, or one of each.
    private func checkFiles(
        _ devices: DevicesSection, _ controllers: ControllersSection, _ folder: String, _ name: String
    ) {
        var taken: [String: String] = [:]
        func take(_ path: String, _ what: String, _ refuse: (String) -> Void) {
            let real = surroundings.realPath(path)
            if let other = taken[real] {
                refuse("\(path) is the file of \(other) already; each has one of its own")
            }
            taken[real] = what
        }
        take(Self.absolute(pair.witness ?? "witness", in: folder), "pair.witness") { _ in }
        take(Self.absolute(pair.secret ?? "secret", in: folder), "pair.secret") {
            root.diagnostics.add(root.key, "pair.secret: \($0)")
        }
        for item in devices.items {
            switch item.place {
            case .stateFolder: take("\(folder)/\(item.name).img", item.entry.path, item.entry.refuseKey)
            case .file(let entry, let path): take(Self.absolute(path, in: folder), item.entry.path, entry.refuse)
            case .block(let entry, let path): take(path, item.entry.path, entry.refuse)
            case .memory: break
            }
        }
        for item in controllers.items {
            let refuse = item.memoryFile.map { $0.entry.refuse } ?? item.entry.refuseKey
            take(memoryFile(item, name, folder), "\(item.entry.path).memory", refuse)
        }
    }

    // MARK: Units

    private func unitDescriptions(
        _ name: String, _ section: LogicalUnitsSection, _ layout: UnitLayout, _ controllers: ControllersSection
    ) -> [UnitDescription] {
        checkIdentities(name, section)
        let both = controllers.items.count == 2
        return section.items.compactMap { item in
            guard let place = layout.places[item.lun] else { return nil }
            if !both, item.preferred == .b {
                item.preferredEntry?.refuse("there is no controller b")
            }
            if place.bytes % UInt64(item.blockLength) != 0 {
                item.entry.refuseKey("\(place.bytes) bytes are no whole number of blocks of \(item.blockLength)")
            }
            var map = UnitMap(
                sectors: place.bytes / 512, device: place.device, dataOffset: place.dataOffset,
                stateOffset: place.stateOffset, preferred: item.preferred ?? .a, policy: item.policy)
            map.thin = item.profile.thin
            var unit = UnitDescription(
                lun: item.lun, map: map, blockLength: item.blockLength,
                naa: item.naa?.bytes ?? Identity.naa(array: name, lun: item.lun),
                serial: item.serial?.text ?? Identity.serial(array: name, lun: item.lun))
            unit.profile = item.profile
            return unit
        }
    }

    /// Hosts take units with one identity for two paths to one disk.
    private func checkIdentities(_ name: String, _ section: LogicalUnitsSection) {
        var designators: [String: String] = [:]
        var serials: [String: String] = [:]
        for item in section.items {
            let naa = Identity.format(naa: item.naa?.bytes ?? Identity.naa(array: name, lun: item.lun))
            if let other = designators[naa] {
                (item.naa?.entry ?? item.entry).refuse(
                    "\(naa) is the designator of \(other) already; each unit has one of its own")
            }
            designators[naa] = item.entry.path
            let serial = item.serial?.text ?? Identity.serial(array: name, lun: item.lun)
            if let other = serials[serial] {
                (item.serial?.entry ?? item.entry).refuse(
                    "\(serial) is the serial number of \(other) already; each unit has one of its own")
            }
            serials[serial] = item.entry.path
        }
    }
}
