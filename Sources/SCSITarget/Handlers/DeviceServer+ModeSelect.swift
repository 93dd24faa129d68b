import BlockModel
import Primitives
import SAM
import SCSIFormats

// MODE SELECT (SPC-4 §6.9): the list is received and checked; what it changes goes to the state block, so that both
// controllers and all nexuses see it.

extension DeviceServer {
    /// PF zero would make the list vendor specific.
    func checkModeSelect(_ slot: Int) -> SenseData? {
        tasks[slot].cdb[1] & 0x10 != 0 ? nil : .invalidField(inCDB: 1, bit: 4)
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
            changeState(slot)
        } catch {
            fail(slot, error.sense, total: tasks[slot].limit)
        }
    }

    /// The change that a checked list makes.
    mutating func applyModeSelect(_ slot: Int, _ block: StateBlock, _ unit: Int) {
        let flags = ModeFlags(rawValue: block.modeFlags)
        block.modeFlags = flags.subtracting(tasks[slot].modeNamed).union(tasks[slot].modeValues).rawValue
        announce(.modeParametersChanged, scope: 0, block, unit, except: Int(tasks[slot].nexus))
    }
}
