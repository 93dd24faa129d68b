import Primitives
import Testing

@testable import Simulation

/// The small parts: queue of events, bytes in flight, sector patterns, keyed hash, swarm.
@Suite struct PartTests {
    @Test func eventsComeInTheOrderOfTimeThenOfScheduling() {
        var heap = EventHeap()
        var random = SeededRandom(seed: 3)
        for index in 0..<500 { heap.push(.faultEnds(index), at: random.below(50)) }
        var last: (time: UInt64, index: Int) = (0, -1)
        for _ in 0..<500 {
            guard let next = heap.pop(), case .faultEnds(let index) = next.action else {
                Issue.record("the heap is short")
                return
            }
            #expect(next.time > last.time || next.time == last.time && index > last.index)
            last = (next.time, index)
        }
        #expect(heap.pop() == nil)
    }

    @Test func aByteQueueKeepsOrderWhileItGrowsAndWraps() {
        let queue = ByteFIFO(capacity: 1024)
        var random = SeededRandom(seed: 5)
        var written: UInt8 = 0
        var read: UInt8 = 0
        for _ in 0..<300 {
            let bytes = (0..<Int(random.below(900))).map { _ in
                written &+= 1
                return written
            }
            bytes.withUnsafeBytes { buffer in buffer.baseAddress.map { queue.write($0, bytes.count) } }
            var out = [UInt8](repeating: 0, count: Int(random.below(1000)) + 1)
            let room = out.count
            let count = out.withUnsafeMutableBytes { queue.read(into: $0.baseAddress!, room) }
            for byte in out[..<count] {
                read &+= 1
                #expect(byte == read)
            }
        }
        #expect(queue.count == Int(written &- read) || queue.count > 255)
    }

    @Test func chunksArriveInOrderAndTheEndComesLast() {
        let pipe = Pipe(capacity: 100)
        let data = [UInt8](repeating: 7, count: 60)
        data.withUnsafeBytes { buffer in buffer.baseAddress.map { pipe.bytes.write($0, 60) } }
        pipe.addChunk(40, arriving: 100)
        pipe.addChunk(20, arriving: 50)
        pipe.isFinished = true
        #expect(pipe.room == 40)
        #expect(!pipe.advance(to: 99) && pipe.arrived == 0)
        #expect(pipe.advance(to: 100) && pipe.arrived == 60 && pipe.endArrived)
    }

    @Test func aSectorSaysWhichWriteItIsFrom() {
        let base = UnsafeMutableRawPointer.allocate(byteCount: 512, alignment: 8)
        defer { base.deallocate() }
        base.initializeMemory(as: UInt8.self, repeating: 0, count: 512)
        #expect(SectorPattern.read(base, seed: 9, unit: 1, sector: 5) == .initial)
        SectorPattern.fill(base, seed: 9, unit: 1, sector: 5, write: 77, writer: 0)
        #expect(SectorPattern.read(base, seed: 9, unit: 1, sector: 5) == .write(77))
        #expect(SectorPattern.quickWrite(base, seed: 9) == 77)
        let wrongs = [
            SectorPattern.read(base, seed: 8, unit: 1, sector: 5),
            SectorPattern.read(base, seed: 9, unit: 0, sector: 5),
            SectorPattern.read(base, seed: 9, unit: 1, sector: 6),
        ]
        for wrong in wrongs {
            guard case .wrong = wrong else {
                Issue.record("taken for right: \(wrong)")
                continue
            }
        }
        base.put(byte: 1, 300)
        guard case .wrong = SectorPattern.read(base, seed: 9, unit: 1, sector: 5) else {
            Issue.record("a flipped byte was not seen")
            return
        }
    }

    @Test func theKeyedHashDependsOnKeyMessageAndLength() {
        var message = InlineArray<128, UInt8>(repeating: 1)
        func digest(_ secret: UInt64, _ count: Int) -> [UInt8] {
            let digest = KeyedHash.digest(secret: secret, message: message, count: count)
            return (0..<32).map { digest[$0] }
        }
        let first = digest(1, 64)
        #expect(first == digest(1, 64))
        #expect(first != digest(2, 64) && first != digest(1, 63))
        message[10] = 2
        #expect(first != digest(1, 64))
    }

    @Test func aSwarmTurnsKindsOnAndOff() {
        var random = SeededRandom(seed: 1)
        var seen = Set<String>()
        for _ in 0..<50 { seen.insert(FaultWeights.drawn(from: &random, allowed: .all).text) }
        #expect(seen.count > 40)
        #expect(FaultWeights.none.text == "none")
    }
}
