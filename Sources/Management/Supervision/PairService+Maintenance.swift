import Controller
import Foundation
import Synchronization

// Maintenance: a controller that is about to leave sends its hosts to the other one.
extension PairService {
    /// Begins or ends a controller's maintenance. In it, logins are sent to the other controller while that one serves,
    /// and it is home of no unit; sessions that are there stay. One controller at a time: hosts need somewhere to go.
    package func maintenance(_ name: String, _ isOn: Bool) async throws(ManagementRefusal) {
        supervisor.stir()
        guard supervisor.controllers.contains(where: { $0.name == name }) else {
            throw .notFound("this array has no controller \(name)")
        }
        guard let other = supervisor.controllers.map(\.name).first(where: { $0 != name }) else {
            throw .conflict("an array of one controller has nobody to send its hosts to")
        }
        if isOn { try await begin(name, other) } else { try await end(name) }
    }

    private func begin(_ name: String, _ other: String) async throws(ManagementRefusal) {
        guard supervisor.status.controllers.first(where: { $0.name == other })?.isServing == true else {
            throw .conflict("controller \(other) does not serve now; somebody must, while \(name) is in maintenance")
        }
        let isFirst = supervisor.state.withLock { state in
            if state.maintenance != nil && state.maintenance != name { return false }
            state.maintenance = name
            return true
        }
        guard isFirst else {
            throw .conflict("controller \(other) is in maintenance; take it out first: gemel maintenance \(other) off")
        }
        do throws(ManagementRefusal) {
            try await order(name, true)
        } catch {
            // It is in effect nowhere: it is not there.
            supervisor.state.withLock { $0.maintenance = nil }
            throw error
        }
        let luns = supervisor.status.units.filter { $0.home == name }.map(\.lun)
        if !luns.isEmpty { try await move(luns, to: other) }
    }

    private func end(_ name: String) async throws(ManagementRefusal) {
        supervisor.state.withLock { if $0.maintenance == name { $0.maintenance = nil } }
        // One that does not run has forgotten it.
        guard supervisor.status.controllers.first(where: { $0.name == name })?.process == .running else { return }
        try await order(name, false)
    }

    /// Tells the controller, and waits until its status says so.
    private func order(_ name: String, _ isOn: Bool) async throws(ManagementRefusal) {
        guard let controller = supervisor.controllers.first(where: { $0.name == name }) else { return }
        let client = ControlClient(socketPath: controller.socketPath)
        try await tell(client, "POST", "/maintenance", MaintenanceOrder(controller: name, isOn: isOn))
        let end = Clock.milliseconds() + movePatience
        while supervisor.status.controllers.first(where: { $0.name == name })?.status?.maintenance != isOn {
            guard Clock.milliseconds() < end else {
                throw .timedOut("controller \(name) did not answer within \(movePatience / 1000) s")
            }
            supervisor.stir()
            try? await Task.sleep(nanoseconds: 20_000_000)
        }
    }
}

/// The body of `POST /maintenance`.
struct MaintenanceOrder: Encodable {
    var controller: String
    /// `on` or `off`.
    var mode: String

    init(controller: String, isOn: Bool) {
        self.controller = controller
        mode = isOn ? "on" : "off"
    }
}
