import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// Format and sanitize operations through the loss of a controller, or of both.
@Suite struct BackgroundSurvivalTests {
    @Test(arguments: [true, false]) func theSurvivorGoesOnWhereTheOtherWas(_ immediate: Bool) {
        let pair = TwoControllers()
        let pattern: [UInt8] = [7, 0x80, 9]
        let list = BackgroundTests.list(pattern, passes: 2, inverts: true)
        pair.worlds[0].holdBlocks = true
        let handle = pair.send(BackgroundTests.overwrite(list.count, flags: immediate ? 0x80 : 0), nexus: 0, out: list)
        for _ in 0..<7 {
            pair.worlds[0].giveHeldBlocks()
            pair.worlds[0].advance(.milliseconds(1200))
            pair.settle()
        }
        #expect(pair.world(0).outcome(handle).status == (immediate ? .good : nil))
        let position = pair.state().background.map { UInt64($0.pass) * 1024 + $0.position }
        #expect(position ?? 0 > 0, "nothing was written down")
        let survivor = pair.worlds[1]
        survivor.disks = pair.worlds[0].disks
        survivor.holdState = false
        survivor.holdBlocks = true
        survivor.serve(paired: false)
        // The news of the other's loss, then the operation.
        survivor.command(BackgroundTests.testUnitReady)
        #expect(survivor.command(BackgroundTests.testUnitReady).code == 0x041B)
        survivor.holdBlocks = false
        survivor.giveHeldBlocks()
        for _ in 0..<100 { survivor.advance(.milliseconds(100)) }
        #expect(survivor.command(BackgroundTests.testUnitReady).status == .good)
        #expect(BackgroundTests.holds(survivor, pattern))
        #expect(survivor.state().background == nil)
        survivor.expectIdle()
    }

    @Test func anOperationOutlivesThePowerOfBoth() {
        let first = World()
        first.login()
        first.holdBlocks = true
        #expect(first.command(BackgroundTests.blockErase(flags: 0x80)).status == .good)
        first.giveHeldBlocks()
        let second = World(serving: false)
        second.state().base.copyMemory(from: first.state().base, byteCount: PageSize.bytes)
        second.state().cyclePower()
        second.disks = first.disks
        second.serve()
        for _ in 0..<50 { second.advance(.milliseconds(100)) }
        second.login()
        #expect(second.command(BackgroundTests.testUnitReady).status == .good)
        #expect(BackgroundTests.holds(second, [0]))
        second.expectIdle()
    }

    @Test func aPatternThatIsLostFailsTheOperation() {
        let first = World()
        first.login()
        first.holdBlocks = true
        let list = BackgroundTests.list([1, 2])
        // The host is not answered before the pattern is safe.
        let handle = first.send(BackgroundTests.overwrite(list.count, flags: 0xA0), out: list)
        #expect(first.outcome(handle).lastWords == 0)
        let second = World(serving: false)
        second.state().base.copyMemory(from: first.state().base, byteCount: PageSize.bytes)
        second.serve()
        second.login(consume: false)
        second.command(BackgroundTests.testUnitReady)
        let failed = second.command(BackgroundTests.testUnitReady)
        #expect(failed.key == 3 && failed.code == 0x3103)
        #expect(second.command(BackgroundTests.exitFailureMode).status == .good)
        #expect(second.command(BackgroundTests.testUnitReady).status == .good)
    }
}
