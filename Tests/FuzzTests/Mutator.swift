import Primitives

/// Mutations in the manner of a fuzzer, from a seed: bytes turned, taken out, doubled, put in, and inputs spliced.
struct Mutator {
    private var random: SeededRandom
    private let seeds: [[UInt8]]

    init(seed: UInt64, seeds: [[UInt8]]) {
        random = SeededRandom(seed: seed)
        self.seeds = seeds.isEmpty ? [[]] : seeds
    }

    private mutating func below(_ bound: Int) -> Int { Int(random.below(UInt64(max(1, bound)))) }

    mutating func next() -> [UInt8] {
        var bytes = seeds[below(seeds.count)]
        for _ in 0...below(6) { change(&bytes) }
        return Array(bytes.prefix(4000))
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let at = below(bytes.count)
        switch below(7) {
        case 0 where !bytes.isEmpty: bytes[at] ^= 1 << UInt8(below(8))
        case 1 where !bytes.isEmpty: bytes[at] = UInt8(below(256))
        case 2 where !bytes.isEmpty: bytes[at] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF][below(6)]
        case 3 where !bytes.isEmpty: bytes.removeSubrange(at..<min(bytes.count, at + 1 + below(16)))
        case 4 where !bytes.isEmpty:
            bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 1 + below(32))], at: below(bytes.count))
        case 5:
            let other = seeds[below(seeds.count)]
            bytes = Array(bytes.prefix(at)) + other.suffix(below(other.count + 1))
        default: bytes.insert(contentsOf: (0...below(24)).map { _ in UInt8(below(256)) }, at: at)
        }
    }
}
