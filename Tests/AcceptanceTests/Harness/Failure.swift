/// What an acceptance test could not do, as a sentence: a missing package, a process that did not come up.
struct Failure: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}
