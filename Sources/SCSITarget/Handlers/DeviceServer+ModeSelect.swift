import BlockModel
import Primitives
import SAM
import SCSIFormats

// MODE SELECT (SPC-4 §6.9): the list is received and checked; what it changes goes to the state block, so that both
// controllers and all nexuses see it.

extension DeviceServer {
    mutating func startModeSelect(_ slot: Int) {
        let row = Int(tasks[slot].row)
        let length = commands[row].lengthValue(tasks[slot].cdb)
        // PF zero would make the list vendor specific.
        guard tasks[slot].cdb[1] & 0x10 != 0 else {
            fail(slot, .invalidField(inCDB: 1, bit: 4))
            return
        }
        guard length <= UInt32(DeviceServerLimits.parameterListBytes) else {
            fail(slot, .invalidField(inCDB: Int(commands[row].lengthField.byte)))
            return
        }
        if length == 0 {
            complete(slot, .good, total: 0)
            return
        }
        tasks[slot].total = length
        tasks[slot].limit = min(length, tasks[slot].dataOutLength)
        guard tasks[slot].limit > 0 else {
            fail(slot, SenseData(.illegalRequest, .parameterListLengthError))
            return
        }
        tasks[slot].phase = .receiving
        letStateGo(slot)
        transport.append(.receiveDataOut(
            tasks[slot].handle, run: PageRun(parameter: Frames.parameter(slot), count: Int(tasks[slot].limit)),
            bufferOffset: 0))
    }

    /// The list is here, and so is the state pointer.
    mutating func modeListReceived(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        let present = ModeParameterList.Present(
            blocks: units[unit].blocks, blockLength: units[unit].blockBytes, flags: units[unit].flags)
        do throws(ModeParameterList.Refusal) {
            let list = try ModeParameterList(
                UnsafeRawPointer(frames.pointer(Frames.parameter(slot))), count: Int(tasks[slot].limit),
                long: commands[Int(tasks[slot].row)].length == 10, present: present)
            if list.applied(to: present.flags) == present.flags {
                complete(slot, .good, total: tasks[slot].total)
                return
            }
            tasks[slot].modeNamed = list.named
            tasks[slot].modeValues = list.values
            tasks[slot].phase = .changingState
            letStateGo(slot)
            beginPatience(slot)
            add(StateChange(kind: .modeSelect, subject: UInt16(slot)), to: unit)
        } catch {
            fail(slot, error.sense, total: tasks[slot].limit)
        }
    }
}
