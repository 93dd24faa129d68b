import BlockModel
import PagingFormats
import Primitives
import Testing

@testable import Pair

private let second: UInt64 = 1_000_000_000
private let millisecond: UInt64 = 1_000_000

/// The rows of pair-rules 2 (transitions), one by one, in a world with writes under way.
@Suite struct TransitionTests {
    /// A pair that serves, with what happened before forgotten.
    static func pair(oneHost: Bool = true, seed: UInt64 = 7, writes: Bool = true) -> World {
        let world = World(seed: seed, options: .init(oneHost: oneHost, writes: writes))
        world.startBoth()
        world.run(for: second) { world.bothPaired }
        world.run(for: second)
        #expect(world.bothPaired)
        for node in world.nodes { node.acts = [] }
        return world
    }

    private func expectSound(_ world: World) { #expect(world.violations == []) }

    @Test func leaseRunOutMakesThePreferredControllerSoloAndTheOtherAJoiner() {
        let world = Self.pair(oneHost: false)
        world.stalled = [true, true]
        world.cut = true
        #expect(world.run(for: 8 * second) { world.nodes[0].state == .solo })
        #expect(world.witness.record?.state == .soloA)
        #expect(world.nodes[1].ends == ["restart lostMembership"])
        world.heal()
        #expect(world.run(for: 20 * second) { world.bothPaired })
        expectSound(world)
    }

    @Test func partnersProcessSeenDeadIsTakenOverAtOnceOnOneHost() {
        let world = Self.pair()
        let epoch = world.witness.record?.epoch ?? 0
        world.nodes[0].restartAllowed = false
        world.crash(0)
        // b is not the preferred one, but the preferred one has ended: no 200 ms, no lease wait.
        #expect(world.run(for: 400 * millisecond) { world.serves(1) })
        #expect(world.witness.record?.state == .soloB && world.witness.record?.epoch == epoch + 1)
        #expect(world.witness.record?.memberA == .absent)
        #expect(world.witness.record?.dirty == true)
        #expect(
            world.nodes[1].acts.suffix(7) == [
                "word closed", "freeze", "swap soloB", "superblock", "fence", "adopt mirror", "serve",
            ], "\(world.nodes[1].acts)")
        expectSound(world)
    }

    @Test func onTwoHostsTheSurvivorWaitsForThePromiseThatItGave() {
        let world = Self.pair(oneHost: false)
        let crashed = world.now
        world.nodes[0].restartAllowed = false
        world.crash(0)
        #expect(world.run(for: 10 * second) { world.serves(1) })
        let after = world.now - crashed
        #expect(after > 2900 * millisecond && after < 4 * second, "\(after / millisecond) ms")
        expectSound(world)
    }

    @Test func aChangedIncarnationEndsThePairAndTheNewLifeJoins() {
        let world = Self.pair(oneHost: false)
        world.crash(1)
        world.nodes[1].start()
        #expect(world.run(for: 900 * millisecond) { world.serves(0) })
        #expect(world.run(for: 10 * second) { world.bothPaired })
        expectSound(world)
    }

    @Test(arguments: [true, false])
    func whenTheChannelIsCutExactlyOneGoesOn(oneHost: Bool) {
        for seed in 1...10 {
            let world = Self.pair(oneHost: oneHost, seed: UInt64(seed))
            world.setCut(true, resets: true)
            for node in world.nodes { node.restartAllowed = false }
            world.run(for: 8 * second)
            #expect(world.nodes.count { $0.isServer } == 1)
            #expect(world.witness.record?.state == .soloA)
            #expect(world.nodes[0].isServer)
            expectSound(world)
        }
    }

    @Test func theOtherControllerGoesOnWhenThePreferredOneIsStopped() {
        for oneHost in [true, false] {
            let world = Self.pair(oneHost: oneHost)
            world.nodes[0].pause()
            #expect(world.run(for: 10 * second) { world.serves(1) })
            // One host: the stopped process was ended. Two hosts: it goes on, and finds that it is out.
            #expect(world.nodes[0].isAlive == !oneHost)
            world.nodes[0].resume()
            world.run(for: 100 * millisecond)
            if !oneHost { #expect(world.nodes[0].ends == ["restart lostMembership"]) }
            #expect(world.run(for: 20 * second) { world.bothPaired })
            expectSound(world)
        }
    }

    @Test func aCandidateWithoutWitnessAnswersNothingUntilItIsBack() {
        let world = Self.pair()
        world.witness.reachable = [false, false]
        world.run(for: 10 * second)
        // A pair goes on without its witness, and says so.
        #expect(world.bothPaired)
        #expect(world.nodes[0].snapshot?.witnessReachable == false)
        world.nodes[1].restartAllowed = false
        world.crash(1)
        world.run(for: 20 * second)
        #expect(world.nodes[0].state == .candidate && !world.nodes[0].isServer)
        world.witness.reachable = [true, true]
        #expect(world.run(for: 3 * second) { world.serves(0) })
        expectSound(world)
    }

    @Test func aCandidateWaitsWhileItsDevicesTakeNoWrites() {
        let world = Self.pair()
        world.nodes[0].call(.devicesWritable(false))
        world.nodes[1].restartAllowed = false
        world.crash(1)
        world.run(for: 5 * second)
        #expect(world.nodes[0].state == .candidate && world.witness.record?.state == .paired)
        world.nodes[0].call(.devicesWritable(true))
        #expect(world.run(for: second) { world.serves(0) })
    }

    @Test func aRestartUnderItsOwnSoloRecordFencesAgainBeforeItServes() {
        let world = Self.pair()
        world.nodes[1].restartAllowed = false
        world.crash(1)
        world.run(for: second) { world.serves(0) }
        world.crash(0)
        world.nodes[0].acts = []
        world.nodes[0].start()
        #expect(world.run(for: 2 * second) { world.serves(0) })
        let acts = world.nodes[0].acts
        let order = ["swap soloA", "fence", "adopt mirror", "serve"].map { acts.firstIndex(of: $0) ?? -1 }
        #expect(order == order.sorted() && !order.contains(-1), "\(acts)")
        expectSound(world)
    }

    @Test func aRestartInTheMiddleOfATakeOverWaitsForThePromiseOfTheLifeBefore() {
        let world = Self.pair(oneHost: false)
        world.setCut(true, resets: true)
        #expect(world.run(for: 3 * second) { world.nodes[0].state == .takingOver })
        world.nodes[1].pause()
        world.crash(0)
        world.nodes[0].start()
        let restarted = world.now
        #expect(world.run(for: 10 * second) { world.serves(0) })
        #expect(world.now - restarted > 3200 * millisecond)
        expectSound(world)
    }

    @Test func joiningVoidsTheMemoryUnderANewIdentityBeforeItAsks() {
        let world = Self.pair()
        let before = world.nodes[1].superblock.memoryID
        world.crash(1)
        world.nodes[1].acts = []
        #expect(world.run(for: 20 * second) { world.bothPaired })
        #expect(world.nodes[1].superblock.memoryID != before)
        #expect(world.witness.record?.memberB.memory == world.nodes[1].superblock.memoryID)
        #expect(world.witness.record?.memberB.incarnation == world.nodes[1].life)
        let acts = world.nodes[1].acts
        #expect(acts.starts(with: ["superblock", "void", "superblock"]) && acts.contains("serve"), "\(acts)")
        let solo = world.nodes[0].acts
        let order = ["catch up", "quiesce", "swap paired"].map { solo.firstIndex(of: $0) ?? -1 }
        #expect(order == order.sorted() && !order.contains(-1), "\(solo)")
        expectSound(world)
    }

    @Test func aJoinThatBreaksStartsOverWithAnotherIdentity() {
        let world = Self.pair(oneHost: false)
        world.crash(1)
        world.nodes[1].start()
        #expect(world.run(for: 20 * second) { world.nodes[0].acts.contains("catch up") })
        let first = world.nodes[1].superblock.memoryID
        for link in world.links { link.reset() }
        #expect(world.run(for: 20 * second) { world.bothPaired })
        #expect(world.nodes[1].life == 2)
        #expect(world.nodes[1].superblock.memoryID != first)
        #expect(world.nodes[0].acts.contains("abandon"))
        expectSound(world)
    }

    @Test func anUnclearPairingSwapHoldsAnswersUntilItIsKnown() {
        let world = Self.pair(oneHost: false)
        world.crash(1)
        world.nodes[1].start()
        #expect(world.run(for: 20 * second) { world.nodes[0].acts.contains("quiesce") })
        world.witness.reachable = [false, false]
        world.run(for: 5 * second)
        #expect(!world.nodes[0].isServer && !world.nodes[1].isServer)
        world.heal()
        #expect(world.run(for: 20 * second) { world.bothPaired })
        expectSound(world)
    }

    @Test func noJoinerMakesASoloControllerHoldAnswersWhileTheWitnessIsAway() {
        let world = Self.pair(oneHost: false)
        world.crash(1)
        world.run(for: 6 * second) { world.nodes[0].state == .solo }
        world.witness.reachable = [false, true]
        world.run(for: 10 * second)
        #expect(world.nodes[1].state == .joining)
        #expect(world.nodes[0].isServer && world.nodes[0].condition.joining)
        world.witness.reachable = [true, true]
        #expect(world.run(for: 3 * second) { world.bothPaired })
        expectSound(world)
    }

    @Test(arguments: [0, 1])
    func aCleanLeaveHandsOverWithoutAFence(leaver: Int) {
        let world = Self.pair()
        let other = world.nodes[1 - leaver]
        world.nodes[leaver].call(.stop)
        #expect(world.run(for: 2 * second) { world.nodes[leaver].ends == ["stopped"] })
        #expect(world.run(for: second) { other.isServer && other.state == .solo })
        #expect(!other.acts.contains("fence"))
        let order = ["drain", "quiesce", "swap \(other.id == .a ? "soloA" : "soloB")", "adopt mirror"]
            .map { other.acts.firstIndex(of: $0) ?? -1 }
        #expect(order == order.sorted() && !order.contains(-1), "\(other.acts)")
        expectSound(world)
        other.call(.stop)
        #expect(world.run(for: 2 * second) { other.ends == ["stopped"] })
        #expect(world.witness.record?.dirty == false)
        #expect(world.device >= world.acknowledged)
    }

    @Test func bothStopTogetherAndLeaveACleanRecord() {
        for seed in 1...20 {
            let world = Self.pair(seed: UInt64(seed))
            world.nodes[Int(seed & 1)].call(.stop)
            world.run(for: world.random.below(20 * millisecond))
            world.nodes[1 - Int(seed & 1)].call(.stop)
            let done = world.run(for: 5 * second) { world.nodes.allSatisfy { $0.ends == ["stopped"] } }
            #expect(done, "\(world.description())")
            #expect(world.witness.record?.dirty == false)
            expectSound(world)
            world.run(for: millisecond)
            world.nodes.forEach { $0.start() }
            #expect(world.run(for: 2 * second) { world.bothPaired })
            // Neither ended the other, though one of them had to fence.
            #expect(world.nodes.map(\.life) == [2, 2])
        }
    }

    @Test func aStopThatCannotCompleteEndsAfterItsPatience() {
        let world = Self.pair()
        world.witness.reachable = [false, false]
        world.crash(1)
        world.nodes[1].restartAllowed = false
        world.run(for: second)
        world.nodes[0].call(.stop)
        #expect(world.run(for: 32 * second) { world.nodes[0].ends == ["stopped"] })
        #expect(world.witness.record?.state == .paired)
    }

    @Test func aPairWhoseWindowIsOpenClosesTheWordBeforeItFreezes() {
        let world = Self.pair()
        #expect(world.nodes[0].snapshot?.windowOpen == true)
        let open = WindowWord.open(epoch: world.nodes[0].condition.epoch, incarnation: world.nodes[0].life)
        #expect(world.nodes[0].windowWord == open)
        world.crash(1)
        world.run(for: 100 * millisecond)
        #expect(world.nodes[0].windowWord == WindowWord.closed)
        #expect(world.nodes[0].snapshot?.windowOpen == false)
    }

    @Test func messagesOfAnotherEpochAreVoid() {
        for (offset, isDelivered) in [(0, true), (-1, false), (1, false)] {
            let world = Self.pair(writes: false)
            let (a, b) = (world.nodes[0], world.nodes[1])
            let before = b.snapshot?.messagesVoided
            var message = PagingMessage(.writePage)
            message.argument = 1000
            a.inject(message, epoch: UInt32(Int(a.condition.epoch) + offset))
            world.run(for: 100 * millisecond)
            #expect((b.memory.largestDelivered == 1000) == isDelivered)
            #expect((b.snapshot?.messagesVoided == before) == isDelivered)
            // A later epoch than ours makes us look at the record; it is ours, so nothing else follows.
            #expect(world.bothPaired)
        }
    }

    @Test func theLargestLamportCounterOfThePartnerIsTold() {
        let world = Self.pair()
        world.nodes[0].setLamport(4711)
        world.run(for: second)
        #expect(world.nodes[1].lamport == 4711)
    }

    @Test func allSenseMessagesAreCounted() throws {
        let world = Self.pair()
        let snapshot = try #require(world.nodes[0].snapshot)
        #expect(snapshot.sent(.senseRequest) > 8 && snapshot.received(.senseRequest) > 8)
        #expect(snapshot.sent(.writePage) > 0 && snapshot.received(.writePage) > 0)
        #expect(snapshot.sent(.spaceRequest) == 0)
        #expect(snapshot.bytesSent > 0 && snapshot.bytesReceived > 0)
        #expect(snapshot.stateName == "paired")
    }
}
