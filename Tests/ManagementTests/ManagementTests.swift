import Controller
import Foundation
import Management
import Synchronization

/// A pair without processes: what the router asks for is noted.
final class FakePair: ManagementService {
    struct State {
        var homes: [UInt16: String] = [0: "a", 1: "b"]
        var table = FaultTable()
        var serving = true
        var calls: [String] = []
        var maintenance: Set<String> = []
    }
    let state = Mutex(State())

    static let plan = PairStatus.Plan(
        array: "demo", targets: ["iqn.2026-11.io.gemel:demo"],
        units: [
            PairStatus.UnitReport(lun: 0, bytes: 1 << 30, home: nil, preferred: "a"),
            PairStatus.UnitReport(lun: 1, bytes: 4096, home: nil, preferred: "b"),
        ])

    static func controller(
        _ name: String, serving: Bool, homes: [UInt16: String] = [0: "a", 1: "b"], epoch: UInt32 = 7
    ) -> PairStatus.ControllerReport {
        var report = PairStatus.ControllerReport(name: name, process: .running, portals: ["127.0.0.1:3260"])
        var status = ControllerStatus()
        status.controller = name
        status.state = serving ? "paired" : "starting"
        status.serving = serving
        status.redundant = serving
        status.epoch = epoch
        status.leaseMilliseconds = 1500
        status.messagesSent = ["write page": 3, "space request": 1]
        status.copiedBytes = ["dma": 8192]
        status.memory.dirtyPages = 5
        status.units = homes.keys.sorted().map { lun in
            var unit = ControllerStatus.UnitStatus()
            unit.lun = lun
            unit.home = homes[lun] ?? ""
            return unit
        }
        report.status = status
        return report
    }

    func status() async -> PairStatus {
        state.withLock { state in
            PairStatus(
                Self.plan,
                controllers: ["a", "b"].map { name in
                    var report = Self.controller(name, serving: state.serving, homes: state.homes)
                    report.status?.maintenance = state.maintenance.contains(name)
                    return report
                },
                faults: state.table.faults, wasReady: false)
        }
    }

    func moveHome(lun: UInt16?, to controller: String) async throws(ManagementRefusal) {
        if let lun, lun > 1 { throw .notFound("there is no logical unit \(lun)") }
        state.withLock { state in
            for unit in [UInt16(0), 1] where lun == nil || lun == unit { state.homes[unit] = controller }
        }
    }

    func maintenance(_ controller: String, _ isOn: Bool) async throws(ManagementRefusal) {
        state.withLock { state in
            if isOn { state.maintenance.insert(controller) } else { state.maintenance.remove(controller) }
        }
    }

    func failback() async throws(ManagementRefusal) { state.withLock { $0.homes = [0: "a", 1: "b"] } }

    func add(_ fault: Fault) async throws(ManagementRefusal) -> Bool {
        let result = state.withLock { state -> Result<FaultTable.Addition, ManagementRefusal> in
            Result { () throws(ManagementRefusal) in try state.table.add(fault) }
        }
        return try result.get() == .new
    }

    func remove(fault name: String) async throws(ManagementRefusal) {
        guard state.withLock({ $0.table.remove(name) }) != nil else { throw .notFound("no fault is called '\(name)'") }
    }

    func reset() async throws(ManagementRefusal) { state.withLock { $0.table = FaultTable() } }
}
