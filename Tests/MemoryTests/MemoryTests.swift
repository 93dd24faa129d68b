import BlockModel
import Memory
import PagingFormats
import Primitives
import Testing

/// The memory of a pair through the stories of its life, each for many seeds and with both copy methods.
@Suite struct MemoryTests {
    /// A pair that was formed by agreeing on headers, as both members do at a restart.
    static func pair(
        seed: UInt64, usesWindow: Bool, isProtected: Bool = false
    ) -> (MemoryWorld, MemoryUser) {
        let world = MemoryWorld(seed: seed, usesWindow: usesWindow, isProtected: isProtected)
        form(world, epoch: 1)
        return (world, MemoryUser(world))
    }

    static func form(_ world: MemoryWorld, epoch: UInt32) {
        for node in world.nodes {
            node.reports.removeAll()
            node.inbox.removeAll()
        }
        for id in ControllerID.allCases { world.order(id, .channelUp(connection: 1, window: world.usesWindow)) }
        for id in ControllerID.allCases { world.order(id, .agreeHeaders(epoch: epoch)) }
        let agreed = world.run {
            world.nodes.allSatisfy { node in
                node.reports.contains { if case .headersAgreed = $0 { true } else { false } }
            }
        }
        #expect(agreed, "both members agree")
        for id in ControllerID.allCases {
            world.order(id, .serve(world.paired(epoch: epoch)))
            if world.usesWindow { world.order(id, .window(open: true)) }
        }
    }

    static func work(_ world: MemoryWorld, _ user: MemoryUser, _ ids: [ControllerID], count: Int) {
        for _ in 0..<count {
            let id = ids[Int(world.random.below(UInt64(ids.count)))]
            let start = world.random.below(MemoryWorld.unitSectors - 600)
            let count = UInt32(world.random.below(world.random.chance(1, in: 4) ? 400 : 20) + 1)
            if world.random.chance(3, in: 5) {
                #expect(user.write(id, start: start, count: count, durable: world.random.chance(1, in: 8)))
            } else {
                #expect(user.mismatch(id, start: start, count: count) == nil)
            }
        }
    }

    @Test(arguments: 1...20, [true, false])
    func bothControllersReadWhatEitherWrote(seed: Int, usesWindow: Bool) {
        let (world, user) = Self.pair(seed: UInt64(seed), usesWindow: usesWindow)
        Self.work(world, user, [.a, .b], count: 60)
        #expect(user.audit(.a) == nil)
        #expect(user.audit(.b) == nil)
    }

    @Test(arguments: 1...20, [true, false])
    func bothKilledAndRestartedLoseNothing(seed: Int, usesWindow: Bool) {
        let (world, user) = Self.pair(seed: UInt64(seed), usesWindow: usesWindow)
        for round in 0..<3 {
            Self.work(world, user, [.a, .b], count: 20)
            for id in ControllerID.allCases { world.restart(id) }
            Self.form(world, epoch: UInt32(2 + round))
        }
        #expect(user.audit(.a) == nil)
        #expect(user.audit(.b) == nil)
    }

    @Test(arguments: 1...20, [true, false])
    func theSurvivorServesWhatTheLostControllerAcknowledged(seed: Int, usesWindow: Bool) {
        let (world, user) = Self.pair(seed: UInt64(seed), usesWindow: usesWindow)
        Self.work(world, user, [.a, .b], count: 30)
        takeOver(world, lost: .a, epoch: 2)
        #expect(user.audit(.b) == nil)
        Self.work(world, user, [.b], count: 20)
        rejoin(world, .a, epoch: 3)
        Self.work(world, user, [.a, .b], count: 30)
        takeOver(world, lost: .b, epoch: 4)
        #expect(user.audit(.a) == nil)
    }

    func takeOver(_ world: MemoryWorld, lost: ControllerID, epoch: UInt32) {
        let survivor = lost.partner
        world.nodes[Int(lost.rawValue)].isAlive = false
        world.isLinked = false
        world.nodes[Int(survivor.rawValue)].inbox.removeAll()
        world.order(survivor, .freeze)
        world.order(survivor, .channelDown)
        world.order(survivor, .adoptMirror(epoch: epoch))
        world.order(survivor, .serve(world.solo(epoch: epoch)))
    }

    /// The lost controller comes back with a void memory, while the survivor works.
    func rejoin(_ world: MemoryWorld, _ id: ControllerID, epoch: UInt32) {
        let survivor = id.partner
        world.restart(id)
        world.isLinked = true
        world.order(id, .void)
        world.order(id, .channelUp(connection: 2, window: world.usesWindow))
        world.order(survivor, .channelUp(connection: 2, window: world.usesWindow))
        if world.usesWindow { world.order(survivor, .window(open: true)) }
        world.nodes[Int(survivor.rawValue)].reports.removeAll()
        world.order(survivor, .catchUp)
        let node = world.nodes[Int(survivor.rawValue)]
        #expect(world.run { node.reports.contains { if case .caughtUp = $0 { true } else { false } } })
        world.order(survivor, .quiesce)
        #expect(world.run { node.reports.contains { if case .quiesced = $0 { true } else { false } } })
        world.order(survivor, .serve(world.paired(epoch: epoch)))
        world.order(id, .serve(world.paired(epoch: epoch)))
        if world.usesWindow { world.order(id, .window(open: true)) }
    }
}
