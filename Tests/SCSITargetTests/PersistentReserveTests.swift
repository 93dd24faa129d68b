import BlockModel
import Primitives
import SAM
import SCSIFormats
import Simulation
import Testing

@testable import SCSITarget

/// What the model does not say: lists, TransportIDs, resources, aborts, power cycles.
@Suite struct PersistentReserveTests {
    private typealias Commands = ReservationCommands
    private static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]
    private static let write = MediumAccessTests.cdb10(0x2A, 0, 1)
    private static let block = [UInt8](repeating: 7, count: 512)

    private func register(_ pair: TwoControllers, _ nexus: Int, _ key: UInt64, flags: UInt8 = 0) {
        let list = Commands.list(0, key, flags: flags)
        #expect(pair.command(Commands.reserveOut(0), nexus: nexus, out: list).status == .good)
    }

    private func keys(_ pair: TwoControllers, through nexus: Int = 0) -> [UInt64] {
        let data = pair.command(Commands.reserveIn(0), nexus: nexus, dataIn: 8192).data
        return stride(from: 8, to: data.count, by: 8).map { at in data[at..<at + 8].reduce(0) { $0 << 8 | UInt64($1) } }
    }

    @Test func listLengthsAreExact() {
        let pair = TwoControllers(nexuses: 1)
        for (length, out) in [(0, 0), (23, 23), (25, 25), (28, 28), (24, 20)] {
            let outcome = pair.command(
                Commands.reserveOut(0, length: length), nexus: 0, out: [UInt8](repeating: 0, count: out))
            #expect(outcome.key == 5 && outcome.code == 0x1A00, "\(length) \(out)")
        }
        #expect(pair.command(Commands.reserveOut(1, type: 2), nexus: 0, out: Commands.list(0)).code == 0x2400)
        #expect(pair.command(Commands.reserveOut(1, type: 0x15), nexus: 0, out: Commands.list(0)).code == 0x2400)
        #expect(pair.command(Commands.reserveOut(8), nexus: 0, out: Commands.list(0)).code == 0x2400)
        #expect(pair.command(Commands.reserveIn(4), nexus: 0, dataIn: 64).code == 0x2400)
        pair.expectIdle()
    }

    @Test func capabilitiesAreWhatIsThere() {
        let pair = TwoControllers(nexuses: 1)
        let ask = { pair.command(Commands.reserveIn(2), nexus: 0, dataIn: 64).data }
        #expect(ask() == [0, 8, 0x1D, 0x80, 0xEA, 0x01, 0, 0])
        // RLR_C is zero: there is no REPLACE LOST RESERVATION, and the list of commands says the same.
        let one = pair.command([0xA3, 0x0C, 0x02, 0x5F, 0, 8, 0, 0, 0, 64, 0, 0], nexus: 0, dataIn: 64).data
        #expect(one[1] == 1)
        #expect(pair.command(Commands.reserveOut(8), nexus: 0, out: Commands.list(0, 1)).code == 0x2400)
        register(pair, 0, 1, flags: 1)
        #expect(ask() == [0, 8, 0x1D, 0x81, 0xEA, 0x01, 0, 0])
    }

    @Test func allTargetPortsRegistersBothControllers() {
        let pair = TwoControllers(nexuses: 1)
        register(pair, 0, 5, flags: 4)
        // The same initiator port logs in to b: it is registered there.
        pair.login(1, port: World.portName(0))
        #expect(pair.command(Commands.reserveOut(1, type: 1), nexus: 1, out: Commands.list(5)).status == .good)
        #expect(keys(pair) == [5, 5])
        #expect(pair.command(Commands.reserveOut(0), nexus: 1, out: Commands.list(5, 0, flags: 4)).status == .good)
        #expect(keys(pair).isEmpty)
    }

    @Test func namedPortsAreRegisteredAllOrNone() {
        let pair = TwoControllers(nexuses: 4)
        func list(_ ids: [[UInt8]], flags: UInt8 = 8) -> [UInt8] {
            let all = ids.flatMap { $0 }
            return Commands.list(0, 3, flags: flags) + [0, 0, UInt8(all.count >> 8), UInt8(all.count & 0xFF)] + all
        }
        let upper = World.portName(2).replacing("host", with: "HOST")
        var out = list([Commands.transportID(upper), [0x45, 0, 0, 2, 0, 0]])
        out += []
        let wrong = pair.command(Commands.reserveOut(0, length: out.count), nexus: 0, out: out)
        #expect(wrong.code == 0x2600 && keys(pair).isEmpty)
        out = list([Commands.transportID(upper)])
        #expect(pair.command(Commands.reserveOut(0, length: out.count), nexus: 0, out: out).status == .good)
        #expect(keys(pair) == [3, 3])
        // Nexus 2 is on a as well, and is the one that was named.
        #expect(pair.command(Commands.reserveOut(1, type: 3), nexus: 2, out: Commands.list(3)).status == .good)
        // Only an unregistered nexus may name others.
        let second = pair.command(Commands.reserveOut(0, length: out.count), nexus: 0, out: out)
        #expect(second.status == .reservationConflict)
        let again = Commands.list(3, 3, flags: 8) + Array(out[24...])
        #expect(pair.command(Commands.reserveOut(0, length: again.count), nexus: 0, out: again).code == 0x2600)
    }

    @Test func aNameWithoutISIDStandsForEveryPortOfIt() {
        let pair = TwoControllers(nexuses: 3)
        var id = Commands.transportID("iqn.2026-11.io.gemel:host2")
        id[0] = 0x05
        let out = Commands.list(0, 3, flags: 8) + [0, 0, 0, UInt8(id.count)] + id
        #expect(pair.command(Commands.reserveOut(0, length: out.count), nexus: 0, out: out).status == .good)
        #expect(pair.command(Commands.reserveOut(1, type: 3), nexus: 2, out: Commands.list(3)).status == .good)
    }

    @Test func registrationsHaveAnEndAndRefusalsChangeNothing() {
        let pair = TwoControllers(nexuses: 1)
        var refused = 0
        for index in 0..<80 {
            pair.login(0, port: "iqn.2026-11.io.gemel:short\(index % 8),i,0x\(String(index, radix: 16))")
            let outcome = pair.command(Commands.reserveOut(0), nexus: 0, out: Commands.list(0, UInt64(index + 1)))
            if outcome.code == 0x5504 && outcome.key == 5 { refused += 1 } else { #expect(outcome.status == .good) }
        }
        #expect(refused == 16 && keys(pair).count == 64)
        // Names have less room than registrations.
        let long = TwoControllers(nexuses: 1)
        for index in 0..<8 {
            let name = "iqn." + String(repeating: "x", count: 210) + "\(index)"
            long.login(0, port: "\(name),i,0x1")
            let outcome = long.command(Commands.reserveOut(0), nexus: 0, out: Commands.list(0, 9))
            #expect(outcome.status == (index < 4 ? .good : .checkCondition))
        }
        #expect(keys(long).count == 4)
        // What leaves gives its room back, and the others keep their names.
        long.login(0, port: "iqn." + String(repeating: "x", count: 210) + "1,i,0x1")
        #expect(long.command(Commands.reserveOut(0), nexus: 0, out: Commands.list(9, 0)).status == .good)
        long.login(0, port: "iqn.new,i,0x1")
        #expect(long.command(Commands.reserveOut(0), nexus: 0, out: Commands.list(0, 8)).status == .good)
        let status = long.command(Commands.reserveIn(3), nexus: 0, dataIn: 8192).data
        #expect(String(decoding: status, as: UTF8.self).contains("x2,i,0x000000000001"))
        #expect(String(decoding: status, as: UTF8.self).contains("iqn.new,i,0x000000000001"))
    }

    @Test func aLongFullStatusIsOfOneState() {
        let pair = TwoControllers(nexuses: 1)
        for index in 0..<63 {
            let name = "iqn.2026-11.io.gemel:a-host-with-a-rather-long-name"
            pair.login(0, port: "\(name),i,0x\(String(index + 1, radix: 16))")
            register(pair, 0, UInt64(index + 1))
        }
        let all = pair.command(Commands.reserveIn(3), nexus: 0, dataIn: 8192)
        #expect(all.status == .good && all.data.count == 8 + 63 * (24 + 76))
        #expect(all.data[8 + 62 * 100 + 7] == 63)
        pair.login(1)
        pair.worlds[0].holdTransport = true
        let handle = pair.send(Commands.reserveIn(3), nexus: 0, dataIn: 8192)
        register(pair, 1, 99)
        pair.worlds[0].holdTransport = false
        pair.worlds[0].giveHeldTransport()
        pair.settle()
        #expect(pair.worlds[0].outcome(handle).status == .checkCondition && pair.worlds[0].outcome(handle).key == 0xB)
    }

    @Test(arguments: [false, true]) func preemptAndAbortEndsWhatWaitsForItsHost(otherController: Bool) {
        let pair = TwoControllers(nexuses: 4)
        let victim = otherController ? 1 : 2
        register(pair, 0, 1)
        register(pair, victim, 2)
        #expect(pair.command(Commands.reserveOut(1, type: 5), nexus: victim, out: Commands.list(2)).status == .good)
        let world = pair.world(victim)
        let before = world.disks[0]
        world.holdTransport = true
        let write = pair.send(Self.write, nexus: victim, out: Self.block)
        world.holdTransport = false
        let preempt = pair.command(Commands.reserveOut(5, type: 5), nexus: 0, out: Commands.list(1, 2))
        #expect(preempt.status == .good)
        world.giveHeldTransport()
        pair.settle()
        #expect(world.outcome(write).status == .taskAborted && world.disks[0] == before)
        #expect(pair.command(Self.write, nexus: victim, out: Self.block).status == .reservationConflict)
        #expect(pair.command(Self.testUnitReady, nexus: victim).code == 0x2A05)
        #expect(pair.command(Self.testUnitReady, nexus: victim).status == .good)
        pair.expectIdle()
    }

    @Test func aConflictGoesBeforeAttentionsButNotBeforeThatOfAReset() {
        let pair = TwoControllers(nexuses: 4)
        register(pair, 0, 1)
        register(pair, 1, 2)
        #expect(pair.command(Commands.reserveOut(1, type: 3), nexus: 0, out: Commands.list(1)).status == .good)
        #expect(pair.command(Commands.reserveOut(4, type: 3), nexus: 0, out: Commands.list(1, 2)).status == .good)
        #expect(pair.command(Self.write, nexus: 1, out: Self.block).status == .reservationConflict)
        pair.login(3, consume: false)
        #expect(pair.command(Self.write, nexus: 3, out: Self.block).code == 0x2900)
        #expect(pair.command(Self.write, nexus: 3, out: Self.block).status == .reservationConflict)
        #expect(pair.command(Self.testUnitReady, nexus: 1).code == 0x2A05)
    }

    @Test func aNewSessionOfAPortKeepsItsRegistration() {
        let pair = TwoControllers(nexuses: 2)
        register(pair, 0, 1)
        #expect(pair.command(Commands.reserveOut(1, type: 3), nexus: 0, out: Commands.list(1)).status == .good)
        pair.logout(0)
        pair.login(0)
        #expect(pair.command(Self.write, nexus: 0, out: Self.block).status == .good)
        pair.manage(.logicalUnitReset, nexus: 1)
        _ = pair.command(Self.testUnitReady, nexus: 0)
        _ = pair.command(Self.testUnitReady, nexus: 1)
        #expect(pair.command(Self.write, nexus: 0, out: Self.block).status == .good)
        #expect(pair.command(Self.write, nexus: 1, out: Self.block).status == .reservationConflict)
    }

    @Test func onlyWhatOutlivesPowerIsDurableAndIsKept() {
        for outlives in [false, true] {
            let pair = TwoControllers(nexuses: 2)
            register(pair, 0, 1, flags: outlives ? 1 : 0)
            #expect(pair.durables.last == outlives)
            #expect(pair.command(Commands.reserveOut(1, type: 1), nexus: 0, out: Commands.list(1)).status == .good)
            #expect(pair.durables.last == outlives)
            let block = pair.state()
            block.cyclePower()
            #expect(block.hasRegistrations == outlives && (block.reservationType == 1) == outlives)
            #expect(block.reservationGeneration == 0 && block.powerCycles == 1)
            if !outlives { continue }
            // The change that ends it is durable too.
            register(pair, 1, 2)
            #expect(pair.durables.last == true)
            let change = Commands.list(2, 3)
            #expect(pair.command(Commands.reserveOut(0), nexus: 1, out: change).status == .good)
            #expect(pair.durables.last == false)
        }
    }
}
