import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// FORMAT UNIT and SANITIZE (SBC-4 §5.4, §4.11) while they go on, by two controllers, and through the loss of either.
@Suite struct BackgroundTests {
    static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]
    static let requestSense: [UInt8] = [3, 0, 0, 0, 252, 0]
    /// FORMAT UNIT without a parameter list.
    static let format: [UInt8] = [4, 0, 0, 0, 0, 0]

    static func overwrite(_ length: Int, flags: UInt8 = 0) -> [UInt8] {
        [0x48, flags | 1, 0, 0, 0, 0, 0, UInt8(length >> 8), UInt8(length & 0xFF), 0]
    }

    static func blockErase(flags: UInt8 = 0) -> [UInt8] { [0x48, flags | 2, 0, 0, 0, 0, 0, 0, 0, 0] }
    static let exitFailureMode: [UInt8] = [0x48, 0x1F, 0, 0, 0, 0, 0, 0, 0, 0]

    /// An OVERWRITE's list: passes, perhaps with INVERT, and the pattern.
    static func list(_ pattern: [UInt8], passes: UInt8 = 1, inverts: Bool = false) -> [UInt8] {
        [passes | (inverts ? 0x80 : 0), 0, UInt8(pattern.count >> 8), UInt8(pattern.count & 0xFF)] + pattern
    }

    static func holds(_ world: World, _ pattern: [UInt8], unit: Int = 0, block: Int = 512) -> Bool {
        let whole = (0..<block).map { pattern[$0 % pattern.count] }
        return stride(from: 0, to: world.disks[unit].count, by: block).allSatisfy {
            Array(world.disks[unit][$0..<$0 + block]) == whole
        }
    }

    static func progress(_ sense: [UInt8]) -> Int? {
        sense.count >= 18 && sense[15] & 0x80 != 0 ? Int(sense[16]) << 8 | Int(sense[17]) : nil
    }

    /// Steps of the operation on `world` until nothing is under way any more.
    static func finish(_ pair: TwoControllers) {
        for world in pair.worlds { world.holdBlocks = false }
        for _ in 0..<200 {
            for world in pair.worlds {
                world.giveHeldBlocks()
                world.advance(.milliseconds(500))
            }
            pair.settle()
        }
    }

    @Test func aFormatAnswersAtItsEndAndBothControllersSayThatItGoesOn() {
        let pair = TwoControllers()
        pair.worlds[0].holdBlocks = true
        let handle = pair.send(Self.format, nexus: 0)
        #expect(pair.world(0).outcome(handle).lastWords == 0)
        for nexus in [0, 1, 2, 3] {
            let ready = pair.command(Self.testUnitReady, nexus: nexus)
            #expect(ready.key == 2 && ready.code == 0x0404 && Self.progress(ready.sense) != nil)
            let sense = pair.command(Self.requestSense, nexus: nexus, dataIn: 252)
            #expect(sense.status == .good && sense.data[2] & 15 == 2 && sense.data[12] == 4 && sense.data[13] == 4)
            #expect(Self.progress(sense.data) != nil)
            #expect(pair.command([0x12, 0, 0, 0, 96, 0], nexus: nexus, dataIn: 96).status == .good)
            let luns: [UInt8] = [0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
            #expect(pair.command(luns, nexus: nexus, dataIn: 256).status == .good)
            for refused in [MediumAccessTests.cdb10(0x28, 0, 1), [0x1A, 0, 0x3F, 0, 255, 0], Self.blockErase()] {
                #expect(pair.command(refused, nexus: nexus, dataIn: 4096).code == 0x0404, "\(refused)")
            }
            let data = [UInt8](repeating: 1, count: 512)
            let write = pair.command(MediumAccessTests.cdb10(0x2A, 0, 1), nexus: nexus, out: data)
            #expect(write.code == 0x0404)
        }
        Self.finish(pair)
        #expect(pair.world(0).outcome(handle).status == .good)
        #expect(Self.holds(pair.worlds[0], [0]))
        #expect(pair.state().background == nil)
        for nexus in [0, 1] { #expect(pair.command(Self.testUnitReady, nexus: nexus).status == .good) }
        #expect(pair.worlds[0].requests.contains("commitState") && pair.durables.contains(true))
        pair.expectIdle()
    }

    @Test func aPatternIsRepeatedAndImmediateCommandsAnswerAtOnce() {
        for block in [512, 4096] {
            let world = World(blocks: 512, blockLength: UInt32(block))
            world.login()
            let pattern: [UInt8] = [0xDE, 0xAD, 0x17]
            // FMTDATA; FOV, IP, IMMED; type 01h.
            let list: [UInt8] = [0, 0x8A, 0, 0, 0, 1, 0, 3] + pattern
            #expect(world.command([4, 0x10, 0, 0, 0, 0], out: list).status == .good)
            for _ in 0..<100 { world.advance(.milliseconds(100)) }
            #expect(Self.holds(world, pattern, block: block))
            // A long header, and a pattern as long as a block.
            let whole = (0..<block).map { UInt8(truncatingIfNeeded: $0 * 5 + $0 / 256) }
            let long: [UInt8] = [0, 0x88, 0, 0, 0, 0, 0, 0, 0, 1, UInt8(block >> 8), 0] + whole
            let handle = world.send([4, 0x30, 0, 0, 0, 0], out: long)
            for _ in 0..<100 { world.advance(.milliseconds(100)) }
            #expect(world.outcome(handle).status == .good)
            #expect(Self.holds(world, whole, block: block))
            world.expectIdle()
        }
    }

    @Test func overwriteWritesItsPassesAndEndsWithThePattern() {
        for (passes, inverts) in [(1, false), (2, true), (3, true), (4, false)] {
            let pair = TwoControllers()
            let pattern: [UInt8] = [0x0F, 1, 2, 3, 4]
            let list = Self.list(pattern, passes: UInt8(passes), inverts: inverts)
            pair.worlds[0].holdBlocks = true
            let handle = pair.send(Self.overwrite(list.count), nexus: 0, out: list)
            let other = pair.command(Self.testUnitReady, nexus: 1)
            #expect(other.key == 2 && other.code == 0x041B)
            Self.finish(pair)
            #expect(pair.world(0).outcome(handle).status == .good)
            #expect(Self.holds(pair.worlds[0], pattern))
            pair.expectIdle()
        }
    }

    @Test func everyPassWritesEveryBlock() {
        let world = World(blocks: 1024)
        world.login()
        world.holdBlocks = true
        let list = Self.list([0xF0], passes: 3, inverts: true)
        let handle = world.send(Self.overwrite(list.count), out: list)
        var seen: [UInt8] = []
        for _ in 0..<60 {
            if world.disks[0].allSatisfy({ $0 == world.disks[0][0] }), seen.last != world.disks[0][0] {
                seen.append(world.disks[0][0])
            }
            world.giveHeldBlocks()
            world.advance(.milliseconds(100))
        }
        #expect(seen == [0xF0, 0x0F, 0xF0])
        #expect(world.outcome(handle).status == .good)
    }

    @Test func thinUnitsAreErasedByDiscards() {
        var profile = UnitProfile()
        profile.thin = true
        let world = World(blocks: 1021, profile: profile)
        world.login()
        #expect(world.command(Self.blockErase()).status == .good)
        #expect(world.discards == [BlockExtent(start: 0, count: 1016)])
        #expect(Self.holds(world, [0]))
        #expect(world.command(Self.format).status == .good)
        #expect(world.discards.count == 2)
        world.expectIdle()
    }

    @Test func aFailedSanitizeKeepsTheUnitUntilItIsLeftOrRepeated() {
        let pair = TwoControllers()
        func fails(_ cdb: [UInt8]) -> Outcome {
            pair.worlds[0].fault = nil
            pair.worlds[0].holdBlocks = true
            let handle = pair.send(cdb, nexus: 0)
            pair.worlds[0].fault = .unwritable
            // A record is written between two tries.
            for _ in 0..<2 * DeviceServer.faultLimit + 10 {
                pair.worlds[0].holdState = true
                pair.worlds[0].giveHeldBlocks()
                pair.worlds[0].fault = nil
                pair.settle()
                pair.worlds[0].fault = .unwritable
                pair.worlds[0].advance(.seconds(2))
            }
            pair.worlds[0].fault = nil
            pair.worlds[0].holdBlocks = false
            pair.worlds[0].giveHeldBlocks()
            pair.settle()
            return pair.world(0).outcome(handle)
        }
        let restricted = fails(Self.blockErase())
        #expect(restricted.key == 3 && restricted.code == 0x3103)
        for nexus in [0, 1] {
            #expect(pair.command(Self.testUnitReady, nexus: nexus).code == 0x3103)
            #expect(pair.command(Self.format, nexus: nexus).code == 0x3103)
            #expect(pair.command(Self.requestSense, nexus: nexus, dataIn: 252).data[12] == 0x31)
            #expect(pair.command(Self.exitFailureMode, nexus: nexus).code == 0x2400)
            #expect(pair.command(Self.blockErase(flags: 0x20), nexus: nexus).code == 0x2400)
        }
        #expect(pair.command(Self.blockErase(), nexus: 1).status == .good)
        #expect(pair.command(Self.testUnitReady, nexus: 0).status == .good)
        let free = fails(Self.blockErase(flags: 0x20))
        #expect(free.code == 0x3103)
        #expect(pair.command(Self.exitFailureMode, nexus: 1).status == .good)
        #expect(pair.command(Self.testUnitReady, nexus: 0).status == .good)
        let format = fails(Self.format)
        #expect(format.key == 3 && format.code == 0x3101)
        let read = MediumAccessTests.cdb10(0x28, 0, 1)
        #expect(pair.command(read, nexus: 1, dataIn: 512).code == 0x3100)
        #expect(pair.command([0x12, 0, 0, 0, 96, 0], nexus: 1, dataIn: 96).status == .good)
        #expect(pair.command(Self.format, nexus: 1).status == .good)
        #expect(pair.command(read, nexus: 0, dataIn: 512).status == .good)
        pair.expectIdle()
    }

    @Test func taskManagementDoesNotStopIt() {
        for function in [TaskManagementFunction.abortTaskSet, .clearTaskSet, .logicalUnitReset] {
            let pair = TwoControllers()
            pair.worlds[0].holdBlocks = true
            let handle = pair.send(Self.blockErase(), nexus: 0)
            pair.manage(function, nexus: 0)
            #expect(pair.world(0).outcome(handle).lastWords == 1 && pair.world(0).outcome(handle).status != .good)
            // What the partner must learn waits for the step at hand; the next one waits for its time.
            pair.worlds[0].advance(.milliseconds(40))
            pair.worlds[0].giveHeldBlocks()
            pair.settle()
            pair.worlds[0].giveHeldBlocks()
            pair.settle()
            #expect(pair.worlds[0].management[1] == .functionComplete)
            pair.command(Self.testUnitReady, nexus: 0)
            #expect(pair.command(Self.testUnitReady, nexus: 0).code == 0x041B)
            Self.finish(pair)
            #expect(Self.holds(pair.worlds[0], [0]))
            pair.expectIdle()
        }
    }

    @Test func aWriteThatWaitedForItsHostIsRefused() {
        let world = World()
        world.login()
        world.login(1)
        world.holdTransport = true
        let write = world.send(MediumAccessTests.cdb10(0x2A, 0, 8), out: [UInt8](repeating: 0x55, count: 4096))
        world.holdBlocks = true
        let erase = world.send(Self.blockErase(flags: 0x80), nexus: 1)
        #expect(world.outcome(erase).status == .good)
        world.holdTransport = false
        world.giveHeldTransport()
        #expect(world.outcome(write).code == 0x041B)
        world.holdBlocks = false
        world.giveHeldBlocks()
        for _ in 0..<50 { world.advance(.milliseconds(100)) }
        #expect(Self.holds(world, [0]))
        world.expectIdle()
    }

    @Test func fewUnitsAreWorkedAtAtOnceAndAllGetTheirTurn() {
        let world = World(units: 5)
        world.login()
        world.holdBlocks = true
        for lun in 0..<5 { #expect(world.command(Self.blockErase(flags: 0x80), lun: UInt16(lun)).status == .good) }
        #expect(world.operations.count == DeviceServerLimits.workers)
        world.holdBlocks = false
        world.giveHeldBlocks()
        for _ in 0..<100 { world.advance(.milliseconds(100)) }
        for lun in 0..<5 {
            #expect(Self.holds(world, [0], unit: lun))
            #expect(world.command(Self.testUnitReady, lun: UInt16(lun)).status == .good)
        }
        world.expectIdle()
    }

    @Test func thereIsAPauseAsLongAsAStep() {
        let world = World(blocks: 1024)
        world.login()
        world.holdBlocks = true
        _ = world.command(Self.blockErase(flags: 0x80))
        world.advance(.milliseconds(40))
        world.giveHeldBlocks()
        world.giveHeldBlocks()
        #expect(world.operations.isEmpty)
        world.advance(.milliseconds(39))
        #expect(world.operations.isEmpty)
        world.advance(.milliseconds(1))
        #expect(world.operations.count == 1)
        world.holdBlocks = false
        world.giveHeldBlocks()
        for _ in 0..<20 { world.advance(.milliseconds(100)) }
        world.expectIdle()
    }
}
