import BlockModel
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// START STOP UNIT and PREVENT ALLOW MEDIUM REMOVAL, through both controllers.
@Suite struct MediumTests {
    private static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]
    private static let read = MediumAccessTests.cdb10(0x28, 0, 1)
    private static let capacity: [UInt8] = [0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    private static func startStop(_ bits: UInt8) -> [UInt8] { [0x1B, 0, 0, 0, bits, 0] }
    private static func prevent(_ on: Bool) -> [UInt8] { [0x1E, 0, 0, 0, on ? 1 : 0, 0] }

    private func removable() -> TwoControllers {
        var profile = UnitProfile()
        profile.removable = true
        return TwoControllers(profile: profile)
    }

    @Test func aStoppedUnitIsNotReadyThroughEitherController() {
        let pair = TwoControllers()
        #expect(pair.command(Self.startStop(0), nexus: 0).status == .good)
        for nexus in 0..<2 {
            #expect(pair.command(Self.testUnitReady, nexus: nexus).code == 0x0402)
            let refused = pair.command(Self.read, nexus: nexus, dataIn: 512)
            #expect(refused.key == 2 && refused.code == 0x0402 && refused.data.isEmpty)
            #expect(pair.command(Self.capacity, nexus: nexus, dataIn: 8).status == .good)
            #expect(pair.command([0x12, 0, 0, 0, 96, 0], nexus: nexus, dataIn: 96).status == .good)
            let sense = pair.command([0x03, 0, 0, 0, 18, 0], nexus: nexus, dataIn: 18).data
            #expect(sense[2] == 2 && sense[12] == 4 && sense[13] == 2)
        }
        #expect(pair.command(Self.startStop(1), nexus: 1).status == .good)
        for nexus in 0..<2 { #expect(pair.command(Self.read, nexus: nexus, dataIn: 512).status == .good) }
        pair.expectIdle()
    }

    @Test func theActiveConditionStartsAStoppedUnit() {
        let pair = TwoControllers()
        #expect(pair.command(Self.startStop(0), nexus: 0).status == .good)
        #expect(pair.command(Self.startStop(0x70), nexus: 1).status == .good)
        #expect(pair.command(Self.testUnitReady, nexus: 0).code == 0x0402)
        #expect(pair.command(Self.startStop(0x10), nexus: 1).status == .good)
        #expect(pair.command(Self.testUnitReady, nexus: 0).status == .good)
        // No medium, no condition of it; and SBC-2 knows other conditions.
        let removable = removable()
        #expect(removable.command(Self.startStop(2), nexus: 0).status == .good)
        #expect(removable.command(Self.startStop(0x10), nexus: 0).code == 0x3A02)
        var legacy = UnitProfile()
        legacy.version = 0x05
        #expect(World.signedIn(profile: legacy).command(Self.startStop(0x10)).code == 0x2400)
        pair.expectIdle()
    }

    @Test func onlyARemovableUnitLetsItsMediumGo() {
        let pair = TwoControllers()
        #expect(pair.command(Self.startStop(2), nexus: 0).code == 0x2400)
        #expect(pair.command(Self.prevent(true), nexus: 0).code == 0x2000)
        // IDLE, STANDBY and the rest are not there; ACTIVE and LU_CONTROL mean nothing new.
        for condition: UInt8 in [2, 3, 4, 5, 6, 8, 0xA, 0xB, 0xF] {
            let refused = pair.command(Self.startStop(condition << 4 | 1), nexus: 0)
            #expect(refused.code == 0x2400 && refused.sense[15] == 0xCF && refused.sense[17] == 4)
        }
        for bits: UInt8 in [0x10, 0x11, 0x70] {
            #expect(pair.command(Self.startStop(bits), nexus: 0).status == .good)
            #expect(pair.command(Self.testUnitReady, nexus: 1).status == .good)
        }
        #expect(pair.command([0x1B, 0, 0, 1, 0x10, 0], nexus: 0).code == 0x2400)
        #expect(pair.command(Self.testUnitReady, nexus: 0).status == .good)
    }

    @Test func anEjectedMediumIsGoneAndItsReturnIsNews() {
        let pair = removable()
        #expect(pair.command(Self.startStop(2), nexus: 0).status == .good)
        for nexus in 0..<2 {
            for command in [Self.testUnitReady, Self.read, Self.capacity, Self.startStop(1)] {
                let outcome = pair.command(command, nexus: nexus, dataIn: command[0] == 0 ? 0 : 512)
                #expect(outcome.key == 2 && outcome.code == 0x3A02, "\(command)")
            }
        }
        #expect(pair.command(Self.startStop(3), nexus: 1).status == .good)
        for nexus in [0, 2, 3] {
            #expect(pair.command(Self.testUnitReady, nexus: nexus).code == 0x2800, "\(nexus)")
            #expect(pair.command(Self.read, nexus: nexus, dataIn: 512).status == .good)
        }
        #expect(pair.command(Self.read, nexus: 1, dataIn: 512).status == .good)
        pair.expectIdle()
    }

    enum Ending: CaseIterable { case allow, logout, ownReset, partnersReset, targetReset }

    @Test(arguments: Ending.allCases) func whoPreventsRemovalHoldsTheMediumUntil(_ ending: Ending) {
        let pair = removable()
        // One on each controller: both must let go.
        #expect(pair.command(Self.prevent(true), nexus: 0).status == .good)
        #expect(pair.command(Self.prevent(true), nexus: 1).status == .good)
        #expect(pair.command(Self.prevent(false), nexus: 1).status == .good)
        for nexus in 0..<4 {
            let refused = pair.command(Self.startStop(2), nexus: nexus)
            #expect(refused.key == 5 && refused.code == 0x5302)
            #expect(pair.command(Self.startStop(0), nexus: nexus).status == .good)
            #expect(pair.command(Self.startStop(1), nexus: nexus).status == .good)
        }
        switch ending {
        case .allow: pair.command(Self.prevent(false), nexus: 0)
        case .logout: pair.logout(0)
        case .ownReset: pair.manage(.logicalUnitReset, nexus: 0)
        case .partnersReset: pair.manage(.logicalUnitReset, nexus: 1)
        case .targetReset: pair.manage(.targetWarmReset, nexus: 3)
        }
        _ = pair.command(Self.testUnitReady, nexus: 1)
        #expect(pair.command(Self.startStop(2), nexus: 1).status == .good, "\(ending)")
    }

    @Test func reservationsKeepStrangersFromStopping() {
        let pair = removable()
        #expect(pair.command([0x16, 0, 0, 0, 0, 0], nexus: 0).status == .good)
        #expect(pair.command(Self.startStop(0), nexus: 1).status == .reservationConflict)
        #expect(pair.command(Self.startStop(1), nexus: 1).status == .good)
        #expect(pair.command(Self.prevent(true), nexus: 1).status == .reservationConflict)
        #expect(pair.command(Self.prevent(false), nexus: 1).status == .good)
    }
}
