import BlockModel
import Primitives
import Yams

/// `policies:` the user's own, beside the built-in ones.
struct PoliciesSection {
    var policies: [Policy] = []
    /// Names of refused ones too.
    var names: [String] = []

    static let policiesLimit = 32
    static let rowsLimit = 16
    static let blockSize: ClosedRange<UInt64> = (4 << 10)...(1 << 20)

    private static let keys: [KnownKey] = [.read("rows"), .read("watermarks")]
    private static let watermarkKeys: [KnownKey] = [.read("high"), .read("low")]
    private static let rowKeys: [KnownKey] = [
        .read("up_to"), .read("block_size"), .read("mirror"), .read("write"), .read("alone"), .read("stage"),
        .read("destage"), .read("copy"),
        .unavailable("replace", "the replacement is built in; leave the key out"),
        .unavailable("placement", "the placement is built in; leave the key out"),
    ]

    init() {}

    init(_ entry: Entry) {
        guard let entries = entry.entries("of policies, such as {careful: {rows: [{write: through}]}}") else { return }
        if entries.count > Self.policiesLimit {
            entry.refuseKey("\(entries.count) policies; an array has at most \(Self.policiesLimit)")
        }
        for (name, inner) in entries {
            if Policy.builtIn.contains(where: { $0.name == name }) {
                inner.refuseKey("'\(name)' is built in and cannot be defined anew; choose another name")
                continue
            }
            names.append(name)
            guard let section = Section(inner, keys: Self.keys) else { continue }
            let rows = section.required("rows", "[{write: through}]").map(Self.rows) ?? []
            let marks = Self.watermarks(section["watermarks"])
            guard !rows.isEmpty else { continue }
            policies.append(Policy(name: name, rows: rows, highWatermark: marks.high, lowWatermark: marks.low))
        }
    }

    private static func watermarks(_ entry: Entry?) -> (high: UInt8, low: UInt8) {
        var marks = (high: Policy.standard.highWatermark, low: Policy.standard.lowWatermark)
        guard let entry, let section = Section(entry, keys: watermarkKeys) else { return marks }
        if let high = section["high"]?.number(1...100) { marks.high = UInt8(high) }
        if let low = section["low"]?.number(0...99) { marks.low = UInt8(low) }
        if marks.low >= marks.high {
            entry.refuse("low is \(marks.low) and high \(marks.high) per cent; low must be below high")
        }
        return marks
    }

    /// The rows, smallest first; the last one is for all larger requests too.
    private static func rows(_ entry: Entry) -> [PolicyRow] {
        guard let list = entry.list("rows") else { return [] }
        if list.isEmpty || list.count > rowsLimit {
            entry.refuse("a policy has 1 to \(rowsLimit) rows; here are \(list.count)")
        }
        var rows: [PolicyRow] = []
        for (index, entry) in list.enumerated() {
            guard let section = Section(entry, keys: rowKeys) else { continue }
            let isLast = index == list.count - 1
            var row = row(section)
            if let limit = section["up_to"] {
                row.upTo = limit.size(multipleOf: 512, 512...(1 << 40)) ?? row.upTo
                if let before = rows.last, before.upTo != .max, row.upTo <= before.upTo {
                    limit.refuse(
                        "rows go from small to large, and the row before is up to \(ByteCount.format(before.upTo))")
                }
            } else if !isLast {
                entry.refuse("'up_to' is missing; only the last row, which is for all larger requests, goes without")
            }
            rows.append(row)
        }
        if let last = rows.indices.last { rows[last].upTo = .max }
        return rows
    }

    /// One row; what is not given is as in the built-in policy's row for small requests.
    private static func row(_ section: Section) -> PolicyRow {
        var row = Policy.standard.rows[0]
        row.upTo = .max
        if let entry = section["block_size"], let bytes = entry.size(multipleOf: 4096, blockSize) {
            row.blockSize = UInt32(bytes)
            if bytes & (bytes - 1) != 0 {
                entry.refuse("\(ByteCount.format(bytes)) is no power of two; write 4KiB, 8KiB, … 1MiB")
            }
        }
        let modes = [("back", true), ("through", false)]
        if let mirror = section["mirror"]?.flag() { row.mirror = mirror }
        if let back = section["write"]?.choice(modes) {
            row.writeBack = back
            if back, !row.mirror {
                section["write"]?.refuse(
                    "without mirroring a write is written through; write: through, or mirror: true")
            }
        } else if !row.mirror {
            row.writeBack = false
        }
        if let alone = section["alone"]?.choice(modes) {
            row.keepBackAlone = alone
            if alone, !row.writeBack {
                section["alone"]?.refuse("this row writes through always; alone: through, or write: back")
            }
        }
        if let bytes = section["stage"]?.size(multipleOf: 4096, 0...(16 << 20)) { row.readAhead = UInt32(bytes / 4096) }
        if let age = section["destage"]?.duration(.milliseconds(1) ... .seconds(3600)) { row.destageAge = age }
        if let copy = section["copy"] { row.copyOrder = copyOrder(copy) ?? row.copyOrder }
        return row
    }

    private static func copyOrder(_ entry: Entry) -> [CopyMethod]? {
        guard let list = entry.list("copy methods") else { return nil }
        var order: [CopyMethod] = []
        for entry in list {
            if entry.value.scalar?.string == CopyMethod.scsiCommand.name {
                entry.refuse("not available in this version: copies by SCSI command; use dma and messaging")
                continue
            }
            let methods = [CopyMethod.dma, .messaging]
            guard let method = entry.choice(methods.map { ($0.name, $0) }) else { continue }
            if order.contains(method) {
                entry.refuse("'\(method.name)' is given twice; keep one")
            } else {
                order.append(method)
            }
        }
        if list.isEmpty { entry.refuse("no copy method; write [dma, messaging]") }
        return order.isEmpty ? nil : order
    }
}
