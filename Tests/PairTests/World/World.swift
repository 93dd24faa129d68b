import BlockModel
import PagingFormats
import Primitives

@testable import Pair

/// Two engines in a virtual world: one clock with two skewed views of it, a channel that can be cut, chunked and
/// stalled, a witness that can be away or lose replies, memories that answer after a while, processes that crash,
/// stop and start anew. Everything follows from the seed.
final class World {
    struct Options {
        var oneHost = true
        /// Latency of the channel and of drivers' answers.
        var latency: ClosedRange<UInt64> = 20_000...400_000
        /// After a crash or a restart that the engine asked for.
        var restartAfter: ClosedRange<UInt64> = 200_000_000...5_000_000_000
        var lateWitness = true
        var writes = true
    }

    struct Violation: Error, CustomStringConvertible { var description: String }

    private struct Scheduled {
        var at: UInt64
        var order: UInt64
        var action: () -> Void
    }

    let options: Options
    var random: SeededRandom
    var now: UInt64 = 1_000_000_000
    private var heap: [Scheduled] = []
    private var order: UInt64 = 0
    var nodes: [Node] = []
    let witness = FakeWitness()
    var links: [Link] = []
    /// Bytes of the channel stand still, by direction (index: the sender).
    var stalled = [false, false]
    /// No connection can be made.
    var cut = false
    var violations: [String] = []
    var trace: [String] = []
    var traces = false

    // One page on a shared device, as in pair.pml.
    var device: UInt64 = 0
    var acknowledged: UInt64 = 0
    var nextVersion: UInt64 = 1
    /// Another one after a power cycle of the one host.
    var bootID = WitnessRecord.MemoryID(high: 1, low: 1)
    var lock: (node: Int, life: UInt64)?

    init(seed: UInt64, options: Options = Options()) {
        self.options = options
        random = SeededRandom(seed: seed)
        nodes = [Node(.a, self), Node(.b, self)]
    }

    // MARK: Time

    func schedule(after delay: UInt64, _ action: @escaping () -> Void) {
        order += 1
        heap.append(Scheduled(at: now + delay, order: order, action: action))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if !earlier(child, parent) { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    private func earlier(_ a: Int, _ b: Int) -> Bool {
        (heap[a].at, heap[a].order) < (heap[b].at, heap[b].order)
    }

    private func popEarliest() -> Scheduled? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if heap.isEmpty { return first }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && earlier(child, least) {
                least = child
            }
            if least == parent { return first }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    func between(_ range: ClosedRange<UInt64>) -> UInt64 {
        range.lowerBound + random.below(range.upperBound - range.lowerBound + 1)
    }

    /// Runs until `end`, or until `until` holds; checks the invariants after each event.
    @discardableResult
    func run(until end: UInt64, _ until: () -> Bool = { false }) -> Bool {
        while violations.isEmpty, !until() {
            guard let first = heap.first, first.at <= end, let next = popEarliest() else {
                now = max(now, end)
                return until()
            }
            now = max(now, next.at)
            next.action()
            check()
        }
        return until()
    }

    @discardableResult
    func run(for nanoseconds: UInt64, _ until: () -> Bool = { false }) -> Bool {
        run(until: now + nanoseconds, until)
    }

    func note(_ text: @autoclosure () -> String) {
        if traces { trace.append("\(now / 1000) \(text())") }
    }

    // MARK: Invariants

    func check() {
        let servers = nodes.filter { $0.isServer }
        if servers.count == 2 {
            let (a, b) = (servers[0].condition, servers[1].condition)
            if !a.paired || !b.paired { violations.append("two servers: \(a) \(b)") }
        }
        for node in servers where node.memory.visible < acknowledged {
            violations.append("\(node.id) serves \(node.memory.visible), acknowledged \(acknowledged)")
        }
        var safe = device
        for node in nodes where node.superblock.memoryID != .none {
            if witness.record?.member(node.id).memory == node.superblock.memoryID {
                safe = max(safe, node.memory.held)
            }
        }
        if safe < acknowledged { violations.append("acknowledged \(acknowledged), safe only \(safe)") }
    }

    /// Node `index` is alone and serves.
    func serves(_ index: Int) -> Bool { nodes[index].state == .solo && nodes[index].isServer }

    var bothPaired: Bool {
        nodes.allSatisfy { $0.isServer && $0.condition.paired } && nodes[0].condition.epoch == nodes[1].condition.epoch
    }

    // MARK: Faults

    func startBoth() { for node in nodes { node.start() } }

    func crash(_ index: Int) { nodes[index].die() }

    func setCut(_ cut: Bool, resets: Bool) {
        self.cut = cut
        stalled = [cut, cut]
        if cut, resets { for link in links where link.isOpen { link.reset() } }
        if !cut { for link in links { link.pump() } }
    }

    func heal() {
        setCut(false, resets: false)
        witness.reachable = [true, true]
        witness.losesReplies = false
        for node in nodes {
            node.resume()
            node.restartAllowed = true
        }
    }

    func description() -> String {
        nodes.map { node in
            "\(node.id) \(node.isAlive ? node.stateName : "dead") memory \(node.superblock.memoryID.low & 0xFFFF) "
                + "life \(node.life) condition \(node.condition)"
        }.joined(separator: "\n") + "\nrecord \(String(describing: witness.record))"
    }
}

/// A witness that keeps its rule (compare-and-swap) whatever becomes of requests and answers.
final class FakeWitness {
    var record: WitnessRecord?
    var reachable = [true, true]
    /// Some answers are lost, and some swaps arrive late.
    var losesReplies = false
    var swaps = 0

    func swap(expected: UInt64, _ new: WitnessRecord) -> Bool {
        guard (record?.sequence ?? 0) == expected else { return false }
        record = new
        swaps += 1
        return true
    }

    var answer: WitnessAnswer { record.map { .record($0) } ?? .none }
}
