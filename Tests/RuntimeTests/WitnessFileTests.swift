import Controller
import Glibc
import PagingFormats
import Runtime
import Testing

@Suite struct WitnessFileTests {
    private let scratch = Scratch()
    private var witness: WitnessFile { WitnessFile(path: scratch.file("witness")) }
    init() { #expect(WitnessFile.create(scratch.file("witness"))) }

    @Test func aNewFileHasNoRecord() { #expect(witness.read().answer == .none) }

    @Test func aMissingFileIsUnreachable() {
        #expect(WitnessFile(path: scratch.file("nowhere")).read().answer == .unreachable)
    }

    @Test func anExistingFileIsNotMadeAgain() { #expect(!WitnessFile.create(scratch.file("witness"))) }

    @Test func aSwapWinsOnlyAgainstTheSequenceItExpects() {
        let first = Sample.record(sequence: 1)
        #expect(witness.swap(expected: 5, first).won == false)
        #expect(witness.swap(expected: 0, first) == .init(answer: .record(first), won: true))
        #expect(witness.swap(expected: 0, Sample.record(sequence: 2)) == .init(answer: .record(first), won: false))
        let second = Sample.record(sequence: 2, epoch: 3)
        #expect(witness.swap(expected: 1, second).won)
        #expect(witness.read().answer == .record(second))
    }

    @Test(arguments: [0, 1])
    func aTornSlotIsRepairedFromTheOther(_ slot: Int) {
        let record = Sample.record(sequence: 4)
        #expect(witness.swap(expected: 0, record).won)
        scratch.scribble("witness", at: slot * 4096 + 10, [1, 2, 3])
        #expect(witness.read().answer == .record(record))
        scratch.scribble("witness", at: (1 - slot) * 4096 + 10, [1, 2, 3])
        #expect(witness.read().answer == .record(record), "the first damage was repaired")
    }

    @Test func theHigherSlotWinsAfterACrashBetweenTheTwoWrites() {
        let old = Sample.record(sequence: 4)
        #expect(witness.swap(expected: 0, old).won)
        let new = Sample.record(sequence: 5, epoch: 9)
        var bytes = [UInt8](repeating: 0, count: 4096)
        bytes.withUnsafeMutableBytes { if let base = $0.baseAddress { new.encode(to: base) } }
        scratch.scribble("witness", at: 0, bytes)
        #expect(witness.read().answer == .record(new))
        scratch.scribble("witness", at: 0, [9, 9])
        #expect(witness.read().answer == .record(new))
    }

    @Test func twoDamagedSlotsAreForAnOperator() {
        #expect(witness.swap(expected: 0, Sample.record(sequence: 1)).won)
        scratch.scribble("witness", at: 10, [1])
        scratch.scribble("witness", at: 4106, [1])
        #expect(witness.read().answer == .damaged)
        #expect(witness.swap(expected: 1, Sample.record(sequence: 2)).won == false)
    }

    @Test func aTornFirstSwapIsNoRecord() {
        scratch.scribble("witness", at: 0, [1, 2, 3])
        #expect(witness.read().answer == .none)
    }

    @Test func aShortFileIsDamaged() {
        truncate(scratch.file("witness"), 4096)
        #expect(witness.read().answer == .damaged)
    }

    @Test func aLockThatIsKeptTimesOut() {
        let fd = open(scratch.file("witness"), O_RDWR | O_CLOEXEC)
        #expect(LockProbe.lock(fd))
        let outcome = witness.read()
        #expect(outcome.lockTimedOut && outcome.answer == .unreachable)
        close(fd)
        #expect(witness.read().answer == .none)
    }

    @Test func onlyOneOfManySwapsAtOnceWins() async {
        let witness = self.witness
        let wins = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<6 {
                group.addTask { witness.swap(expected: 0, Sample.record(sequence: 1, epoch: UInt32(index))).won }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(wins == 1)
    }
}
