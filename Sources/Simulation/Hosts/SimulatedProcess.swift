import Controller
import PagingFormats
import Primitives

/// What the world drives: a controller, by the calls that `Controller` offers to every driver. Tests of the world
/// itself give it a small target of their own.
package protocol SimulatedProcess: AnyObject {
    func handle(_ event: ControllerEvent, at now: Instant)
    func settle(at now: Instant)
    var nextDeadline: Instant { get }
    func receiveTargets(_ stream: StreamID, into vector: inout ByteVector)
    func transmitSources(_ stream: StreamID, into vector: inout ByteVector)
    /// The word that the partner's memory must show for a placement to count; `closed` when nothing may be placed.
    var expectedWindowWord: UInt64 { get }
    /// Takes the oldest effect that was not performed yet.
    func nextEffect() -> ControllerEffect?
    func status(at now: Instant) -> ControllerStatus
}

/// Everything that a process is made from.
package struct ProcessSeed {
    package var description: ArrayDescription
    package var id: ControllerID
    package var memory: UnsafeMutableRawPointer
    package var layout: RegionLayout
    package var start: StartConditions
    package var now: Instant
}

/// Makes the process of a controller; `Run.controllers` is the one of the product.
package typealias ProcessFactory = (ProcessSeed) -> any SimulatedProcess

/// The product's controller as a process of the simulation.
package final class ControllerProcess: SimulatedProcess {
    private var controller: Controller

    package init(_ seed: ProcessSeed) {
        controller = Controller(
            seed.description, id: seed.id, memory: seed.memory, layout: seed.layout, start: seed.start, at: seed.now)
    }

    package func handle(_ event: ControllerEvent, at now: Instant) { controller.handle(event, at: now) }
    package func settle(at now: Instant) { controller.settle(at: now) }
    package var nextDeadline: Instant { controller.nextDeadline }
    package func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) {
        controller.receiveTargets(stream, into: &vector)
    }
    package func transmitSources(_ stream: StreamID, into vector: inout ByteVector) {
        controller.transmitSources(stream, into: &vector)
    }
    package var expectedWindowWord: UInt64 { controller.expectedWindowWord }
    package func nextEffect() -> ControllerEffect? { controller.effects.popFirst() }
    package func status(at now: Instant) -> ControllerStatus { controller.status(at: now) }
}

extension ControllerProcess {
    /// Whether a controller of this build does anything at all: a fresh one asks its driver for something at once or
    /// has a deadline. Suites that play whole stories ask first.
    package static var isComposed: Bool {
        var random = SeededRandom(seed: 1)
        let options = SimulationOptions(seed: 1)
        let description = World.describe(Parameters.drawn(options, from: &random))
        let layout = description.memoryLayout(description.controllers[0])
        let host = SimulatedHost(index: 0, layout: layout)
        let start = StartConditions(
            memoryIsFresh: true, memoryIsLost: false, freshMemoryID: .init(high: 1, low: 1),
            bootID: .init(high: 2, low: 2), incarnation: 1, pid: 1, pidStartTime: 1, partnerOnThisHost: true)
        let now = Instant(nanoseconds: 1_000_000_000)
        let process = ControllerProcess(
            ProcessSeed(
                description: description, id: .a, memory: host.region, layout: layout, start: start, now: now))
        process.settle(at: now)
        return process.nextEffect() != nil || process.nextDeadline != .never
    }
}
