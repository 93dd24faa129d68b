/// What a scripted command came to.
struct ScriptedResult {
    var end: OperationEnd?
    /// The writes that its sectors were from.
    var seen: [UInt32] = []
}

extension World {
    func scriptEnded(_ number: Int, _ end: OperationEnd) { scripted[number].end = end }

    func scriptSaw(_ operation: Operation, _ sector: Int, _ number: UInt32) {
        if case .script(let place) = operation.purpose { scripted[place].seen.append(number) }
    }
}
