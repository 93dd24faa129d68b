import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// A unit's task set has an end, and nexuses have their share of it (SAM-5 §5.3.1).
@Suite struct TaskSetTests {
    private static let read = MediumAccessTests.cdb10(0x28, 0, 8)

    private func world(_ limit: UInt16, units: Int = 1) -> World {
        var profile = UnitProfile()
        profile.taskSetLimit = limit
        let world = World(units: units, slots: 64, profile: profile)
        for nexus in 0..<3 { world.login(nexus) }
        world.holdBlocks = true
        return world
    }

    private func send(_ world: World, _ count: Int, nexus: Int, lun: UInt16 = 0) -> [Status?] {
        let handles = (0..<count).map { _ in world.send(Self.read, lun: lun, nexus: nexus, dataIn: 4096) }
        return handles.map { world.outcome($0).status }
    }

    private func finish(_ world: World) {
        world.holdBlocks = false
        while !world.heldBlocks.isEmpty { world.giveHeldBlocks() }
        world.expectIdle()
    }

    @Test func aNexusHasItsShareWhenTheTaskSetIsHalfFull() {
        let world = world(12, units: 2)
        // Alone in the first half, it goes beyond its third.
        #expect(send(world, 7, nexus: 0) == [nil, nil, nil, nil, nil, nil, .taskSetFull])
        #expect(send(world, 5, nexus: 1) == [nil, nil, nil, nil, .taskSetFull])
        #expect(send(world, 3, nexus: 2) == [nil, nil, .taskSetFull])
        // Another unit has a task set of its own.
        #expect(send(world, 2, nexus: 0, lun: 1) == [nil, nil])
        finish(world)
        #expect(world.command(Self.read, dataIn: 4096).status == .good)
        #expect(world.server.units[0].taskSetCount == 0 && world.server.nexusTasks[0] == 0)
    }

    @Test func whoHasNoCommandInAFullTaskSetIsToldThatItIsBusy() {
        let world = world(8)
        #expect(send(world, 4, nexus: 0) == [nil, nil, nil, nil])
        #expect(send(world, 4, nexus: 1) == [nil, nil, .taskSetFull, .taskSetFull])
        #expect(send(world, 2, nexus: 2) == [nil, nil])
        #expect(send(world, 1, nexus: 2) == [.taskSetFull])
        let fourth = 3
        world.holdBlocks = false
        world.login(fourth, consume: false)
        world.holdBlocks = true
        #expect(send(world, 1, nexus: fourth) == [.busy])
        // A command that ends makes room.
        world.manage(.abortTaskSet, nexus: 0)
        #expect(send(world, 1, nexus: fourth) == [.checkCondition])
        finish(world)
    }

    /// UA_INTLCK_CTRL 11b (SPC-4 §7.5.8).
    @Test func aFullTaskSetLeavesAUnitAttentionWhereItIsInterlocked() {
        let world = world(8)
        let list = ControlPageTests.select(interlock: 3)
        #expect(world.command(list.cdb, out: list.out).status == .good)
        for nexus in 1..<3 { _ = world.command(ControlPageTests.sense, nexus: nexus, dataIn: 252) }
        #expect(send(world, 5, nexus: 0).last == .taskSetFull)
        _ = send(world, 1, nexus: 1)
        world.manage(.abortTaskSet, nexus: 0)
        world.manage(.abortTaskSet, nexus: 1, request: 2)
        let told = world.command(ControlPageTests.sense, dataIn: 252).data
        #expect(told[12] == 0x2C && told[13] == 0x08)
        finish(world)
    }
}
