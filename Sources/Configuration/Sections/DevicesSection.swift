import Controller

/// `devices:` by the user's names.
struct DevicesSection {
    struct Item {
        var name: String
        var entry: Entry
        var place: Place
        /// Bytes of data, as given; nil: ask the file.
        var size: UInt64?
    }
    enum Place {
        /// `STATE/NAME.img`, which is made when it is not there.
        case stateFolder
        case file(Entry, String)
        case block(Entry, String)
        case memory(Entry)
    }
    var items: [Item] = []
    /// Names of refused ones too, so that a pool that uses one is not refused as well.
    var names: [String] = []

    static let devicesLimit = 64
    /// Data bytes of a device: the array's smallest unit to 64 TiB.
    static let size: ClosedRange<UInt64> = (1 << 20)...(64 << 40)

    private static let keys: [KnownKey] = [
        .read("size"), .read("file"), .read("block"), .read("memory"),
        .unavailable("iscsi", "remote devices; use file: or block:"),
        .unavailable("attached", "every device is attached to both controllers; leave the key out"),
        .unavailable("faults", "device fault plans; leave the key out"),
    ]

    init(_ entry: Entry) {
        guard let entries = entry.entries("of devices, such as {disk0: {size: 1GiB}}") else { return }
        if entries.isEmpty { entry.refuseKey("no device; write disk0: {size: 1GiB}") }
        if entries.count > Self.devicesLimit {
            entry.refuseKey("\(entries.count) devices; an array has at most \(Self.devicesLimit)")
        }
        for (name, inner) in entries {
            names.append(name)
            if !ArraySection.isName(name) {
                inner.refuseKey("a device's name has 1 to 32 lower-case letters, digits and '-', such as disk0")
            } else if let item = Self.item(name, inner) {
                items.append(item)
            }
        }
    }

    private static func item(_ name: String, _ entry: Entry) -> Item? {
        guard let section = Section(entry, keys: keys) else { return nil }
        let places = ["file", "block", "memory"].compactMap { section[$0] }
        if places.count > 1 {
            places[1].refuseKey("a device has one place; keep one of file, block and memory")
            return nil
        }
        var item = Item(name: name, entry: entry, place: .stateFolder)
        if let file = section["file"] {
            guard let path = file.text("path") else { return nil }
            if path.hasPrefix("iscsi://") {
                file.refuse("not available in this version: iscsi:// devices; use a file or a block device")
                return nil
            }
            item.place = .file(file, path)
        } else if let block = section["block"] {
            guard let path = block.text("path") else { return nil }
            guard path.hasPrefix("/") else {
                block.refuse("'\(path)' is no absolute path; a block device is named such as /dev/sdb")
                return nil
            }
            item.place = .block(block, path)
        } else if let memory = section["memory"] {
            guard let flag = memory.flag() else { return nil }
            if flag { item.place = .memory(memory) }
        }
        if let size = section["size"] {
            guard let bytes = size.size(multipleOf: 4096, Self.size) else { return nil }
            item.size = bytes
        } else {
            switch item.place {
            case .file, .block: break
            case .stateFolder, .memory:
                _ = section.required("size", "1GiB")
                return nil
            }
        }
        return item
    }
}
