import Controller
import PagingFormats

/// The witness's record and the operations on it that are under way. A swap takes effect at one moment and is
/// answered at a later one; in between the asker may die, the answer may get lost, or others may ask.
struct SimulatedWitness {
    /// One read or swap.
    struct Operation {
        var host: Int
        var life: UInt64
        /// The new record of a swap; nil for a read.
        var record: WitnessRecord?
        var expected: UInt64
        var won = false
        var answer: WitnessAnswer = .unreachable
    }

    private(set) var record: WitnessRecord?
    /// The last record of a pair: whose memories held rights until the next one.
    private(set) var lastPaired: WitnessRecord?
    private(set) var operations: [Operation?] = []

    /// A swap is under way: the record may be another one in a moment.
    var isSwapping: Bool { operations.contains { $0?.record != nil } }

    mutating func start(_ operation: Operation) -> Int {
        operations.append(operation)
        return operations.count - 1
    }

    /// The moment of an operation: it reads the record, and replaces it when its sequence is the expected one.
    /// `ignoringExpectation` is a planted bug: a witness that always swaps.
    mutating func takeEffect(_ place: Int, ignoringExpectation: Bool) {
        guard var operation = operations[place] else { return }
        if let new = operation.record, (record?.sequence ?? 0) == operation.expected || ignoringExpectation {
            record = new
            if new.state == .paired { lastPaired = new }
            operation.won = true
        }
        operation.answer = record.map { .record($0) } ?? .none
        operations[place] = operation
    }

    /// The end of an operation, taken out of the table.
    mutating func finish(_ place: Int) -> Operation? {
        let operation = operations[place]
        operations[place] = nil
        return operation
    }

    /// Puts a record there as the array's initialization does.
    mutating func initialize(_ record: WitnessRecord) { self.record = record }
}
