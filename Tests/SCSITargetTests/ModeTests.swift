import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct ModeTests {
    /// MODE SELECT (6) of the Caching page.
    @discardableResult
    static func setCache(_ world: World, enabled: Bool, nexus: Int = 0) -> Outcome {
        let page: [UInt8] = [0x08, 0x12, enabled ? 4 : 0] + [UInt8](repeating: 0, count: 17)
        return world.command([0x15, 0x10, 0, 0, 24, 0], nexus: nexus, out: [0, 0, 0, 0] + page)
    }

    /// MODE SELECT (10) of the Control page.
    @discardableResult
    static func setControl(_ world: World, protect: Bool, descriptors: Bool) -> Outcome {
        let page: [UInt8] = [0x0A, 0x0A, descriptors ? 6 : 2, 0x10, protect ? 8 : 0, 0x40, 0, 0, 0, 0, 0, 0]
        return world.command(
            [0x55, 0x10, 0, 0, 0, 0, 0, 0, 20, 0], out: [UInt8](repeating: 0, count: 8) + page)
    }

    /// Page and subpage codes of the pages in mode data, in their order, and where each begins.
    static func pages(_ data: [UInt8], from start: Int) -> [(code: UInt8, subpage: UInt8, at: Int)] {
        var all: [(UInt8, UInt8, Int)] = []
        var at = start
        while at + 4 <= data.count {
            let isSubpage = data[at] & 0x40 != 0
            all.append((data[at] & 0x3F, isSubpage ? data[at + 1] : 0, at))
            at += isSubpage ? 4 + Int(data[at + 2]) << 8 + Int(data[at + 3]) : 2 + Int(data[at + 1])
        }
        #expect(at == data.count)
        return all
    }

    @Test func modeSenseReportsPagesUnderEachPageControl() {
        let world = World()
        world.login()
        let all = world.command([0x1A, 0, 0x3F, 0, 255, 0], dataIn: 255)
        #expect(Int(all.data[0]) == all.data.count - 1 && all.data[2] == 0x10 && all.data[3] == 8)
        #expect(Array(all.data[4..<12]) == [0, 0, 4, 0, 0, 0, 2, 0])
        #expect(Self.pages(all.data, from: 12).map(\.code) == [1, 2, 7, 8, 0x0A, 0x18, 0x19, 0x1A, 0x1C])
        let subpages = world.command([0x1A, 8, 0x3F, 0xFF, 255, 0], dataIn: 255)
        let codes = Self.pages(subpages.data, from: 4).map { UInt16($0.code) << 8 | UInt16($0.subpage) }
        #expect(codes == [0x100, 0x200, 0x700, 0x800, 0xA00, 0xA01, 0x1800, 0x1900, 0x1A00, 0x1C00])
        let changeable = world.command([0x1A, 8, 0x48, 0, 255, 0], dataIn: 255)
        #expect(changeable.data[4] == 0x88 && changeable.data[6] == 4 && changeable.data[16] == 0x20)
        let control = world.command([0x1A, 8, 0x4A, 0, 255, 0], dataIn: 255)
        #expect(Array(control.data[4...]) == [0x8A, 10, 4, 6, 0x38, 0x40, 0, 0, 0, 0, 0, 0])
        let long = world.command([0x5A, 0x10, 0x0A, 0xFF, 0, 0, 0, 1, 0, 0], dataIn: 256)
        #expect(long.data.count == 8 + 16 + 12 + 32 && long.data[1] == 66 && long.data[4] == 1 && long.data[7] == 16)
        #expect(world.command([0x1A, 0, 0xC8, 0, 255, 0], dataIn: 255).data[14] == 4)
        #expect(world.command([0x1A, 0, 0x00, 0, 255, 0], dataIn: 255).data.count == 12)
        #expect(world.command([0x1A, 0, 0x40, 0, 255, 0], dataIn: 255).code == 0x2400)
        #expect(world.command([0x1A, 0, 0x05, 0, 255, 0], dataIn: 255).code == 0x2400)
        #expect(world.command([0x1A, 0, 0x08, 1, 255, 0], dataIn: 255).code == 0x2400)
        #expect(world.command([0x1A, 0, 0x3F, 1, 255, 0], dataIn: 255).code == 0x2400)
        world.expectIdle()
    }

    @Test func aUnitHasThePagesOfItsKind() {
        var profile = UnitProfile()
        profile.thin = true
        let thin = World(profile: profile)
        thin.login()
        #expect(thin.command([0x1A, 8, 0x5C, 2, 255, 0], dataIn: 255).data.count == 4 + 48)
        #expect(thin.command([0x1A, 8, 0x41, 0, 255, 0], dataIn: 255).data[11] == 0x80)
        #expect(World.signedIn().command([0x1A, 8, 0x41, 0, 255, 0], dataIn: 255).data[11] == 0)
        profile.version = 0x05
        let legacy = World(controllers: 1, profile: profile)
        legacy.login()
        #expect(legacy.command([0x1A, 8, 0x1C, 2, 255, 0], dataIn: 255).code == 0x2400)
        #expect(legacy.command([0x1A, 8, 0x1A, 0, 255, 0], dataIn: 255).data.count == 4 + 12)
        #expect(legacy.command([0x1A, 8, 0x0A, 1, 255, 0], dataIn: 255).data[8] == 6)
    }

    @Test func savedValuesOutliveAResetAndCurrentOnesDoNot() {
        let world = World()
        world.login()
        let cache: [UInt8] = [0x08, 0x12, 0] + [UInt8](repeating: 0, count: 17)
        #expect(world.command([0x15, 0x11, 0, 0, 24, 0], out: [0, 0, 0, 0] + cache).status == .good)
        #expect(world.command([0x1A, 8, 0xC8, 0, 255, 0], dataIn: 255).data[6] == 0)
        #expect(world.state().eventNumber == 1)
        Self.setCache(world, enabled: true)
        #expect(world.command([0x1A, 8, 0x08, 0, 255, 0], dataIn: 255).data[6] == 4)
        #expect(world.command([0x1A, 8, 0xC8, 0, 255, 0], dataIn: 255).data[6] == 0)
        world.manage(.logicalUnitReset)
        #expect(world.command([0, 0, 0, 0, 0, 0]).code == 0x2903)
        #expect(world.command([0x1A, 8, 0x08, 0, 255, 0], dataIn: 255).data[6] == 0)
        #expect(world.command([0x1A, 8, 0x88, 0, 255, 0], dataIn: 255).data[6] == 4)
        // SP with an empty list saves what is current.
        Self.setCache(world, enabled: true)
        #expect(world.command([0x15, 0x11, 0, 0, 0, 0]).status == .good)
        #expect(world.command([0x1A, 8, 0xC8, 0, 255, 0], dataIn: 255).data[6] == 4)
        #expect(world.server.units[0].flags == .writeCacheEnabled)
        world.expectIdle()
    }

    @Test func whatAUnitDoesNotDoCannotBeSet() {
        var profile = UnitProfile()
        profile.thin = true
        let world = World(profile: profile)
        world.login()
        let control: [UInt8] = [0x0A, 0x0A, 0x02, 0x10, 0x00, 0x40, 0, 0, 0, 0, 0, 0]
        #expect(world.command([0x15, 0x10, 0, 0, 16, 0], out: [0, 0, 0, 0] + control).status == .good)
        // TST, QUEUE ALGORITHM MODIFIER, reserved values of QERR and UA_INTLCK_CTRL, RAC, ATO, a busy timeout.
        for (byte, value) in [
            (2, 0x22), (3, 0x00), (3, 0x14), (4, 0x10), (4, 0x40), (5, 0xC0), (8, 1),
        ] as [(Int, UInt8)] {
            var other = control
            other[byte] = value
            let refused = world.command([0x15, 0x10, 0, 0, 16, 0], out: [0, 0, 0, 0] + other)
            #expect(refused.code == 0x2600 && refused.sense[17] == UInt8(4 + byte))
        }
        // THRESHOLD TYPE, ARMING and RESOURCE of each descriptor are its own.
        var page = ThresholdTests.page()
        #expect(world.command([0x15, 0x10, 0, 0, 52, 0], out: [0, 0, 0, 0] + page).status == .good)
        for (byte, value) in [(16, 0x88), (16, 0x81), (25, 2), (32, 0x80)] as [(Int, UInt8)] {
            page = ThresholdTests.page()
            page[byte] = value
            #expect(world.command([0x15, 0x10, 0, 0, 52, 0], out: [0, 0, 0, 0] + page).code == 0x2600)
        }
        world.expectIdle()
    }

    @Test func aTestFailureIsReportedTheWayThatMRIESays() {
        let world = World()
        world.login(0)
        world.login(1)
        func select(_ flags: UInt8, _ method: UInt8) -> Outcome {
            let page: [UInt8] = [0x1C, 0x0A, flags, method, 0, 0, 0, 0, 0, 0, 0, 1]
            return world.command([0x15, 0x10, 0, 0, 16, 0], out: [0, 0, 0, 0] + page)
        }
        let sense: [UInt8] = [0x03, 0, 0, 0, 252, 0]
        #expect(select(0x0C, 6).code == 0x2600)
        #expect(select(0x04, 3).code == 0x2600)
        #expect(select(0x04, 6).status == .good)
        let asked = world.command(sense, dataIn: 252).data
        #expect(asked[2] == 0 && asked[12] == 0x5D && asked[13] == 0xFF)
        #expect(world.command([0x4D, 0, 0x6F, 0, 0, 0, 0, 0, 255, 0], dataIn: 255).data[8...9] == [0x5D, 0xFF])
        #expect(select(0x04, 0).status == .good)
        #expect(world.command(sense, dataIn: 252).data[12] == 0)
        _ = world.command(sense, nexus: 1, dataIn: 252)
        #expect(select(0x04, 2).status == .good)
        #expect(world.command([0, 0, 0, 0, 0, 0]).code == 0x5DFF)
        #expect(world.command([0, 0, 0, 0, 0, 0], nexus: 1).code == 0x2A01)
        #expect(world.command([0, 0, 0, 0, 0, 0], nexus: 1).code == 0x5DFF)
        #expect(world.command([0, 0, 0, 0, 0, 0], nexus: 1).status == .good)
        world.expectIdle()
    }

    @Test func modeSelectChangesTheStateBlockAndTellsTheOthers() {
        let world = World()
        world.login(0)
        world.login(1)
        #expect(Self.setCache(world, enabled: false).status == .good)
        #expect(world.state().currentMode[1] == 4 && world.state().eventNumber == 1)
        #expect(world.state().event(1)?.qualifier == 1 && world.state().event(1)?.nexus == 0)
        #expect(world.command([0x1A, 8, 0x08, 0, 255, 0], dataIn: 255).data[6] == 0)
        #expect(world.command([0x1A, 8, 0x88, 0, 255, 0], dataIn: 255).data[6] == 4)
        #expect(world.command([0, 0, 0, 0, 0, 0]).status == .good)
        let other = world.command([0, 0, 0, 0, 0, 0], nexus: 1)
        #expect(other.key == 6 && other.code == 0x2A01)
        #expect(world.command([0, 0, 0, 0, 0, 0], nexus: 1).status == .good)
        // No change: no event.
        #expect(Self.setCache(world, enabled: false).status == .good)
        #expect(world.state().eventNumber == 1)
        world.expectIdle()
    }

    @Test func softwareWriteProtectAndDescriptorSenseTakeEffect() {
        let world = World()
        world.login()
        #expect(Self.setControl(world, protect: true, descriptors: true).status == .good)
        let refused = world.command(MediumAccessTests.cdb10(0x2A, 0, 1), out: [UInt8](repeating: 0, count: 512))
        #expect(refused.sense[0] == 0x72 && refused.key == 7 && refused.code == 0x2702)
        #expect(world.command([0x1A, 8, 0x3F, 0, 255, 0], dataIn: 255).data[2] == 0x90)
        let pointer = world.command([0x1A, 0, 0x05, 0, 255, 0], dataIn: 255)
        #expect(pointer.sense == [0x72, 5, 0x24, 0, 0, 0, 0, 8, 2, 6, 0, 0, 0xCD, 0, 2, 0])
        #expect(Self.setControl(world, protect: false, descriptors: false).status == .good)
        #expect(world.command([0x1A, 0, 0x05, 0, 255, 0], dataIn: 255).sense[0] == 0x70)
    }

    static let refusals: [([UInt8], UInt16)] = [
        ([0, 0], 0x1A00), ([0, 0, 0, 8, 0, 0], 0x1A00), ([0, 0, 0, 4, 0, 0, 0, 0], 0x2600),
        ([0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 2, 0], 0x2600), ([0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 4, 0], 0x2600),
        ([0, 0, 0, 0, 0x08], 0x1A00), ([0, 0, 0, 0, 0x08, 0x12, 4], 0x1A00), ([0, 0, 0, 0, 0x08, 0x11, 4], 0x2600),
        ([0, 0, 0, 0, 0x1C, 0x0A] + [UInt8](repeating: 0, count: 10), 0x2600),
        ([0, 0, 0, 0, 0x0A, 0x0A, 2, 0x14, 0, 0x40, 0, 0, 0, 0, 0, 0], 0x2600),
        ([0, 0, 0, 0, 0x0A, 0x0A, 2, 0x10, 0x10, 0x40, 0, 0, 0, 0, 0, 0], 0x2600),
        ([0, 0, 0, 0, 0x4A, 0x01], 0x1A00), ([0, 0, 0, 0, 0x4A, 0x01, 0, 0x1D], 0x2600),
        ([0, 0, 0, 0, 0x4A, 0x02, 0, 0x1C], 0x2600),
        ([0, 0, 0, 0, 0x03, 0x16] + [UInt8](repeating: 0, count: 22), 0x2600),
        ([0, 0, 0, 0, 0x48, 0x12] + [UInt8](repeating: 0, count: 18), 0x2600),
        ([0, 0, 0, 0, 0x08, 0x12, 5] + [UInt8](repeating: 0, count: 17), 0x2600),
    ]

    @Test(arguments: refusals)
    func damagedParameterListsAreRefused(list: [UInt8], code: UInt16) {
        let world = World()
        world.login()
        let outcome = world.command([0x15, 0x10, 0, 0, UInt8(list.count), 0], out: list)
        #expect(outcome.status == .checkCondition && outcome.key == 5 && outcome.code == code)
        #expect(world.state().eventNumber == 0)
        world.expectIdle()
    }

    @Test func modeSelectAcceptsItsEdges() {
        let world = World()
        world.login()
        #expect(world.command([0x15, 0x10, 0, 0, 0, 0]).status == .good)
        #expect(world.command([0x15, 0x10, 0, 0, 4, 0], out: [0, 0, 0, 0]).status == .good)
        #expect(world.command([0x15, 0x10, 0, 0, 24, 0]).code == 0x1A00)
        #expect(world.command([0x15, 0x00, 0, 0, 4, 0], out: [0, 0, 0, 0]).code == 0x2400)
        #expect(world.command([0x55, 0x10, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0], out: [0]).code == 0x2400)
        let descriptor: [UInt8] = [0, 0, 0, 8, 0, 0, 4, 0, 0, 0, 2, 0]
        #expect(world.command([0x15, 0x10, 0, 0, 12, 0], out: descriptor).status == .good)
        world.expectIdle()
    }

    @Test func aFailedCommitIsAnswered() {
        let world = World()
        world.login()
        world.holdState = true
        let page: [UInt8] = [0x08, 0x12, 0] + [UInt8](repeating: 0, count: 17)
        let handle = world.send([0x15, 0x10, 0, 0, 24, 0], out: [0, 0, 0, 0] + page)
        world.giveHeldState()
        world.fault = .unwritable
        world.giveHeldState()
        #expect(world.outcome(handle).code == 0x0C00)
        world.expectIdle()
    }
}
