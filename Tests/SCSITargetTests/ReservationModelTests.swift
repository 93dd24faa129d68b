import BlockModel
import Primitives
import SAM
import SCSIFormats
import Simulation
import Testing

@testable import SCSITarget

/// Scripts of four nexuses over two controllers, against the model of the standard.
@Suite struct ReservationModelTests {
    private typealias Commands = ReservationCommands
    private static let nexuses = 4
    private static let testUnitReady: [UInt8] = [0, 0, 0, 0, 0, 0]

    private static func drawn(
        _ random: inout SeededRandom, _ model: ReservationModel
    ) -> (ReservationModel.Request, Int) {
        let nexus = Int(random.below(UInt64(nexuses)))
        func key() -> UInt64 { random.chance(1, in: 8) ? 9 : model.keys[nexus] ?? 0 }
        func new() -> UInt64 { random.below(4) }
        func type() -> UInt8 { [1, 3, 5, 6, 7, 8][Int(random.below(6))] }
        let present = random.chance(3, in: 4) ? model.type ?? type() : type()
        switch random.below(12) {
        case 0...3: return (.register(key: key(), new: new(), outlivesPower: random.chance(1, in: 4)), nexus)
        case 4: return (.registerIgnoring(new: new(), outlivesPower: false), nexus)
        case 5, 6: return (.reserve(key: key(), type: type()), nexus)
        case 7: return (.release(key: key(), type: present), nexus)
        case 8 where random.chance(1, in: 3): return (.clear(key: key()), nexus)
        case 8: return (.reserve(key: key(), type: type()), nexus)
        case 9, 10:
            return (
                .preempt(key: key(), victim: new(), type: type(), aborting: random.chance(1, in: 2)), nexus)
        default:
            return (
                .move(
                    key: key(), new: new(), to: Int(random.below(UInt64(nexuses))),
                    unregistering: random.chance(1, in: 2)),
                nexus)
        }
    }

    @Test(arguments: 1...30) func everyStepIsAsTheStandardHasIt(seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let pair = TwoControllers()
        var model = ReservationModel(nexuses: Self.nexuses)
        for step in 0..<50 {
            let (request, nexus) = Self.drawn(&random, model)
            let comment: Comment = "seed \(seed), step \(step): \(request) by \(nexus), before: \(model)"
            var told: [Int: UInt16] = [:]
            let answer = model.perform(request, by: nexus, told: &told)
            let (cdb, list) = Commands.bytes(request)
            let outcome = pair.command(cdb, nexus: nexus, out: list)
            Self.expect(outcome, answer, comment)
            for other in 0..<Self.nexuses {
                let pending = pair.command(Self.testUnitReady, nexus: other)
                #expect(pending.code == told[other] ?? 0, "\(comment), nexus \(other)")
                if told[other] != nil {
                    #expect(pair.command(Self.testUnitReady, nexus: other).status == .good, comment)
                }
            }
            Self.expectState(pair, model, comment)
            Self.expectAccess(pair, model, comment)
        }
        pair.expectIdle()
    }

    private static func expect(_ outcome: Outcome, _ answer: ReservationModel.Answer, _ comment: Comment) {
        switch answer {
        case .good: #expect(outcome.status == .good, comment)
        case .conflict: #expect(outcome.status == .reservationConflict && outcome.sense.isEmpty, comment)
        case .illegal(let code): #expect(outcome.key == 5 && outcome.code == code, comment)
        }
    }

    private static func expectState(_ pair: TwoControllers, _ model: ReservationModel, _ comment: Comment) {
        for nexus in 0..<2 {
            let keys = pair.command(Commands.reserveIn(0), nexus: nexus, dataIn: 8192).data
            let expected = model.keys.compactMap { $0 }
            #expect(Array(keys[0..<4]) == Array(Commands.big(UInt64(model.generation))[4...]), comment)
            #expect(Array(keys[4..<8]) == [0, 0, 0, UInt8(expected.count * 8)], comment)
            let reported = stride(from: 8, to: keys.count, by: 8).map { Array(keys[$0..<$0 + 8]) }
            let wanted = expected.map { Commands.big($0).description }.sorted()
            #expect(reported.map(\.description).sorted() == wanted, comment)
            let reservation = pair.command(Commands.reserveIn(1), nexus: nexus, dataIn: 8192).data
            #expect(reservation.count == (model.type == nil ? 8 : 24), comment)
            guard let type = model.type, reservation.count == 24 else { continue }
            #expect(reservation[21] == type, comment)
            let key = model.holder.flatMap { model.keys[$0] } ?? 0
            #expect(Array(reservation[8..<16]) == Commands.big(key), comment)
        }
    }

    private static func expectAccess(_ pair: TwoControllers, _ model: ReservationModel, _ comment: Comment) {
        for nexus in 0..<nexuses {
            let read = pair.command(MediumAccessTests.cdb10(0x28, 0, 1), nexus: nexus, dataIn: 512)
            #expect((read.status == .good) == model.admits(nexus, .reads), "\(comment), read by \(nexus)")
            let write = pair.command(
                MediumAccessTests.cdb10(0x2A, 0, 1), nexus: nexus, out: [UInt8](repeating: 1, count: 512))
            #expect((write.status == .good) == model.admits(nexus, .writes), "\(comment), write by \(nexus)")
            #expect(pair.command(testUnitReady, nexus: nexus).status == .good, comment)
        }
    }
}
