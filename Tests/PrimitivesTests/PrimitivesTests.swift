import Primitives
import Testing

/// The containers against plain ones of the standard library, and bytes, checksums and time by known values.
@Suite struct PrimitivesTests {
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func anIndexHoldsWhatADictionaryHolds(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var index = KeyIndex(entries: 200)
        var model: [UInt64: UInt32] = [:]
        // Few keys that differ in high bits only, so that places collide and deletions shift entries back.
        let keys = (0..<300).map { UInt64($0 % 20) << 48 | UInt64($0 / 20) }
        for _ in 0..<5000 {
            let key = keys[Int(random.below(UInt64(keys.count)))]
            if random.chance(1, in: 2), model.count < 200 {
                let value = UInt32(random.below(1000))
                index.set(key, value)
                model[key] = value
            } else {
                index.remove(key)
                model[key] = nil
            }
            let looked = keys[Int(random.below(UInt64(keys.count)))]
            #expect(index[looked] == model[looked])
        }
        #expect(index.count == model.count)
        #expect(keys.allSatisfy { index[$0] == model[$0] })
    }

    @Test func aQueueKeepsItsOrderWhileItGrowsAndWraps() {
        var random = SeededRandom(seed: 7)
        var queue = Queue<[Int]>(capacity: 1)
        var model: [[Int]] = []
        for number in 0..<4000 {
            if random.chance(3, in: 5) {
                queue.append([number])
                model.append([number])
            } else {
                let oldest = queue.popFirst()
                #expect(oldest == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.count == model.count)
            #expect(queue.first == model.first)
            if let last = model.last { #expect(queue[queue.count - 1] == last) }
        }
        queue.removeAll()
        let nothing = queue.popFirst()
        #expect(nothing == nil && queue.isEmpty)
    }

    @Test func aTableGivesEachSlotToOneOwner() {
        var table = Table(capacity: 8, initial: "")
        var taken: Set<Int> = []
        while let slot = table.take() {
            #expect(taken.insert(slot).inserted)
            table[slot] = "owner \(slot)"
        }
        #expect(taken == Set(0..<8) && table.isFull && table.count == 8)
        table.giveBack(5)
        let again = table.take()
        #expect(again == 5)
        #expect(taken.allSatisfy { table[$0] == "owner \($0)" })
    }

    @Test func aVectorTakesAsManySlicesAsItHasRoomForAndNoEmptyOnes() {
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: 64, alignment: 8)
        defer { bytes.deallocate() }
        var vector = ByteVector(capacity: 2)
        let taken = [(bytes, 0), (bytes, 10), (bytes + 10, 6), (bytes + 16, 1)].map { vector.append($0.0, $0.1) }
        #expect(taken == [true, true, true, false])
        #expect(vector.isFull && vector.count == 2)
        #expect(vector.byteCount == 16)
        vector.removeAll()
        #expect(vector.count == 0 && vector.byteCount == 0)
    }

    @Test func numbersStandInTheirByteOrder() {
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
        defer { bytes.deallocate() }
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: 16)
        bytes.put(big32: 0x0102_0304, 1)
        #expect((1...4).map { UnsafeRawPointer(bytes).byte($0) } == [1, 2, 3, 4])
        #expect(UnsafeRawPointer(bytes).little32(1) == 0x0403_0201)
        #expect(UnsafeRawPointer(bytes).big24(1) == 0x01_0203)
        bytes.put(big64: 0x0102_0304_0506_0708, 3)
        #expect(UnsafeRawPointer(bytes).big16(5) == 0x0304)
        bytes.put(little16: 0xBEEF, 0)
        #expect(UnsafeRawPointer(bytes).byte(0) == 0xEF)
    }

    /// The four vectors of RFC 7143, appendix A (from RFC 3720 B.4).
    @Test func checksumsAreThoseOfTheStandard() {
        let vectors: [([UInt8], UInt32)] = [
            (Array(repeating: 0, count: 32), 0x8A91_36AA), (Array(repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E), (Array((0..<32).reversed()), 0x113F_DB5C),
        ]
        for (bytes, sum) in vectors {
            bytes.withUnsafeBytes { buffer in
                guard let base = buffer.baseAddress else { return }
                #expect(Checksum.crc32c(base, 32) == sum)
            }
        }
    }

    @Test func timeNeitherOverflowsNorGoesNegative() {
        #expect(Instant(nanoseconds: .max - 1) + .seconds(1) == .never)
        #expect(Instant(nanoseconds: 5) - Instant(nanoseconds: 9) == .zero)
        #expect(Instant(nanoseconds: 9) - Instant(nanoseconds: 5) == Interval(nanoseconds: 4))
        #expect(Interval.seconds(1).scaled(11, over: 10) == .milliseconds(1100))
    }
}
