import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// Lines of `fixtures/hostile.txt` that concern every command, or two controllers.
@Suite struct HostileListTests {
    private static func world() -> World {
        var profile = UnitProfile()
        profile.atomicBytes = 65_536
        profile.thin = true
        profile.removable = true
        let world = World(blocks: 64, profile: profile)
        world.login()
        return world
    }

    /// Lines S1: each operation code with each service action is answered once, and what the table does not have is
    /// refused for what it is.
    @Test(arguments: 0..<8 as Range<UInt64>) func everyOperationCodeAndServiceActionIsAnswered(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let world = Self.world()
        let table = CommandTable(controllers: 2)
        for opcode in UInt8.min...UInt8.max {
            for action in UInt8(0)..<32 {
                var cdb = (0..<32).map { _ in seed == 0 ? 0 : UInt8(truncatingIfNeeded: random.next()) }
                cdb[0] = opcode
                cdb[1] = cdb[1] & 0xE0 | action
                if opcode == CommandRow.variableLength { (cdb[8], cdb[9]) = (UInt8(random.below(2)), action) }
                var block = CDB()
                for (place, byte) in cdb.enumerated() { block[place] = byte }
                let row = table.look(up: block)
                // What they begin goes on behind their answer, and changes all others.
                if opcode == 0x04 || opcode == 0x48 && row != CommandTable.unknownServiceAction { continue }
                let out = [UInt8](repeating: UInt8(truncatingIfNeeded: seed), count: Int(random.below(600)))
                let handle = world.send(cdb, dataIn: Int(random.below(5000)), out: out)
                let outcome = world.outcome(handle)
                #expect(outcome.lastWords == 1 && outcome.ended, "\(cdb)")
                world.outcomes[handle] = nil
                if outcome.status == .checkCondition && outcome.key == 6 { continue }
                if row == CommandTable.unknownOpcode {
                    #expect(outcome.key == 5 && outcome.code == 0x2000, "\(cdb)")
                } else if row == CommandTable.unknownServiceAction {
                    #expect(outcome.key == 5 && outcome.code == 0x2400, "\(cdb)")
                }
            }
        }
        world.expectIdle()
    }

    /// The CDB of a row, with an allocation length in the field that its handler reads.
    private static func cdb(_ row: CommandRow, allocation: Int) -> [UInt8]? {
        guard case .dataIn(let data) = row.handler else { return nil }
        var cdb = [UInt8](repeating: 0, count: Int(row.length))
        cdb[0] = row.opcode
        if let action = row.serviceAction { cdb[1] = UInt8(action) }
        func put(_ place: Int, _ bytes: Int) {
            let most = bytes >= 4 ? 0xFFFF_FFFF : 1 << (8 * bytes) - 1
            let value = min(allocation, most)
            for index in 0..<bytes { cdb[place + index] = UInt8(value >> (8 * (bytes - 1 - index)) & 0xFF) }
        }
        switch data {
        case .inquiry: put(3, 2)
        case .modeSense:
            cdb[2] = 0x3F
            if row.length == 6 { put(4, 1) } else { put(7, 2) }
        case .logSense:
            cdb[2] = 0x40
            put(7, 2)
        case .persistentReserveIn, .readDefectData10: put(7, 2)
        case .receiveDiagnosticResults: put(3, 2)
        case .readBuffer:
            cdb[1] = 3
            put(6, 3)
        case .readCapacity16, .lbaStatus: put(10, 4)
        case .readCapacity10: break
        case .reportLUNs, .reportTargetPortGroups, .reportSupportedOperationCodes, .readDefectData12,
            .reportSupportedTaskManagementFunctions, .reportReferrals, .reportIdentifyingInformation, .reportTimestamp:
            put(6, 4)
        }
        return cdb
    }

    /// Line S8: the answer is cut to the allocation length, and no byte of it is from whoever used the memory before.
    @Test(arguments: [0, 1, 4, 7, 100, 255, 65_535, 0xFFFF_FFFF]) func noAnswerHasMoreThanItIsAskedForNorOldMemory(
        _ allocation: Int
    ) {
        var answered = 0
        for row in CommandTable.rows {
            guard let cdb = Self.cdb(row, allocation: allocation) else { continue }
            let outcomes = [UInt8(0x00), 0xA5].map { fill -> Outcome in
                let world = Self.world()
                for slot in 0..<world.slots {
                    world.frames.pointer(Frames.parameter(slot))
                        .initializeMemory(as: UInt8.self, repeating: fill, count: PageSize.bytes)
                }
                let outcome = world.command(cdb, dataIn: 70_000)
                world.expectIdle()
                return outcome
            }
            #expect(outcomes[0] == outcomes[1], "\(row.name): an answer depends on what was in memory")
            if outcomes[0].status != .good { continue }
            answered += 1
            if row.opcode != 0x25 { #expect(outcomes[0].data.count <= allocation, "\(row.name)") }
        }
        #expect(answered > 10)
    }

    /// Line S10: groups are set in a storm through both controllers; one is optimized in the end, and both say which.
    @Test func portGroupsInAStormLeaveOneOptimized() {
        let pair = TwoControllers()
        var random = SeededRandom(seed: 10)
        for round in 0..<400 {
            let group = UInt8(random.below(2) + 1)
            let list: [UInt8] = [0, 0, 0, 0, UInt8(random.below(4)), 0, 0, group]
            let nexus = Int(random.below(4))
            let outcome = pair.command([0xA4, 0x0A, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0], nexus: nexus, out: list)
            #expect([.good, .checkCondition].contains(outcome.status), "\(round)")
        }
        let states = (0..<4).map { nexus -> [UInt8] in
            _ = pair.command([0x03, 0, 0, 0, 18, 0], nexus: nexus, dataIn: 18)
            let data = pair.command([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], nexus: nexus, dataIn: 256).data
            return data.count < 17 ? [] : [data[4] & 0xF, data[16] & 0xF]
        }
        #expect(Set(states).count == 1)
        #expect(states[0].filter { $0 == 0 }.count == 1, "\(states[0])")
        pair.expectIdle()
    }

    /// Line S6: TransportIDs of every shape; a list is taken whole or not at all, and what is refused leaves nothing.
    @Test(arguments: 0..<20 as Range<UInt64>) func transportIDsOfAnyShapeRegisterAllOrNothing(_ seed: UInt64) {
        typealias Commands = ReservationCommands
        var random = SeededRandom(seed: seed)
        let pair = TwoControllers(nexuses: 2)
        var registered = 0
        for _ in 0..<60 {
            var ids: [UInt8] = []
            for _ in 0...random.below(3) {
                var id = Commands.transportID("iqn.2026-11.io.gemel:h\(random.below(9)),i,0x\(random.below(9))")
                if random.chance(1, in: 2) { id[Int(random.below(UInt64(id.count)))] = UInt8(random.below(256)) }
                if random.chance(1, in: 4) { id = Array(id.prefix(Int(random.below(30)))) }
                ids += id
            }
            var length = ids.count
            if random.chance(1, in: 4) { length = Int(random.below(0x1_0000)) }
            let list = Commands.list(registered > 0 ? 3 : 0, 3, flags: 8)
                + [0, 0, UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)] + ids
            let outcome = pair.command(Commands.reserveOut(0, length: list.count), nexus: 0, out: list)
            let keys = pair.command(Commands.reserveIn(0), nexus: 0, dataIn: 4096).data
            let count = (keys.count - 8) / 8
            #expect(outcome.status == .good || count == registered, "a refused list changed the registrations")
            registered = count
            if registered > 0 {
                #expect(pair.command(Commands.reserveOut(3), nexus: 0, out: Commands.list(3)).status == .good)
                registered = 0
            }
        }
        pair.expectIdle()
    }
}
