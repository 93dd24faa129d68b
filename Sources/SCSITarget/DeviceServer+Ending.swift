import BlockModel
import Primitives
import SAM
import SCSIFormats

// How commands end: completion, CHECK CONDITION, and the ends without a response.

extension DeviceServer {
    /// Send Command Complete without sense data. `total` is what the CDB transfers.
    mutating func complete(_ slot: Int, _ status: Status, total: UInt32) {
        if status != .good { attendStatus(Int(tasks[slot].nexus), Int(tasks[slot].unit), status) }
        transport.append(
            .sendCommandComplete(
                tasks[slot].handle, status, sense: PageRun(parameter: Frames.parameter(slot), count: 0), total: total))
        end(slot)
    }

    /// CHECK CONDITION. `total` is what was transferred before.
    mutating func fail(_ slot: Int, _ sense: SenseData, total: UInt32 = 0) {
        counters.checkConditions &+= 1
        let page = frames.pointer(Frames.parameter(slot))
        page.initializeMemory(as: UInt8.self, repeating: 0, count: SenseData.maxBytes)
        let count = sense.write(to: page, descriptorFormat: descriptorSense(slot))
        transport.append(
            .sendCommandComplete(
                tasks[slot].handle, .checkCondition, sense: PageRun(parameter: Frames.parameter(slot), count: count),
                total: total))
        end(slot)
        doomOthers(slot)
    }

    /// D_SENSE of the command's unit.
    func descriptorSense(_ slot: Int) -> Bool {
        let unit = Int(tasks[slot].unit)
        return unit != noUnit && units[unit].flags.contains(.descriptorSense)
    }

    /// CHECK CONDITION for what went wrong below. Where that is known it is said: INFORMATION has the first logical
    /// block (SPC-4 §4.5.2.2, SBC-3 §4.18.1).
    mutating func fail(_ slot: Int, _ fault: BlockFault, total: UInt32 = 0) {
        count(fault, of: slot)
        var sense = Self.sense(fault)
        if sense.key == .mediumError || sense.key == .hardwareError, let faultSector {
            sense.information = faultSector >> units[Int(tasks[slot].unit)].blockShift
        }
        fail(slot, sense, total: total)
    }

    /// Sense data of a fault.
    static func sense(_ fault: BlockFault) -> SenseData {
        switch fault {
        case .aborted: SenseData(.abortedCommand, .noAdditionalSenseInformation)
        case .unreadable: SenseData(.mediumError, .unrecoveredReadError)
        case .unwritable: SenseData(.mediumError, .writeError)
        case .deviceGone: SenseData(.hardwareError, .internalTargetFailure)
        case .spaceExhausted: SenseData(.dataProtect, .spaceAllocationFailedWriteProtect)
        case .notServing: SenseData(.notReady, .asymmetricAccessStateTransition)
        }
    }

    /// The last word about a command that was lost or aborted.
    mutating func endWithoutCompletion(_ slot: Int) {
        counters.aborted &+= 1
        switch tasks[slot].fate {
        case .cleared:
            transport.append(
                .sendCommandComplete(
                    tasks[slot].handle, .taskAborted, sense: PageRun(parameter: Frames.parameter(slot), count: 0),
                    total: 0))
        case .none, .aborted, .lost: transport.append(.commandEnded(tasks[slot].handle))
        }
        end(slot)
    }

    /// Frees the slot, with everything that the command held.
    mutating func end(_ slot: Int) {
        let task = tasks.pointer(slot)
        let unit = units.pointer(Int(task.pointee.unit))
        if task.pointee.counted != .none { countTime(slot) }
        releasePages(slot)
        letStateGo(slot)
        if task.pointee.started {
            unit.pointee.live -= 1
            if unit.pointee.live == 0 { unit.pointee.idleSince = now }
            if task.pointee.attribute == .ordered { unit.pointee.liveOrdered -= 1 }
        }
        if task.pointee.attribute == .headOfQueue { unit.pointee.liveHead -= 1 }
        if unit.pointee.isTaskSetLimited {
            unit.pointee.taskSetCount -= 1
            nexusTasks[Int(task.pointee.nexus) * noUnit + Int(task.pointee.unit)] -= 1
        }
        task.pointee.phase = .free
    }

    /// Gives pages back to Memory.
    @inline(__always) mutating func releasePages(_ slot: Int) {
        let task = tasks.pointer(slot)
        if !task.pointee.holdsPages { return }
        task.pointee.holdsPages = false
        blocks.append(.release(task.pointee.token))
    }

    /// Ends a command without completing it, at once or as soon as what it has under way lets it.
    mutating func abort(_ slot: Int, _ fate: TaskFate) {
        let phase = tasks[slot].phase
        // Its own host's ABORT TASK goes before a reset by another: no status comes behind the function's response.
        let isOwn = fate == .aborted && tasks[slot].fate == .cleared
        if fate == .lost || tasks[slot].fate == .none || isOwn { tasks[slot].fate = fate }
        switch phase {
        case .free: break
        case .waiting:
            unlink(slot)
            endWithoutCompletion(slot)
        case .reading, .preparing, .committing, .synchronizing, .discarding, .verifying, .querying:
            tasks[slot].holdsPages = false
            tasks[slot].phase = .releasing
            blocks.append(.release(tasks[slot].token))
        case .sending, .sendingParameters:
            // The transport may still be reading the pages, unless the connection is gone.
            if fate == .lost { endWithoutCompletion(slot) }
        case .receiving, .awaitingRoom: endWithoutCompletion(slot)
        case .changingState: if withdrawChange(slot) { endWithoutCompletion(slot) }
        case .working:
            // What it began goes on (SBC-4 §4.11.1).
            works[Int(tasks[slot].unit)].waiters -= 1
            endWithoutCompletion(slot)
        case .releasing: break
        }
    }

    /// Data-In Delivered.
    mutating func dataInDelivered(_ slot: Int) {
        let phase = tasks[slot].phase
        guard phase == .sending || phase == .sendingParameters else { return }
        if sendsNextPiece(slot) { return }
        releasePages(slot)
        if tasks[slot].final {
            end(slot)
        } else if tasks[slot].fate != .none {
            endWithoutCompletion(slot)
        } else if phase == .sending {
            resume(slot, .nextRead)
        } else if commands[Int(tasks[slot].row)].handler == .dataIn(.persistentReserveIn) {
            resume(slot, .parameters)
        } else {
            sendParameters(slot)
        }
    }

    /// Data-Out Received.
    mutating func dataOutReceived(_ slot: Int) {
        guard tasks[slot].phase == .receiving, Int(tasks[slot].row) < commands.count else { return }
        switch commands[Int(tasks[slot].row)].handler {
        case .medium(.verify): resume(slot, .compare)
        case .medium(.writeSame): resume(slot, .pattern)
        case .medium where tasks[slot].protect != 0: pieceReceived(slot)
        case .medium(.compareAndWrite): compareDataReceived(slot)
        case .medium: resume(slot, .commit)
        case .dataOut: resume(slot, .list)
        case .dataIn, .plain: break
        }
    }

    /// Pages of a `read` or `prepareWrite`.
    mutating func pagesReady(_ slot: Int, _ run: PageRun) {
        switch tasks[slot].phase {
        case .reading:
            tasks[slot].holdsPages = true
            pagesRead(slot, run)
        case .preparing:
            tasks[slot].holdsPages = true
            pagesPrepared(slot, run)
        case .releasing:
            // The answer crossed the release, which then needs no answer of its own.
            endWithoutCompletion(slot)
        case .free, .waiting, .committing, .synchronizing, .discarding, .verifying, .querying, .awaitingRoom,
            .sending, .sendingParameters, .receiving, .changingState, .working:
            break
        }
    }

    /// Fresh pages for a command that writes.
    private mutating func pagesPrepared(_ slot: Int, _ run: PageRun) {
        switch commands[Int(tasks[slot].row)].handler {
        case .medium(.compareAndWrite): receiveCompareData(slot, run)
        case .medium(.writeSame): fillPages(slot, run, with: frames.pointer(Frames.parameter(slot)))
        // Their block shares its page with others: the page is not discarded.
        case .dataOut(.unmap): fillPages(slot, run, with: nil)
        case .medium, .dataIn, .dataOut, .plain: receivePages(slot, run)
        }
    }

    /// The compare data of a COMPARE AND WRITE differ from the medium at byte `offset` (SBC-4 §5.3).
    mutating func miscompared(_ slot: Int, offset: UInt32) {
        switch tasks[slot].phase {
        case .committing:
            tasks[slot].holdsPages = false
            fail(
                slot, SenseData(.miscompare, .miscompareDuringVerify, information: UInt64(offset)),
                total: tasks[slot].total)
        case .releasing: endWithoutCompletion(slot)
        case .free, .waiting, .reading, .preparing, .synchronizing, .discarding, .verifying, .querying, .awaitingRoom,
            .sending, .sendingParameters, .receiving, .changingState, .working:
            break
        }
    }

    /// The end of a block operation.
    mutating func completed(_ slot: Int, _ fault: BlockFault?) {
        switch tasks[slot].phase {
        case .reading where commands[Int(tasks[slot].row)].handler == .dataOut(.sendDiagnostic):
            selfTestFailed(slot)
        case .reading, .preparing: fail(slot, fault ?? .deviceGone, total: wireBytes(slot, tasks[slot].moved))
        case .committing:
            tasks[slot].holdsPages = false
            if let fault { fail(slot, fault, total: wireBytes(slot, tasks[slot].moved)) } else { committed(slot) }
        case .synchronizing:
            if let fault { fail(slot, fault) } else { synchronized(slot) }
        case .discarding:
            if let fault { fail(slot, fault, total: tasks[slot].total) } else { chunkWritten(slot) }
        case .verifying: mediumVerified(slot, fault)
        case .querying: if let fault { fail(slot, fault) } else { sendLBAStatus(slot) }
        case .releasing: endWithoutCompletion(slot)
        case .free, .waiting, .awaitingRoom, .sending, .sendingParameters, .receiving, .changingState, .working: break
        }
    }
}
