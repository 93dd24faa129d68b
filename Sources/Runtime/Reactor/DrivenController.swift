import Controller
import PagingFormats
import Primitives

/// What the reactor needs of the engine that it drives. `Controller` is the one that a product runs; tests drive
/// small engines over real sockets with the same reactor. The reactor is specialised for its engine: no call through
/// this protocol is dynamic.
package protocol DrivenController: ~Copyable {
    mutating func handle(_ event: ControllerEvent, at now: Instant)
    mutating func settle(at now: Instant)
    var nextDeadline: Instant { get }
    mutating func receiveTargets(_ stream: StreamID, into vector: inout ByteVector)
    mutating func transmitSources(_ stream: StreamID, into vector: inout ByteVector)
    func status(at now: Instant) -> ControllerStatus
    var expectedWindowWord: UInt64 { get }
    /// Takes the oldest effect.
    mutating func nextEffect() -> ControllerEffect?
}

extension Controller: DrivenController {
    package mutating func nextEffect() -> ControllerEffect? { effects.popFirst() }
}
