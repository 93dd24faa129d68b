import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct ThresholdTests {
    /// The Logical Block Provisioning mode page: thresholds in MiB by descriptor, those that are in use.
    static func page(_ counts: [Int: UInt32] = [:], forOne: Bool = false) -> [UInt8] {
        var page: [UInt8] = [0x5C, 2, 0, 44, forOne ? 1 : 0] + [UInt8](repeating: 0, count: 11)
        for index in 0..<4 {
            let count = counts[index]
            page += [(count == nil ? 0 : 0x80) | (index < 2 ? 0 : 1), index < 2 ? 1 : 2, 0, 0]
            page += (0..<4).map { UInt8(truncatingIfNeeded: (count ?? 0) >> UInt32(24 - $0 * 8)) }
        }
        return page
    }

    /// MODE SELECT of that page, and of LBPERE before it.
    static func select(_ counts: [Int: UInt32], reports: Bool = true, forOne: Bool = false) -> [UInt8] {
        let recovery: [UInt8] = [0x01, 0x0A, 0, 0, 0, 0, 0, reports ? 0x80 : 0, 0, 0, 0, 0]
        return [0, 0, 0, 0] + recovery + page(counts, forOne: forOne)
    }

    static var thin: UnitProfile {
        var profile = UnitProfile()
        profile.thin = true
        return profile
    }

    private static let sense: [UInt8] = [0x03, 0, 0, 0, 252, 0]
    private static let write = MediumAccessTests.cdb10(0x2A, 0, 8)
    private static let data = [UInt8](repeating: 7, count: 4096)

    @Test func theLogPageTellsWhatTheDeviceSays() {
        let world = World.signedIn(profile: Self.thin)
        world.room = RoomUsage(used: 5 << 20 + 1, available: 300 << 20 - 1)
        let page = LogTests.sense(world, 0x0C)
        #expect(page == [
            0x8C, 0, 0, 24, 0, 1, 0x23, 8, 0, 0, 1, 43, 2, 0, 0, 0, 0, 2, 0x23, 8, 0, 0, 0, 6, 2, 0, 0, 0,
        ])
        #expect(world.roomQuestions == 1)
        // THRESHOLD EXPONENT: sets of 1 MiB.
        let provisioning = world.command([0x12, 1, 0xB2, 0, 255, 0], dataIn: 255).data
        #expect(provisioning[4] == 11)
        // A parameter pointer beyond the last; a device that does not say.
        #expect(world.command([0x4D, 0, 0x4C, 0, 0, 0, 3, 0, 255, 0], dataIn: 255).code == 0x2400)
        world.room = nil
        let failed = world.command([0x4D, 0, 0x4C, 0, 0, 0, 0, 0, 255, 0], dataIn: 255)
        #expect(failed.key == 4 && failed.code == 0x4400)
        // Nothing of it can be reset, and units that are not thin have no such page.
        #expect(LogTests.reset(world, 0x0C).status == .good)
        #expect(World.signedIn().command([0x4D, 0, 0x4C, 0, 0, 0, 0, 0, 255, 0], dataIn: 255).code == 0x2400)
        world.expectIdle()
    }

    @Test func aLogSenseThatWaitsForTheDeviceCanBeAborted() {
        let world = World.signedIn(profile: Self.thin)
        world.holdRoom = true
        let handle = world.send([0x4D, 0, 0x4C, 0, 0, 0, 0, 0, 255, 0], dataIn: 255)
        #expect(world.outcome(handle).lastWords == 0)
        world.manage(.abortTask, referenced: handle)
        #expect(world.management[1] == .functionComplete && world.outcome(handle).ended)
        world.holdRoom = false
        world.server.handle(.room(UnitIndex(0), world.room), at: world.now)
        world.server.handle(.room(UnitIndex(0), world.room), at: world.now)
        world.run()
        world.expectIdle()
    }

    @Test func aThresholdIsReportedOnceAndArmedAgainOnTheOtherSideOfItsRange() {
        let world = World.signedIn(profile: Self.thin)
        world.room = RoomUsage(used: 10 << 20, available: 90 << 20)
        #expect(world.command([0x15, 0x11, 0, 0, 64, 0], out: Self.select([1: 50, 2: 40])).status == .good)
        func step(available: UInt64) -> UInt16 {
            world.room = RoomUsage(used: 100 << 20 - available, available: available)
            _ = world.command(Self.write, out: Self.data)
            return world.command([0, 0, 0, 0, 0, 0]).code
        }
        // The range of the second descriptor is 49.5 to 50.5 MiB available; that of the third 39.5 to 40.5 used.
        #expect(step(available: 60 << 20) == 0)
        #expect(step(available: 50 << 20) == 0x3807)
        #expect(step(available: 50 << 20) == 0)
        world.room = RoomUsage(used: 51 << 20, available: 49 << 20)
        _ = world.command(Self.write, out: Self.data)
        let sense = world.command([0, 0, 0, 0, 0, 0]).sense
        #expect(sense[0] == 0xF0 && sense[2] == 6 && Array(sense[3...6]) == [0, 0, 0, 24])
        #expect(step(available: 40 << 20) == 0)
        // Back within the range is not enough; beyond it, and down again, is.
        #expect(step(available: 50 << 20) == 0 && step(available: 40 << 20) == 0)
        #expect(step(available: 51 << 20) == 0 && step(available: 49 << 20) == 0x3807)
        #expect(world.state().reachedThresholds == 0b0110)
        // Saved: a reset does not change it, and what was reached is not told again.
        world.manage(.logicalUnitReset)
        #expect(world.command([0, 0, 0, 0, 0, 0]).code == 0x2903)
        #expect(step(available: 48 << 20) == 0)
        world.expectIdle()
    }

    @Test func withoutLBPEREAndWithoutENABLEDNothingIsReportedOrAsked() {
        let world = World.signedIn(profile: Self.thin)
        world.room = RoomUsage(used: 99 << 20, available: 1 << 20)
        #expect(world.command([0x15, 0x10, 0, 0, 64, 0], out: Self.select([0: 50], reports: false)).status == .good)
        let before = world.roomQuestions
        _ = world.command(Self.write, out: Self.data)
        #expect(world.command([0, 0, 0, 0, 0, 0]).status == .good && world.roomQuestions == before)
        // In use from here on, and below its range already: told at once, by REQUEST SENSE too.
        #expect(world.command([0x15, 0x10, 0, 0, 64, 0], out: Self.select([0: 50])).status == .good)
        let asked = world.command([0x03, 1, 0, 0, 252, 0], dataIn: 252).data
        #expect(asked.count == 20 && asked[0] == 0x72 && asked[1] == 6 && asked[2] == 0x38 && asked[3] == 7)
        #expect(asked[8] == 0 && asked[10] == 0x80 && asked[19] == 16)
        #expect(world.command([0x15, 0x10, 0, 0, 64, 0], out: Self.select([:])).status == .good)
        let isWatched = world.server.hasThresholds
        #expect(!isWatched)
        world.expectIdle()
    }

    @Test func everyNexusOfBothControllersLearnsOfAThreshold() {
        let pair = TwoControllers(profile: Self.thin)
        #expect(pair.command([0x15, 0x10, 0, 0, 64, 0], nexus: 1, out: Self.select([0: 20, 3: 80])).status == .good)
        for nexus in [0, 2, 3] { #expect(pair.command([0, 0, 0, 0, 0, 0], nexus: nexus).code == 0x2A01) }
        for world in pair.worlds { world.room = RoomUsage(used: 90 << 20, available: 10 << 20) }
        pair.command(Self.write, nexus: 0, out: Self.data)
        for nexus in 0..<4 {
            let told = (0..<2).map { _ in pair.command(Self.sense, nexus: nexus, dataIn: 252).data }
            #expect(told.map { UInt16($0[12]) << 8 | UInt16($0[13]) } == [0x3807, 0x3807])
            #expect(told.map { $0[6] } == [16, 40])
            #expect(pair.command([0, 0, 0, 0, 0, 0], nexus: nexus).status == .good)
        }
        // What one controller told the other does not tell again.
        pair.command(Self.write, nexus: 1, out: Self.data)
        for nexus in 0..<4 { #expect(pair.command([0, 0, 0, 0, 0, 0], nexus: nexus).status == .good) }
        pair.expectIdle()
    }

    @Test func withSITUAOnlyTheNexusLearnsWhoseCommandPassedTheThreshold() {
        let pair = TwoControllers(profile: Self.thin)
        let list = Self.select([0: 20], forOne: true)
        #expect(pair.command([0x15, 0x10, 0, 0, 64, 0], nexus: 0, out: list).status == .good)
        for nexus in 1..<4 { #expect(pair.command([0, 0, 0, 0, 0, 0], nexus: nexus).code == 0x2A01) }
        for world in pair.worlds { world.room = RoomUsage(used: 90 << 20, available: 10 << 20) }
        pair.command(Self.write, nexus: 3, out: Self.data)
        for nexus in 0..<3 { #expect(pair.command([0, 0, 0, 0, 0, 0], nexus: nexus).status == .good) }
        #expect(pair.command([0, 0, 0, 0, 0, 0], nexus: 3).code == 0x3807)
        pair.expectIdle()
    }
}
