import BlockModel
import Primitives
import SAM
import SCSIFormats

// SEND DIAGNOSTIC and RECEIVE DIAGNOSTIC RESULTS (SPC-4 §6.42, §6.28), READ DEFECT DATA (SBC-3 §5.17).
//
// A self-test reads the first and the last block, and writes its result to the state block: a test that ends well has
// shown that the medium answers at both ends and that the unit's state can be written. Tests in the background, and one
// of the whole medium, are not there.

extension DeviceServer {
    private func selfTestCode(_ slot: Int) -> UInt8 { tasks[slot].cdb[1] >> 5 }

    /// Whether the CDB asks for a self-test: the default one, or the short one in the foreground.
    private func asksForTest(_ slot: Int) -> Bool { selfTestCode(slot) == 5 || tasks[slot].cdb[1] & 0x04 != 0 }

    func checkSendDiagnostic(_ slot: Int) -> SenseData? {
        let (code, flags) = (selfTestCode(slot), tasks[slot].cdb[1])
        if code != 0 && (code != 5 || flags & 0x04 != 0) { return .invalidField(inCDB: 1, bit: 7) }
        let length = tasks[slot].cdb.big16(3)
        if asksForTest(slot) { return length == 0 ? nil : .invalidField(inCDB: 3) }
        // Without PF the list would be vendor specific.
        return length > 0 && flags & 0x10 == 0 ? .invalidField(inCDB: 1, bit: 4) : nil
    }

    /// A diagnostic page is here: only that of supported pages is one.
    mutating func diagnosticPageReceived(_ slot: Int) {
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        guard tasks[slot].limit >= 4 else {
            fail(slot, SenseData(.illegalRequest, .parameterListLengthError), total: tasks[slot].limit)
            return
        }
        let wrong = page.byte(0) != 0 ? 0 : page.byte(1) != 0 ? 1 : page.big16(2) != 0 ? 2 : nil
        if let wrong {
            fail(slot, .invalidField(inList: wrong), total: tasks[slot].limit)
        } else {
            complete(slot, .good, total: tasks[slot].total)
        }
    }

    /// The supported pages, whichever page is asked for by its code or was sent last.
    func receiveDiagnosticResults(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        if tasks[slot].cdb[1] & 1 != 0, tasks[slot].cdb[2] != 0 { return .invalidField(inCDB: 2) }
        writer.put(big32: 1)
        writer.put(0)
        return nil
    }

    /// Begins the self-test that the CDB asks for; there may be none.
    mutating func startSelfTest(_ slot: Int) {
        if asksForTest(slot) { readForTest(slot, sector: 0) } else { complete(slot, .good, total: 0) }
    }

    private mutating func readForTest(_ slot: Int, sector: UInt64) {
        let count = UInt32(1) << UInt32(units[Int(tasks[slot].unit)].blockShift)
        read(slot, BlockExtent(start: sector, count: count), sequential: false)
    }

    /// A block of a self-test could be read.
    mutating func selfTestRead(_ slot: Int) {
        releasePages(slot)
        tasks[slot].moved += 1
        let unit = Int(tasks[slot].unit)
        if tasks[slot].moved == 1 {
            readForTest(slot, sector: units[unit].sectors - (1 << units[unit].blockShift))
        } else {
            changeState(slot)
        }
    }

    /// A block of a self-test could not be read: SELF-TEST RESULTS 5h, the first segment, or 6h, the second.
    mutating func selfTestFailed(_ slot: Int) {
        tasks[slot].span = tasks[slot].moved == 0 ? 5 : 6
        changeState(slot)
    }

    /// Keeps the result.
    func applySelfTest(_ slot: Int, _ block: StateBlock) -> ChangeVerdict {
        let result = UInt8(truncatingIfNeeded: tasks[slot].span)
        block.append(StateBlock.SelfTest(outcome: selfTestCode(slot) << 5 | result, hours: powerOnHours))
        return result == 0 ? .done : .failed(SenseData(.hardwareError, .logicalUnitFailedSelfTest))
    }

    /// Hours that the controller's machine has run.
    var powerOnHours: UInt16 { UInt16(clamping: now.nanoseconds / 3_600_000_000_000) }

    /// READ DEFECT DATA: both lists are there, and empty in every format; an index points at no descriptor.
    func readDefectData(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let long = commands[Int(tasks[slot].row)].length == 12
        let asked = tasks[slot].cdb[long ? 1 : 2] & 0x1F
        guard asked & 0x07 <= 5 else { return .invalidField(inCDB: long ? 1 : 2, bit: 2) }
        writer.put(0)
        // PLISTV, GLISTV, DEFECT LIST FORMAT.
        writer.put(asked)
        writer.put(big16: 0)
        if long { writer.put(big32: 0) }
        return nil
    }
}
