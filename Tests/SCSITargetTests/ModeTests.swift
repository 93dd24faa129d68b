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
        let page: [UInt8] = [0x0A, 0x0A, descriptors ? 4 : 0, 0x10, protect ? 8 : 0, 0x40, 0, 0, 0, 0, 0, 0]
        return world.command(
            [0x55, 0x10, 0, 0, 0, 0, 0, 0, 20, 0], out: [UInt8](repeating: 0, count: 8) + page)
    }

    @Test func modeSenseReportsPagesUnderEachPageControl() {
        let world = World()
        world.login()
        let all = world.command([0x1A, 0, 0x3F, 0, 255, 0], dataIn: 255)
        #expect(all.data.count == 4 + 8 + 20 + 12 && all.data[0] == 43 && all.data[2] == 0x10 && all.data[3] == 8)
        #expect(Array(all.data[4..<12]) == [0, 0, 4, 0, 0, 0, 2, 0])
        #expect(all.data[12] == 0x08 && all.data[14] == 4 && all.data[32] == 0x0A)
        let changeable = world.command([0x1A, 8, 0x7F, 0, 255, 0], dataIn: 255)
        #expect(changeable.data[6] == 4 && changeable.data[16] == 0x20)
        #expect(changeable.data[26] == 4 && changeable.data[27] == 0 && changeable.data[28] == 8)
        let long = world.command([0x5A, 0x10, 0x0A, 0xFF, 0, 0, 0, 1, 0, 0], dataIn: 256)
        #expect(long.data.count == 8 + 16 + 12 && long.data[1] == 34 && long.data[4] == 1 && long.data[7] == 16)
        #expect(world.command([0x1A, 0, 0xC8, 0, 255, 0], dataIn: 255).code == 0x3900)
        #expect(world.command([0x1A, 0, 0x05, 0, 255, 0], dataIn: 255).code == 0x2400)
        #expect(world.command([0x1A, 0, 0x08, 1, 255, 0], dataIn: 255).code == 0x2400)
        world.expectIdle()
    }

    @Test func modeSelectChangesTheStateBlockAndTellsTheOthers() {
        let world = World()
        world.login(0)
        world.login(1)
        #expect(Self.setCache(world, enabled: false).status == .good)
        #expect(world.state().modeFlags == 0 && world.state().eventNumber == 1)
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
