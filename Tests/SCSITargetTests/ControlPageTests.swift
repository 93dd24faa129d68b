import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// What TAS, QERR and UA_INTLCK_CTRL of the Control mode page do (SPC-4 §7.5.8).
@Suite struct ControlPageTests {
    static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]
    static let sense: [UInt8] = [0x03, 0, 0, 0, 252, 0]
    static let read = MediumAccessTests.cdb10(0x28, 0, 8)

    /// MODE SELECT (6) of the Control page.
    static func select(
        abortedStatus: Bool = true, queueError: UInt8 = 0, interlock: UInt8 = 0, saves: Bool = false
    ) -> (cdb: [UInt8], out: [UInt8]) {
        let page: [UInt8] = [
            0x0A, 0x0A, 2, 0x10 | queueError << 1, interlock << 4, abortedStatus ? 0x40 : 0, 0, 0, 0, 0, 0, 0,
        ]
        return ([0x15, saves ? 0x11 : 0x10, 0, 0, 16, 0], [0, 0, 0, 0] + page)
    }

    /// A pair with the page set, and every nexus told.
    static func pair(
        abortedStatus: Bool = true, queueError: UInt8 = 0, interlock: UInt8 = 0, saves: Bool = false
    ) -> TwoControllers {
        let pair = TwoControllers(nexuses: 6)
        let list = select(abortedStatus: abortedStatus, queueError: queueError, interlock: interlock, saves: saves)
        #expect(pair.command(list.cdb, nexus: 0, out: list.out).status == .good)
        for nexus in 1..<6 { _ = pair.command(sense, nexus: nexus, dataIn: 252) }
        return pair
    }

    /// Data-Out stays away, or comes.
    static func hold(_ pair: TwoControllers, _ holds: Bool) {
        for world in pair.worlds {
            world.holdTransport = holds
            if !holds { world.giveHeldTransport() }
        }
        pair.settle()
    }

    /// A write that waits for its data.
    static func write(_ pair: TwoControllers, _ nexus: Int) -> CommandHandle {
        pair.send(MediumAccessTests.cdb10(0x2A, 8, 8), nexus: nexus, out: [UInt8](repeating: 9, count: 4096))
    }

    @Test func whatIsSetHoldsOnBothControllersAndIsSaved() {
        let pair = TwoControllers()
        let list = Self.select(abortedStatus: false, queueError: 3, interlock: 3, saves: true)
        #expect(pair.command(list.cdb, nexus: 0, out: list.out).status == .good)
        for nexus in 1..<4 { #expect(pair.command(Self.sense, nexus: nexus, dataIn: 252).data[12] == 0x2A) }
        for control: UInt8 in [0x0A, 0xCA] {
            let page = pair.command([0x1A, 8, control, 0, 255, 0], nexus: 1, dataIn: 255).data
            #expect(Array(page[4...9]) == [0x8A, 0x0A, 2, 0x16, 0x30, 0])
        }
        let standard = pair.command([0x1A, 8, 0x8A, 0, 255, 0], nexus: 1, dataIn: 255).data
        #expect(Array(standard[4...9]) == [0x8A, 0x0A, 2, 0x10, 0, 0x40])
        pair.expectIdle()
    }

    @Test(arguments: [true, false])
    func clearTaskSetEndsOthersCommandsAsTASSays(abortedStatus: Bool) {
        let pair = Self.pair(abortedStatus: abortedStatus)
        Self.hold(pair, true)
        let commands = (0..<4).map { Self.write(pair, $0) }
        pair.manage(.clearTaskSet, nexus: 0)
        Self.hold(pair, false)
        #expect(pair.worlds[0].management[1] == .functionComplete)
        #expect(pair.world(0).outcome(commands[0]).status == nil && pair.world(0).outcome(commands[0]).ended)
        for nexus in 1..<4 {
            let outcome = pair.world(nexus).outcome(commands[nexus])
            #expect(outcome.ended && outcome.status == (abortedStatus ? .taskAborted : nil), "nexus \(nexus)")
        }
        // Only who lost a command is told, and only where no status told it.
        for nexus in 0..<6 {
            let told = !abortedStatus && (1..<4).contains(nexus)
            #expect(pair.command(Self.testUnitReady, nexus: nexus).code == (told ? 0x2F00 : 0), "nexus \(nexus)")
            #expect(pair.command(Self.testUnitReady, nexus: nexus).status == .good)
        }
        pair.expectIdle()
    }

    @Test func aResetTellsOfItselfAlone() {
        let pair = Self.pair(abortedStatus: false, saves: true)
        Self.hold(pair, true)
        let commands = (0..<2).map { Self.write(pair, $0) }
        pair.manage(.logicalUnitReset, nexus: 2)
        Self.hold(pair, false)
        for nexus in 0..<2 { #expect(pair.world(nexus).outcome(commands[nexus]).status == nil) }
        for nexus in 0..<4 {
            #expect(pair.command(Self.testUnitReady, nexus: nexus).code == 0x2903)
            #expect(pair.command(Self.testUnitReady, nexus: nexus).status == .good)
        }
        pair.expectIdle()
    }

    @Test(arguments: [0, 1, 3] as [UInt8])
    func aCheckConditionTakesAlongWhatQERRSays(queueError: UInt8) {
        let pair = Self.pair(queueError: queueError)
        Self.hold(pair, true)
        let commands = (0..<4).map { Self.write(pair, $0) }
        let waits = pair.world(0).send(Self.read, nexus: 0, dataIn: 4096, attribute: .ordered)
        let before = pair.worlds.map { $0.disks[0] }
        let wrong = MediumAccessTests.cdb10(0x28, 5000, 1)
        let failed = pair.world(0).send(wrong, nexus: 0, dataIn: 512, attribute: .headOfQueue)
        pair.settle()
        #expect(pair.world(0).outcome(failed).code == 0x2100)
        Self.hold(pair, false)
        if queueError == 1 { #expect(pair.worlds.map { $0.disks[0] } == before) }
        // Its own nexus hears nothing, the others hear of it by TASK ABORTED.
        for handle in [commands[0], waits] {
            let outcome = pair.world(0).outcome(handle)
            #expect(outcome.ended && outcome.status == (queueError == 0 ? .good : nil))
        }
        for nexus in 1..<4 {
            let outcome = pair.world(nexus).outcome(commands[nexus])
            #expect(outcome.ended && outcome.status == (queueError == 1 ? .taskAborted : .good), "nexus \(nexus)")
        }
        for nexus in 0..<4 { #expect(pair.command(Self.testUnitReady, nexus: nexus).status == .good) }
        pair.expectIdle()
    }

    @Test func withTASZeroWhatQERRAbortsIsToldByAUnitAttention() {
        let pair = Self.pair(abortedStatus: false, queueError: 1)
        Self.hold(pair, true)
        let commands = (0..<3).map { Self.write(pair, $0) }
        #expect(pair.command(MediumAccessTests.cdb10(0x28, 5000, 1), nexus: 0, dataIn: 512).code == 0x2100)
        Self.hold(pair, false)
        for nexus in 0..<3 {
            let outcome = pair.world(nexus).outcome(commands[nexus])
            #expect(outcome.ended && outcome.status == nil)
            // REQUEST SENSE takes it, and no CHECK CONDITION takes the others along again.
            let told = pair.command(Self.sense, nexus: nexus, dataIn: 252).data
            #expect(told[12] == (nexus == 0 ? 0 : 0x2F))
        }
        pair.expectIdle()
    }

    @Test func anInterlockedUnitAttentionStaysUntilItIsAskedFor() {
        let pair = Self.pair(interlock: 2)
        pair.manage(.logicalUnitReset, nexus: 4)
        // The reset took the page back to its saved values.
        #expect(pair.command(Self.testUnitReady, nexus: 0).code == 0x2903)
        #expect(pair.command(Self.testUnitReady, nexus: 0).status == .good)
        let list = Self.select(interlock: 2)
        #expect(pair.command(list.cdb, nexus: 0, out: list.out).status == .good)
        for _ in 0..<3 { #expect(pair.command(Self.testUnitReady, nexus: 1).code == 0x2903) }
        #expect(pair.command(Self.sense, nexus: 1, dataIn: 252).data[12] == 0x29)
        for _ in 0..<3 { #expect(pair.command(Self.testUnitReady, nexus: 1).code == 0x2A01) }
        #expect(pair.command(Self.sense, nexus: 1, dataIn: 252).data[12] == 0x2A)
        #expect(pair.command(Self.testUnitReady, nexus: 1).status == .good)
        pair.expectIdle()
    }

    @Test(arguments: [0, 2, 3] as [UInt8])
    func aConflictLeavesAUnitAttentionWhereItIsInterlocked(interlock: UInt8) {
        let pair = Self.pair(interlock: interlock)
        #expect(pair.command([0x16, 0, 0, 0, 0, 0], nexus: 0).status == .good)
        for _ in 0..<2 { #expect(pair.command(Self.read, nexus: 1, dataIn: 4096).status == .reservationConflict) }
        #expect(pair.command([0x17, 0, 0, 0, 0, 0], nexus: 0).status == .good)
        let code: UInt16 = interlock == 3 ? 0x2C09 : 0
        for _ in 0..<2 { #expect(pair.command(Self.testUnitReady, nexus: 1).code == code) }
        let told = pair.command(Self.sense, nexus: 1, dataIn: 252).data
        #expect(UInt16(told[12]) << 8 | UInt16(told[13]) == code)
        #expect(pair.command(Self.testUnitReady, nexus: 1).status == .good)
        pair.expectIdle()
    }
}
