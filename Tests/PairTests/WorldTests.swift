import BlockModel
import Foundation
import PagingFormats
import Primitives
import Testing

@testable import Pair

/// Seeds beyond the usual ones: `GEMEL_PAIR_SEEDS=20000 swift test -c release --filter PairTests`.
let extraSeeds = ProcessInfo.processInfo.environment["GEMEL_PAIR_SEEDS"].flatMap { UInt64($0) }
let firstSeed = ProcessInfo.processInfo.environment["GEMEL_PAIR_FIRST"].flatMap { UInt64($0) } ?? 1

@Suite struct WorldTests {
    static let second: UInt64 = 1_000_000_000

    @Test(arguments: [true, false])
    func emptyPairThatStartsTogetherServesWithin300Milliseconds(oneHost: Bool) {
        for seed in 1...20 {
            let world = World(seed: UInt64(seed), options: .init(oneHost: oneHost))
            world.startBoth()
            let ready = world.run(for: 300_000_000) { world.bothPaired }
            #expect(ready, "\(world.description())")
            #expect(world.violations == [])
            #expect(world.witness.record?.epoch == 1)
        }
    }

    /// Crashes, stops, cuts, stalls and a witness that fails, by chance; then everything heals, and the pair is whole
    /// again within a bound.
    @Test(arguments: [true, false])
    func neverTwoServersAndAlwaysWholeAgain(oneHost: Bool) {
        var failures: [String] = []
        for seed in firstSeed..<firstSeed + (extraSeeds ?? 150) where failures.count < 3 {
            if let failure = Self.storm(seed: seed, oneHost: oneHost, traces: false) {
                failures.append("seed \(seed): \(failure)")
            }
        }
        #expect(failures == [])
    }

    static func storm(seed: UInt64, oneHost: Bool, traces: Bool) -> String? {
        let world = World(seed: seed, options: .init(oneHost: oneHost))
        world.traces = traces
        for node in world.nodes { node.adjust = { $0.clearsDirtyAlone = seed & 1 == 0 } }
        world.startBoth()
        let calm = world.now + 2 * second + world.random.below(20 * second)
        while world.now < calm, world.violations.isEmpty {
            world.run(for: world.random.below(2 * second))
            fault(world)
        }
        world.heal()
        let healed = world.now
        // What was broken by then may still come to its end.
        world.run(for: 2 * second)
        let whole = world.run(for: 60 * second) { world.bothPaired }
        defer { if traces { print(world.trace.joined(separator: "\n")) } }
        if let violation = world.violations.first { return violation + "\n" + world.description() }
        for node in world.nodes where node.refusal != nil { return "refused\n" + world.description() }
        if !whole { return "not whole after \((world.now - healed) / 1_000_000) ms\n" + world.description() }
        // … and it stays so.
        let broken = world.run(for: 5 * second) { !world.bothPaired }
        if let violation = world.violations.first { return violation + "\n" + world.description() }
        return broken ? "not whole for long\n" + world.description() : nil
    }

    static func fault(_ world: World) {
        let index = Int(world.random.below(2))
        let back = world.random.below(4 * second)
        switch world.random.below(10) {
        case 0, 1: world.crash(index)
        case 2:
            world.nodes[index].pause()
            world.schedule(after: 2 * back) { world.nodes[index].resume() }
        case 3, 4:
            world.setCut(true, resets: world.random.chance(1, in: 2))
            world.schedule(after: back) { world.setCut(false, resets: false) }
        case 5:
            world.stalled[index] = true
            world.schedule(after: back) {
                world.stalled[index] = false
                for link in world.links { link.pump() }
            }
        case 6:
            world.witness.reachable[index] = false
            world.schedule(after: back) { world.witness.reachable[index] = true }
        case 7:
            world.witness.losesReplies = true
            world.schedule(after: back) { world.witness.losesReplies = false }
        case 8: for link in world.links { link.reset() }
        default: break
        }
    }

    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["GEMEL_PAIR_TRACE"] != nil,
            "it prints the trace of the seed in GEMEL_PAIR_TRACE"))
    func traceOfOneSeed() {
        let oneHost = ProcessInfo.processInfo.environment["GEMEL_PAIR_TRACE"] == "1"
        let failure = Self.storm(seed: firstSeed, oneHost: oneHost, traces: true)
        #expect(failure == nil)
    }
}
