import BlockModel
import Primitives
import SAM
import SCSIFormats

// Commands with a parameter list: what they share until the list is here.

extension DeviceServer {
    /// Asks for the list, unless its CDB is wrong or it has no bytes (which is no error, SPC-4 §4.2.5.5).
    mutating func startList(_ slot: Int) {
        let row = Int(tasks[slot].row)
        let length = commands[row].lengthValue(tasks[slot].cdb)
        guard case .dataOut(let list) = commands[row].handler else { return }
        if let sense = check(slot, list) {
            fail(slot, sense)
            return
        }
        guard length <= UInt32(DeviceServerLimits.parameterListBytes) else {
            fail(slot, .invalidField(inCDB: Int(commands[row].lengthField.byte)))
            return
        }
        if length == 0 {
            emptyList(slot, list)
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
        transport.append(
            .receiveDataOut(
                tasks[slot].handle, run: PageRun(parameter: Frames.parameter(slot), count: Int(tasks[slot].limit)),
                bufferOffset: 0))
    }

    /// What is wrong with the CDB before its list is asked for.
    private func check(_ slot: Int, _ list: ParameterList) -> SenseData? {
        switch list {
        case .modeSelect: checkModeSelect(slot)
        case .logSelect: checkLogSelect(slot)
        case .sendDiagnostic: checkSendDiagnostic(slot)
        case .writeBuffer: checkWriteBuffer(slot)
        case .setIdentifyingInformation: checkIdentifyingInformation(slot)
        case .persistentReserveOut: checkReserveOut(slot)
        case .unmap, .setTimestamp, .setTargetPortGroups, .formatUnit, .overwrite: nil
        }
    }

    /// A list of no bytes: what the CDB alone asks for.
    private mutating func emptyList(_ slot: Int, _ list: ParameterList) {
        switch list {
        case .modeSelect: saveModePages(slot)
        case .logSelect: selectLog(slot)
        case .setIdentifyingInformation: changeState(slot)
        case .sendDiagnostic: startSelfTest(slot)
        case .unmap, .writeBuffer, .setTimestamp, .persistentReserveOut, .setTargetPortGroups, .formatUnit, .overwrite:
            complete(slot, .good, total: 0)
        }
    }

    /// The list is in the command's parameter page (`limit` bytes), and the state pointer is here.
    mutating func listReceived(_ slot: Int) {
        guard case .dataOut(let list) = commands[Int(tasks[slot].row)].handler else { return }
        switch list {
        case .modeSelect: modeListReceived(slot)
        case .unmap: unmapListReceived(slot)
        case .writeBuffer: bufferReceived(slot)
        case .sendDiagnostic: diagnosticPageReceived(slot)
        case .setIdentifyingInformation: changeState(slot)
        case .setTimestamp: timestampReceived(slot)
        case .logSelect: logListReceived(slot)
        case .persistentReserveOut: reserveListReceived(slot)
        case .setTargetPortGroups: changeState(slot)
        case .formatUnit: formatListReceived(slot)
        case .overwrite: overwriteListReceived(slot)
        }
    }

    /// What a command with a list changes in its unit's state block.
    mutating func changeByList(_ slot: Int, _ list: ParameterList, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        switch list {
        case .modeSelect: return applyModeSelect(slot, block, unit)
        case .logSelect: return applyLogSelect(slot, block, unit)
        case .setIdentifyingInformation: return applyIdentifyingInformation(slot, block, unit)
        case .setTimestamp: return applyTimestamp(slot, block, unit)
        case .sendDiagnostic: return applySelfTest(slot, block)
        case .unmap: return applyMarks(slot, block, unit)
        case .writeBuffer: return .done
        case .persistentReserveOut: return applyReserveOut(slot, block, unit)
        case .setTargetPortGroups: return applyPortGroups(slot, block, unit)
        case .formatUnit, .overwrite: return applyBegin(slot, block, unit)
        }
    }
}
