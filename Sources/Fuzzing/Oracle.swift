/// What must hold of the code under test, beyond that it does not trap. Keeps the first thing that did not hold.
final class Oracle {
    private(set) var failure: String?

    func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
        if !holds, failure == nil { failure = what() }
    }
}
