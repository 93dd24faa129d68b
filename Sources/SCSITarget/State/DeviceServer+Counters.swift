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
        }
        units[unit].resetSeen = block.activityReset
        if block.poll == units[unit].pollSeen { return }
        units[unit].pollSeen = block.poll
        guard !units[unit].writesCounters, units[unit].activity != units[unit].published else { return }
        units[unit].writesCounters = true
        add(StateChange(kind: .counters), to: unit)
    }

    /// A READ or WRITE command ends.
    @inline(__always) mutating func countTime(_ slot: Int) {
        let task = tasks.pointer(slot)
        let unit = units.pointer(Int(task.pointee.unit))
        let time = (now - task.pointee.began).nanoseconds
        if task.pointee.counted == .read {
            unit.pointee.activity.readTime &+= time
        } else {
            unit.pointee.activity.writeTime &+= time
        }
    }
}
