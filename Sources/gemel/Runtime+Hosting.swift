import Configuration
import Controller
import Foundation
import Primitives
import Runtime
import Synchronization

/// Connects `gemel serve` with the driver: makes the hosting of one controller.
///
/// - Parameters:
///   - description: the array, with its pair id.
///   - id: which of its controllers.
///   - state, run: the folders that relative paths and sockets mean.
func makeHosting(
    _ description: ArrayDescription, controller id: ControllerID, state: String, run: String
) -> any ControllerHosting {
    RuntimeHosting(description, id, state: state, run: run)
}

/// A controller on a thread of its own.
private final class RuntimeHosting: ControllerHosting {
    private struct Progress {
        var control: ControlPort?
        var failure: StartError?
        var ending: ControllerEnding?
    }

    private let description: ArrayDescription
    private let id: ControllerID
    private let options: ProcessOptions
    private let progress = Mutex(Progress())
    private let opened = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    init(_ description: ArrayDescription, _ id: ControllerID, state: String, run: String) {
        self.description = description
        self.id = id
        let name = id.name
        var options = ProcessOptions(runDirectory: run, stateDirectory: state) { line in
            Console.complain("gemel: controller \(name): \(line)")
        }
        options.handlesSignals = false
        self.options = options
    }

    func start() throws(StartError) {
        Thread.detachNewThread { self.live() }
        opened.wait()
        if let failure = progress.withLock({ $0.failure }) { throw failure }
    }

    /// The thread's whole life: open, say so, run, say how it ended.
    private func live() {
        do {
            let process = try ControllerProcess(description, id: id, options: options)
            progress.withLock { $0.control = process.control }
            opened.signal()
            let ending = Self.ending(process.run())
            progress.withLock { $0.ending = ending }
        } catch {
            let status = ExitStatus(rawValue: error.exitCode.rawValue) ?? .software
            progress.withLock { $0.failure = StartError(status, error.description) }
            opened.signal()
        }
        ended.signal()
    }

    private static func ending(_ outcome: ProcessOutcome) -> ControllerEnding {
        switch outcome {
        case .stopped, .halted: .stopped
        case .restart: .startAnew(outcome.sentence)
        case .refused: .refused(outcome.sentence)
        }
    }

    private var control: ControlPort? { progress.withLock { $0.control } }

    func status() -> ControllerStatus {
        if let status = control?.status() { return status }
        var unknown = ControllerStatus()
        unknown.controller = id.name
        unknown.state = "not answering"
        return unknown
    }

    func moveHome(lun: UInt16?, to: ControllerID) {
        let unit = lun.flatMap { lun in description.units.firstIndex { $0.lun == lun } }
        _ = control?.moveHome(unit: unit.map { UnitIndex(UInt16($0)) }, to: to)
    }

    func maintenance(_ isOn: Bool) { _ = control?.maintenance(isOn) }

    func cutChannel(from sender: ControllerID, _ cut: Bool) {
        _ = control?.cutChannel(sender == id ? .toPartner : .fromPartner, cut)
    }

    func stop() { _ = control?.stop() }

    func waitUntilEnded() -> ControllerEnding {
        ended.wait()
        return progress.withLock { $0.ending } ?? .stopped
    }
}
