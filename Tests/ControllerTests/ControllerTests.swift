import BlockModel
import PagingFormats
import Primitives
import Simulation
import Testing

@testable import Controller

/// The composition: which engine hears what, and what a controller does before and after it knows the record. The
/// decisions themselves have their tests at the engines.
@Suite struct ControllerTests {
    /// A single controller with one unit on a memory device, and a driver that answers the witness.
    final class Bench {
        let layout = RegionLayout(bytes: 8 << 20)
        let region: UnsafeMutableRawPointer
        var controller: Controller
        var now = Instant(nanoseconds: 1_000_000_000)
        var record: WitnessRecord?

        init(failback: Interval? = nil) {
            region = .allocate(byteCount: layout.bytes, alignment: PageSize.bytes)
            region.initializeMemory(as: UInt8.self, repeating: 0, count: layout.bytes)
            let start = StartConditions(
                memoryIsFresh: true, memoryIsLost: false, freshMemoryID: .init(high: 1, low: 1),
                bootID: .init(high: 2, low: 2), incarnation: 1, pid: 1, pidStartTime: 1, partnerOnThisHost: false)
            controller = Controller(
                Self.description(failback), id: .a, memory: region, layout: layout, start: start, at: now)
        }

        deinit { region.deallocate() }

        var status: ControllerStatus { controller.status(at: now) }
        func isChannel(_ stream: StreamID) -> Bool { controller.isChannel(stream) }

        static func description(_ failback: Interval?) -> ArrayDescription {
            let map = UnitMap(
                sectors: 2048, device: DeviceIndex(0), dataOffset: DeviceLayout.labelArea,
                stateOffset: DeviceLayout.stateOffset(0), preferred: .a, policy: .standard)
            var naa = InlineArray<16, UInt8>(repeating: 0)
            naa[0] = 0x60
            let one = ControllerDescription(
                id: .a, portals: ["127.0.0.1:3260"], channel: "", memoryBytes: 8 << 20, memoryFile: "a.memory",
                memoryDurability: .process)
            var description = ArrayDescription(
                name: "bench", pairID: 7, controllers: [one],
                devices: [DeviceDescription(name: "disk", kind: .memory, dataBytes: 1 << 20)],
                units: [UnitDescription(lun: 0, map: map, blockLength: 512, naa: naa, serial: "BENCH")],
                targets: [TargetDescription(name: "iqn.2026-11.io.gemel:bench")])
            description.pair.failbackDelay = failback
            return description
        }

        /// Settles and answers what needs no device until nothing more comes; the effects that are not answered.
        func settle() -> [ControllerEffect] {
            var left: [ControllerEffect] = []
            for _ in 0..<50 {
                controller.settle(at: now)
                var isQuiet = true
                while let effect = controller.effects.popFirst() {
                    isQuiet = false
                    if !answer(effect) { left.append(effect) }
                }
                if isQuiet { break }
            }
            return left
        }

        private func answer(_ effect: ControllerEffect) -> Bool {
            switch effect {
            case .witnessRead: controller.handle(.witnessRead(record.map { .record($0) } ?? .none), at: now)
            case .witnessSwap(let expected, let new):
                let won = (record?.sequence ?? 0) == expected
                if won { record = new }
                controller.handle(.witnessSwapped(.record(record ?? new), won: won), at: now)
            case .random(let token):
                controller.handle(.random(token: token, InlineArray<32, UInt8>(repeating: 5)), at: now)
            case .storage(let request):
                if request.kind == .read {
                    let slice = request.slices[0]
                    slice.base.initializeMemory(as: UInt8.self, repeating: 0, count: slice.count)
                }
                controller.handle(.storageCompleted(StorageCompletion(id: request.id, fault: nil)), at: now)
            default: return false
            }
            return true
        }

        /// Lets time pass in the controller's own deadlines until it serves; false when it does not.
        func serve() -> Bool {
            for _ in 0..<200 {
                _ = settle()
                if controller.status(at: now).serving { return true }
                now = max(now + .milliseconds(1), min(controller.nextDeadline, now + .seconds(1)))
                controller.handle(.tick, at: now)
            }
            return false
        }
    }

    @Test func aFreshControllerAsksTheWitnessAndWritesNothing() {
        let bench = Bench()
        bench.controller.settle(at: bench.now)
        var asked = false
        while let effect = bench.controller.effects.popFirst() {
            switch effect {
            case .witnessRead: asked = true
            case .storage(let request): #expect(request.kind == .read, "nothing is written before the record is known")
            case .witnessSwap: Issue.record("a record is proposed before the present one was read")
            default: break
            }
        }
        #expect(asked)
        #expect(!bench.status.serving)
    }

    @Test func aloneItRecordsItselfAndServes() throws {
        let bench = Bench()
        #expect(bench.serve())
        let record = try #require(bench.record)
        #expect(record.state == .soloA)
        #expect(record.member(.a).memory == .init(high: 1, low: 1))
        let status = bench.status
        #expect(status.units.map(\.lun) == [0])
        #expect(!status.redundant)
    }

    @Test func aHostStreamAndTheChannelAreReadByTheirOwnEngines() {
        let bench = Bench()
        #expect(bench.serve())
        bench.controller.handle(.hostConnected(StreamID(3), portal: 0), at: bench.now)
        bench.controller.handle(.channelAccepted(StreamID(4)), at: bench.now)
        #expect(!bench.isChannel(StreamID(3)))
        #expect(bench.isChannel(StreamID(4)))
        var vector = ByteVector(capacity: 8)
        bench.controller.receiveTargets(StreamID(3), into: &vector)
        #expect(vector.byteCount >= 48, "a login request's header fits")
        bench.controller.handle(.closed(StreamID(4)), at: bench.now)
        #expect(!bench.isChannel(StreamID(4)))
    }

    @Test func aHeaderThatIsNoLoginEndsTheConnectionAndNothingElse() {
        let bench = Bench()
        #expect(bench.serve())
        bench.controller.handle(.hostConnected(StreamID(0), portal: 0), at: bench.now)
        var vector = ByteVector(capacity: 8)
        bench.controller.receiveTargets(StreamID(0), into: &vector)
        vector.slices[0].base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: 48)
        bench.controller.handle(.received(StreamID(0), count: 48), at: bench.now)
        let closes = bench.settle().contains { if case .close(StreamID(0)) = $0 { true } else { false } }
        #expect(closes)
        bench.controller.handle(.closed(StreamID(0)), at: bench.now)
        #expect(bench.status.serving)
    }

    @Test func aCleanStopEndsWithACleanRecord() {
        let bench = Bench()
        #expect(bench.serve())
        bench.controller.handle(.stop, at: bench.now)
        var isStopped = false
        for _ in 0..<100 where !isStopped {
            isStopped = bench.settle().contains { if case .stopped = $0 { true } else { false } }
            bench.now = bench.now + .milliseconds(10)
            bench.controller.handle(.tick, at: bench.now)
        }
        #expect(isStopped)
        #expect(bench.record?.dirty == false)
    }

    @Test func failbackIsDueOnceEachTimeThatThePairIsRedundantAgain() {
        var failback = Failback(delay: .seconds(10))
        func due(_ seconds: UInt64, _ isRedundant: Bool) -> Bool {
            failback.isDue(at: Instant.zero + .seconds(seconds), isRedundant: isRedundant)
        }
        let first = due(0, true)
        #expect(!first && failback.nextDeadline == .zero + .seconds(10))
        let upTo = [due(9, true), due(10, true), due(30, true)]
        #expect(upTo == [false, true, false])
        let anew = [due(31, false), due(32, true)]
        failback.holdOff()
        let held = due(60, true)
        #expect(anew == [false, false] && !held, "an administrator moved units meanwhile")
        failback = Failback(delay: nil)
        let never = due(60, true)
        #expect(!never && failback.nextDeadline == .never)
    }
}
