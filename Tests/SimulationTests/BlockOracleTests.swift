import Testing

@testable import Simulation

/// Synthetic histories of one sector, right ones and deliberately wrong ones.
@Suite struct BlockOracleTests {
    /// A sector's history: writes and reads at given times, first violation wins.
    private struct History {
        var oracle = BlockOracle(sectors: [8])
        var violation: BlockOracle.Violation?

        mutating func note(_ found: BlockOracle.Violation?) { violation = violation ?? found }
        mutating func begin(_ time: UInt64) -> UInt32 { oracle.begin(unit: 0, start: 0, count: 2, at: time) }
        mutating func good(_ write: UInt32, _ time: UInt64) { note(oracle.acknowledge(write, at: time)) }
        mutating func close(_ write: UInt32, _ time: UInt64) { note(oracle.close(write, at: time)) }
        mutating func refuse(_ write: UInt32, _ time: UInt64) { note(oracle.refuse(write, at: time)) }
        mutating func read(_ write: UInt32, _ begun: UInt64, _ ended: UInt64) {
            note(oracle.read(unit: 0, sector: 0, value: write, begun: begun, ended: ended))
        }
    }

    @Test func readsOfTheLastWriteAreRight() {
        var history = History()
        history.read(0, 1, 2)
        let one = history.begin(3)
        history.good(one, 5)
        history.read(one, 6, 7)
        let two = history.begin(8)
        history.read(one, 9, 10)
        history.good(two, 12)
        history.read(two, 13, 14)
        #expect(history.violation == nil)
    }

    @Test func aConcurrentWriteMayBeSeenOrNot() {
        var history = History()
        let one = history.begin(1)
        history.read(0, 2, 3)
        history.read(one, 4, 5)
        history.good(one, 9)
        #expect(history.violation == nil)
    }

    @Test func anAcknowledgedWriteThatIsGoneIsFound() {
        var history = History()
        let one = history.begin(1)
        history.good(one, 2)
        history.read(0, 3, 4)
        #expect(history.violation != nil)
    }

    @Test func aReadThatGoesBackIsFound() {
        var history = History()
        let one = history.begin(1)
        history.read(one, 2, 3)
        history.read(0, 4, 5)
        #expect(history.violation != nil)
    }

    @Test func aStaleReadOnTheOtherPortIsFound() {
        var history = History()
        let one = history.begin(1)
        history.good(one, 2)
        let two = history.begin(3)
        history.good(two, 5)
        history.read(one, 6, 7)
        #expect(history.violation != nil)
    }

    @Test func twoConcurrentWritesEndInEitherOrderButOneOnly() {
        var history = History()
        let one = history.begin(1)
        let two = history.begin(2)
        history.good(one, 5)
        history.good(two, 6)
        history.read(one, 7, 8)
        #expect(history.violation == nil)
        history.read(two, 9, 10)
        #expect(history.violation != nil)
    }

    @Test func anUnansweredWriteMayTakeEffectLateOrNever() {
        var history = History()
        let one = history.begin(1)
        history.read(0, 5, 6)
        history.read(one, 7, 8)
        #expect(history.violation == nil)
    }

    @Test func aWriteWhoseNexusCameBackTakesNoEffectLater() {
        var history = History()
        let one = history.begin(1)
        history.close(one, 4)
        history.read(0, 5, 6)
        #expect(history.violation == nil)
        history.read(one, 7, 8)
        #expect(history.violation != nil)
    }

    @Test func anUnansweredWriteDoesNotReturnOverALaterOne() {
        var history = History()
        let one = history.begin(1)
        history.close(one, 3)
        let two = history.begin(4)
        history.good(two, 5)
        history.read(two, 6, 7)
        history.read(one, 8, 9)
        #expect(history.violation != nil)
    }

    @Test func aRefusedWriteIsNeverSeen() {
        var history = History()
        let one = history.begin(1)
        history.refuse(one, 2)
        history.read(0, 3, 4)
        #expect(history.violation == nil)
        history.read(one, 5, 6)
        #expect(history.violation != nil)
    }

    @Test func aValueOfAnotherPlaceIsFound() {
        var oracle = BlockOracle(sectors: [8])
        let one = oracle.begin(unit: 0, start: 4, count: 1, at: 1)
        #expect(oracle.read(unit: 0, sector: 0, value: one, begun: 2, ended: 3) != nil)
    }

    @Test func aDeviceGoesBackOnlyFromWhatTookEffect() {
        var oracle = BlockOracle(sectors: [8])
        let one = oracle.begin(unit: 0, start: 0, count: 1, at: 1)
        _ = oracle.acknowledge(one, at: 2)
        let two = oracle.begin(unit: 0, start: 0, count: 1, at: 3)
        #expect(!oracle.isGoingBack(unit: 0, sector: 0, from: two, to: one))
        _ = oracle.acknowledge(two, at: 4)
        #expect(oracle.isGoingBack(unit: 0, sector: 0, from: two, to: one))
        #expect(!oracle.isGoingBack(unit: 0, sector: 0, from: one, to: two))
    }

    @Test func aTornSmallWriteIsFound() {
        var oracle = BlockOracle(sectors: [8])
        let base = oracle.begin(unit: 0, start: 0, count: 8, at: 1)
        _ = oracle.acknowledge(base, at: 2)
        let lost = oracle.begin(unit: 0, start: 2, count: 4, at: 3)
        let whole = (0..<8).map { 2..<6 ~= $0 ? lost : base }
        #expect(oracle.tornWrite(unit: 0, shown: whole, limit: 8) == nil)
        var torn = whole
        torn[4] = base
        #expect(oracle.tornWrite(unit: 0, shown: torn, limit: 8) != nil)
        #expect(oracle.tornWrite(unit: 0, shown: torn, limit: 2) == nil)
    }
}
