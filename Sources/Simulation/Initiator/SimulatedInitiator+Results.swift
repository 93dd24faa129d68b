import Primitives

/// How a command ended for its initiator.
enum OperationEnd {
    case status(UInt8, InitiatorSense?, [UInt8])
    /// Taken away by a task management function.
    case aborted
    /// The session is gone.
    case lost
}

extension SimulatedInitiator {
    /// Tells the oracle what an ended command proves, and whoever waits for it.
    func finish(_ operation: Operation, _ end: OperationEnd) {
        var status = UInt64.max
        if case .status(let byte, _, _) = end { status = UInt64(byte) }
        world.counts.finished += 1
        world.record(.finish, letter, operation.kind.rawValue, status, UInt64(operation.sector))
        var isGood = false
        judgeReservation(operation, end)
        if case .reservation = operation.purpose {
            world.reservations?.ended(operation, nexus: index * 2 + operation.path, end)
            return
        }
        switch end {
        case .lost: break
        case .aborted:
            if operation.kind == .write { world.check(world.oracle.close(operation.write, at: world.now)) }
        case .status(0, _, let data):
            isGood = true
            world.counts.good += 1
            if operation.kind == .write { acknowledged(operation) }
            if operation.kind == .unmap || operation.kind == .erase {
                world.oracle.endUnmap(Int(operation.write), at: world.now)
            }
            if operation.kind == .read { judge(operation, separate(operation, data)) }
        case .status(let byte, let sense, _): failed(operation, byte, sense)
        }
        switch operation.purpose {
        case .workload: break
        case .audit: world.auditEnded(operation, isGood: isGood)
        case .script(let number): world.scriptEnded(number, end)
        case .reservation: break
        }
    }

    /// GOOD for a write; a COMPARE AND WRITE has read what it compared with as well, and nobody else has replaced it.
    private func acknowledged(_ operation: Operation) {
        world.check(world.oracle.acknowledge(operation.write, at: world.now))
        for index in 0..<operation.count { seen[operation.unit][operation.sector + index] = operation.write }
        guard let expected = operation.expected else { return }
        world.counts.swapped += 1
        for (index, value) in expected.enumerated() {
            let sector = operation.sector + index
            world.check(
                world.oracle.read(
                    unit: operation.unit, sector: sector, value: value, begun: operation.begun, ended: world.now))
            world.check(
                world.oracle.swap(unit: operation.unit, sector: sector, from: value, by: operation.write))
        }
    }

    /// Statuses that say "not executed" refuse a write; any other answer closes its window.
    private func failed(_ operation: Operation, _ status: UInt8, _ sense: InitiatorSense?) {
        let isUnitAttention = sense?.key == 6
        let isMiscompare = sense?.key == 0xE && operation.expected != nil
        let isNotExecuted = isUnitAttention || isMiscompare || [0x08, 0x18, 0x28].contains(status)
        if operation.kind == .write {
            let violation =
                isNotExecuted
                ? world.oracle.refuse(operation.write, at: world.now)
                : world.oracle.close(operation.write, at: world.now)
            world.check(violation)
        }
        let hadDeviceErrors = world.faultCounts[Int(FaultKind.deviceError.rawValue)] > 0 || world.isScripted
        if status == 2, let sense {
            world.record(
                .note, letter, UInt64(sense.key), UInt64(sense.code), UInt64(sense.qualifier))
            let isMedium = sense.key == 3 || sense.key == 4
            if sense.key == 0xB, sense.code == 0x10 {
                world.fail(
                    .wrongData, "protection information of another block or write in unit \(operation.unit), near "
                        + "sector \(operation.sector): \(hex(sense.code))/\(hex(sense.qualifier))")
            }
            if sense.key == 5 || sense.key == 7 || (isMedium && !hadDeviceErrors) {
                world.fail(
                    .wireProtocol,
                    "unexpected sense \(sense.key)/\(hex(sense.code))/\(hex(sense.qualifier)) for a "
                        + "\(operation.kind) of unit \(operation.unit)")
            }
        } else if ![0x08, 0x28, 0x40].contains(status), status != 0x18 || world.reservations == nil {
            world.fail(.wireProtocol, "unexpected status \(hex(status)) for a \(operation.kind)")
        }
    }

    private func hex(_ byte: UInt8) -> String { String(byte, radix: 16) }

    /// Every sector of a read names the write that it is from.
    private func judge(_ operation: Operation, _ data: [UInt8]) {
        guard data.count == operation.count * SectorPattern.bytes else {
            return world.fail(.wireProtocol, "a read of \(operation.count) sectors returned \(data.count) bytes")
        }
        data.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            var shown: [UInt32] = []
            for index in 0..<operation.count {
                let sector = operation.sector + index
                let content = SectorPattern.read(
                    base + index * SectorPattern.bytes, seed: world.options.seed, unit: operation.unit,
                    sector: UInt64(sector))
                if case .write(let write) = content { shown.append(write) } else { shown.append(BlockOracle.initial) }
                judge(operation, sector, content)
            }
            world.check(world.oracle.tornAtomic(unit: operation.unit, start: operation.sector, shown: shown))
        }
    }

    private func judge(_ operation: Operation, _ sector: Int, _ content: SectorPattern.Content) {
        let number: UInt32
        switch content {
        case .initial: number = BlockOracle.initial
        case .write(let write): number = write
        case .wrong(let reason):
            return world.fail(.wrongData, "unit \(operation.unit) sector \(sector): \(reason)")
        }
        seen[operation.unit][sector] = number
        world.check(
            world.oracle.read(
                unit: operation.unit, sector: sector, value: number, begun: operation.begun, ended: world.now))
        if case .audit = operation.purpose { world.auditSaw(operation, sector, number) }
        if case .script = operation.purpose { world.scriptSaw(operation, sector, number) }
    }
}
