import BlockModel
import Primitives
import SAM
import SCSIFormats

// Identifying information (SPC-4 §6.32, §6.43), the clock (§6.38, §6.46) and user data segment referrals (SBC-3 §5.22).

extension DeviceServer {
    /// The state block, for a command that runs under the unit's pointer; nil when it is not one of ours.
    func stateBlock(_ slot: Int) -> StateBlock? {
        let frame = units[Int(tasks[slot].unit)].stateFrame
        if frame == .none { return nil }
        let block = StateBlock(frames.pointer(frame))
        return block.isValid ? block : nil
    }

    /// IDENTIFYING INFORMATION TYPE: 0 the information, 7Fh what types there are.
    private func informationType(_ slot: Int) -> UInt8 { tasks[slot].cdb[10] >> 1 }

    func reportIdentifyingInformation(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        switch informationType(slot) {
        case 0:
            let information = stateBlock(slot)?.information ?? []
            writer.put(big32: UInt32(information.count))
            writer.put(information)
        case 0x7F:
            writer.put(big32: 4)
            writer.put(big32: UInt32(StateBlock.informationLimit))
        default: return .invalidField(inCDB: 10, bit: 7)
        }
        return nil
    }

    func checkIdentifyingInformation(_ slot: Int) -> SenseData? {
        if informationType(slot) != 0 { return .invalidField(inCDB: 10, bit: 7) }
        return tasks[slot].cdb.big32(6) > UInt32(StateBlock.informationLimit) ? .invalidField(inCDB: 6) : nil
    }

    /// The list is the information; without one there is none any more.
    mutating func applyIdentifyingInformation(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        let list = UnsafeRawBufferPointer(
            start: frames.pointer(Frames.parameter(slot)), count: Int(tasks[slot].limit))
        block.information = Array(list)
        announce(.deviceIdentifierChanged, scope: 0, block, unit, except: Int(tasks[slot].nexus))
        return .done
    }

    /// This controller's clock in milliseconds.
    private var clock: UInt64 { (wallClockOffset ?? 0) &+ now.nanoseconds / 1_000_000 }

    func reportTimestamp(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let block = stateBlock(slot)
        // TIMESTAMP ORIGIN: 010b by SET TIMESTAMP; 011b by other means; 000b counts from a start.
        let untouched: UInt8 = wallClockOffset == nil ? 0 : 3
        let origin = block.map { $0.timestampOrigin == 0 ? untouched : $0.timestampOrigin } ?? untouched
        writer.put(big16: 10)
        writer.put(origin)
        writer.put(0)
        let time = clock &+ (block?.timestampOffset ?? 0)
        writer.put(big16: UInt16(truncatingIfNeeded: time >> 32))
        writer.put(big32: UInt32(truncatingIfNeeded: time))
        writer.put(big16: 0)
        return nil
    }

    /// SET TIMESTAMP's list is here: twelve bytes, the time in six of them.
    mutating func timestampReceived(_ slot: Int) {
        let list = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        guard tasks[slot].limit >= 12, tasks[slot].total == 12 else {
            fail(slot, SenseData(.illegalRequest, .parameterListLengthError), total: tasks[slot].limit)
            return
        }
        let reserved = [0, 1, 2, 3, 10, 11].first { list.byte($0) != 0 }
        if let reserved {
            fail(slot, .invalidField(inList: reserved), total: tasks[slot].limit)
        } else {
            changeState(slot)
        }
    }

    mutating func applyTimestamp(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        let list = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let time = UInt64(list.big16(4)) << 32 | UInt64(list.big32(6))
        block.timestampOffset = time &- clock
        block.timestampOrigin = 2
        announce(.timestampChanged, scope: 0, block, unit, except: Int(tasks[slot].nexus))
        return .done
    }

    /// REPORT REFERRALS: the whole unit is one user data segment, in the states that REPORT TARGET PORT GROUPS says.
    func reportReferrals(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let unit = Int(tasks[slot].unit)
        guard tasks[slot].cdb.big64(2) < units[unit].blocks else {
            return SenseData(.illegalRequest, .logicalBlockAddressOutOfRange)
        }
        writer.put(big32: UInt32(20 + 4 * controllers))
        writer.put(big32: UInt32(controllers))
        writer.put(big64: 0)
        writer.put(big64: units[unit].blocks - 1)
        for group in ControllerID.allCases.prefix(controllers) {
            writer.put(accessState(unit, through: group).rawValue)
            writer.put(0)
            writer.put(big16: group.targetPortGroup)
        }
        return nil
    }
}
