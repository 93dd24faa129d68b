import Primitives

// What reservations say of the workload's commands on unit 0.
extension SimulatedInitiator {
    private func access(_ kind: Operation.Kind) -> ReservationModel.Access {
        switch kind {
        case .read: .reads
        case .write, .synchronize, .unmap, .erase: .writes
        case .testUnitReady, .reportGroups, .reserveOut, .reserveIn, .probe: .neutral
        }
    }

    /// A command is sent: what reservations are sure to say of it.
    func noteVerdict(_ operation: inout Operation) {
        operation.attempt = paths[operation.path].attempt
        guard let script = world.reservations, operation.unit == 0 else { return }
        operation.step = script.checker.step
        operation.verdict = script.checker.verdict(index * 2 + operation.path, access(operation.kind))
    }

    /// A command ended: when nothing changed meanwhile, reservations must have said what they were sure to say. Unit
    /// attentions are taken note of, whatever command they came with.
    func judgeReservation(_ operation: Operation, _ end: OperationEnd) {
        guard let script = world.reservations, operation.unit == 0, case .status(let status, let sense, _) = end else {
            return
        }
        let nexus = index * 2 + operation.path
        if status == 2, let sense, sense.key == 6 { script.told(nexus, sense) }
        guard case .workload = operation.purpose, let verdict = operation.verdict,
            operation.step == script.checker.step,
            script.checker.verdict(nexus, access(operation.kind)) == verdict
        else { return }
        if status == 0, !verdict {
            world.fail(.wrongData, "a \(operation.kind) of nexus \(nexus) passed: \(script.checker.possible)")
        }
        if status == 0x18, verdict {
            world.fail(.wrongData, "a \(operation.kind) of nexus \(nexus) conflicted: \(script.checker.possible)")
        }
    }
}
