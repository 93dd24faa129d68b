import Primitives

/// What initiators see of the units: which LUN of theirs names which unit, by the access that came with their nexus.
/// Made once; a look is one look into a table.
struct AccessViews: ~Copyable {
    private var ordinals: KeyIndex
    private let unitCount: Int
    /// By view, then by unit ordinal.
    private let visible: [Bool]
    /// By view: every unit refuses writes.
    private let readOnly: [Bool]
    /// LUNs by view, ascending.
    private let luns: [[UInt16]]

    init(_ configuration: DeviceServerConfiguration) {
        unitCount = configuration.units.count
        let all = configuration.units.map { DeviceServerView.Mapping(lun: $0.lun, unit: $0.index) }
        let maps = configuration.views.map { $0.mappings ?? all }
        ordinals = KeyIndex(entries: maps.map(\.count).reduce(0, +))
        var visible = Array(repeating: false, count: maps.count * configuration.units.count)
        for (view, map) in maps.enumerated() {
            for mapping in map {
                guard let ordinal = configuration.units.firstIndex(where: { $0.index == mapping.unit }) else {
                    preconditionFailure("a view of a unit that is not there")
                }
                precondition(ordinals[Self.key(view, mapping.lun)] == nil, "two units with one LUN")
                ordinals.set(Self.key(view, mapping.lun), UInt32(ordinal))
                visible[view * configuration.units.count + ordinal] = true
            }
        }
        self.visible = visible
        readOnly = configuration.views.map(\.readOnly)
        luns = maps.map { $0.map(\.lun).sorted() }
    }

    private static func key(_ view: Int, _ lun: UInt16) -> UInt64 { UInt64(view) << 16 | UInt64(lun) }

    /// The ordinal of the unit that a LUN names, nil when it names none in this view.
    @inline(__always) func ordinal(_ view: UInt16, _ lun: UInt16) -> Int? {
        ordinals[UInt64(view) << 16 | UInt64(lun)].map(Int.init)
    }

    /// Whether a unit has a LUN in the view.
    func sees(_ view: UInt16, unit: Int) -> Bool {
        unit < unitCount && Int(view) < luns.count && visible[Int(view) * unitCount + unit]
    }

    /// The LUNs of a view, ascending.
    func luns(_ view: UInt16) -> [UInt16] { Int(view) < luns.count ? luns[Int(view)] : [] }

    /// Whether initiators with this view may not write.
    func isReadOnly(_ view: UInt16) -> Bool { Int(view) >= readOnly.count || readOnly[Int(view)] }
}
