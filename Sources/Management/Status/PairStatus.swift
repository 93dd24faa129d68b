import Controller

/// What `GET /status` answers: the array as its supervisor sees it. A controller that is asked itself answers the same
/// with one controller in it.
package struct PairStatus: Codable, Sendable {
    package var array: String
    /// Every controller that should serve does, or one does and the others cannot (`GET /ready`).
    package var ready: Bool
    /// Every acknowledged write is in both memories.
    package var redundant: Bool
    /// The highest epoch that a controller knows.
    package var epoch: UInt32
    package var targets: [String]
    package var controllers: [ControllerReport]
    package var units: [UnitReport]
    package var faults: [Fault]

    /// One controller: its process, and what it says of itself.
    package struct ControllerReport: Codable, Sendable {
        package var name: String
        package var process: ProcessState
        package var pid: Int32?
        /// How often it was started again.
        package var restarts: Int
        /// Why it is not running, when it is not.
        package var reason: String?
        package var portals: [String]
        /// Its last word; nil when it does not answer.
        package var status: ControllerStatus?

        package init(name: String, process: ProcessState, portals: [String]) {
            self.name = name
            self.process = process
            self.portals = portals
            restarts = 0
        }

        /// It runs, answers, and serves hosts.
        package var isServing: Bool { process == .running && status?.serving == true }
    }

    /// One logical unit of the array.
    package struct UnitReport: Codable, Sendable {
        package var lun: UInt16
        package var bytes: UInt64
        /// `a` or `b`; nil while nobody serves it.
        package var home: String?
        package var preferred: String
        package init(lun: UInt16, bytes: UInt64, home: String?, preferred: String) {
            self.lun = lun
            self.bytes = bytes
            self.home = home
            self.preferred = preferred
        }
    }

    /// What is known from the configuration, before anybody was asked.
    package struct Plan: Sendable {
        package var array: String
        package var targets: [String]
        /// LUN, bytes, preferred controller.
        package var units: [UnitReport]
        package init(array: String, targets: [String], units: [UnitReport]) {
            self.array = array
            self.targets = targets
            self.units = units
        }
    }

    /// Puts together what the controllers say.
    /// - Parameter wasReady: the pair was ready before: from then on one that serves is enough.
    package init(_ plan: Plan, controllers: [ControllerReport], faults: [Fault], wasReady: Bool) {
        array = plan.array
        targets = plan.targets
        self.controllers = controllers
        self.faults = faults
        let serving = controllers.filter(\.isServing)
        let comingUp = controllers.contains { !$0.isServing && ($0.process == .starting || $0.process == .running) }
        ready = !serving.isEmpty && (wasReady || !comingUp)
        redundant = controllers.count == 2 && serving.count == 2 && serving.allSatisfy { $0.status?.redundant == true }
        epoch = controllers.compactMap { $0.status?.epoch }.max() ?? 0
        // The newest epoch's word on a home counts.
        let newest = serving.max { ($0.status?.epoch ?? 0) < ($1.status?.epoch ?? 0) }?.status
        units = plan.units.map { unit in
            var unit = unit
            let said = newest?.units.first { $0.lun == unit.lun }
            unit.home = said.flatMap { $0.home.isEmpty ? nil : $0.home }
            return unit
        }
    }
}

/// What a supervisor knows of a controller's process.
package enum ProcessState: String, Codable, Sendable {
    /// Started; it has not answered yet.
    case starting
    case running
    /// Stopped by the fault controller-hang.
    case hung
    /// Ended by the fault controller-kill; started again when the fault is removed.
    case killed
    /// Ended; to be started again after a while.
    case restarting
    /// Ended, and not to be started again.
    case down
}
