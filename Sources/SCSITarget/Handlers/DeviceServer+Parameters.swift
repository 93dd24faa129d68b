import BlockModel
import Primitives
import SAM
import SCSIFormats

// Commands that answer with parameter data. The data are built into the command's parameter page, a page at a time.

extension DeviceServer {
    /// Builds and sends the part of the answer that begins at `moved`; the first part may turn out to be an error.
    mutating func sendParameters(_ slot: Int) {
        let page = frames.pointer(Frames.parameter(slot))
        page.initializeMemory(as: UInt8.self, repeating: 0, count: PageSize.bytes)
        var writer = ParameterWriter(base: page, window: Int(tasks[slot].moved), capacity: PageSize.bytes)
        if let sense = build(slot, &writer) {
            fail(slot, sense, total: tasks[slot].moved)
            return
        }
        if commands[Int(tasks[slot].row)].handler == .dataIn(.logSense), tasks[slot].cdb[2] & 0x3F == 0x19 {
            pollPartner(slot)
        }
        sendParameters(slot, length: writer.count)
    }

    /// Sends what the parameter page holds of an answer of `length` bytes, cut at the allocation length.
    mutating func sendParameters(_ slot: Int, length: Int) {
        let row = Int(tasks[slot].row)
        let allocated = commands[row].lengthField.width == 0 ? length : Int(commands[row].lengthValue(tasks[slot].cdb))
        let total = min(length, allocated)
        let limit = min(total, Int(tasks[slot].dataInLength))
        let offset = Int(tasks[slot].moved)
        if offset >= limit {
            complete(slot, .good, total: UInt32(total))
            return
        }
        let count = min(limit - offset, PageSize.bytes)
        tasks[slot].moved += UInt32(count)
        tasks[slot].final = offset + count == limit
        tasks[slot].phase = .sendingParameters
        letStateGo(slot)
        transport.append(
            .sendDataIn(
                tasks[slot].handle, run: PageRun(parameter: Frames.parameter(slot), count: count),
                bufferOffset: UInt32(offset), final: tasks[slot].final, total: UInt32(total)))
    }

    /// The answer's bytes, or why there is none.
    private mutating func build(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        guard case .dataIn(let data) = commands[Int(tasks[slot].row)].handler else {
            preconditionFailure("a command without parameter data was asked for some")
        }
        switch data {
        case .inquiry: return inquiry(slot, &writer)
        case .persistentReserveIn: return persistentReserveIn(slot, &writer)
        case .reportLUNs: return reportLUNs(slot, &writer)
        case .readCapacity10, .readCapacity16: return readCapacity(slot, &writer)
        case .lbaStatus: preconditionFailure("GET LBA STATUS is answered from Memory's word")
        case .modeSense: return modeSense(slot, &writer)
        case .reportTargetPortGroups: return reportTargetPortGroups(slot, &writer)
        case .reportSupportedOperationCodes: return reportSupportedOperationCodes(slot, &writer)
        case .reportSupportedTaskManagementFunctions:
            TaskManagementFunctions.write(extended: tasks[slot].cdb[2] & 0x80 != 0, queries: canQuery, to: &writer)
            return nil
        case .reportReferrals: return reportReferrals(slot, &writer)
        case .reportIdentifyingInformation: return reportIdentifyingInformation(slot, &writer)
        case .reportTimestamp: return reportTimestamp(slot, &writer)
        case .logSense: return logSense(slot, &writer)
        case .receiveDiagnosticResults: return receiveDiagnosticResults(slot, &writer)
        case .readBuffer: return readBuffer(slot, &writer)
        case .readDefectData10, .readDefectData12: return readDefectData(slot, &writer)
        }
    }

    /// REQUEST SENSE (SPC-4 §6.39): the oldest unit attention, which it clears; for a LUN without a unit that there is
    /// none. It completes with GOOD in any case.
    mutating func requestSense(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        var sense = SenseData(.noSense, .noAdditionalSenseInformation)
        if unit != noUnit {
            if let notReady = notReady(unit) { sense = notReady }
            if let code = attentions.take(nexus: Int(tasks[slot].nexus), unit: unit) {
                counters.unitAttentions &+= 1
                sense = .unitAttention(code)
            } else if units[unit].exceptions.test, units[unit].exceptions.method == .onRequest {
                // MRIE 6h, TEST: the false failure prediction.
                sense = SenseData(.noSense, .failurePredictionThresholdExceededFalse)
            }
        } else if LogicalUnitAddress(field: tasks[slot].lun) != .reportLUNs {
            sense = SenseData(.illegalRequest, .logicalUnitNotSupported)
        }
        let page = frames.pointer(Frames.parameter(slot))
        page.initializeMemory(as: UInt8.self, repeating: 0, count: SenseData.maxBytes)
        let count = sense.write(to: page, descriptorFormat: tasks[slot].cdb[1] & 1 != 0)
        sendParameters(slot, length: count)
    }

    /// REPORT LUNS (SPC-4 §6.33).
    private func reportLUNs(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        guard let selection = LogicalUnitList.Selection(rawValue: tasks[slot].cdb[2]) else {
            return .invalidField(inCDB: 2)
        }
        // Values for conglomerates are for LUN 0 and the well-known logical unit.
        let lun = tasks[slot].lun
        if selection.rawValue >= 0x10, lun != 0, LogicalUnitAddress(field: lun) != .reportLUNs {
            return .invalidField(inCDB: 2)
        }
        LogicalUnitList.write(views.luns(nexusViews[Int(tasks[slot].nexus)]), selection, to: &writer)
        return nil
    }

    private func readCapacity(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let unit = Int(tasks[slot].unit)
        let data = CapacityData(
            blocks: units[unit].blocks, blockLength: units[unit].blockBytes,
            physicalExponent: units[unit].profile.physicalExponent, thin: units[unit].profile.thin,
            protectionType: units[unit].profile.protectionType)
        if commands[Int(tasks[slot].row)].handler == .dataIn(.readCapacity10) {
            data.write10(to: &writer)
        } else {
            data.write16(to: &writer)
        }
        return nil
    }

    /// REPORT SUPPORTED OPERATION CODES (SPC-4 §6.35), from the command table.
    private func reportSupportedOperationCodes(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let cdb = tasks[slot].cdb
        let timeouts = cdb[2] & 0x80 != 0
        let (opcode, action) = (cdb[3], cdb.big16(4))
        let hasActions = commands.hasServiceActions(opcode)
        switch cdb[2] & 7 {
        case 0:
            writer.put(big32: 0)
            for index in 0..<commands.count where exists(index, on: Int(tasks[slot].unit)) {
                supported(index, on: Int(tasks[slot].unit)).writeDescriptor(timeouts: timeouts, to: &writer)
            }
            writer.patch(big32: UInt32(writer.count - 4), at: 0)
            return nil
        case 1 where hasActions != true: break
        case 2 where hasActions != false: break
        case 3: break
        default: return .invalidField(inCDB: 2, bit: 2)
        }
        // Without service actions only the action 0 names the command.
        let exists =
            hasActions == true ? opcode == CommandRow.variableLength || action < 0x20 : action == 0 || cdb[2] & 7 == 1
        let row = exists ? commands.find(opcode: opcode, serviceAction: action) : CommandTable.unknownOpcode
        if self.exists(Int(row), on: Int(tasks[slot].unit)) {
            supported(Int(row), on: Int(tasks[slot].unit)).writeOne(timeouts: timeouts, to: &writer)
        } else {
            SupportedOperationCode.writeUnsupported(to: &writer)
        }
        return nil
    }
}
