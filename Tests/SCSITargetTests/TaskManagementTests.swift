import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct TaskManagementTests {
    static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]

    /// A command, and how often its held answers are given before it is aborted.
    static let steps: [([UInt8], Int, Int, Int)] = {
        let read = MediumAccessTests.cdb10(0x28, 3, 600)
        let write = MediumAccessTests.cdb10(0x2A, 3, 600)
        let verify = MediumAccessTests.cdb10(0x2F, 3, 20, flags: 2)
        let writeVerify = MediumAccessTests.cdb10(0x2E, 3, 600)
        let select: [UInt8] = [0x15, 0x10, 0, 0, 24, 0]
        var all: [([UInt8], Int, Int, Int)] = []
        for step in 0..<8 {
            all.append((read, 600 * 512, 0, step))
            all.append((write, 0, 600 * 512, step))
            all.append((writeVerify, 0, 600 * 512, step))
            all.append((verify, 0, 20 * 512, step))
            all.append((select, 0, 24, step))
            all.append((MediumAccessTests.cdb10(0x35, 0, 0), 0, 0, step))
            all.append((MediumAccessTests.cdb10(0x34, 0, 0), 0, 0, step))
            all.append(([0x12, 0, 0, 0, 96, 0], 96, 0, step))
        }
        return all
    }()

    enum How: CaseIterable { case lost, abortTask, abortTaskSet, clearTaskSet, reset, partnersReset, abortedThenLost }

    @Test(arguments: How.allCases, steps)
    func anAbortAtEachStepLeavesNothingBehind(how: How, step: ([UInt8], Int, Int, Int)) {
        let world = World()
        world.login(0)
        world.login(1)
        world.holdBlocks = true
        world.holdTransport = true
        world.holdState = true
        var out = [UInt8](repeating: 0, count: step.2)
        if step.0[0] == 0x15 { out.replaceSubrange(4..<6, with: [0x08, 0x12]) }
        if step.0[0] == 0x2F { out = Array(world.disks[0][3 * 512..<23 * 512]) }
        let handle = world.send(step.0, dataIn: step.1, out: out)
        for _ in 0..<step.3 {
            world.giveHeldTransport()
            world.giveHeldBlocks()
            world.giveHeldState()
        }
        switch how {
        case .lost: world.lose(handle)
        case .abortTask: world.manage(.abortTask, referenced: handle)
        case .abortTaskSet: world.manage(.abortTaskSet)
        case .clearTaskSet: world.manage(.clearTaskSet, nexus: 1)
        case .reset: world.manage(.logicalUnitReset)
        case .partnersReset: world.manage(.targetWarmReset, nexus: 1)
        case .abortedThenLost:
            world.manage(.abortTask, referenced: handle)
            if world.commands[handle] != nil { world.lose(handle) }
        }
        world.holdBlocks = false
        world.holdTransport = false
        world.holdState = false
        for _ in 0..<4 {
            world.giveHeldTransport()
            world.giveHeldBlocks()
            world.giveHeldState()
        }
        if how != .lost { #expect(world.management[1] == .functionComplete, "\(how) \(step)") }
        world.expectIdle("\(how) \(step)")
        #expect(world.command(Self.testUnitReady).lastWords == 1)
    }

    @Test func anAbortedWriteHasNoEffect() {
        let world = World()
        world.login()
        world.holdTransport = true
        let before = world.disks[0]
        let write = world.send(MediumAccessTests.cdb10(0x2A, 0, 8), out: [UInt8](repeating: 3, count: 4096))
        world.manage(.abortTask, referenced: write)
        #expect(world.management[1] == .functionComplete && world.outcome(write).status == nil)
        #expect(world.disks[0] == before)
        world.expectIdle()
    }

    @Test func abortTaskNamesOneCommandOfItsNexus() {
        let world = World()
        world.login(0)
        world.login(1)
        world.holdBlocks = true
        let first = world.send(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        let second = world.send(MediumAccessTests.cdb10(0x28, 0, 8), nexus: 1, dataIn: 4096)
        world.manage(.abortTask, nexus: 1, referenced: first)
        #expect(world.outcome(first).lastWords == 0)
        world.manage(.abortTaskSet, nexus: 1, request: 2)
        #expect(world.outcome(first).lastWords == 0 && world.outcome(second).ended)
        #expect(world.management == [1: .functionComplete, 2: .functionComplete])
        world.manage(.queryTask, referenced: first, request: 3)
        world.manage(.queryTaskSet, nexus: 1, request: 4)
        #expect(world.management[3] == .functionSucceeded && world.management[4] == .functionComplete)
        world.holdBlocks = false
        world.giveHeldBlocks()
        #expect(world.outcome(first).status == .good)
        world.expectIdle()
    }

    @Test func aResetIsAnsweredWhenItsEventIsCommitted() {
        let world = World()
        world.login(0)
        world.login(1)
        ModeTests.setCache(world, enabled: false)
        _ = world.command(Self.testUnitReady, nexus: 1)
        world.holdBlocks = true
        world.holdState = true
        let own = world.send(MediumAccessTests.cdb10(0x28, 0, 8), dataIn: 4096)
        world.giveHeldState()
        let others = world.send(MediumAccessTests.cdb10(0x28, 0, 8), nexus: 1, dataIn: 4096)
        world.manage(.logicalUnitReset)
        #expect(world.outcome(own).status == nil && world.outcome(own).ended)
        #expect(world.outcome(others).status == .taskAborted)
        #expect(world.management.isEmpty)
        world.giveHeldState()
        #expect(world.management.isEmpty)
        world.giveHeldState()
        #expect(world.management == [1: .functionComplete])
        #expect(world.state().event(2) == StateBlock.Event(
            code: 0x29, qualifier: 3, scope: 1, controller: 0xFF, nexus: 0xFFFF))
        #expect(world.state().currentMode == world.state().savedMode)
        world.holdState = false
        #expect(world.command(Self.testUnitReady).code == 0x2903)
        #expect(world.command(Self.testUnitReady, nexus: 1).code == 0x2903)
        #expect(world.command(Self.testUnitReady).status == .good)
        world.expectIdle()
    }

    @Test func commandsAfterAResetAreNotItsBusiness() {
        let world = World()
        world.login()
        world.holdState = true
        world.manage(.logicalUnitReset)
        let later = world.send(Self.testUnitReady)
        world.holdState = false
        world.giveHeldState()
        world.giveHeldState()
        #expect(world.outcome(later).code == 0x2903)
        world.expectIdle()
    }

    @Test func aTargetResetReachesEveryUnit() {
        let world = World(units: 3)
        world.login()
        world.manage(.targetColdReset)
        #expect(world.management == [1: .functionComplete])
        for unit in 0..<3 { #expect(world.state(unit).event(1)?.code == 0x29) }
        #expect(world.command(Self.testUnitReady, lun: 2).code == 0x2903)
        world.manage(.iTNexusReset, request: 2)
        #expect(world.command(Self.testUnitReady, lun: 2).code == 0x2907)
        world.expectIdle()
    }

    @Test func requestsForNothingAreAnswered() {
        let world = World()
        world.login()
        world.manage(.logicalUnitReset, lun: 9)
        world.manage(.clearACA, request: 2)
        world.manage(.abortTask, referenced: CommandHandle(slot: 5, generation: 9), request: 3)
        world.manage(.queryTask, referenced: CommandHandle(slot: 700, generation: 9), request: 4)
        world.manage(.queryAsynchronousEvent, request: 5)
        #expect(world.management == [
            1: .incorrectLogicalUnit, 2: .functionRejected, 3: .functionComplete, 4: .functionComplete,
            5: .functionComplete,
        ])
        world.expectIdle()
    }

    @Test func anOrderedCommandWaitsForOlderAndBlocksYoungerOnes() {
        let world = World()
        world.login()
        world.holdBlocks = true
        let read = MediumAccessTests.cdb10(0x28, 0, 8)
        let first = world.send(read, dataIn: 4096)
        let ordered = world.send(read, dataIn: 4096, attribute: .ordered)
        let younger = world.send(read, dataIn: 4096)
        #expect(world.operations.count == 1)
        let head = world.send(read, dataIn: 4096, attribute: .headOfQueue)
        #expect(world.operations.count == 2)
        world.giveHeldBlocks()
        #expect(world.outcome(first).status == .good && world.outcome(head).status == .good)
        #expect(world.operations.count == 1 && world.outcome(younger).lastWords == 0)
        world.giveHeldBlocks()
        #expect(world.outcome(ordered).status == .good && world.outcome(younger).lastWords == 0)
        // A turn that has not come is no reason to lose patience.
        world.advance(.seconds(30))
        world.giveHeldBlocks()
        #expect(world.outcome(younger).status == .good)
        world.expectIdle()
    }

    @Test func aWaitForTheTurnOutlastsPatience() {
        let world = World()
        world.login()
        world.holdBlocks = true
        let read = MediumAccessTests.cdb10(0x28, 0, 8)
        _ = world.send(read, dataIn: 4096)
        let ordered = world.send(read, dataIn: 4096, attribute: .ordered)
        world.advance(.seconds(30))
        #expect(world.outcome(ordered).lastWords == 0)
        world.giveHeldBlocks()
        world.giveHeldBlocks()
        #expect(world.outcome(ordered).status == .good)
        world.expectIdle()
    }

    @Test func lateWordsAboutEndedCommandsAreIgnored() {
        let world = World()
        world.login()
        let handle = world.send(Self.testUnitReady)
        for indication in [
            TransportIndication.dataInDelivered(handle), .dataOutReceived(handle), .commandLost(handle),
            .commandLost(CommandHandle(slot: 60_000, generation: 1)),
        ] {
            world.server.handle(indication, at: world.now)
            world.run()
        }
        world.server.handle(.completed(BlockToken(slot: 60_000), nil), at: world.now)
        world.server.handle(.completed(BlockToken(slot: handle.slot), nil), at: world.now)
        world.expectIdle()
    }

    @Test func aSlotOrNexusBeyondTheTableIsRefused() {
        let world = World(slots: 4)
        world.login()
        let outcome = world.command(Self.testUnitReady, nexus: 8)
        #expect(outcome.status == .taskSetFull)
        world.expectIdle()
    }
}
