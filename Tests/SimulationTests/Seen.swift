import Synchronization

/// What a callback was given, in order.
final class Seen: Sendable {
    private let state = Mutex<[UInt64]>([])
    func add(_ value: UInt64) -> Bool {
        state.withLock { $0.append(value) }
        return true
    }
    var values: [UInt64] { state.withLock { $0 } }
}
