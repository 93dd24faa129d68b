import Controller
import Primitives

/// `controllers:` one or two of a and b, with their portals, channel and memory.
struct ControllersSection {
    struct Item {
        var id: ControllerID
        var entry: Entry
        var portals: [(address: NetworkAddress, entry: Entry)] = []
        var channel: NetworkAddress?
        /// Where the channel stands in the file; nil for the default.
        var channelEntry: Entry?
        var memoryBytes: UInt64 = 256 << 20
        /// As it was written; nil for the default place.
        var memoryFile: (path: String, entry: Entry)?
        var durability = MemoryDurability.process
    }
    var items: [Item] = []

    /// Portals of one controller.
    static let portalsLimit = 8
    /// Bytes of a memory file.
    static let memory: ClosedRange<UInt64> = (32 << 20)...(1 << 40)

    private static let keys: [KnownKey] = [
        .read("portals"), .read("channel"), .read("memory"),
        .unavailable("management", "the pair has one management address, the top-level key 'management'"),
        .unavailable("cores", "a controller runs on one thread"),
    ]
    private static let memoryKeys: [KnownKey] = [.read("size"), .read("file"), .read("durability")]

    init(_ entry: Entry) {
        guard let entries = entry.entries("of the controllers a and b") else { return }
        if entries.isEmpty { entry.refuseKey("no controller; write a: {portals: [127.0.0.1:3260]}") }
        for (name, inner) in entries {
            guard let id = ControllerID.allCases.first(where: { $0.name == name }) else {
                inner.refuseKey("a controller is called a or b")
                continue
            }
            if let item = Self.item(id, inner) { items.append(item) }
        }
        items.sort { $0.id.rawValue < $1.id.rawValue }
        if entries.count == 1, items.count == 1, let only = items.first, only.id == .b {
            only.entry.refuseKey("the controller of an array of one is called a")
        }
    }

    private static func item(_ id: ControllerID, _ entry: Entry) -> Item? {
        guard let section = Section(entry, keys: keys) else { return nil }
        var item = Item(id: id, entry: entry)
        if let list = section.required("portals", "[127.0.0.1:3260]")?.list("addresses") {
            item.portals = list.compactMap { entry in entry.address().map { ($0, entry) } }
            if list.isEmpty || list.count > portalsLimit {
                section["portals"]?.refuse("a controller has 1 to \(portalsLimit) portals; here are \(list.count)")
            }
        }
        item.channelEntry = section["channel"]
        if let entry = section["channel"] {
            item.channel = entry.address()
            if item.channel?.isWildcard == true {
                entry.refuse("the partner connects to this address; write one of this controller's own")
            }
        } else {
            item.channel = try? NetworkAddress(parsing: "127.0.0.1:\(3262 + Int(id.rawValue))")
        }
        if let entry = section["memory"] { memory(entry, &item) }
        return item
    }

    private static func memory(_ entry: Entry, _ item: inout Item) {
        guard let section = Section(entry, keys: memoryKeys) else { return }
        if let bytes = section["size"]?.size(multipleOf: 4096, memory) { item.memoryBytes = bytes }
        if let file = section["file"], let path = file.text("path") { item.memoryFile = (path, file) }
        let durabilities: [(String, MemoryDurability)] = [("process", .process), ("host", .host), ("power", .power)]
        if let durability = section["durability"]?.choice(durabilities) {
            item.durability = durability
            if durability != .process, item.memoryFile == nil {
                section["durability"]?.refuse(
                    "the default place (/dev/shm) survives the process only; give memory.file a durable place")
            }
        }
    }
}
