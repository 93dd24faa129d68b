import BlockModel
import Primitives
import SAM
import SCSIFormats

// Protection information (SBC-3 §4.22) of units that have it: the xxPROTECT field of a CDB, checks of what is read and
// of what comes, and what is stored where none comes. The blocks of such units have 512 bytes.

extension DeviceServer {
    /// Whether the command's unit has protection information.
    @inline(__always) func isProtected(_ slot: Int) -> Bool {
        units.pointer(Int(tasks.pointer(slot).pointee.unit)).pointee.profile.protectionType != 0
    }

    /// What is to be said of a CDB with a bit that others than units with protection information do not know: nil, and
    /// the code is the task's, when it is the xxPROTECT field of such a unit, and all else is right.
    mutating func protectionRefusal(_ slot: Int, _ violation: (byte: Int, bit: Int)) -> SenseData? {
        let type = units[Int(tasks[slot].unit)].profile.protectionType
        let row = Int(tasks[slot].row)
        let at = commands[row].flagsByte
        guard type != 0, commands[row].hasProtectionField, violation.byte == at, violation.bit >= 5 else {
            return .invalidField(inCDB: violation.byte, bit: violation.bit)
        }
        // Type 2: only commands of 32 bytes say what reference tags are expected (SBC-3 §4.22.2.4).
        if type == 2, !commands[row].isVariableLength {
            return SenseData(.illegalRequest, .invalidCommandOperationCode)
        }
        let code = tasks[slot].cdb[at] >> 5
        if code > 5 { return .invalidField(inCDB: at, bit: 7) }
        var plain = tasks[slot].cdb
        plain[at] &= 0x1F
        if let other = commands[row].violation(plain) { return .invalidField(inCDB: other.byte, bit: other.bit) }
        tasks[slot].protect = code
        return nil
    }

    /// What a row's command looks like on a unit: xxPROTECT is evaluated where it may be other than zero.
    func supported(_ row: Int, on unit: Int) -> SupportedOperationCode {
        var command = commands[row].supported
        let type = unit == noUnit ? 0 : units[unit].profile.protectionType
        if type != 0, commands[row].hasProtectionField, type != 2 || commands[row].isVariableLength {
            command.usage[commands[row].flagsByte] |= 0xE0
        }
        return command
    }

    /// Bytes that are transferred for `bytes` of user data.
    @inline(__always) func wireBytes(_ slot: Int, _ bytes: UInt32) -> UInt32 {
        tasks.pointer(slot).pointee.protect == 0 ? bytes : bytes / 512 * UInt32(ProtectionTuple.blockBytes)
    }

    /// Bytes of user data in whole blocks of `bytes` that are offered.
    func offeredBytes(_ slot: Int, _ bytes: UInt32) -> UInt32 {
        let block = units[Int(tasks[slot].unit)].blockBytes
        return tasks[slot].protect == 0
            ? bytes / block * block : bytes / UInt32(ProtectionTuple.blockBytes) * 512
    }

    /// What the command expects.
    func protectionRule(_ slot: Int) -> ProtectionRule {
        let unit = Int(tasks[slot].unit)
        let cdb = tasks[slot].cdb
        let isLong = commands[Int(tasks[slot].row)].isVariableLength
        return ProtectionRule(
            type: units[unit].profile.protectionType, address: commands[Int(tasks[slot].row)].range(cdb).address,
            expected: isLong ? (cdb.big32(20), cdb.big16(24), cdb.big16(26)) : nil,
            ownsApplicationTag: units[unit].flags.contains(.applicationTagOwner))
    }

    /// Checks the blocks of the command's chunk in `run`; the sense data of the first check that fails.
    func check(_ slot: Int, _ run: PageRun, _ checks: ProtectionChecks, isMedium: Bool) -> SenseData? {
        if checks.isEmpty { return nil }
        let rule = protectionRule(slot)
        let start = tasks[slot].chunk.start
        for block in 0..<min(Int(run.count) / 512, Int(tasks[slot].chunk.count)) {
            let data = run.piece(at: block * 512, frames: frames, lists: lists).base
            let tuple = ProtectionTuple(run.tuple(at: block * 512, frames: frames, lists: lists))
            let lba = start + UInt64(block)
            if let code = rule.fault(tuple, data: data, lba: lba, checks, isMedium: isMedium) {
                return SenseData(.abortedCommand, code, information: lba)
            }
        }
        return nil
    }

    /// Checks what was read from the medium as the command's xxPROTECT asks; where that is zero, unless DPICZ is one
    /// (SPC-4 §7.5.8).
    func checkMedium(_ slot: Int, _ run: PageRun) -> SenseData? {
        if tasks[slot].protect == 0, units[Int(tasks[slot].unit)].flags.contains(.checksWhenAskedOnly) { return nil }
        return check(slot, run, ProtectionChecks(code: tasks[slot].protect), isMedium: true)
    }

    /// All data of a chunk are here: protection information that came is checked, else it is generated.
    func protectWrite(_ slot: Int) -> SenseData? {
        let run = tasks[slot].received
        if tasks[slot].protect == 0 {
            let rule = protectionRule(slot)
            for block in 0..<min(Int(run.count) / 512, Int(tasks[slot].chunk.count)) {
                let data = run.piece(at: block * 512, frames: frames, lists: lists).base
                rule.generated(data, lba: tasks[slot].chunk.start + UInt64(block)).write(
                    to: run.tuple(at: block * 512, frames: frames, lists: lists))
            }
            return nil
        }
        let checks = ProtectionChecks(code: tasks[slot].protect)
        if commands[Int(tasks[slot].row)].handler == .medium(.compareAndWrite),
            let sense = check(slot, scratch(slot), checks, isMedium: false)
        {
            return sense
        }
        return check(slot, run, checks, isMedium: false)
    }

    /// Fills the protection information of a chunk that WRITE SAME or UNMAP fills itself.
    func fillTuples(_ slot: Int, _ run: PageRun, with pattern: UnsafeRawPointer?) {
        let rule = protectionRule(slot)
        let chunk = tasks[slot].chunk
        let isBare = pattern == nil || hasNoData(slot)
        var first = ProtectionTuple.unwritten
        if let pattern, !isBare {
            first = tasks[slot].protect == 0
                ? rule.generated(pattern, lba: tasks[slot].sector) : ProtectionTuple(pattern + 512)
        }
        for block in 0..<Int(chunk.count) {
            var tuple = first
            // The reference tag that came is the first block's; the others follow it (SBC-3 §5.44).
            if !isBare, rule.type != 3 {
                tuple.referenceTag &+= UInt32(
                    truncatingIfNeeded: chunk.start + UInt64(block) - tasks[slot].sector)
            }
            tuple.write(to: run.tuple(at: block * 512, frames: frames, lists: lists))
        }
    }

    /// The block of a WRITE SAME is in the parameter page, with its protection information.
    func checkPattern(_ slot: Int) -> SenseData? {
        guard tasks[slot].protect != 0, !hasNoData(slot) else { return nil }
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let code = protectionRule(slot).fault(
            ProtectionTuple(page + 512), data: page, lba: tasks[slot].sector,
            ProtectionChecks(code: tasks[slot].protect), isMedium: false)
        return code.map { SenseData(.abortedCommand, $0, information: tasks[slot].sector) }
    }
}
