import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct UnitAttentionTests {
    static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]

    /// The partner adds events under the write pointer.
    private func partner(_ world: World, _ events: [StateBlock.Event]) {
        world.recall()
        for event in events { world.state().append(event) }
    }

    @Test func aNewNexusLearnsOfPowerOnOnce() {
        let world = World()
        world.login(consume: false)
        #expect(world.command([0x12, 0, 0, 0, 96, 0], dataIn: 96).status == .good)
        #expect(world.command([0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], dataIn: 256).status == .good)
        let first = world.command(MediumAccessTests.cdb10(0x28, 0, 1), dataIn: 512)
        #expect(first.status == .checkCondition && first.key == 6 && first.code == 0x2900 && first.data.isEmpty)
        #expect(world.command(MediumAccessTests.cdb10(0x28, 0, 1), dataIn: 512).status == .good)
        world.expectIdle()
    }

    @Test func requestSenseReportsAndClears() {
        let world = World()
        world.login(consume: false)
        let fixed = world.command([0x03, 0, 0, 0, 252, 0], dataIn: 252)
        #expect(fixed.status == .good && fixed.data.count == 18 && fixed.data[2] == 6 && fixed.data[12] == 0x29)
        #expect(world.command([0x03, 1, 0, 0, 252, 0], dataIn: 252).data == [0x72, 0, 0, 0, 0, 0, 0, 0])
        #expect(world.command([0x03, 0, 0, 0, 4, 0], dataIn: 252).data == [0x70, 0, 0, 0])
        #expect(world.command(Self.testUnitReady).status == .good)
    }

    @Test func anUnknownCommandReportsTheAttentionFirst() {
        let world = World()
        world.login(consume: false)
        #expect(world.command([0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0]).code == 0x2900)
        #expect(world.command([0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0]).code == 0x2000)
        #expect(world.command([0x9E, 0x1F] + [UInt8](repeating: 0, count: 14)).code == 0x2400)
    }

    @Test func eventsOfThePartnerReachEveryNexusOnce() {
        let world = World(units: 2)
        world.login(0)
        world.login(1)
        let excluded = StateBlock.Event(code: 0x2A, qualifier: 1, scope: 0, controller: 0, nexus: 1)
        let foreign = StateBlock.Event(code: 0x2A, qualifier: 6, scope: 0, controller: 1, nexus: 0)
        partner(world, [excluded, foreign])
        #expect(world.command(Self.testUnitReady, nexus: 0).code == 0x2A01)
        #expect(world.command(Self.testUnitReady, nexus: 0).code == 0x2A06)
        #expect(world.command(Self.testUnitReady, nexus: 0).status == .good)
        #expect(world.command(Self.testUnitReady, nexus: 1).code == 0x2A06)
        #expect(world.command(Self.testUnitReady, nexus: 1).status == .good)
        #expect(world.command(Self.testUnitReady, lun: 1).status == .good)
        world.recall()
        #expect(world.command(Self.testUnitReady, nexus: 0).status == .good)
    }

    @Test func aRingThatWasOverrunIsLikeAReset() {
        let world = World()
        world.login()
        let event = StateBlock.Event(code: 0x2A, qualifier: 1, scope: 0, controller: 0xFF, nexus: 0xFFFF)
        partner(world, [StateBlock.Event](repeating: event, count: 65))
        #expect(world.command(Self.testUnitReady).code == 0x2900)
        #expect(world.command(Self.testUnitReady).status == .good)
        partner(world, [StateBlock.Event](repeating: event, count: 64))
        #expect(world.command(Self.testUnitReady).code == 0x2A01)
        #expect(world.command(Self.testUnitReady).status == .good)
    }

    @Test func tooManyPendingConditionsBecomeOneReset() {
        let world = World()
        world.login()
        partner(world, (1...5).map {
            StateBlock.Event(code: 0x3F, qualifier: $0, scope: 0, controller: 0xFF, nexus: 0)
        })
        #expect(world.command(Self.testUnitReady).code == 0x2900)
        #expect(world.command(Self.testUnitReady).status == .good)
    }

    @Test func aResetByThePartnerClearsCommandsThatWaitForTheirHost() {
        let world = World()
        world.login()
        world.holdTransport = true
        let write = world.send(MediumAccessTests.cdb10(0x2A, 0, 8), out: [UInt8](repeating: 3, count: 4096))
        let before = world.disks[0]
        partner(world, [StateBlock.Event(code: 0x29, qualifier: 3, scope: 1, controller: 0xFF, nexus: 0xFFFF)])
        let next = world.send(Self.testUnitReady)
        #expect(world.outcome(write).status == .taskAborted && world.disks[0] == before)
        // What had not started has come after the reset, as far as anybody can tell.
        #expect(world.outcome(next).code == 0x2903)
        world.holdTransport = false
        #expect(world.command(Self.testUnitReady).status == .good)
        world.expectIdle()
    }

    /// The partner's reset is learnt with the state pointer, after the nexus has come.
    @Test func aResetBeforeANexusCameIsNotToldBesidePowerOn() {
        let world = World()
        world.login(0)
        world.login(1, consume: false)
        partner(world, [StateBlock.Event(code: 0x29, qualifier: 3, scope: 1, controller: 0xFF, nexus: 0xFFFF)])
        #expect(world.command(Self.testUnitReady, nexus: 1).code == 0x2900)
        #expect(world.command(Self.testUnitReady, nexus: 1).status == .good)
        #expect(world.command(Self.testUnitReady).code == 0x2903)
    }

    @Test func attentionsOfALostNexusAreForgotten() {
        let world = World()
        world.login(0)
        partner(world, [StateBlock.Event(code: 0x2A, qualifier: 1, scope: 0, controller: 1, nexus: 0)])
        world.login(1)
        world.server.handle(.nexusLost(NexusIndex(0)), at: world.now)
        world.login(0)
        #expect(world.command(Self.testUnitReady).status == .good)
    }
}
