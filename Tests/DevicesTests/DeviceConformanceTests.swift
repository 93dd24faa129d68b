import BlockModel
import Devices
import Glibc
import Primitives
import Testing

/// What every kind of device must do alike. Without root the block device is not in the list.
@Suite(.serialized) struct DeviceConformanceTests {
    @Test(arguments: Subject.available)
    func readsBackWhatWasWrittenFromScatteredPages(_ subject: Subject) throws {
        var bench = try Bench(subject)
        for page in 0..<8 { bench.fill(page, UInt8(page + 1)) }
        bench.transfer(.write, id: 1, offset: 1 << 20, first: 0, count: 8)
        #expect(bench.complete(1) == [1: nil])
        bench.transfer(.read, id: 2, offset: 1 << 20, first: 16, count: 8)
        #expect(bench.complete(1) == [2: nil])
        for page in 0..<8 {
            #expect(bench.byte(16 + page, 0) == UInt8(page + 1))
            #expect(bench.byte(16 + page, 4095) == UInt8(page + 1))
        }
    }

    @Test(arguments: Subject.available)
    func transfersOfOneSectorLeaveTheirNeighboursAlone(_ subject: Subject) throws {
        var bench = try Bench(subject)
        bench.fill(0, 0xAA)
        bench.transfer(.write, id: 1, offset: 0, first: 0, count: 1)
        #expect(bench.complete(1) == [1: nil])
        bench.fill(1, 0x55)
        bench.slices[1] = ByteSlice(base: bench.pages + 4096 + 512, count: 512)
        bench.set.enqueue(
            StorageRequest(
                kind: .write, id: 2, device: DeviceIndex(0), offset: 512, count: 512, slices: bench.slices + 1,
                sliceCount: 1))
        #expect(bench.complete(1) == [2: nil])
        bench.transfer(.read, id: 3, offset: 0, first: 2, count: 1)
        #expect(bench.complete(1) == [3: nil])
        #expect([511, 512, 1023, 1024].map { bench.byte(2, $0) } == [0xAA, 0x55, 0x55, 0xAA])
    }

    @Test(arguments: Subject.available)
    func aNewDeviceReadsAsZeros(_ subject: Subject) throws {
        var bench = try Bench(subject)
        bench.fill(0, 0xFF)
        bench.transfer(.read, id: 9, offset: 2 << 20, first: 0, count: 1)
        #expect(bench.complete(1) == [9: nil])
        #expect(bench.byte(0, 0) == 0 && bench.byte(0, 4095) == 0)
    }

    @Test(arguments: Subject.available)
    func flushesComplete(_ subject: Subject) throws {
        var bench = try Bench(subject)
        bench.transfer(.write, id: 1, offset: 0, first: 0, count: 4)
        #expect(bench.complete(1) == [1: nil])
        bench.flush(id: 2)
        bench.flush(id: 3)
        #expect(bench.complete(2) == [2: nil, 3: nil])
    }

    /// A sparse file tells what it takes and what is left of its capacity, and both change with it.
    @Test func aThinFileTellsWhatItTakesAndWhatIsLeft() throws {
        let scratch = Scratch()
        let path = "\(scratch.path)/disk"
        let fd = open(path, O_CREAT | O_RDWR, 0o600)
        #expect(fd >= 0 && ftruncate(fd, 64 << 20) == 0)
        close(fd)
        var spec = DeviceSpec(name: "thin", place: .file(path), bytes: 64 << 20)
        spec.capacity = 17 << 20
        var set = try DeviceSet([spec])
        let answer = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
        let slice = UnsafeMutablePointer<ByteSlice>.allocate(capacity: 1)
        defer {
            answer.deallocate()
            slice.deallocate()
        }
        slice.initialize(to: ByteSlice(base: answer, count: 16))
        func ask(_ kind: StorageRequest.Kind, offset: UInt64 = 0, count: UInt32 = 0) -> BlockFault? {
            set.enqueue(StorageRequest(
                kind: kind, id: 1, device: DeviceIndex(0), offset: offset, count: count, slices: slice, sliceCount: 1))
            var queue = Queue<StorageCompletion>()
            for _ in 0..<10_000 where queue.isEmpty {
                set.submit()
                usleep(500)
                set.collect(into: &queue)
            }
            return queue.popFirst()?.fault
        }
        func usage() -> [UInt64] {
            #expect(ask(.usage) == nil)
            return [UnsafeRawPointer(answer).little64(0), UnsafeRawPointer(answer).little64(8)]
        }
        #expect(usage() == [0, 17 << 20])
        #expect(ask(.allocate, offset: 1 << 20, count: 5 << 20) == nil)
        #expect(usage() == [4 << 20, 12 << 20])
        #expect(ask(.discard, offset: 1 << 20, count: 2 << 20) == nil)
        #expect(usage() == [2 << 20, 14 << 20])
        #expect(ask(.allocate, offset: 1 << 20, count: 17 << 20) == .spaceExhausted)
    }

    @Test(arguments: Subject.available)
    func aDiscardedRangeReadsAsZeros(_ subject: Subject) throws {
        var bench = try Bench(subject)
        bench.fill(0, 0x77)
        bench.transfer(.write, id: 1, offset: 4096, first: 0, count: 1)
        #expect(bench.complete(1) == [1: nil])
        bench.set.enqueue(
            StorageRequest(
                kind: .discard, id: 2, device: DeviceIndex(0), offset: 4096, count: 4096, slices: bench.slices,
                sliceCount: 0))
        #expect(bench.complete(1) == [2: nil])
        bench.transfer(.read, id: 3, offset: 4096, first: 1, count: 1)
        #expect(bench.complete(1) == [3: nil])
        #expect(bench.byte(1, 0) == 0)
    }

    @Test(arguments: Subject.available)
    func moreRequestsThanFitInFlightAllCompleteOnce(_ subject: Subject) throws {
        var bench = try Bench(subject)
        let count = DeviceSet.Limits.inFlight * 3
        for id in 0..<count {
            bench.transfer(.write, id: UInt32(id), offset: UInt64(id) * 4096, first: id % 64, count: 1)
        }
        let found = bench.complete(count)
        #expect(found.count == count)
        #expect(found.values.allSatisfy { $0 == nil })
    }

    @Test(arguments: Subject.available)
    func transfersBeyondTheEndAreFaultsAndChangeNothing(_ subject: Subject) throws {
        var bench = try Bench(subject)
        bench.transfer(.write, id: 1, offset: Bench.bytes - 4096, first: 0, count: 2)
        bench.transfer(.read, id: 2, offset: Bench.bytes, first: 2, count: 1)
        bench.transfer(.read, id: 3, offset: UInt64.max - 511, first: 3, count: 1)
        #expect(bench.complete(3) == [1: .unwritable, 2: .unreadable, 3: .unreadable])
    }

    @Test(arguments: Subject.available)
    func slicesThatDoNotAddUpAreAFault(_ subject: Subject) throws {
        var bench = try Bench(subject)
        bench.slices[0] = ByteSlice(base: bench.pages, count: 4096)
        bench.set.enqueue(
            StorageRequest(
                kind: .read, id: 5, device: DeviceIndex(0), offset: 0, count: 8192, slices: bench.slices,
                sliceCount: 1))
        bench.transfer(.read, id: 6, offset: 100, first: 1, count: 1)
        #expect(bench.complete(2) == [5: .unreadable, 6: .unreadable])
    }

    @Test func aShortTransferIsAFault() throws {
        var bench = try Bench(.file)
        bench.shorten(to: 8192)
        bench.transfer(.read, id: 1, offset: 4096, first: 0, count: 2)
        bench.transfer(.read, id: 2, offset: 1 << 20, first: 4, count: 1)
        #expect(bench.complete(2) == [1: .unreadable, 2: .unreadable])
    }

    @Test func aRequestForADeviceThatIsNotThereIsAFault() throws {
        var bench = try Bench(.memory)
        bench.set.enqueue(
            StorageRequest(
                kind: .write, id: 5, device: DeviceIndex(7), offset: 0, count: 0, slices: bench.slices, sliceCount: 0))
        #expect(bench.complete(1) == [5: .unwritable])
    }
}
