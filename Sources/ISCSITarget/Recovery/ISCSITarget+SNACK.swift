import ISCSIFormats
import Primitives

extension ISCSITarget {
    /// SNACK Request (RFC 7143 §11.16).
    mutating func snackRequest(_ index: Int, _ header: UnsafeRawPointer) {
        let pdu = SNACKRequestPDU(decoding: header)
        guard connections[index].retains else {
            reject(index, header, .snackReject)
            return
        }
        switch SNACKType(rawValue: pdu.type) {
        case .status: statusSNACK(index, header, pdu)
        case .dataACK: dataACK(index, header, pdu)
        case .dataOrR2T: taskSNACK(index, header, pdu)
        case .rData: rDataSNACK(index, header, pdu)
        case nil: reject(index, header, .invalidPDUField)
        }
    }

    private mutating func statusSNACK(_ index: Int, _ header: UnsafeRawPointer, _ pdu: SNACKRequestPDU) {
        let c = connections + index
        let isAll = pdu.begRun == 0 && pdu.runLength == 0
        let from = isAll ? c.pointee.acknowledgedStatSN : pdu.begRun
        let to = pdu.runLength == 0 ? c.pointee.statSN : from &+ pdu.runLength
        guard isKept(from, to, after: c.pointee.acknowledgedStatSN, before: c.pointee.statSN) else {
            reject(index, header, .protocolError)
            return
        }
        c.pointee.againFrom = from
        c.pointee.againTo = to
        repeatResponses(index)
    }

    /// Numbers `from` to before `to` were sent, and not acknowledged.
    private func isKept(_ from: UInt32, _ to: UInt32, after first: UInt32, before end: UInt32) -> Bool {
        SerialNumber(first) <= SerialNumber(from) && SerialNumber(from) <= SerialNumber(to)
            && SerialNumber(to) <= SerialNumber(end)
    }

    private mutating func dataACK(_ index: Int, _ header: UnsafeRawPointer, _ pdu: SNACKRequestPDU) {
        let slot = Int(pdu.snackTag & 0xFFFF)
        guard slot < commands.capacity, pdu.runLength == 0 else {
            reject(index, header, .invalidDataACK)
            return
        }
        let command = commands.pointer(slot)
        // An acknowledgement that comes after its command ended is late, not wrong.
        if UInt32(command.pointee.generation & 0x7FFF) != pdu.snackTag >> 16 || !command.pointee.retains { return }
        let isOurs = Int(command.pointee.connection) == index && command.pointee.lun == pdu.lun
        let kept = recovery[slot]
        guard isOurs, isKept(pdu.begRun, pdu.begRun, after: kept.acknowledged, before: command.pointee.inDataSN) else {
            reject(index, header, .invalidDataACK)
            return
        }
        acknowledgeData(slot, before: pdu.begRun)
    }

    /// The command that a SNACK names, when it belongs to the connection.
    private mutating func snackedTask(_ index: Int, _ pdu: SNACKRequestPDU) -> Int? {
        guard let slot = tasks[taskKey(connections[index].session, pdu.initiatorTaskTag)] else { return nil }
        let command = commands.pointer(Int(slot))
        let isKept = command.pointee.retains && Int(command.pointee.connection) == index
        return isKept && (command.pointee.state == .active || command.pointee.state == .answered) ? Int(slot) : nil
    }

    private mutating func taskSNACK(_ index: Int, _ header: UnsafeRawPointer, _ pdu: SNACKRequestPDU) {
        guard let slot = snackedTask(index, pdu) else {
            reject(index, header, .protocolError)
            return
        }
        if commands.pointer(slot).pointee.dataOutLength > 0 {
            readyToTransferSNACK(index, header, slot, pdu)
            return
        }
        let kept = recovery[slot]
        let end = commands.pointer(slot).pointee.inDataSN
        let isAll = pdu.begRun == 0 && pdu.runLength == 0
        let from = isAll ? kept.acknowledged : pdu.begRun
        let to = pdu.runLength == 0 ? end : from &+ pdu.runLength
        if !isKept(from, to, after: kept.acknowledged, before: end) {
            reject(index, header, .protocolError)
        } else if kept.isGone && from != to {
            snackRefused(index, header, slot)
        } else {
            repeatData(slot, from: from, to: to)
        }
    }

    /// What is asked for was not kept: the task ends (RFC 7143 §11.4.7.2), unless its status has been sent.
    private mutating func snackRefused(_ index: Int, _ header: UnsafeRawPointer, _ slot: Int) {
        reject(index, header, .snackReject)
        if commands.pointer(slot).pointee.accepting { failCommand(slot, TransportSense.snackRejected) }
    }

    /// R2Ts again: only the last one can be unanswered.
    private mutating func readyToTransferSNACK(
        _ index: Int, _ header: UnsafeRawPointer, _ slot: Int, _ pdu: SNACKRequestPDU
    ) {
        let command = commands.pointer(slot)
        let end = command.pointee.r2tSN
        let last = end &- 1
        let isAll = pdu.runLength == 0 && pdu.begRun <= end
        let isLast = pdu.begRun == last && pdu.runLength == 1
        if isAll && !command.pointee.r2tOutstanding { return }
        guard isAll || isLast, command.pointee.r2tOutstanding, end > 0,
            let base = beginPDU(index, dataLength: 0)
        else {
            reject(index, header, .protocolError)
            return
        }
        var answer = ReadyToTransferPDU()
        answer.lun = command.pointee.lun
        answer.initiatorTaskTag = command.pointee.initiatorTaskTag
        answer.targetTransferTag = command.pointee.targetTransferTag
        answer.serials = serials(index, advance: false)
        answer.r2tSN = last
        answer.bufferOffset = recovery[slot].r2tStart
        answer.desiredDataTransferLength = command.pointee.r2tEnd &- recovery[slot].r2tStart
        answer.encode(into: base)
        finishPDU(index, base, dataLength: 0)
    }

    /// All data that are not acknowledged again, in PDUs of the present size, and the response with the SNACK's tag
    /// (RFC 7143 §11.16.3).
    private mutating func rDataSNACK(_ index: Int, _ header: UnsafeRawPointer, _ pdu: SNACKRequestPDU) {
        guard pdu.begRun == 0, pdu.runLength == 0, pdu.snackTag != 0, pdu.snackTag != Tag.none,
            let slot = snackedTask(index, pdu), commands.pointer(slot).pointee.dataOutLength == 0
        else {
            reject(index, header, .protocolError)
            return
        }
        let limit = connections[index].parameters.initiatorMaxRecvDataSegmentLength
        let hasData = recovery[slot].acknowledged != commands.pointer(slot).pointee.inDataSN
        if hasData && (recovery[slot].isGone || !resegment(slot, limit: limit)) {
            snackRefused(index, header, slot)
            return
        }
        recovery[slot].snackTag = pdu.snackTag
        recovery[slot].answersAgain = commands.pointer(slot).pointee.state == .answered
        repeatData(slot, from: recovery[slot].acknowledged, to: commands.pointer(slot).pointee.inDataSN)
    }
}
