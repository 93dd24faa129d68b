import Primitives

extension SimulatedInitiator {
    /// Issues a command on a path; nil when the path is not ready or its window is closed.
    @discardableResult
    func issue(
        _ kind: Operation.Kind, _ purpose: Operation.Purpose, path: Int, unit: Int, sector: Int, count: Int,
        isLong: Bool = false, forceUnitAccess: Bool = false, isAtomic: Bool = false, compares: Bool = false
    ) -> UInt32? {
        guard let session = paths[path].session, session.hasWindow else { return nil }
        var operation = Operation(
            tag: 0, kind: kind, purpose: purpose, path: path, unit: unit, sector: sector, count: count,
            begun: world.now, deadline: world.now + world.parameters.commandTimeout)
        var command: InitiatorCommand
        let lun = UInt16(unit)
        switch kind {
        case .read:
            command = .read(
                lun: lun, block: UInt64(sector), count: count, isLong: isLong, forceUnitAccess: forceUnitAccess)
        case .write:
            operation.isAtomic = isAtomic || compares
            if compares { operation.expected = Array(seen[unit][sector..<sector + count]) }
            operation.write = world.oracle.begin(
                unit: unit, start: UInt64(sector), count: count, at: world.now, writer: index,
                isAtomic: operation.isAtomic)
            command = writeCommand(operation, isLong: isLong, forceUnitAccess: forceUnitAccess)
        case .unmap:
            // One without an answer may take effect at any time: the oracle never closes it.
            operation.write = UInt32(
                world.oracle.beginUnmap(unit: unit, start: sector, count: count, at: world.now))
            command = .unmap(lun: lun, block: UInt64(sector), count: count)
        case .erase:
            // For the oracle an UNMAP of everything: it goes on when its host is gone, until it is through.
            operation.write = UInt32(
                world.oracle.beginUnmap(unit: unit, start: sector, count: count, at: world.now))
            command = .blockErase(lun: lun)
        case .synchronize: command = .synchronizeCache(lun: lun)
        case .testUnitReady: command = .testUnitReady(lun: lun)
        case .reportGroups: command = .reportTargetPortGroups(lun: lun)
        case .reserveOut, .reserveIn, .probe: preconditionFailure("a reservation's command has its own way")
        }
        protect(&command, &operation)
        guard let tag = session.submit(command) else { return nil }
        operation.tag = tag
        noteVerdict(&operation)
        paths[path].operations.append(operation)
        world.counts.commands += 1
        world.record(
            .issue, letter, kind.rawValue << 8 | UInt64(unit) << 4 | UInt64(path), UInt64(sector),
            UInt64(count) << 32 | UInt64(operation.write))
        flush(path)
        return tag
    }

    private func writeCommand(_ operation: Operation, isLong: Bool, forceUnitAccess: Bool) -> InitiatorCommand {
        let lun = UInt16(operation.unit)
        let block = UInt64(operation.sector)
        if let expected = operation.expected {
            return .compareAndWrite(
                lun: lun, block: block, expected: content(operation, expected), data: pattern(operation))
        }
        if operation.isAtomic { return .writeAtomic(lun: lun, block: block, data: pattern(operation)) }
        return .write(
            lun: lun, block: block, data: pattern(operation), isLong: isLong, forceUnitAccess: forceUnitAccess)
    }

    /// The bytes of sectors that were written by `writes`.
    private func content(_ operation: Operation, _ writes: [UInt32]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: writes.count * SectorPattern.bytes)
        bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            for (index, write) in writes.enumerated() where write != BlockOracle.initial {
                SectorPattern.fill(
                    base + index * SectorPattern.bytes, seed: world.options.seed, unit: operation.unit,
                    sector: UInt64(operation.sector + index), write: write,
                    writer: world.oracle.writes[Int(write)].writer)
            }
        }
        return bytes
    }

    /// Sends a command of the reservation script; false when the command window is closed.
    func send(_ command: InitiatorCommand, _ kind: Operation.Kind, path: Int) -> Bool {
        guard let session = paths[path].session, paths[path].resetting == nil, let tag = session.submit(command) else {
            return false
        }
        var operation = Operation(
            tag: tag, kind: kind, purpose: .reservation, path: path, unit: Int(command.lun), sector: 0, count: 0,
            begun: world.now, deadline: world.now + world.parameters.commandTimeout)
        operation.attempt = paths[path].attempt
        paths[path].operations.append(operation)
        world.counts.commands += 1
        world.record(
            .issue, letter, kind.rawValue << 8 | UInt64(operation.unit) << 4 | UInt64(path), UInt64(command.cdb[1]))
        flush(path)
        return true
    }

    private func pattern(_ operation: Operation) -> [UInt8] {
        let bytes = operation.count * SectorPattern.bytes
        return [UInt8](unsafeUninitializedCapacity: bytes) { buffer, filled in
            guard let base = buffer.baseAddress else { return }
            for index in 0..<operation.count {
                SectorPattern.fill(
                    UnsafeMutableRawPointer(base + index * SectorPattern.bytes), seed: world.options.seed,
                    unit: operation.unit, sector: UInt64(operation.sector + index), write: operation.write,
                    writer: self.index)
            }
            filled = bytes
        }
    }

    /// LOGICAL UNIT RESET: every task of ours in the unit on this path ends without effect, or has ended.
    func resetUnit(_ unit: Int, path: Int) {
        guard let session = paths[path].session, session.isReady, paths[path].resetting == nil,
            !paths[path].operations.contains(where: { $0.aborting != nil }),
            let tag = session.resetUnit(UInt16(unit))
        else { return }
        world.record(.abort, letter, UInt64(path), UInt64(tag), 5)
        paths[path].resetting = (tag, unit)
        for place in paths[path].operations.indices where paths[path].operations[place].unit == unit {
            paths[path].operations[place].aborting = tag
            paths[path].operations[place].deadline = world.now + world.parameters.commandTimeout
        }
        flush(path)
    }
}
