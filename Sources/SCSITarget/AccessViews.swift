import Primitives

/// What initiators see of the units: which LUN of theirs names which unit, by the access that came with their nexus.
/// Made once; a look is one look into a table.
struct AccessViews: ~Copyable {
    private let ordinals: KeyIndex
    private let unitCount: Int
    /// By view, then by unit ordinal.
    private let visible: [Bool]
    /// By view: every unit refuses writes.
    private let readOnly: [Bool]
    /// LUNs by view, ascending.
    private let luns: [[UInt16]]

    /// - Parameters:
    ///   - all: LUN and index of each unit, by ordinal.
    init(units all: [DeviceServerView.Mapping], views: [DeviceServerView]) {
        let maps = views.map { $0.mappings ?? all }
        // Everything is made beside `self`, and moved there at the end: the optimizer of Swift 6.3 destroys what is not
        // there yet of a noncopyable value whose parts are changed while it is half made.
        var index = KeyIndex(entries: maps.map(\.count).reduce(0, +))
        var seen = Array(repeating: false, count: maps.count * all.count)
        for (view, map) in maps.enumerated() {
            for mapping in map {
                guard let ordinal = all.firstIndex(where: { $0.unit == mapping.unit }) else {
                    preconditionFailure("a view of a unit that is not there")
                }
                precondition(index[Self.key(view, mapping.lun)] == nil, "two units with one LUN")
                index.set(Self.key(view, mapping.lun), UInt32(ordinal))
                seen[view * all.count + ordinal] = true
            }
        }
        unitCount = all.count
        ordinals = index
        visible = seen
        readOnly = views.map(\.readOnly)
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
