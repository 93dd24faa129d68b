import BlockModel
import Primitives
import SAM
import SCSIFormats

// What log pages count. Errors go to the unit's state block, at most once a second; reads and writes are counted here,
// and published there when a controller that is asked for the statistics wants to see what the other has done.

extension DeviceServer {
    /// How often a unit's counters are written down at most.
    private static var countersPeriod: Interval { .seconds(1) }

    /// A block operation of a command failed.
    mutating func count(_ fault: BlockFault, of slot: Int) {
        let unit = Int(tasks[slot].unit)
        guard unit != noUnit, let counter = counter(fault, slot) else { return }
        units[unit].unwritten[counter.rawValue] &+= 1
        writeCounters(unit)
    }

    private func counter(_ fault: BlockFault, _ slot: Int) -> StateBlock.EventCounter? {
        switch fault {
        case .aborted, .spaceExhausted, .notServing: return nil
        case .deviceGone: return .otherErrors
        case .unwritable: return .writeErrors
        case .unreadable:
            let row = Int(tasks[slot].row)
            let verifies = row < commands.count && commands[row].handler == .medium(.verify)
            return verifies ? .verifyErrors : .readErrors
        }
    }

    /// Writes the unit's counters down, unless that was done a moment ago or is under way.
    private mutating func writeCounters(_ unit: Int) {
        guard !units[unit].writesCounters, now >= units[unit].countersDue else { return }
        units[unit].countersDue = now + Self.countersPeriod
        units[unit].writesCounters = true
        add(StateChange(kind: .counters), to: unit)
    }

    /// LOG SENSE of the statistics: the partner shall publish its part for the next one.
    mutating func pollPartner(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        guard controllers > 1, condition.paired, now >= units[unit].countersDue else { return }
        units[unit].wantsPoll = true
        writeCounters(unit)
    }

    /// The write pointer is here.
    mutating func applyCounters(_ block: StateBlock, _ unit: Int) {
        units[unit].writesCounters = false
        for counter in StateBlock.EventCounter.allCases {
            let (sum, overflow) = block.count(counter).addingReportingOverflow(
                units[unit].unwritten[counter.rawValue])
            block.setCount(counter, overflow ? .max : sum)
            units[unit].unwritten[counter.rawValue] = 0
        }
        if units[unit].wantsPoll { block.poll &+= 1 }
        units[unit].wantsPoll = false
        units[unit].pollSeen = block.poll
        block.publish(units[unit].activity, of: controller)
        units[unit].published = units[unit].activity
    }

    /// A state block is here: the statistics may have been reset, or asked for.
    mutating func learnCounters(_ block: StateBlock, _ unit: Int, isFirst: Bool) {
        if isFirst {
            units[unit].activity = block.activity(of: controller)
            units[unit].published = units[unit].activity
            units[unit].pollSeen = block.poll
            units[unit].idleTime = 0
            units[unit].idleSince = now
        } else if block.activityReset != units[unit].resetSeen {
            units[unit].activity = StateBlock.Activity()
            units[unit].published = units[unit].activity
            units[unit].idleTime = 0
            groups.clear(unit: unit)
        }
        units[unit].resetSeen = block.activityReset
        if block.poll == units[unit].pollSeen { return }
        units[unit].pollSeen = block.poll
        guard !units[unit].writesCounters, units[unit].activity != units[unit].published else { return }
        units[unit].writesCounters = true
        add(StateChange(kind: .counters), to: unit)
    }

    /// A command starts that the statistics know.
    @inline(__always) mutating func countStart(_ slot: Int, as kind: CountedAs) {
        let task = tasks.pointer(slot)
        let unit = Int(task.pointee.unit)
        task.pointee.counted = kind
        task.pointee.group = commands[Int(task.pointee.row)].group(task.pointee.cdb)
        units.pointer(unit).pointee.activity.countStart(kind)
        if task.pointee.group != 0 { groups[unit, task.pointee.group].countStart(kind) }
    }

    /// Blocks of such a command went by.
    @inline(__always) mutating func countBlocks(_ slot: Int, _ blocks: UInt64) {
        let task = tasks.pointer(slot)
        let unit = Int(task.pointee.unit)
        units.pointer(unit).pointee.activity.count(blocks, task.pointee.counted)
        if task.pointee.group != 0 { groups[unit, task.pointee.group].count(blocks, task.pointee.counted) }
    }

    /// Such a command ends.
    @inline(__always) mutating func countTime(_ slot: Int) {
        let task = tasks.pointer(slot)
        let unit = Int(task.pointee.unit)
        let time = (now - task.pointee.began).nanoseconds
        units.pointer(unit).pointee.activity.count(time: time, task.pointee.counted)
        if task.pointee.group != 0 { groups[unit, task.pointee.group].count(time: time, task.pointee.counted) }
    }

    /// What this controller did for a unit with group number `group`, 1 to 31: for status and metrics.
    package func activity(of unit: UnitIndex, group: UInt8) -> StateBlock.Activity {
        guard let ordinal = unitOrdinals[UInt64(unit.raw)], group >= 1, group <= GroupStatistics.count else {
            return StateBlock.Activity()
        }
        return groups[Int(ordinal), group]
    }
}

extension StateBlock.Activity {
    fileprivate mutating func countStart(_ kind: CountedAs) {
        if kind == .read { reads &+= 1 } else { writes &+= 1 }
    }

    fileprivate mutating func count(_ blocks: UInt64, _ kind: CountedAs) {
        if kind == .read { blocksRead &+= blocks } else { blocksWritten &+= blocks }
    }

    fileprivate mutating func count(time: UInt64, _ kind: CountedAs) {
        if kind == .read { readTime &+= time } else { writeTime &+= time }
    }
}
