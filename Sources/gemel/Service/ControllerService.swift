import Controller
import Foundation
import Management
import Primitives
import Synchronization

/// The API of one controller, on its own socket: what the supervisor asks, and what a person asks who runs controllers
/// as services of their own.
struct ControllerService: ManagementService {
    private let plan: PairStatus.Plan
    private let id: ControllerID
    private let portals: [String]
    private let hosting: any ControllerHosting
    private let faults: FaultState

    /// Shared by the copies of the service.
    private final class FaultState: Sendable {
        let table = Mutex(FaultTable())
    }

    init(_ plan: PairStatus.Plan, _ id: ControllerID, portals: [String], hosting: any ControllerHosting) {
        self.plan = plan
        self.id = id
        self.portals = portals
        self.hosting = hosting
        faults = FaultState()
    }

    func status() async -> PairStatus {
        let hosting = hosting
        var report = PairStatus.ControllerReport(name: id.name, process: .running, portals: portals)
        report.pid = getpid()
        report.status = await ControlClient.detached { hosting.status() }
        return PairStatus(plan, controllers: [report], faults: faults.table.withLock { $0.faults }, wasReady: true)
    }

    /// Returns when the controller knows; whoever asked looks at the status for the result.
    func moveHome(lun: UInt16?, to controller: String) async throws(ManagementRefusal) {
        guard let to = ControllerID.allCases.first(where: { $0.name == controller }) else {
            throw .badRequest("'\(controller)' is no controller")
        }
        if let lun, !plan.units.contains(where: { $0.lun == lun }) {
            throw .notFound("there is no logical unit \(lun)")
        }
        hosting.moveHome(lun: lun, to: to)
    }

    func failback() async throws(ManagementRefusal) {
        for unit in plan.units { try await moveHome(lun: unit.lun, to: unit.preferred) }
    }

    /// Returns when the controller knows.
    func maintenance(_ controller: String, _ isOn: Bool) async throws(ManagementRefusal) {
        guard controller == id.name else {
            throw .badRequest("this is controller \(id.name); ask \(controller)'s socket, or the pair's")
        }
        let hosting = hosting
        await ControlClient.detached { hosting.maintenance(isOn) }
    }

    func add(_ fault: Fault) async throws(ManagementRefusal) -> Bool {
        guard fault.type == .channelCut else {
            throw .badRequest("\(fault.type.rawValue) is put into effect by the supervisor; ask the pair's socket")
        }
        let result = faults.table.withLock { table -> Result<FaultTable.Addition, ManagementRefusal> in
            Result { () throws(ManagementRefusal) in try table.add(fault) }
        }
        guard try result.get() == .new else { return false }
        await applyCuts()
        return true
    }

    func remove(fault name: String) async throws(ManagementRefusal) {
        guard faults.table.withLock({ $0.remove(name) }) != nil else { throw .notFound("no fault is called '\(name)'") }
        await applyCuts()
    }

    func reset() async throws(ManagementRefusal) {
        for fault in faults.table.withLock({ $0.faults }) { try await remove(fault: fault.name) }
    }

    /// Each direction is cut while any fault cuts it.
    private func applyCuts() async {
        let cuts = faults.table.withLock { $0.cuts }
        let hosting = hosting
        await ControlClient.detached {
            hosting.cutChannel(from: .a, cuts.contains(.aToB) || cuts.contains(.both))
            hosting.cutChannel(from: .b, cuts.contains(.bToA) || cuts.contains(.both))
        }
    }
}
