import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct FuzzTests {
    /// A CDB that is mostly of the table, with a few bits turned, or nothing but chance.
    private func cdb(_ random: inout SeededRandom) -> [UInt8] {
        var bytes = (0..<16).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        if random.chance(1, in: 8) { return bytes }
        let rows = CommandTable.rows
        let row = rows[Int(random.below(UInt64(rows.count)))]
        for index in 0..<16 {
            if index == 0 {
                bytes[0] = row.opcode
            } else if index == 1, let action = row.serviceAction {
                bytes[1] = UInt8(action)
            } else if index >= Int(row.length) || random.chance(2, in: 3) {
                bytes[index] = 0
            } else {
                bytes[index] &= row.usage[index]
            }
        }
        if random.chance(1, in: 10) { bytes[Int(random.below(16))] ^= 1 << UInt8(random.below(8)) }
        return bytes
    }

    private func field(_ random: inout SeededRandom) -> UInt64 {
        switch random.below(16) {
        case 0: random.next()
        case 1: LogicalUnitAddress.reportLUNsField
        case 2: 0x0007_0000_0000_0000
        case 3: 0x4001_0000_0000_0000
        default: 0
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func randomCommandsAlwaysEndAndNeverTrap(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let world = World(
            blocks: seed % 2 == 0 ? 300 : 100, blockLength: seed % 2 == 0 ? 512 : 4096, units: 2,
            serving: true)
        for nexus in 0..<3 { world.login(nexus) }
        for _ in 0..<4000 {
            let handle = world.send(
                cdb(&random), field: field(&random), nexus: Int(random.below(3)), dataIn: Int(random.below(9000)),
                out: (0..<Int(random.below(3000))).map { _ in UInt8(truncatingIfNeeded: random.next()) })
            #expect(world.outcome(handle).lastWords == 1)
            world.outcomes[handle] = nil
        }
        world.expectIdle()
    }

    /// Everything at once: commands, aborts, losses, recalls, events of the partner, service that comes and goes,
    /// answers in any order of kinds. At the end nothing is left.
    @Test(arguments: 0..<24 as Range<UInt64>)
    func disorderLeavesNothingBehind(seed: UInt64) {
        var random = SeededRandom(seed: seed &+ 1000)
        let world = World(blocks: 2048, units: 2)
        for nexus in 0..<3 { world.login(nexus) }
        var request: UInt16 = 10
        for _ in 0..<1200 {
            world.holdBlocks = random.chance(1, in: 2)
            world.holdTransport = random.chance(1, in: 2)
            world.holdState = random.chance(1, in: 3)
            step(world, &random, &request)
        }
        world.holdBlocks = false
        world.holdTransport = false
        world.holdState = false
        world.fault = nil
        world.serve()
        for _ in 0..<20 {
            world.giveHeldTransport()
            world.giveHeldBlocks()
            world.giveHeldState()
        }
        world.expectIdle("seed \(seed)")
        #expect(world.management.count == Int(request) - 10)
    }

    private func step(_ world: World, _ random: inout SeededRandom, _ request: inout UInt16) {
        let unit = UInt16(random.below(2))
        switch random.below(24) {
        case 0..<9:
            guard world.commands.count < 30 else { return }
            let attributes: [TaskAttribute] = [.ordered, .headOfQueue, .aca]
            let attribute = random.chance(1, in: 4) ? attributes[Int(random.below(3))] : .simple
            _ = world.send(
                cdb(&random), lun: unit, nexus: Int(random.below(3)), dataIn: Int(random.below(600_000)),
                out: [UInt8](repeating: 0, count: Int(random.below(600_000))), attribute: attribute)
        case 9: if let handle = world.commands.keys.sorted(by: { $0.raw < $1.raw }).first { world.lose(handle) }
        case 10:
            let functions: [TaskManagementFunction] = [
                .abortTask, .abortTaskSet, .clearTaskSet, .logicalUnitReset, .targetWarmReset, .iTNexusReset,
            ]
            let handle = world.commands.keys.sorted(by: { $0.raw < $1.raw }).last
            world.manage(
                functions[Int(random.below(6))], lun: unit, nexus: Int(random.below(3)), referenced: handle,
                request: request)
            request += 1
        case 11: if world.granted.contains(Int(unit)) { world.recall(Int(unit)) }
        case 12:
            // The partner can add events only while nobody here has a pointer.
            guard !world.granted.contains(Int(unit)), world.server.units[Int(unit)].pointer == .none else { return }
            world.state(Int(unit)).append(StateBlock.Event(
                code: 0x2A, qualifier: 1, scope: UInt8(random.below(3)), controller: UInt8(random.below(3)),
                nexus: UInt16(random.below(9))))
        case 13: world.serve(paired: random.chance(1, in: 2), serving: random.chance(2, in: 3))
        case 14: world.advance(.seconds(random.below(25)))
        case 15: world.fault = random.chance(1, in: 2) ? .unreadable : nil
        case 16:
            world.server.moveHome(UnitIndex(unit), to: random.chance(1, in: 2) ? .a : .b, at: world.now)
            world.run()
        case 17..<20: world.giveHeldBlocks()
        case 20..<22: world.giveHeldTransport()
        default: world.giveHeldState()
        }
    }
}
