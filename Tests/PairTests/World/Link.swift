import PagingFormats
import Primitives

@testable import Pair

/// One connection: bytes in order in both directions, in chunks that chance chooses, stalled while the world says so.
final class Link {
    unowned let world: World
    /// Streams at node 0 and 1, with the life of the process that has them; nil when that end is closed.
    var streams: [(stream: StreamID, life: UInt64)?]
    /// Bytes under way, by sender.
    var flight: [[UInt8]] = [[], []]
    private var delivering = [false, false]

    init(_ world: World, streams: [(StreamID, UInt64)?]) {
        self.world = world
        self.streams = streams
    }

    var isOpen: Bool { streams[0] != nil || streams[1] != nil }

    func stream(of node: Node) -> StreamID? {
        guard let end = streams[node.index], end.life == node.life, node.isAlive else { return nil }
        return end.stream
    }

    /// Sends what the engine of `sender` has ready.
    func transmit(_ sender: Node, _ stream: StreamID) {
        var vector = ByteVector(capacity: 8)
        while true {
            vector.removeAll()
            sender.engine?.transmitSources(stream, into: &vector)
            if vector.count == 0 { break }
            var taken = 0
            let limit = world.random.chance(1, in: 8) ? Int(world.random.below(200)) + 1 : Int.max
            for index in 0..<vector.count where taken < limit {
                let slice = vector.slices[index]
                let count = min(slice.count, limit - taken)
                flight[sender.index].append(contentsOf: UnsafeRawBufferPointer(start: slice.base, count: count))
                taken += count
            }
            sender.call(.transmitted(stream, count: taken))
        }
        pump()
    }

    func pump() {
        for sender in 0..<2 { deliverSoon(sender) }
    }

    private func deliverSoon(_ sender: Int) {
        guard !delivering[sender], !flight[sender].isEmpty, !world.stalled[sender], isOpen else { return }
        delivering[sender] = true
        world.schedule(after: world.between(world.options.latency)) { [self] in
            delivering[sender] = false
            deliver(from: sender)
        }
    }

    private func deliver(from sender: Int) {
        let receiver = world.nodes[1 - sender]
        if world.stalled[sender] || receiver.isPaused { return }
        guard let stream = stream(of: receiver) else {
            reset()
            return
        }
        var vector = ByteVector(capacity: 4)
        receiver.engine?.receiveTargets(stream, into: &vector)
        guard vector.count > 0, !flight[sender].isEmpty else { return }
        let slice = vector.slices[0]
        var count = min(slice.count, flight[sender].count)
        if world.random.chance(1, in: 4) { count = Int(world.random.below(UInt64(count))) + 1 }
        flight[sender].withUnsafeBytes { slice.base.copyMemory(from: $0.baseAddress!, byteCount: count) }
        flight[sender].removeFirst(count)
        receiver.call(.received(stream, count: count))
        deliverSoon(sender)
    }

    /// Both ends see the end of the stream.
    func reset() {
        flight = [[], []]
        let ends = streams
        streams = [nil, nil]
        for (index, end) in ends.enumerated() {
            guard let end else { continue }
            world.nodes[index].later(life: end.life) { $0.call(.closed(end.stream)) }
        }
    }
}

extension Node {
    /// Stands for HMAC-SHA-256: keyed, and different for every message.
    static func digest(_ secret: UInt64, _ message: InlineArray<128, UInt8>, _ count: Int) -> InlineArray<32, UInt8> {
        var hash = SeededRandom(seed: secret)
        for index in 0..<count {
            hash.state ^= UInt64(message[index]) << 17
            _ = hash.next()
            hash.state = hash.next()
        }
        var digest = InlineArray<32, UInt8>(repeating: 0)
        for index in 0..<32 { digest[index] = UInt8(truncatingIfNeeded: hash.next()) }
        return digest
    }
}
