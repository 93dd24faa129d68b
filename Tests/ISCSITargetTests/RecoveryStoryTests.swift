import ISCSIFormats
import Primitives
import Simulation
import Testing

@testable import ISCSITarget

/// The story of a session whose connections break and whose PDUs are damaged: nothing is lost, nothing done twice.
@Suite struct RecoveryStoryTests {
    @Test(arguments: 0..<8) func everyCommandIsAnsweredOnceWithItsData(_ seed: Int) throws {
        let bench = Bench()
        bench.device.chunkBytes = [12_288, 262_144, 4096, 5120][seed % 4]
        bench.device.disk = RAMDevice.noise
        let wires = BenchWires(bench, seed: UInt64(seed))
        let host = RecoveringHost(
            wires, names: Initiator.names, model: RAMDevice.noise, seed: UInt64(seed) &* 7919 &+ 1)
        if seed % 2 == 1 {
            host.keys = ["TaskReporting=ResponseFence"]
            host.resetRate = 100
        }
        host.faultRate = [0, 40, 20, 30, 16, 24, 14, 50][seed]
        host.run(1000)
        #expect(host.problems == [])
        #expect(host.counts.completed == 1000)
        let isSame = host.model == bench.device.disk
        #expect(isSame)
        #expect(bench.device.works.isEmpty)
        if seed % 2 == 1 { #expect(host.counts.resets > 0 && host.counts.aborted > 0, "\(host.counts)") }
        if seed > 0 {
            #expect(host.counts.drops > 4)
            #expect(host.counts.reassigned > 5)
            #expect(host.counts.snacks > 50)
        }
        bench.target.closeAllSessions()
        bench.drain()
        #expect(bench.target.commandCount == 0)
        #expect(bench.target.sessionCount == 0)
        #expect(bench.target.retainedBlocks == 0)
    }
}

/// A recovering host's streams are those of a bench, a random part at a time.
final class BenchWires: HostWires {
    private let bench: Bench
    private var random: SeededRandom
    private var streams: [UInt32] = []

    init(_ bench: Bench, seed: UInt64) {
        self.bench = bench
        random = SeededRandom(seed: seed &+ 99)
    }

    func connect(_ number: UInt32) -> Bool {
        streams.append(number)
        bench.fromTarget[number] = []
        return bench.connect(number)
    }

    func send(_ number: UInt32, _ bytes: [UInt8]) { bench.toTarget[number, default: []] += bytes }

    func receive(_ number: UInt32) -> (bytes: [UInt8], isClosed: Bool) {
        let bytes = bench.fromTarget[number] ?? []
        bench.fromTarget[number] = []
        return (bytes, bench.effects.contains(.close(StreamID(number))))
    }

    func drop(_ number: UInt32) {
        bench.close(number)
        bench.fromTarget[number] = nil
        streams.removeAll { $0 == number }
        bench.effects.removeAll { $0 == .close(StreamID(number)) }
    }

    func turn() -> Bool {
        var moved = false
        for stream in streams.shuffled(using: &random) {
            bench.readLimit = Int(random.below(20_000)) + 1
            bench.writeLimit = Int(random.below(20_000)) + 1
            if bench.toTarget[stream]?.isEmpty == false && bench.feed(stream) { moved = true }
            if bench.fetch(stream) { moved = true }
        }
        bench.readLimit = Int.max
        bench.writeLimit = Int.max
        bench.drain()
        bench.effects.removeAll { if case .close = $0 { false } else { true } }
        return moved
    }
}
