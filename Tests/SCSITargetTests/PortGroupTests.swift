import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// SET TARGET PORT GROUPS, and what a group that is not active lets pass.
@Suite struct PortGroupTests {
    private static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]
    private static let report: [UInt8] = [0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]

    /// Descriptors of state and group.
    private func set(_ pair: TwoControllers, _ wishes: [(UInt8, UInt16)], nexus: Int = 0) -> Outcome {
        var list: [UInt8] = [0, 0, 0, 0]
        for wish in wishes { list += [wish.0, 0, UInt8(wish.1 >> 8), UInt8(wish.1 & 0xFF)] }
        return pair.command(
            [0xA4, 0x0A, 0, 0, 0, 0, 0, 0, 0, UInt8(list.count), 0, 0], nexus: nexus, out: list)
    }

    /// States of both groups through both controllers, and the status code.
    private func states(_ pair: TwoControllers) -> [UInt8] {
        let both = [0, 1].map { nexus -> [UInt8] in
            pair.command([0x03, 0, 0, 0, 18, 0], nexus: nexus, dataIn: 18)
            let data = pair.command(Self.report, nexus: nexus, dataIn: 256).data
            return data.count < 17 ? [] : [data[4] & 0xF, data[16] & 0xF, data[9]]
        }
        #expect(both[0] == both[1])
        return both[0]
    }

    @Test(arguments: [
        ([(0, 2)], [1, 0, 1]), ([(1, 1)], [1, 0, 1]), ([(1, 2)], [0, 1, 1]), ([(2, 2)], [0, 2, 1]),
        ([(3, 2)], [0, 3, 1]), ([(2, 1)], [2, 0, 1]), ([(0, 2), (3, 1)], [3, 0, 1]), ([(0, 1)], [0, 1, 1]),
        ([(2, 2), (0, 2)], [1, 0, 1]),
    ] as [([(UInt8, UInt16)], [UInt8])])
    func oneGroupIsOptimizedAfterwards(_ wishes: [(UInt8, UInt16)], _ expected: [UInt8]) {
        for nexus in 0..<2 {
            let pair = TwoControllers()
            #expect(set(pair, wishes, nexus: nexus).status == .good, "\(wishes) by \(nexus)")
            for other in 0..<4 where other != nexus {
                #expect(pair.command([0x03, 0, 0, 0, 18, 0], nexus: other, dataIn: 18).data[12...13] == [0x2A, 6])
            }
            #expect(states(pair) == expected, "\(wishes) by \(nexus)")
            #expect(pair.state().home == (expected[0] == 0 ? .a : .b) && pair.state().wantedHome == nil)
            pair.expectIdle()
        }
    }

    @Test(arguments: [
        ([(0, 3)], 6), ([(0, 0)], 6), ([(4, 1)], 4), ([(0xE, 1)], 4), ([(0xF, 2)], 4), ([(0, 1), (0, 2)], 8),
        ([(1, 1), (1, 2)], 8), ([(2, 1), (3, 2)], 8),
    ] as [([(UInt8, UInt16)], UInt8)])
    func whatCannotBeIsRefusedWithAPointer(_ wishes: [(UInt8, UInt16)], _ byte: UInt8) {
        let pair = TwoControllers()
        let outcome = set(pair, wishes)
        #expect(outcome.key == 5 && outcome.code == 0x2600 && outcome.sense.last == byte, "\(wishes)")
        #expect(states(pair) == [0, 1, 2])
        #expect(pair.command(Self.testUnitReady, nexus: 1).status == .good)
        #expect(set(pair, []).status == .good)
    }

    @Test(arguments: [(UInt8(2), UInt16(0x040B)), (3, 0x040C)])
    func aGroupThatIsNotActiveLetsLittlePass(_ state: UInt8, _ code: UInt16) {
        let pair = TwoControllers()
        #expect(set(pair, [(state, 2)]).status == .good)
        _ = pair.command([0x03, 0, 0, 0, 18, 0], nexus: 1, dataIn: 18)
        for command in [Self.testUnitReady, MediumAccessTests.cdb10(0x28, 0, 1)] {
            let refused = pair.command(command, nexus: 1, dataIn: command.count == 6 ? 0 : 512)
            #expect(refused.key == 2 && refused.code == code && refused.data.isEmpty)
        }
        #expect(pair.command([0x12, 0, 0, 0, 96, 0], nexus: 1, dataIn: 96).status == .good)
        #expect(pair.command(Self.report, nexus: 1, dataIn: 96).status == .good)
        let sense = pair.command([0x1A, 0, 0x3F, 0, 255, 0], nexus: 1, dataIn: 255)
        #expect((sense.status == .good) == (state == 2))
        let keys = pair.command(ReservationCommands.reserveIn(0), nexus: 1, dataIn: 8)
        #expect((keys.status == .good) == (state == 2))
        // Through it the group is made active again.
        #expect(set(pair, [(0, 2)], nexus: 1).status == .good)
        #expect(pair.command(Self.testUnitReady, nexus: 1).status == .good)
    }

    @Test func aloneNothingCanBeSet() {
        let world = World()
        world.serve(paired: false)
        world.login()
        let set: [UInt8] = [0xA4, 0x0A, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0]
        #expect(world.command(set, out: [0, 0, 0, 0, 0, 0, 0, 1]).status == .good)
        let refused = world.command(set, out: [0, 0, 0, 0, 0, 0, 0, 2])
        #expect(refused.key == 4 && refused.code == 0x670A)
        let single = World(controllers: 1)
        single.login()
        #expect(single.command(set, out: [0, 0, 0, 0, 0, 0, 0, 1]).code == 0x2400)
    }

    @Test func theOtherGroupIsAsTheConfigurationSays() {
        for (style, state) in [(AccessStyle.symmetric, UInt8(0)), (.standby, 2), (.unavailable, 3)] {
            var profile = UnitProfile()
            profile.accessStyle = style
            let pair = TwoControllers(profile: profile)
            #expect(states(pair) == [0, state, 2])
            #expect((pair.command(Self.testUnitReady, nexus: 1).status == .good) == (style == .symmetric))
            if style == .symmetric {
                #expect(set(pair, [(0, 1), (0, 2)]).status == .good)
                #expect(set(pair, [(1, 2)]).code == 0x670A)
            } else {
                #expect(set(pair, [(0, 2)]).status == .good)
                #expect(states(pair) == [1, 0, 1])
            }
        }
    }
}
