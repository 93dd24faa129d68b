import BlockModel
import Primitives
import SAM
import SCSIFormats

// READ LONG (SBC-3 §5.19, §5.20) and WRITE LONG (SBC-3 §5.45, §5.46): one logical block, or the physical block that has
// it, as it stands on the medium. There are no bytes beside the data that a host could see, so the data is all.

extension DeviceServer {
    /// A bit of the command: byte and mask in its form of ten bytes, and of sixteen.
    private func bit(_ slot: Int, _ short: (Int, UInt8), _ long: (Int, UInt8)) -> Bool {
        let (byte, mask) = commands[Int(tasks[slot].row)].length == 10 ? short : long
        return tasks[slot].cdb[byte] & mask != 0
    }

    /// Takes the blocks that the command names: PBLOCK means the whole physical block, where that is larger (SBC-3
    /// §5.19, §5.45). Fails the command when the address or the bit is wrong.
    private mutating func takeLong(_ slot: Int, physical: Bool, at byte: (Int, bit: Int)) -> Bool {
        let unit = Int(tasks[slot].unit)
        let exponent = UInt64(units[unit].profile.physicalExponent)
        let block = commands[Int(tasks[slot].row)].range(tasks[slot].cdb).address
        guard block < units[unit].blocks else {
            fail(slot, SenseData(.illegalRequest, .logicalBlockAddressOutOfRange))
            return false
        }
        if physical, exponent == 0 {
            fail(slot, .invalidField(inCDB: byte.0, bit: byte.bit))
            return false
        }
        let first = physical ? (block >> exponent) << exponent : block
        let count = physical ? min(1 << exponent, units[unit].blocks - first) : 1
        tasks[slot].sector = first << units[unit].blockShift
        tasks[slot].span = UInt32(truncatingIfNeeded: count) * units[unit].blockBytes
        return true
    }

    /// BYTE TRANSFER LENGTH that is not the block's: ILI, and the difference in INFORMATION.
    private func lengthFault(_ slot: Int) -> SenseData? {
        let row = Int(tasks[slot].row)
        let asked = commands[row].lengthValue(tasks[slot].cdb)
        if asked == tasks[slot].span { return nil }
        var sense = SenseData(
            .illegalRequest, .invalidFieldInCDB, information: UInt64(asked) &- UInt64(tasks[slot].span))
        sense.isIncorrectLength = true
        return sense
    }

    mutating func startReadLong(_ slot: Int) {
        let physical = bit(slot, (1, 0x04), (14, 0x02))
        let isShort = commands[Int(tasks[slot].row)].length == 10
        guard takeLong(slot, physical: physical, at: isShort ? (1, bit: 2) : (14, bit: 1)) else { return }
        if commands[Int(tasks[slot].row)].lengthValue(tasks[slot].cdb) == 0 {
            complete(slot, .good, total: 0)
            return
        }
        if let sense = lengthFault(slot) { return fail(slot, sense) }
        // CORRCT: a marked block cannot be corrected.
        if bit(slot, (1, 0x02), (14, 0x01)), let sense = markedBlock(slot) { return fail(slot, sense) }
        tasks[slot].total = tasks[slot].span
        tasks[slot].limit = min(tasks[slot].span, tasks[slot].dataInLength)
        if tasks[slot].limit == 0 { return complete(slot, .good, total: tasks[slot].total) }
        read(slot, nextChunk(slot, bytes: tasks[slot].limit), sequential: false)
    }

    /// WR_UNCOR marks and transfers nothing; COR_DIS alone writes and marks; without both the block is written.
    mutating func startWriteLong(_ slot: Int) {
        let flags = tasks[slot].cdb[1]
        guard takeLong(slot, physical: flags & 0x20 != 0, at: (1, bit: 5)) else { return }
        tasks[slot].meetsMark = flags & 0xC0 != 0
        if flags & 0x40 != 0 { return changeState(slot) }
        if commands[Int(tasks[slot].row)].lengthValue(tasks[slot].cdb) == 0 {
            complete(slot, .good, total: 0)
            return
        }
        if let sense = lengthFault(slot) { return fail(slot, sense) }
        guard tasks[slot].dataOutLength >= tasks[slot].span else {
            fail(slot, .invalidField(inCDB: Int(commands[Int(tasks[slot].row)].lengthField.byte)))
            return
        }
        counters.writes &+= 1
        tasks[slot].total = tasks[slot].span
        tasks[slot].limit = tasks[slot].span
        writeNext(slot)
    }
}
