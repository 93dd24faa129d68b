import BlockModel
import Primitives
import SAM
import SCSIFormats

// From a command's start to its handler: the checks that all commands share, in their order.

extension DeviceServer {
    /// Starts a command: unit attention, operation code, CDB, write protection, handler.
    mutating func start(_ slot: Int) {
        let task = tasks.pointer(slot)
        let unit = Int(task.pointee.unit)
        task.pointee.started = true
        task.pointee.began = now
        if units[unit].live == 0 { units[unit].idleTime &+= (now - units[unit].idleSince).nanoseconds }
        units[unit].live += 1
        if task.pointee.attribute == .ordered { units[unit].liveOrdered += 1 }
        if unit == noUnit {
            startWithoutUnit(slot)
            return
        }
        takeState(slot)
        let index = task.pointee.row
        let known = exists(Int(index), on: unit)
        if known, conflicts(slot) {
            refuseReserved(slot)
            return
        }
        if !known || !commands[Int(index)].traits.contains(.attentionExempt),
            let code = attentions.take(
                nexus: Int(task.pointee.nexus), unit: unit,
                keeping: units[unit].flags.contains(.keepsAttentions))
        {
            counters.unitAttentions &+= 1
            fail(slot, .unitAttention(code))
            return
        }
        guard known else {
            fail(slot, Self.unknown(index, task.pointee.cdb))
            return
        }
        if let sense = accessRefusal(unit, commands[Int(index)].traits) ?? notReady(slot, unit) {
            fail(slot, sense)
            return
        }
        if let violation = commands[Int(index)].violation(task.pointee.cdb),
            let sense = protectionRefusal(slot, violation)
        {
            fail(slot, sense)
            return
        }
        if commands[Int(index)].traits.contains(.writes), let sense = writeProtection(slot) {
            fail(slot, sense)
            return
        }
        perform(slot, commands[Int(index)].handler)
    }

    /// Whether a row's command exists on a unit: some depend on the unit's profile.
    @inline(__always) func exists(_ row: Int, on unit: Int) -> Bool {
        guard row < commands.count else { return false }
        let traits = commands[row].traits
        let unit = units.pointer(unit)
        // SPC-3 and SBC-2 know no referrals.
        if unit.pointee.traits.contains(.legacy), commands[row].handler == .dataIn(.reportReferrals) { return false }
        if traits.isDisjoint(with: [.atomic, .thin, .removable, .recent, .type2]) { return true }
        if traits.contains(.recent) { return !unit.pointee.traits.contains(.legacy) }
        if traits.contains(.type2) { return unit.pointee.profile.protectionType == 2 }
        if traits.contains(.atomic) { return unit.pointee.profile.atomicBytes > 0 }
        return traits.contains(.thin) ? unit.pointee.profile.thin : unit.pointee.profile.removable
    }

    /// RESERVATION CONFLICT, which goes before everything but the news of a reset (SAM-6 §5.3.3).
    private mutating func refuseReserved(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        let keeps = units[unit].flags.contains(.keepsAttentions)
        if let code = attentions.takeReset(nexus: Int(tasks[slot].nexus), unit: unit, keeping: keeps) {
            counters.unitAttentions &+= 1
            fail(slot, .unitAttention(code))
        } else {
            complete(slot, .reservationConflict, total: 0)
        }
    }

    /// Sense data of an operation code or service action that the unit does not have. READ (32) and its like exist
    /// with type 2 protection only; without, they are invalid operation codes (SBC-3 §5.14, §5.34, §5.40, §5.44,
    /// §5.47).
    static func unknown(_ index: UInt8, _ cdb: CDB) -> SenseData {
        guard index == CommandTable.unknownServiceAction else {
            return SenseData(.illegalRequest, .invalidCommandOperationCode)
        }
        return cdb[0] == CommandRow.variableLength ? .invalidField(inCDB: 8) : .invalidField(inCDB: 1, bit: 4)
    }

    /// Why the command's unit refuses writes of the command's initiator, nil when it does not.
    func writeProtection(_ slot: Int) -> SenseData? {
        let unit = units.pointer(Int(tasks[slot].unit))
        if unit.pointee.profile.readOnly || views.isReadOnly(nexusViews[Int(tasks[slot].nexus)]) {
            return SenseData(.dataProtect, .writeProtected)
        }
        if unit.pointee.flags.contains(.softwareWriteProtect) {
            return SenseData(.dataProtect, .logicalUnitSoftwareWriteProtected)
        }
        return nil
    }

    private mutating func perform(_ slot: Int, _ handler: CommandHandler) {
        switch handler {
        case .medium(.read): startRead(slot)
        case .medium(.write), .medium(.writeAndVerify): startWrite(slot)
        case .medium(.verify): startVerify(slot)
        case .medium(.orWrite): startOrWrite(slot)
        case .medium(.writeAtomic): startAtomicWrite(slot)
        case .medium(.compareAndWrite): startCompareAndWrite(slot)
        case .medium(.writeSame): startWriteSame(slot)
        case .medium(.preFetch): startPreFetch(slot)
        case .medium(.synchronizeCache): startSynchronize(slot)
        case .medium(.readLong): startReadLong(slot)
        case .medium(.writeLong): startWriteLong(slot)
        case .dataIn(.lbaStatus): startLBAStatus(slot)
        case .dataIn(.logSense): startLogSense(slot)
        case .dataIn: sendParameters(slot)
        case .dataOut(.formatUnit): startFormat(slot)
        case .dataOut(.overwrite): startOverwrite(slot)
        case .dataOut: startList(slot)
        case .plain(.testUnitReady): complete(slot, .good, total: 0)
        case .plain(.startStopUnit): startStop(slot)
        case .plain(.requestSense): requestSense(slot)
        case .plain(.blockErase): startBlockErase(slot)
        case .plain(.reserve), .plain(.release), .plain(.preventAllowMediumRemoval), .plain(.exitFailureMode):
            changeState(slot)
        }
    }

    /// A command to a LUN without a unit: the REPORT LUNS well-known logical unit, LUN 0 where there is none (it must
    /// answer INQUIRY and REPORT LUNS, SAM-6 §4.8.2), or nothing at all.
    private mutating func startWithoutUnit(_ slot: Int) {
        let isWellKnown = LogicalUnitAddress(field: tasks[slot].lun) == .reportLUNs
        let notSupported = SenseData(.illegalRequest, .logicalUnitNotSupported)
        let index = tasks[slot].row
        guard Int(index) < commands.count else {
            fail(slot, isWellKnown ? Self.unknown(index, tasks[slot].cdb) : notSupported)
            return
        }
        if let violation = commands[Int(index)].violation(tasks[slot].cdb) {
            fail(slot, .invalidField(inCDB: violation.byte, bit: violation.bit))
            return
        }
        switch commands[Int(index)].handler {
        case .dataIn(.inquiry): sendParameters(slot)
        case .dataIn(.reportLUNs) where isWellKnown || tasks[slot].lun == 0: sendParameters(slot)
        case .plain(.requestSense): requestSense(slot)
        case .plain(.testUnitReady) where isWellKnown: complete(slot, .good, total: 0)
        case .plain, .dataIn, .dataOut, .medium:
            fail(slot, isWellKnown ? SenseData(.illegalRequest, .invalidCommandOperationCode) : notSupported)
        }
    }
}
