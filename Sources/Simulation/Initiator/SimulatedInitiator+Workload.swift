import Primitives

extension SimulatedInitiator {
    /// Issues some commands and plans the next ones: bursts with pauses, so that idle moments are met as well.
    func issueNext() {
        guard world.phase == .safety, budget > 0 else { return }
        let burst = 1 + Int(world.random.below(UInt64(world.parameters.queueDepth)))
        for _ in 0..<burst where budget > 0 { issueOne() }
        let mean =
            world.parameters.safety / UInt64(Swift.max(1, world.options.commands))
            * UInt64(world.parameters.queueDepth / 2 + 1) * UInt64(world.initiators.count)
        world.schedule(.workload(initiator: index), after: world.drawn(around: mean))
    }

    private func issueOne() {
        let random = world.random.below(100)
        let path = Int(world.random.below(2))
        guard paths[path].isReady, paths[path].operations.count < world.parameters.queueDepth,
            paths[path].resetting == nil
        else { return }
        let parameters = world.parameters
        let unit = Int(world.random.below(UInt64(parameters.units)))
        budget -= 1
        switch random {
        case 98..<100 where parameters.erases:
            issue(.erase, .workload, path: path, unit: unit, sector: 0, count: parameters.unitSectors)
        case 0: resetUnit(unit, path: path)
        case 1, 2: issue(.testUnitReady, .workload, path: path, unit: unit, sector: 0, count: 0)
        case 3: issue(.reportGroups, .workload, path: path, unit: unit, sector: 0, count: 0)
        case 4, 5: issue(.synchronize, .workload, path: path, unit: unit, sector: 0, count: 0)
        default: issueTransfer(path, unit)
        }
    }

    private func issueTransfer(_ path: Int, _ unit: Int) {
        let parameters = world.parameters
        if parameters.streams, world.random.chance(1, in: 3) { return issueStream(path, unit) }
        if parameters.crowds, world.random.chance(1, in: 5) { return issueCrowd(path, unit) }
        let isHot = world.random.chance(3, in: 4)
        let range = isHot ? parameters.hotSectors : parameters.unitSectors
        var count = 1 + Int(world.random.below(UInt64(parameters.largestCommand)))
        if world.random.chance(1, in: 2) { count = Swift.min(count, 8) }
        count = Swift.min(count, range)
        var sector = Int(world.random.below(UInt64(range - count + 1)))
        if world.random.chance(1, in: 3) {
            sector = sector / 8 * 8
            count = Swift.min((count + 7) / 8 * 8, parameters.unitSectors - sector)
        }
        if parameters.thin, world.random.chance(1, in: 10) {
            issue(.unmap, .workload, path: path, unit: unit, sector: sector, count: count)
            return
        }
        let isWrite = world.random.chance(parameters.writePercentage, in: 100)
        if isWrite, parameters.atomics, world.random.chance(1, in: 3) { return issueAtomic(path, unit, sector, count) }
        issue(
            isWrite ? .write : .read, .workload, path: path, unit: unit, sector: sector, count: count,
            isLong: world.random.chance(1, in: 2),
            forceUnitAccess: world.random.chance(parameters.forceUnitAccess, in: 100))
    }

    /// A WRITE ATOMIC of whole pages, or a COMPARE AND WRITE with what was seen last.
    private func issueAtomic(_ path: Int, _ unit: Int, _ sector: Int, _ count: Int) {
        if world.random.chance(1, in: 2) {
            let first = sector / 8 * 8
            let whole = Swift.min((count + 7) / 8 * 8, world.parameters.unitSectors - first)
            issue(.write, .workload, path: path, unit: unit, sector: first, count: whole, isAtomic: true)
        } else {
            let few = Swift.min(count, 24)
            issue(.write, .workload, path: path, unit: unit, sector: sector, count: few, compares: true)
        }
    }

    /// A range that is read while it is written as one: its first page is read beforehand, the others are not, and
    /// large transfers elsewhere take the frames that its reads need. So a read may have to stop within the range, with
    /// the write going on.
    private func issueCrowd(_ path: Int, _ unit: Int) {
        let end = world.parameters.unitSectors
        let place = path * world.parameters.units + unit
        guard let range = ranges[place] else {
            let count = 8 * (2 + Int(world.random.below(15)))
            let sector = Int(world.random.below(UInt64((end - count) / 8))) * 8
            ranges[place] = sector..<sector + count
            issue(.read, .workload, path: path, unit: unit, sector: sector, count: 8)
            return
        }
        ranges[place] = nil
        for _ in 0..<4 {
            let sector = Int(world.random.below(UInt64((end - 384) / 8))) * 8
            let isWrite = world.random.chance(1, in: 2)
            issue(isWrite ? .write : .read, .workload, path: path, unit: unit, sector: sector, count: 384)
        }
        let (sector, count) = (range.lowerBound, range.count)
        issue(.read, .workload, path: path, unit: unit, sector: sector, count: count)
        issue(.write, .workload, path: path, unit: unit, sector: sector, count: count, isAtomic: true)
        issue(.read, .workload, path: path, unit: unit, sector: sector, count: count)
    }

    /// The next reads of a sequential reader, from the unit's start over again.
    private func issueStream(_ path: Int, _ unit: Int) {
        let end = world.parameters.unitSectors
        for _ in 0..<3 {
            let sector = streams[path * world.parameters.units + unit]
            let count = Swift.min(8, end - sector)
            streams[path * world.parameters.units + unit] = sector + count == end ? 0 : sector + count
            issue(.read, .workload, path: path, unit: unit, sector: sector, count: count)
        }
    }
}
