import Foundation
import Synchronization

/// The API of a pair, over its supervisor.
package struct PairService: ManagementService {
    let supervisor: Supervisor
    /// How long a move of a unit may take.
    let movePatience: Int64

    package init(_ supervisor: Supervisor, movePatience: Int64 = 15_000) {
        self.supervisor = supervisor
        self.movePatience = movePatience
    }

    package func status() async -> PairStatus {
        supervisor.stir()
        return supervisor.status
    }

    // MARK: Homes

    package func moveHome(lun: UInt16?, to controller: String) async throws(ManagementRefusal) {
        let units = supervisor.plan.units.filter { lun == nil || $0.lun == lun }
        guard !units.isEmpty else { throw .notFound("there is no logical unit \(lun ?? 0)") }
        try await move(units.map(\.lun), to: controller)
    }

    package func failback() async throws(ManagementRefusal) {
        for name in supervisor.controllers.map(\.name) {
            let luns = supervisor.status.units.filter { $0.preferred == name && $0.home != name }.map(\.lun)
            if !luns.isEmpty { try await move(luns, to: name) }
        }
    }

    /// Asks the present home of each unit, which alone knows what it must clear first, and waits until the move is
    /// done.
    func move(_ luns: [UInt16], to name: String) async throws(ManagementRefusal) {
        supervisor.stir()
        guard supervisor.controllers.contains(where: { $0.name == name }) else {
            throw .notFound("this array has no controller \(name)")
        }
        guard supervisor.status.controllers.first(where: { $0.name == name })?.isServing == true else {
            throw .conflict("controller \(name) does not serve now; units can only move to one that does")
        }
        for unit in supervisor.status.units where luns.contains(unit.lun) && unit.home != name {
            // A home that does not serve has lost the unit: whoever serves it is home, or will be.
            let isServing = supervisor.status.controllers.first { $0.name == unit.home }?.isServing == true
            let asked = isServing ? unit.home : name
            guard let home = supervisor.controllers.first(where: { $0.name == asked }) else { continue }
            let client = ControlClient(socketPath: home.socketPath)
            let lun = unit.lun
            try await tell(client, "POST", "/failover", MoveBody(to: name, lun: lun))
        }
        let end = Clock.milliseconds() + movePatience
        while true {
            let missing = supervisor.status.units.filter { luns.contains($0.lun) && $0.home != name }
            if missing.isEmpty { return }
            guard Clock.milliseconds() < end else {
                let list = missing.map { "\($0.lun)" }.joined(separator: ", ")
                throw .timedOut("LUN \(list) did not move to \(name) within \(movePatience / 1000) s")
            }
            try? await Task.sleep(nanoseconds: 20_000_000)
        }
    }

    private struct MoveBody: Encodable {
        var to: String
        var lun: UInt16
    }

    // MARK: Faults

    package func add(_ fault: Fault) async throws(ManagementRefusal) -> Bool {
        if let name = fault.controller, !supervisor.controllers.contains(where: { $0.name == name }) {
            throw .notFound("this array has no controller \(name)")
        }
        if fault.type == .channelCut, supervisor.controllers.count < 2 {
            throw .conflict("an array of one controller has no channel to cut")
        }
        let addition = try supervisor.noteFault(fault)
        guard addition == .new else { return false }
        switch fault.type {
        case .controllerKill: await supervisor.order(.kill, fault.controller ?? "")
        case .controllerHang: await supervisor.order(.hang, fault.controller ?? "")
        case .channelCut:
            do throws(ManagementRefusal) {
                try await tellAll("POST", "/faults", fault)
            } catch {
                // Not in effect anywhere: it is not there.
                supervisor.forgetFault(fault.name)
                throw error
            }
        }
        return true
    }

    package func remove(fault name: String) async throws(ManagementRefusal) {
        guard let fault = supervisor.forgetFault(name) else { throw .notFound("no fault is called '\(name)'") }
        switch fault.type {
        case .controllerKill: await supervisor.order(.revive, fault.controller ?? "")
        case .controllerHang: await supervisor.order(.resume, fault.controller ?? "")
        case .channelCut: try await tellAll("DELETE", "/faults/\(name)", nil)
        }
    }

    package func reset() async throws(ManagementRefusal) {
        for fault in supervisor.status.faults { try await remove(fault: fault.name) }
    }

    /// Tells every running controller. One that hangs or is down learns it when it answers again; that at least one
    /// acts is enough, since each end cuts both its sending and its receiving.
    private func tellAll(_ method: String, _ path: String, _ fault: Fault?) async throws(ManagementRefusal) {
        var refusal: ManagementRefusal?
        var told = 0
        let running = supervisor.status.controllers.filter { $0.process == .running }.map(\.name)
        for controller in supervisor.controllers where running.contains(controller.name) {
            do throws(ManagementRefusal) {
                try await tell(ControlClient(socketPath: controller.socketPath), method, path, fault)
                told += 1
            } catch {
                refusal = error
            }
        }
        if told == 0, let refusal, method == "POST" { throw refusal }
    }

    func tell(
        _ client: ControlClient, _ method: String, _ path: String, _ value: (some Encodable & Sendable)?
    ) async throws(ManagementRefusal) {
        let body = value.flatMap { try? JSONEncoder().encode($0) }
        let result = await ControlClient.detached {
            Result { () throws(ControlClient.Failure) in
                try client.request(method, path, body: body, seconds: 3)
            }
        }
        switch result {
        case .success(let answer) where answer.status < 300: return
        case .success(let answer): throw ManagementRefusal(status: answer.status, message: answer.message)
        case .failure: throw .unavailable("a controller does not answer; see gemel status")
        }
    }
}

extension Supervisor {
    /// Notes a fault before it is put into effect, so that what it causes is understood.
    func noteFault(_ fault: Fault) throws(ManagementRefusal) -> FaultTable.Addition {
        stir()
        let result = state.withLock { state -> Result<FaultTable.Addition, ManagementRefusal> in
            Result { () throws(ManagementRefusal) in try state.faults.add(fault) }
        }
        return try result.get()
    }

    @discardableResult
    func forgetFault(_ name: String) -> Fault? {
        stir()
        return state.withLock { $0.faults.remove(name) }
    }
}
