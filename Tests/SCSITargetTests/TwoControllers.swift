import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// Two device servers and one state block a unit between them: pointers go from one to the other as Memory would move
/// them. Nexuses 0, 2, 4 … are on a, the others on b.
final class TwoControllers {
    let worlds: [World]
    private var writers: [Int: Int] = [:]
    /// Whether each state commit was asked to be durable.
    var durables: [Bool] = []

    init(units: Int = 1, nexuses: Int = 4, profile: UnitProfile? = nil) {
        worlds = ControllerID.allCases.map { World(controller: $0, units: units, profile: profile) }
        for world in worlds { world.holdState = true }
        for nexus in 0..<nexuses { login(nexus) }
    }

    func world(_ nexus: Int) -> World { worlds[nexus % 2] }
    func state(_ unit: Int = 0) -> StateBlock { worlds[0].state(unit) }

    /// A new session, whose first unit attentions are taken.
    func login(_ nexus: Int, port: String? = nil, consume: Bool = true) {
        world(nexus).login(nexus / 2, consume: false, port: port ?? World.portName(nexus))
        settle()
        guard consume else { return }
        for unit in world(nexus).disks.indices { command([0, 0, 0, 0, 0, 0], nexus: nexus, lun: UInt16(unit)) }
    }

    func logout(_ nexus: Int) {
        world(nexus).server.handle(.nexusLost(NexusIndex(UInt16(nexus / 2))), at: world(nexus).now)
        world(nexus).run()
        settle()
    }

    @discardableResult
    func command(
        _ cdb: [UInt8], nexus: Int, lun: UInt16 = 0, dataIn: Int = 0, out: [UInt8] = []
    ) -> Outcome {
        let handle = send(cdb, nexus: nexus, lun: lun, dataIn: dataIn, out: out)
        return world(nexus).outcome(handle)
    }

    func send(
        _ cdb: [UInt8], nexus: Int, lun: UInt16 = 0, dataIn: Int = 0, out: [UInt8] = []
    ) -> CommandHandle {
        let handle = world(nexus).send(cdb, lun: lun, nexus: nexus / 2, dataIn: dataIn, out: out)
        settle()
        return handle
    }

    func manage(_ function: TaskManagementFunction, nexus: Int, lun: UInt16 = 0, request: UInt16 = 1) {
        world(nexus).manage(function, lun: lun, nexus: nexus / 2, request: request)
        settle()
    }

    /// Gives every state pointer that can be given, until none is wanted.
    func settle() {
        var moved = true
        while moved {
            moved = false
            for (index, world) in worlds.enumerated() {
                let held = world.heldState
                world.heldState = []
                for request in held {
                    if give(request, to: index) { moved = true } else { world.heldState.append(request) }
                }
                world.run()
            }
        }
    }

    private func give(_ request: BlockRequest, to index: Int) -> Bool {
        let world = worlds[index]
        let other = worlds[1 - index]
        switch request {
        case .wantState(let unit):
            if writers[Int(unit.raw)] != nil { return false }
        case .wantStateWrite(let unit):
            if writers[Int(unit.raw)] != nil { return false }
            if other.granted.contains(Int(unit.raw)) { other.recall(Int(unit.raw)) }
            if other.granted.contains(Int(unit.raw)) { return false }
            writers[Int(unit.raw)] = index
        case .commitState(let unit, let durable):
            writers[Int(unit.raw)] = nil
            moveHome(world.state(Int(unit.raw)))
            durables.append(durable)
            other.state(Int(unit.raw)).base.copyMemory(
                from: world.state(Int(unit.raw)).base, byteCount: PageSize.bytes)
        case .read, .prepareWrite, .commitWrite, .release, .synchronize, .discard, .provisioning, .verify, .returnState,
            .room:
            break
        }
        world.answerState(request)
        return true
    }

    /// Home moves, as Memory sees to it, when the one that is not home asks for it.
    private func moveHome(_ block: StateBlock) {
        if let wanted = block.wantedHome { block.home = wanted }
        block.wantedHome = nil
    }

    func expectIdle(_ comment: Comment? = nil) { for world in worlds { world.expectIdle(comment) } }
}
