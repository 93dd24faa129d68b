import PagingFormats
import Primitives
import Testing

@testable import Pair

/// Labels of devices: the format, and what they say to a start (pair-rules 4).
@Suite struct LabelTests {
    private static let own = DeviceLabel(
        pairID: 77, lineage: 9, epoch: 5, featureLevel: 1, devices: 2, name: "disk0")

    /// What a first start leaves before there is a record.
    static let begun = DeviceFinding.label(
        .init(pairID: 77, lineage: 0, epoch: 0, featureLevel: 1, devices: 1, name: "disk0"))

    private static func record(epoch: UInt32 = 5, lineage: UInt64 = 9) -> WitnessRecord {
        WitnessRecord(
            pairID: 77, lineage: lineage, sequence: 5, epoch: epoch, state: .paired, memberA: .absent,
            memberB: .absent, dirty: true, featureLevel: 1)
    }

    private static func label(
        _ name: String = "disk0", _ change: (inout DeviceLabel) -> Void = { _ in }
    ) -> DeviceFacts {
        var label = own
        label.name = name
        change(&label)
        return DeviceFacts(name: name, finding: .label(label))
    }

    private static func refusal(_ devices: [DeviceFacts], _ record: WitnessRecord?) -> RefusalReason? {
        LabelRule.refusal(
            record, devices,
            PairConfiguration(controller: .a, pairID: 77, incarnation: 1, freshMemoryID: .init(high: 1, low: 1)))
    }

    /// Both slots as a device has them.
    private static func found(_ slots: [DeviceLabel?], damage: Int? = nil, volatile: Bool = false) -> DeviceFinding {
        let area = UnsafeMutableRawPointer.allocate(byteCount: DeviceLabel.areaBytes, alignment: 4096)
        defer { area.deallocate() }
        area.initializeMemory(as: UInt8.self, repeating: 0, count: DeviceLabel.areaBytes)
        for (index, label) in slots.enumerated() { label?.encode(to: area + index * DeviceLabel.slotBytes) }
        if let damage { area.storeBytes(of: 0xFF, toByteOffset: damage, as: UInt8.self) }
        return DeviceFinding(decoding: area, isVolatile: volatile)
    }

    @Test func theNewerSlotCounts() {
        var newer = Self.own
        newer.epoch = 6
        #expect(Self.found([Self.own, newer]) == .label(newer))
        #expect(Self.found([newer, Self.own]) == .label(newer))
    }

    @Test func aTornSlotLeavesTheOther() {
        var newer = Self.own
        newer.epoch = 6
        #expect(Self.found([newer, Self.own], damage: 33) == .label(Self.own))
        #expect(Self.found([Self.own, nil], damage: 33) == .other)
        #expect(Self.found([nil, nil], damage: 4096) == .other)
    }

    @Test func zerosAreBlank() {
        #expect(Self.found([nil, nil]) == .blank)
        #expect(Self.found([nil, nil], volatile: true) == .blankVolatile)
    }

    @Test func namesAreKeptUpTo64Bytes() {
        let long = String(repeating: "ä", count: 50)
        var label = Self.own
        label.name = DeviceLabel.cut(long)
        #expect(Self.found([label, nil]) == .label(label))
        #expect(label.name == String(repeating: "ä", count: 32))
    }

    @Test func devicesOfThePairAreWelcome() {
        #expect(Self.refusal([Self.label(), Self.label("disk1")], Self.record()) == nil)
        #expect(Self.refusal([Self.label { $0.epoch = 3 }], Self.record()) == nil)
        #expect(Self.refusal([], Self.record()) == nil)
        #expect(Self.refusal([DeviceFacts(name: "disk0", finding: .blank)], nil) == nil)
    }

    @Test func aFirstStartThatWasCutShortGoesOn() {
        let begun = Self.label { label in
            label.epoch = 0
            label.lineage = 0
        }
        #expect(Self.refusal([begun, DeviceFacts(name: "disk1", finding: .blank)], nil) == nil)
        #expect(Self.refusal([begun, Self.label("disk1")], Self.record()) == nil)
    }

    @Test func eachMismatchHasItsReason() {
        let record = Self.record()
        #expect(Self.refusal([Self.label { $0.pairID = 1 }], record) == .foreignDevice)
        #expect(Self.refusal([Self.label { $0.pairID = 1 }], nil) == .foreignDevice)
        #expect(Self.refusal([DeviceFacts(name: "disk1", finding: .label(Self.own))], record) == .otherDevice)
        #expect(Self.refusal([Self.label { $0.featureLevel = 2 }], record) == .featureLevelUnknown)
        #expect(Self.refusal([Self.label { $0.epoch = 6 }], record) == .epochWentBack)
        #expect(Self.refusal([Self.label { $0.lineage = 8 }], record) == .lineageUnknown)
        #expect(Self.refusal([Self.label()], nil) == .witnessDamaged)
        #expect(Self.refusal([DeviceFacts(name: "disk0", finding: .other)], nil) == .deviceOccupied)
    }

    @Test func aMissingLabelIsANewDeviceOnlyBesideAllTheOthers() {
        let record = Self.record()
        let blank = DeviceFacts(name: "disk9", finding: .blank)
        #expect(Self.refusal([blank], record) == .deviceReplaced)
        // The labels know of two devices.
        #expect(Self.refusal([Self.label(), blank], record) == .deviceReplaced)
        #expect(Self.refusal([Self.label(), blank, Self.label("disk1")], record) == nil)
        #expect(Self.refusal([DeviceFacts(name: "disk0", finding: .blankVolatile)], record) == nil)
    }

    // MARK: In the engine

    /// A pair whose one device is `finding` for both, and how it fared.
    private static func start(_ finding: DeviceFinding, seconds: UInt64 = 5) -> World {
        let world = World(seed: 7)
        for node in world.nodes {
            node.adjust = { $0.devices = [DeviceFacts(name: "disk0", finding: finding)] }
        }
        world.startBoth()
        world.run(for: seconds * 1_000_000_000) { world.bothPaired }
        world.run(for: 1_000_000_000)
        return world
    }

    @Test func theFirstRecordComesAfterTheLabels() {
        let world = Self.start(.blank)
        #expect(world.bothPaired)
        let acts = world.nodes[0].acts
        let order = ["label 0", "swap paired", "label 1"].map { acts.firstIndex(of: $0) ?? -1 }
        #expect(order == order.sorted() && !order.contains(-1), "\(acts)")
        #expect(!world.nodes[1].acts.contains { $0.hasPrefix("label") })
    }

    @Test func theLabelsFollowTheEpochOfWhoIsAlone() {
        let world = Self.start(.blank)
        for node in world.nodes { node.restartAllowed = false }
        world.crash(0)
        #expect(world.run(for: 5_000_000_000) { world.nodes[1].acts.contains("label 2") })
    }

    @Test func aBlankDeviceUnderARecordIsLookedAtOnceMore() {
        let world = Self.start(.blank)
        for node in world.nodes { node.restartAllowed = false }
        world.crash(0)
        world.crash(1)
        world.nodes[0].found = [.blank]
        world.nodes[0].start()
        world.run(for: 2_000_000_000)
        #expect(world.nodes[0].ends.last == "refuse deviceReplaced")
        #expect(world.nodes[0].acts.contains("look at labels"))
    }
}
