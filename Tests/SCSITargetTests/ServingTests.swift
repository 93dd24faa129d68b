import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct ServingTests {
    static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]
    static let inquiry: [UInt8] = [0x12, 0, 0, 0, 96, 0]

    @Test func commandsWaitUntilTheControllerServes() {
        let world = World(serving: false)
        world.login(consume: false)
        let first = world.send(Self.inquiry, dataIn: 96)
        let second = world.send(Self.testUnitReady)
        #expect(world.outcome(first).lastWords == 0 && world.outcome(second).lastWords == 0)
        world.serve()
        #expect(world.outcome(first).data.count == 96)
        #expect(world.outcome(second).code == 0x2900)
        world.expectIdle()
    }

    @Test func anEndedLeaseHoldsCommandsUntilTheNext() {
        let world = World()
        world.login()
        world.serve(until: world.now + .seconds(1))
        #expect(world.command(Self.testUnitReady).status == .good)
        world.now = world.now + .seconds(1)
        let handle = world.send(Self.testUnitReady)
        #expect(world.outcome(handle).lastWords == 0)
        world.serve(until: world.now + .seconds(1))
        #expect(world.outcome(handle).status == .good)
        world.expectIdle()
    }

    @Test func patienceEndsWithNotReady() {
        let world = World(serving: false)
        world.login(consume: false)
        let handle = world.send(Self.inquiry, dataIn: 96)
        #expect(world.server.nextDeadline == world.now + .seconds(20))
        world.advance(.seconds(19))
        let later = world.send(Self.testUnitReady)
        #expect(world.outcome(handle).lastWords == 0)
        world.advance(.seconds(1))
        #expect(world.outcome(handle).key == 2 && world.outcome(handle).code == 0x040A)
        #expect(world.outcome(later).lastWords == 0)
        world.advance(.seconds(19))
        #expect(world.outcome(later).code == 0x040A)
        #expect(world.server.nextDeadline == .never)
        world.expectIdle()
    }

    @Test func aWriteWhoseDataCameWhileNotServingLosesPatienceWithItsPages() {
        let world = World()
        world.login()
        world.holdTransport = true
        let handle = world.send(MediumAccessTests.cdb10(0x2A, 0, 8), out: [UInt8](repeating: 3, count: 4096))
        world.serve(serving: false)
        world.holdTransport = false
        let before = world.disks[0]
        world.giveHeldTransport()
        #expect(world.operations.count == 1)
        world.advance(.seconds(21))
        #expect(world.outcome(handle).code == 0x040A && world.disks[0] == before)
        world.expectIdle()
    }

    @Test func theStatePointerStandsUntilItIsRecalled() {
        let world = World()
        world.login()
        for _ in 0..<3 { #expect(world.command(Self.testUnitReady).status == .good) }
        #expect(world.requests == ["wantState"])
        world.recall()
        #expect(world.requests == ["wantState", "returnState"])
        #expect(world.command(Self.testUnitReady).status == .good)
        #expect(world.requests == ["wantState", "returnState", "wantState"])
    }

    @Test func aRecallWaitsForCommandsThatExecute() {
        let world = World()
        world.login()
        world.holdBlocks = true
        let read = world.send(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        world.recall()
        #expect(!world.requests.contains("returnState"))
        world.holdState = true
        let waiting = world.send(Self.testUnitReady)
        #expect(world.outcome(waiting).lastWords == 0)
        world.giveHeldBlocks()
        #expect(world.outcome(read).status == .good)
        #expect(world.requests == ["wantState", "returnState", "wantState"])
        world.giveHeldState()
        #expect(world.outcome(waiting).status == .good)
        world.expectIdle()
    }

    @Test func aCommandThatWaitsForItsHostLetsThePointerGo() {
        let world = World()
        world.login()
        world.holdTransport = true
        let write = world.send(MediumAccessTests.cdb10(0x2A, 0, 8), out: [UInt8](repeating: 3, count: 4096))
        let read = world.send(MediumAccessTests.cdb10(0x28, 64, 600), dataIn: 600 * 512)
        world.recall()
        #expect(world.requests == ["wantState", "returnState"])
        // Meanwhile the partner disables the write cache.
        world.state().currentMode[1] = 4
        world.holdTransport = false
        world.giveHeldTransport()
        #expect(world.requests == ["wantState", "returnState", "wantState"])
        #expect(world.durables == [true])
        #expect(world.outcome(write).status == .good && world.outcome(read).data.count == 600 * 512)
        world.expectIdle()
    }

    @Test func inquiryNeedsNoStatePointer() {
        let world = World(serving: false)
        world.holdState = true
        world.serve()
        world.login(consume: false)
        #expect(world.command(Self.inquiry, dataIn: 96).status == .good)
        #expect(world.command([0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], dataIn: 256).status == .good)
        let handle = world.send(Self.testUnitReady)
        #expect(world.outcome(handle).lastWords == 0)
        world.advance(.seconds(20))
        #expect(world.outcome(handle).code == 0x040A)
    }

    @Test func aMovedHomeIsReportedAndAnnounced() {
        let world = World()
        world.login(0)
        let groups: [UInt8] = [0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
        let before = world.command(groups, dataIn: 256).data
        #expect(before == [
            0, 0, 0, 24, 0x80, 0x8F, 0, 1, 0, 2, 0, 1, 0, 0, 0, 1, 0x01, 0x8F, 0, 2, 0, 2, 0, 1, 0, 0, 0, 2,
        ])
        world.holdState = true
        world.server.moveHome(UnitIndex(0), to: .b, at: world.now)
        world.run()
        #expect(world.homeIsMoving)
        world.giveHeldState()
        #expect(world.homeIsMoving)
        world.holdState = false
        world.giveHeldState()
        #expect(!world.homeIsMoving && world.state().home == .b)
        #expect(world.accessState == .activeNonOptimized)
        #expect(world.command(Self.testUnitReady).code == 0x2A06)
        let after = world.command(groups, dataIn: 256).data
        #expect(after[4] == 0x81 && after[16] == 0x00)
        // Where home is already: no event.
        world.server.moveHome(UnitIndex(0), to: .b, at: world.now)
        world.run()
        #expect(world.state().eventNumber == 1)
        #expect(world.command(Self.testUnitReady).status == .good)
        world.expectIdle()
    }

    @Test func withoutThePartnerItsGroupIsUnavailable() {
        let world = World(controller: .b)
        world.login()
        world.serve(paired: false)
        #expect(world.command(Self.testUnitReady).code == 0x2A06)
        let data = world.command([0xA3, 0x2A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], dataIn: 256).data
        #expect(Array(data[0..<8]) == [0, 0, 0, 28, 0x10, 20, 0, 0])
        #expect(data[8] == 0x83 && data[20] == 0x00)
        #expect(world.accessState == .activeOptimized)
        world.serve(paired: true)
        #expect(world.command(Self.testUnitReady).code == 0x2A06)
        #expect(world.accessState == .activeNonOptimized)
    }

    @Test func aSingleControllerKnowsNoAsymmetry() {
        let world = World(controllers: 1)
        world.serve(paired: false)
        world.login()
        #expect(world.command(Self.inquiry, dataIn: 96).data[5] == 0)
        #expect(world.command([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], dataIn: 256).code == 0x2400)
    }
}
