import BlockModel
import PagingFormats
import Primitives
import Testing

@testable import Pair

private let second: UInt64 = 1_000_000_000
private let millisecond: UInt64 = 1_000_000

/// The rows of pair-rules 4 (starting), one by one.
@Suite struct StartTests {
    /// A pair that was killed as a whole.
    private func killed(oneHost: Bool = true, writes: Bool = true) -> World {
        let world = TransitionTests.pair(oneHost: oneHost, writes: writes)
        for node in world.nodes { node.restartAllowed = false }
        world.crash(0)
        world.crash(1)
        for node in world.nodes { node.acts = [] }
        return world
    }

    @Test(arguments: [true, false])
    func bothMembersCompareHeadersAndRecordThePairAnew(oneHost: Bool) {
        let world = killed(oneHost: oneHost)
        let epoch = world.witness.record?.epoch ?? 0
        world.startBoth()
        #expect(world.run(for: 2 * second) { world.bothPaired })
        #expect(world.witness.record?.epoch == epoch + 1)
        for node in world.nodes {
            #expect(node.acts.starts(with: ["agree"]) || node.acts.starts(with: ["agree", "swap paired"]))
            #expect(!node.acts.contains("void") && !node.acts.contains("fence"))
        }
        #expect(world.violations == [])
    }

    @Test func oneMemberAloneTakesOverAfterAWholeLeaseOnTwoHosts() {
        let world = killed(oneHost: false)
        let start = world.now
        world.nodes[0].start()
        #expect(world.run(for: 10 * second) { world.serves(0) })
        #expect(world.now - start > 3200 * millisecond && world.now - start < 5 * second)
        #expect(world.violations == [])
    }

    @Test func oneMemberAloneTakesOverSoonWhereThePartnerIsProvedEnded() {
        let world = killed()
        let start = world.now
        world.nodes[1].start()
        #expect(world.run(for: 10 * second) { world.serves(1) })
        #expect(world.now - start < 2 * second)
        #expect(world.violations == [])
    }

    @Test func aMemoryThatTheRecordDoesNotNameAdoptsThePartnersBeforeTheSwap() {
        let world = TransitionTests.pair()
        for node in world.nodes { node.restartAllowed = false }
        world.crash(1)
        world.run(for: 3 * second) { world.serves(0) }
        world.run(for: second)
        world.crash(0)
        world.nodes[1].acts = []
        world.nodes[1].start()
        #expect(world.run(for: 10 * second) { world.serves(1) })
        #expect(world.witness.record?.state == .soloB)
        let acts = world.nodes[1].acts
        let order = [
            "lock partner's memory", "void", "adopt foreign", "swap soloB", "fence", "adopt mirror",
            "release partner's memory", "serve",
        ].map { acts.firstIndex(of: $0) ?? -1 }
        #expect(order == order.sorted() && !order.contains(-1), "\(acts)")
        #expect(world.violations == [])
    }

    @Test func withoutAccessToThePartnersMemoryItWaitsAndServesNothing() {
        let world = TransitionTests.pair(oneHost: false)
        for node in world.nodes { node.restartAllowed = false }
        world.crash(1)
        world.run(for: 6 * second) { world.serves(0) }
        world.crash(0)
        world.nodes[1].start()
        world.run(for: 30 * second)
        #expect(world.nodes[1].state == .starting && !world.nodes[1].isServer)
        world.nodes[0].start()
        #expect(world.run(for: 10 * second) { world.bothPaired })
        #expect(world.violations == [])
    }

    @Test func oneLostMemoryOfAPairIsRefilledFromTheOther() {
        for lost in [0, 1] {
            let world = killed()
            world.nodes[lost].adjust = { $0.memoryIsLost = true }
            world.startBoth()
            #expect(world.run(for: 10 * second) { world.bothPaired })
            #expect(world.nodes[lost].acts.contains("void") && !world.nodes[1 - lost].acts.contains("void"))
            #expect(world.nodes[1 - lost].memory.held >= world.acknowledged)
            #expect(world.violations == [])
        }
    }

    @Test func bothMemoriesOfADirtyPairLostIsRefused() {
        let world = killed(writes: false)
        world.bootID.low += 1
        world.startBoth()
        world.run(for: 5 * second)
        #expect(world.nodes[0].ends == ["refuse memoryLost"] || world.nodes[1].ends == ["refuse memoryLost"])
        #expect(!world.nodes[0].isServer && !world.nodes[1].isServer)
    }

    @Test(arguments: [true, false])
    func aLostMemoryOfASoloControllerIsRefusedOnlyWhenDirty(dirty: Bool) {
        let world = TransitionTests.pair(writes: false)
        for node in world.nodes { node.restartAllowed = false }
        world.crash(1)
        world.run(for: 3 * second) { world.serves(0) }
        if dirty { world.crash(0) } else { world.nodes[0].call(.stop) }
        world.run(for: 3 * second)
        #expect(world.witness.record?.dirty == dirty)
        world.nodes[0].ends = []
        world.nodes[0].adjust = { $0.memoryIsLost = true }
        world.nodes[0].start()
        world.run(for: 3 * second)
        #expect(world.nodes[0].ends == (dirty ? ["refuse memoryLost"] : []))
        #expect(world.nodes[0].isServer == !dirty)
    }

    @Test func aCleanRecordOfAPartnerWhoseMemoryIsGoneIsTakenOver() {
        let world = TransitionTests.pair(writes: false)
        for node in world.nodes { node.restartAllowed = false }
        world.crash(1)
        world.run(for: 3 * second) { world.serves(0) }
        world.nodes[0].call(.stop)
        world.run(for: 3 * second)
        #expect(world.witness.record?.dirty == false)
        world.nodes[0].region.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
        world.nodes[1].start()
        #expect(world.run(for: 5 * second) { world.serves(1) })
        #expect(world.violations == [])
    }

    @Test func aDirtyRecordOfAPartnerWhoseMemoryIsGoneIsRefused() {
        let world = TransitionTests.pair(writes: false)
        for node in world.nodes { node.restartAllowed = false }
        world.crash(1)
        world.run(for: 3 * second) { world.serves(0) }
        world.crash(0)
        world.nodes[0].region.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
        world.nodes[1].start()
        world.run(for: 5 * second)
        #expect(world.nodes[1].ends == ["refuse memoryLost"])
        #expect(!world.nodes[0].isLockedByPartner)
    }

    @Test func aNewArrayWithOneControllerThereServesAfterALease() {
        let world = World(seed: 3, options: .init(oneHost: false))
        world.nodes[1].start()
        world.run(for: 2900 * millisecond)
        #expect(!world.nodes[1].isServer && world.witness.record == nil)
        #expect(world.run(for: 5 * second) { world.serves(1) })
        world.nodes[0].start()
        #expect(world.run(for: 5 * second) { world.bothPaired })
        #expect(world.violations == [])
    }

    @Test func aSingleArrayServesAtOnceAndStopsCleanly() {
        let world = World(seed: 3)
        world.nodes[0].adjust = { $0.single = true }
        world.nodes[0].start()
        #expect(world.run(for: 100 * millisecond) { world.serves(0) })
        #expect(!world.nodes[0].acts.contains("fence"))
        world.run(for: second)
        world.crash(0)
        #expect(world.run(for: 6 * second) { world.serves(0) })
        world.nodes[0].call(.stop)
        #expect(world.run(for: second) { world.nodes[0].ends == ["stopped"] })
        #expect(world.witness.record?.dirty == false && world.witness.record?.state == .soloA)
    }

    @Test func aRecordThatForbidsTheStartIsRefusedAndNothingIsTouched() {
        for (change, reason) in [
            ({ $0.pairID = 78 }, "foreignPair"), ({ $0.epoch = 0 }, "epochWentBack"),
            ({ $0.lineage ^= 1 }, "lineageUnknown"), ({ $0.featureLevel = 9 }, "featureLevelUnknown"),
        ] as [((inout WitnessRecord) -> Void, String)] {
            let world = killed()
            if var record = world.witness.record {
                change(&record)
                world.witness.record = record
            }
            world.nodes[0].start()
            world.run(for: 2 * second)
            #expect(world.nodes[0].ends == ["refuse \(reason)"])
            #expect(world.nodes[0].acts == ["freeze"])
        }
    }

    @Test func aRecordThatIsGoneIsRefused() {
        let world = killed(writes: false)
        world.witness.record = nil
        world.nodes[0].start()
        world.run(for: 2 * second)
        #expect(world.nodes[0].ends == ["refuse witnessDamaged"])
    }

    @Test func startingWithoutAWitnessWaitsForIt() {
        let world = killed()
        world.witness.reachable = [false, false]
        world.startBoth()
        world.run(for: 20 * second)
        #expect(world.nodes.allSatisfy { $0.state == .starting })
        world.witness.reachable = [true, true]
        #expect(world.run(for: 4 * second) { world.bothPaired })
        #expect(world.violations == [])
    }
}
