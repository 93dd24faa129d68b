import BlockModel
import Primitives
import SAM
import SCSIFormats

// FORMAT UNIT (SBC-4 §5.4): every block becomes zeros, or what the initialization pattern says. There are no defects
// that a host could see: defect lists are empty, and must be. What a unit's blocks are (length, protection) is its
// configuration's matter: a FORMAT UNIT must ask for what is there.
//
// The parameter list comes in pieces: its header, the four bytes of an initialization pattern descriptor, the pattern.

extension DeviceServer {
    /// FMTPINFO and PROTECTION FIELD USAGE that stand for the unit's protection type (SBC-4 §5.4.1).
    func formatProtection(_ unit: Int) -> (information: UInt8, usage: UInt8) {
        switch units[unit].profile.protectionType {
        case 0: (0, 0)
        case 3: (3, 1)
        default: (2, 0)
        }
    }

    private func isLongHeader(_ slot: Int) -> Bool { tasks[slot].cdb[1] & 0x20 != 0 }

    /// FFMT 01b: resources are made ready, and the medium is not written (SBC-4 §5.4.1).
    func isFastFormat(_ slot: Int) -> Bool { tasks[slot].cdb[4] & 3 == 1 }

    mutating func startFormat(_ slot: Int) {
        let cdb = tasks[slot].cdb
        let protection = formatProtection(Int(tasks[slot].unit))
        if cdb[4] & 2 != 0 { return fail(slot, .invalidField(inCDB: 4, bit: 1)) }
        if cdb[1] >> 6 != protection.information { return fail(slot, .invalidField(inCDB: 1, bit: 7)) }
        tasks[slot].final = false
        if cdb[1] & 0x10 == 0 {
            // Without a parameter list nothing of it is looked at but the format, which must be the default one.
            if cdb[1] & 7 != 0 { return fail(slot, .invalidField(inCDB: 1, bit: 2)) }
            // PROTECTION FIELD USAGE is zero then.
            if protection.usage != 0 { return fail(slot, .invalidField(inCDB: 1, bit: 4)) }
            return changeState(slot)
        }
        if cdb[1] & 7 > 5 { return fail(slot, .invalidField(inCDB: 1, bit: 2)) }
        receiveList(slot, isLongHeader(slot) ? 8 : 4)
    }

    /// Asks for the next `count` bytes of a list that comes in pieces.
    mutating func receiveList(_ slot: Int, _ count: UInt32) {
        guard tasks[slot].dataOutLength >= tasks[slot].moved + count else {
            fail(slot, SenseData(.illegalRequest, .parameterListLengthError), total: tasks[slot].moved)
            return
        }
        let offset = tasks[slot].moved
        tasks[slot].moved += count
        tasks[slot].limit = count
        tasks[slot].total = max(tasks[slot].total, tasks[slot].moved)
        tasks[slot].phase = .receiving
        letStateGo(slot)
        transport.append(
            .receiveDataOut(
                tasks[slot].handle, run: PageRun(parameter: Frames.parameter(slot), count: Int(count)),
                bufferOffset: offset))
    }

    /// A piece of the list is here.
    mutating func formatListReceived(_ slot: Int) {
        tasks[slot].descriptor += 1
        switch tasks[slot].descriptor {
        case 1: formatHeaderReceived(slot)
        case 2: patternDescriptorReceived(slot)
        default: beginPatterned(slot)
        }
    }

    private mutating func formatHeaderReceived(_ slot: Int) {
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        if let sense = checkFormatHeader(slot, page) { return fail(slot, sense, total: tasks[slot].moved) }
        tasks[slot].final = page.byte(1) & 0x02 != 0
        if page.byte(1) & 0x08 == 0 { return beginWithoutPattern(slot) }
        if isFastFormat(slot) {
            fail(slot, .invalidField(inList: 1, bit: 3), total: tasks[slot].moved)
        } else {
            receiveList(slot, 4)
        }
    }

    private func checkFormatHeader(_ slot: Int, _ page: UnsafeRawPointer) -> SenseData? {
        if page.byte(0) != formatProtection(Int(tasks[slot].unit)).usage { return .invalidField(inList: 0, bit: 2) }
        // Without FOV the options must be zero: DPRY, DCRT, STPF, IP, DSP.
        let options = page.byte(1)
        if options & 0x80 == 0, options & 0x7C != 0 {
            return .invalidField(inList: 1, bit: 7 - (options & 0x7C).leadingZeroBitCount)
        }
        // The one bit of the vendor's.
        if options & 0x01 != 0 { return .invalidField(inList: 1, bit: 0) }
        guard isLongHeader(slot) else { return page.big16(2) == 0 ? nil : .invalidField(inList: 2) }
        if page.byte(2) != 0 { return .invalidField(inList: 2) }
        // P_I_INFORMATION, PROTECTION INTERVAL EXPONENT.
        if page.byte(3) != 0 { return .invalidField(inList: 3) }
        return page.big32(4) == 0 ? nil : .invalidField(inList: 4)
    }

    /// IP MODIFIER and SI must be zero; a pattern has between one byte and a logical block.
    private mutating func patternDescriptorReceived(_ slot: Int) {
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let start = Int(tasks[slot].moved) - 4
        let length = UInt32(page.big16(2))
        let sense: SenseData? =
            if page.byte(0) != 0 {
                .invalidField(inList: start)
            } else if page.byte(1) > 1 {
                .invalidField(inList: start + 1)
            } else if (page.byte(1) == 0) != (length == 0) || length > units[Int(tasks[slot].unit)].blockBytes {
                .invalidField(inList: start + 2)
            } else {
                nil
            }
        if let sense {
            fail(slot, sense, total: tasks[slot].moved)
        } else if length == 0 {
            beginWithoutPattern(slot)
        } else {
            tasks[slot].span = 1
            receiveList(slot, length)
        }
    }

    /// Everything is known: the state block says whether the operation may begin.
    private mutating func beginWithoutPattern(_ slot: Int) {
        if let sense = writeProtection(slot) { return fail(slot, sense, total: tasks[slot].moved) }
        changeState(slot)
    }
}
