import BlockModel
import Controller
import Primitives

/// Where units stand on their devices: after the array's own first MiB, one after the other in the order of the file,
/// each on a MiB boundary. A unit without a size gets what the others of its pool leave. A unit with protection
/// information takes 4608 bytes for each 4096.
///
///     0          1 MiB                                                    end
///     | label, states | first unit | second unit | …                     |
struct UnitLayout {
    struct Place {
        var device: DeviceIndex
        var bytes: UInt64
        var dataOffset: UInt64
        var stateOffset: UInt64
    }
    /// By LUN; refused ones are not in it.
    private(set) var places: [UInt16: Place] = [:]
    /// Bytes that the units of a thin device need, by device.
    private(set) var thin: [DeviceIndex: UInt64] = [:]

    private static let alignment: UInt64 = 1 << 20

    init(_ section: LogicalUnitsSection, _ storage: StorageSection, _ devices: [DeviceDescription]) {
        for pool in storage.pools {
            guard let index = devices.firstIndex(where: { $0.name == pool.member }) else { continue }
            let items = section.items.filter { $0.pool == pool.name }
            // A size that was refused is no wish for the rest.
            guard items.allSatisfy({ $0.sizeEntry == nil || $0.size != nil }) else { continue }
            let device = DeviceIndex(UInt16(index))
            if items.contains(where: \.profile.thin) {
                guard allThin(items, pool, devices[index]) else { continue }
                place(items, pool, device, DevicesSection.size.upperBound)
                thin[device] = items.reduce(0) { $0 + Self.room($1, $1.size ?? 0) }
            } else {
                place(items, pool, device, devices[index].dataBytes)
            }
        }
    }

    /// A thin unit takes room as it is written: what it may take must not be promised to another unit as a whole, its
    /// device must be able to give room back, and its size is its own matter.
    private func allThin(
        _ items: [LogicalUnitsSection.Item], _ pool: StorageSection.Pool, _ device: DeviceDescription
    ) -> Bool {
        if let other = items.first(where: { !$0.profile.thin }) {
            other.entry.refuseKey(
                "\(pool.name) has thin units; a fully provisioned one needs another pool, or thin: true")
            return false
        }
        if let unsized = items.first(where: { $0.size == nil }) {
            unsized.entry.refuseKey("'size' is missing; a thin unit has no rest of a pool to take; write size: 1GiB")
            return false
        }
        guard case .file = device.kind else {
            pool.entry.refuseKey("thin units need a device that is a file; \(device.name) is none")
            return false
        }
        return true
    }

    private mutating func place(
        _ items: [LogicalUnitsSection.Item], _ pool: StorageSection.Pool, _ device: DeviceIndex, _ capacity: UInt64
    ) {
        guard items.count <= DeviceLayout.units else {
            pool.entry.refuseKey("\(items.count) units on one device; it has room for \(DeviceLayout.units)")
            return
        }
        let unsized = items.filter { $0.size == nil }
        if unsized.count > 1 {
            unsized[1].entry.refuseKey(
                "'size' is missing, and \(unsized[0].entry.path) takes the rest of \(pool.name) already; "
                    + "write size: 1GiB"
            )
            return
        }
        guard let sized = sizedTotal(items, pool, capacity) else { return }
        let left = capacity > sized ? capacity - sized : 0
        // Whole MiB, so that what follows keeps its place.
        let isProtected = unsized.first.map { $0.profile.protectionType != 0 } ?? false
        let most = isProtected ? left / UnitMap.protectedPageBytes * UInt64(PageSize.bytes) : left
        let rest = most / Self.alignment * Self.alignment
        if let unsized = unsized.first, rest < LogicalUnitsSection.size.lowerBound {
            unsized.entry.refuseKey(
                "nothing is left of \(pool.name) for it; give the other units less, or the device more")
            return
        }
        var offset = DeviceLayout.labelArea
        for (ordinal, item) in items.enumerated() {
            let bytes = item.size ?? rest
            places[item.lun] = Place(
                device: device, bytes: bytes, dataOffset: offset, stateOffset: DeviceLayout.stateOffset(ordinal))
            offset += Self.room(item, bytes)
        }
    }

    /// Bytes that the units with a size take, up to the boundary after each; nil when one does not fit.
    private func sizedTotal(
        _ items: [LogicalUnitsSection.Item], _ pool: StorageSection.Pool, _ capacity: UInt64
    ) -> UInt64? {
        var total: UInt64 = 0
        for item in items {
            guard let size = item.size else { continue }
            let taken = UnitMap.deviceBytes(size, isProtected: item.profile.protectionType != 0)
            guard taken <= capacity, total <= capacity - taken else {
                let tags = taken == size ? "" : " and their protection information"
                item.sizeEntry?.refuse(
                    "\(ByteCount.format(size))\(tags) do not fit: \(pool.name) has \(ByteCount.format(capacity)), "
                        + "of which \(ByteCount.format(total)) are taken")
                return nil
            }
            total += Self.room(item, size)
        }
        return total
    }

    /// What `bytes` of a unit take of its device, up to the boundary behind them.
    private static func room(_ item: LogicalUnitsSection.Item, _ bytes: UInt64) -> UInt64 {
        aligned(UnitMap.deviceBytes(bytes, isProtected: item.profile.protectionType != 0))
    }

    private static func aligned(_ bytes: UInt64) -> UInt64 { (bytes + alignment - 1) / alignment * alignment }
}
