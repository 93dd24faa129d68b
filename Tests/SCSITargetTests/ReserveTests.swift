import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// RESERVE and RELEASE (SPC-2), by themselves and beside persistent reservations.
@Suite struct ReserveTests {
    private static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]
    private static let reserves: [[UInt8]] = [[0x16, 0, 0, 0, 0, 0], [0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0]]
    private static let releases: [[UInt8]] = [[0x17, 0, 0, 0, 0, 0], [0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0]]

    @Test(arguments: reserves, releases) func oneNexusAtATime(reserve: [UInt8], release: [UInt8]) {
        let pair = TwoControllers()
        #expect(pair.command(reserve, nexus: 0).status == .good)
        #expect(pair.command(reserve, nexus: 0).status == .good)
        for other in 1..<4 {
            #expect(pair.command(reserve, nexus: other).status == .reservationConflict)
            #expect(pair.command(Self.testUnitReady, nexus: other).status == .reservationConflict)
            #expect(pair.command([0x12, 0, 0, 0, 96, 0], nexus: other, dataIn: 96).status == .good)
            #expect(pair.command([0x03, 0, 0, 0, 18, 0], nexus: other, dataIn: 18).status == .good)
            #expect(pair.command(release, nexus: other).status == .good)
        }
        #expect(pair.command(Self.testUnitReady, nexus: 0).status == .good)
        #expect(pair.command(ReservationCommands.reserveIn(0), nexus: 0, dataIn: 8).status == .reservationConflict)
        #expect(pair.command(release, nexus: 0).status == .good)
        #expect(pair.command(reserve, nexus: 1).status == .good)
        pair.expectIdle()
    }

    enum Ending: CaseIterable { case logout, ownReset, partnersReset, targetReset, nexusReset }

    @Test(arguments: Ending.allCases) func aReservationGoesWith(_ ending: Ending) {
        let pair = TwoControllers(units: 2)
        #expect(pair.command(Self.reserves[0], nexus: 0).status == .good)
        switch ending {
        case .logout: pair.logout(0)
        case .ownReset: pair.manage(.logicalUnitReset, nexus: 0)
        case .partnersReset: pair.manage(.logicalUnitReset, nexus: 1)
        case .targetReset: pair.manage(.targetColdReset, nexus: 1)
        case .nexusReset: pair.manage(.iTNexusReset, nexus: 0)
        }
        _ = pair.command(Self.testUnitReady, nexus: 1)
        _ = pair.command(Self.testUnitReady, nexus: 1)
        #expect(pair.command(Self.reserves[0], nexus: 1).status == .good, "\(ending)")
    }

    @Test func aNewSessionUnderTheSameIndexHoldsNothing() {
        let pair = TwoControllers()
        #expect(pair.command(Self.reserves[0], nexus: 0).status == .good)
        pair.login(0, port: "iqn.other,i,0x1")
        #expect(pair.state().reserver == nil)
    }

    @Test func aControllerThatIsGoneHoldsNothing() {
        let pair = TwoControllers()
        #expect(pair.command(Self.reserves[0], nexus: 1).status == .good)
        #expect(pair.state().reserver?.controller == .b)
        pair.state().forgetNexuses(of: .a)
        #expect(pair.state().reserver != nil)
        pair.state().forgetNexuses(of: .b)
        #expect(pair.state().reserver == nil)
    }

    @Test func besideRegistrationsOnlyWhoHasAccessMayAsk() {
        let pair = TwoControllers()
        let out = ReservationCommands.self
        #expect(pair.command(out.reserveOut(0), nexus: 0, out: out.list(0, 1)).status == .good)
        // A registration without a reservation: a conflict for everybody (SPC-2 5.5.1).
        for nexus in 0..<2 { #expect(pair.command(Self.reserves[0], nexus: nexus).status == .reservationConflict) }
        #expect(pair.command(out.reserveOut(1, type: 5), nexus: 0, out: out.list(1)).status == .good)
        #expect(pair.command(Self.reserves[0], nexus: 0).status == .good)
        #expect(pair.command(Self.releases[0], nexus: 0).status == .good)
        #expect(pair.command(Self.reserves[0], nexus: 1).status == .reservationConflict)
        #expect(pair.command(Self.releases[0], nexus: 1).status == .reservationConflict)
        #expect(pair.command(out.reserveOut(0), nexus: 1, out: out.list(0, 2)).status == .good)
        #expect(pair.command(Self.reserves[0], nexus: 1).status == .good)
        #expect(pair.state().reserver == nil)
    }
}
