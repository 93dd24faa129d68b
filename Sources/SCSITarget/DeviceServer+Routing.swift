import BlockModel
import Primitives
import SAM
import SCSIFormats

// The task router and the task set: from a command's arrival to its start (SAM-6 §4.5, §8).

extension DeviceServer {
    /// A new nexus: every unit tells it so first (POWER ON, RESET, OR BUS DEVICE RESET OCCURRED).
    mutating func establish(_ nexus: Int, _ identity: NexusIdentity) {
        guard nexus < maxNexuses else { return }
        if nexusTargets[nexus] < 0 { nexusCount += 1 }
        nexusTargets[nexus] = Int32(identity.target)
        nexusViews[nexus] = identity.access
        names.establish(nexus, port: identity.initiatorPort)
        forgetReservations(nexus)
        streams.clear(nexus: nexus)
        buffers.clear(nexus: nexus)
        for unit in 0..<noUnit { attentions.reset(.powerOnResetOrBusDeviceReset, nexus: nexus, unit: unit) }
    }

    /// A nexus is gone, after each of its commands.
    mutating func lose(_ nexus: Int) {
        guard nexus < maxNexuses else { return }
        if nexusTargets[nexus] >= 0 { nexusCount -= 1 }
        nexusTargets[nexus] = -1
        for unit in 0..<noUnit where units[unit].room.nexus == Int32(nexus) { units[unit].room.nexus = -1 }
        attentions.clear(nexus: nexus)
        streams.clear(nexus: nexus)
        forgetReservations(nexus)
    }

    /// I_T nexus loss (SAM-6 §6.3.4): what RESERVE and PREVENT ALLOW MEDIUM REMOVAL left goes; registrations stay.
    mutating func forgetReservations(_ nexus: Int) {
        for unit in 0..<noUnit {
            if units[unit].isReserved || standings[nexus, unit].contains(.prevents) { sweep(unit) }
        }
        names.forget(nexus)
        standings.clear(nexus: nexus)
        settleAll()
    }

    /// The ordinal of the unit that a LUN field names for a nexus.
    @inline(__always) func route(_ lun: UInt64, nexus: UInt16) -> Int {
        guard case .unit(let number) = LogicalUnitAddress(field: lun), Int(nexus) < maxNexuses else { return noUnit }
        return views.ordinal(nexusViews[Int(nexus)], number) ?? noUnit
    }

    /// SCSI Command Received.
    mutating func receive(_ command: SCSICommand) {
        let slot = command.handle.slot
        guard slot < tasks.capacity, Int(command.nexus.raw) < maxNexuses else {
            transport.append(
                .sendCommandComplete(
                    command.handle, .taskSetFull, sense: PageRun(parameter: Frames.parameter(slot), count: 0), total: 0)
            )
            return
        }
        precondition(tasks[slot].phase == .free, "a command came in a slot whose command has not ended")
        counters.commands &+= 1
        sequence += 1
        let unit = route(command.lun, nexus: command.nexus.raw)
        if units.pointer(unit).pointee.isTaskSetLimited, !enters(command, unit) { return }
        tasks.pointer(slot).initialize(
            to: CommandTask(command, unit: unit, row: commands.look(up: command.cdb), sequence: sequence))
        if command.attribute == .headOfQueue { units[unit].liveHead += 1 }
        if units[unit].firstWaiting < 0, isReady(slot), allowed(slot, dormantAhead: false, orderedAhead: false) {
            start(slot)
        } else {
            wait(slot, .start)
        }
        settle(unit)
    }

    /// Whether a command runs under the unit's state pointer. One that is not known does too: its sense data depend on
    /// pending unit attentions.
    @inline(__always) func needsState(_ slot: Int) -> Bool {
        let task = tasks.pointer(slot)
        let row = Int(task.pointee.row)
        if Int(task.pointee.unit) == noUnit { return false }
        return row >= commands.count || !commands[row].traits.contains(.stateless)
    }

    /// Whether controller and unit let a waiting command go on.
    @inline(__always) func isReady(_ slot: Int) -> Bool {
        guard isServing else { return false }
        if !needsState(slot) { return true }
        let unit = units.pointer(Int(tasks[slot].unit))
        return unit.pointee.pointer == .granted && unit.pointee.firstChange < 0
    }

    /// Whether the task attributes let a command start (SAM-6 §8.7): HEAD OF QUEUE at once; ORDERED after every older
    /// command; SIMPLE after every older ORDERED and every HEAD OF QUEUE command.
    @inline(__always) func allowed(_ slot: Int, dormantAhead: Bool, orderedAhead: Bool) -> Bool {
        let task = tasks.pointer(slot)
        let unit = units.pointer(Int(task.pointee.unit))
        switch task.pointee.attribute {
        case .headOfQueue: return true
        case .ordered: return unit.pointee.live == 0 && unit.pointee.liveHead == 0 && !dormantAhead
        case .simple, .aca: return unit.pointee.liveOrdered == 0 && unit.pointee.liveHead == 0 && !orderedAhead
        }
    }

    /// Puts a command at the end of its unit's waiting list.
    mutating func wait(_ slot: Int, _ resume: TaskResume) {
        let unit = Int(tasks[slot].unit)
        counters.held &+= 1
        tasks[slot].phase = .waiting
        tasks[slot].resume = resume
        beginPatience(slot)
        tasks[slot].next = -1
        tasks[slot].previous = units[unit].lastWaiting
        if units[unit].lastWaiting < 0 {
            units[unit].firstWaiting = Int32(slot)
        } else {
            tasks[Int(units[unit].lastWaiting)].next = Int32(slot)
        }
        units[unit].lastWaiting = Int32(slot)
    }

    /// Takes a command out of the waiting list.
    mutating func unlink(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        let next = tasks[slot].next
        let previous = tasks[slot].previous
        if previous < 0 { units[unit].firstWaiting = next } else { tasks[Int(previous)].next = next }
        if next < 0 { units[unit].lastWaiting = previous } else { tasks[Int(next)].previous = previous }
        tasks[slot].next = -1
        tasks[slot].previous = -1
    }

    /// The command's patience begins now.
    mutating func beginPatience(_ slot: Int) {
        tasks[slot].deadline = now + patience
        if tasks[slot].deadline < deadline { deadline = tasks[slot].deadline }
    }

    /// Lets go on what may go on in a unit's waiting list; true when something did.
    private mutating func pump(_ unit: Int) -> Bool {
        var progress = false
        var dormantAhead = false
        var orderedAhead = false
        var at = units[unit].firstWaiting
        while at >= 0 {
            let slot = Int(at)
            at = tasks[slot].next
            let starts = tasks[slot].resume == .start
            if isReady(slot), tasks[slot].doom == .none,
                !starts || allowed(slot, dormantAhead: dormantAhead, orderedAhead: orderedAhead)
            {
                unlink(slot)
                proceed(slot)
                progress = true
            } else if starts {
                dormantAhead = true
                if tasks[slot].attribute == .ordered { orderedAhead = true }
            }
        }
        return progress
    }

    /// Goes on where a command waited.
    private mutating func proceed(_ slot: Int) {
        switch tasks[slot].resume {
        case .start: start(slot)
        case .nextRead, .commit, .compare, .pattern, .list, .parameters, .home:
            takeState(slot)
            goOn(slot)
        }
    }

    /// Goes on with `resume` at once if the unit lets it, or waits for it.
    mutating func resume(_ slot: Int, _ resume: TaskResume) {
        if isReady(slot) {
            tasks[slot].resume = resume
            takeState(slot)
            goOn(slot)
        } else {
            wait(slot, resume)
        }
    }

    private mutating func goOn(_ slot: Int) {
        if units.pointer(Int(tasks[slot].unit)).pointee.medium.rawValue != 0, isOvertaken(slot) { return }
        switch tasks[slot].resume {
        case .start: break
        case .nextRead: readNext(slot)
        case .commit: commit(slot)
        case .compare: verifyReceived(slot)
        case .pattern: patternReceived(slot)
        case .list: listReceived(slot)
        case .parameters: sendParameters(slot)
        case .home: homeMoved(slot)
        }
    }

    /// After every event: what may start, starts; the state pointer goes where it is wanted; task management that has
    /// nothing left to wait for is answered.
    @inline(__always) mutating func settle(_ unit: Int) {
        if management.count == 0, units.pointer(unit).pointee.isSettled { return }
        settleNow(unit)
    }

    private mutating func settleNow(_ unit: Int) {
        repeat { if units[unit].hasFaulted { abortDoomed(unit) } } while units[unit].firstWaiting >= 0 && pump(unit)
        if unit != noUnit { movePointer(unit) }
        if management.count > 0 { answerManagement() }
    }

    mutating func settleAll() { for unit in 0..<units.capacity { settle(unit) } }

    /// The command relies on the state pointer from here on.
    @inline(__always) mutating func takeState(_ slot: Int) {
        let task = tasks.pointer(slot)
        if task.pointee.holdsState || !needsState(slot) { return }
        task.pointee.holdsState = true
        units.pointer(Int(task.pointee.unit)).pointee.executing += 1
    }

    /// It relies on it no longer: it waits for its host, or it ends.
    @inline(__always) mutating func letStateGo(_ slot: Int) {
        let task = tasks.pointer(slot)
        if !task.pointee.holdsState { return }
        task.pointee.holdsState = false
        units.pointer(Int(task.pointee.unit)).pointee.executing -= 1
    }

    /// Ends waiting commands whose patience is over; those that only wait for their turn go on waiting.
    mutating func expire() {
        deadline = .never
        for slot in 0..<tasks.capacity {
            let waits = tasks[slot].phase == .waiting
            guard waits || (tasks[slot].phase == .changingState && tasks[slot].fate == .none) else { continue }
            if tasks[slot].deadline > now {
                if tasks[slot].deadline < deadline { deadline = tasks[slot].deadline }
            } else if waits, isReady(slot) {
                beginPatience(slot)
            } else if waits || withdrawChange(slot) {
                if waits { unlink(slot) }
                counters.expired &+= 1
                fail(slot, SenseData(.notReady, .asymmetricAccessStateTransition))
            } else {
                // Its change is being committed: the answer comes from there.
                tasks[slot].deadline = .never
            }
        }
        settleAll()
    }
}
