import ISCSIFormats
import Primitives

// The numbered responses of a connection that the initiator has not acknowledged by ExpStatSN.

extension ISCSITarget {
    /// Keeps a numbered PDU that is complete in the output, header at `base`.
    mutating func keepPDU(_ index: Int, _ base: UnsafeMutableRawPointer, dataLength: Int) {
        let header = BasicHeaderSegment(base)
        switch header.opcode {
        case .nopIn where header.initiatorTaskTag == Tag.none: return
        case .scsiResponse, .taskManagementResponse, .nopIn, .textResponse, .logoutResponse, .reject, .asyncMessage:
            break
        case .nopOut, .scsiCommand, .taskManagementRequest, .loginRequest, .textRequest, .dataOut, .logoutRequest,
            .snackRequest, .loginResponse, .dataIn, .readyToTransfer, nil:
            return
        }
        var record = ResponseRecord()
        record.statSN = UnsafeRawPointer(base).big32(Field.statSN)
        record.count = UInt32(truncatingIfNeeded: Field.headerLength + dataLength)
        guard keep(record, index) else { return }
        let c = connections + index
        pool.append(&c.pointee.responses, base, Field.headerLength)
        if dataLength > 0 { pool.append(&c.pointee.responses, dataSegment(index, base), dataLength) }
    }

    /// Keeps the place of a SCSI Response, which its command can repeat.
    mutating func keepResponse(_ index: Int, _ statSN: UInt32, _ slot: Int) {
        var record = ResponseRecord()
        record.statSN = statSN
        record.slot = Int32(truncatingIfNeeded: slot)
        record.generation = UInt32(commands.pointer(slot).pointee.generation)
        _ = keep(record, index)
    }

    private mutating func keep(_ record: ResponseRecord, _ index: Int) -> Bool {
        let c = connections + index
        let count = ResponseRecord.length + Int(record.count)
        if !pool.hasRoom(count) || c.pointee.responses.count + count > Sizes.unacknowledged {
            c.pointee.overdue = true
            return false
        }
        withUnsafeBytes(of: record) { bytes in
            if let base = bytes.baseAddress { pool.append(&c.pointee.responses, base, ResponseRecord.length) }
        }
        return true
    }

    private mutating func responseRecord(_ index: Int, at position: Int) -> ResponseRecord {
        var record = ResponseRecord()
        withUnsafeMutableBytes(of: &record) { bytes in
            if let base = bytes.baseAddress {
                pool.copy(connections[index].responses, at: position, ResponseRecord.length, to: base)
            }
        }
        return record
    }

    /// The initiator has all responses before `expStatSN` (RFC 7143 §4.2.2.2): they are given up, with their commands.
    mutating func acknowledge(_ index: Int, _ expStatSN: SerialNumber) {
        let c = connections + index
        if !(SerialNumber(c.pointee.acknowledgedStatSN) < expStatSN && expStatSN <= SerialNumber(c.pointee.statSN)) {
            return
        }
        c.pointee.acknowledgedStatSN = expStatSN.raw
        let session = sessions.pointer(Int(c.pointee.session))
        let wasClosed = session.pointee.maxCmdSN < session.pointee.expCmdSN
        while !c.pointee.responses.isEmpty {
            let record = responseRecord(index, at: 0)
            if !(SerialNumber(record.statSN) < expStatSN) { break }
            pool.drop(&c.pointee.responses, ResponseRecord.length + Int(record.count))
            release(record)
        }
        if SerialNumber(c.pointee.againFrom) < expStatSN { c.pointee.againFrom = expStatSN.raw }
        if SerialNumber(c.pointee.againTo) < expStatSN { c.pointee.againTo = expStatSN.raw }
        if wasClosed { sendWindow(index) }
    }

    /// A command whose response is acknowledged is over.
    private mutating func release(_ record: ResponseRecord) {
        let slot = Int(record.slot)
        if slot < 0 { return }
        let command = commands.pointer(slot)
        if command.pointee.state != .answered || UInt32(command.pointee.generation) != record.generation { return }
        endAnswered(slot)
    }

    /// Lets go of a command that is answered. Its last data may still be in the output.
    mutating func endAnswered(_ slot: Int) {
        let command = commands.pointer(slot)
        stopSending(slot)
        orderedTaskIsOver(slot)
        if command.pointee.inActive {
            command.pointee.state = .responded
        } else {
            free(slot)
        }
    }

    /// Tells an initiator that may send again after its window was closed: NOP-In without an answer (RFC 7143 §11.19).
    private mutating func sendWindow(_ index: Int) {
        guard let base = beginPDU(index, dataLength: 0) else { return }
        var pdu = NOPInPDU()
        pdu.serials = serials(index, advance: false)
        pdu.encode(into: base)
        finishPDU(index, base, dataLength: 0)
    }

    /// Sends responses again that a Status SNACK asked for, as far as there is room.
    mutating func repeatResponses(_ index: Int) {
        let c = connections + index
        var position = 0
        while c.pointee.againFrom != c.pointee.againTo && position < c.pointee.responses.count {
            let record = responseRecord(index, at: position)
            let isWanted = SerialNumber(c.pointee.againFrom) <= SerialNumber(record.statSN)
            if isWanted && !(SerialNumber(record.statSN) < SerialNumber(c.pointee.againTo)) { break }
            if isWanted {
                if !hasParseReserve(index) { return }
                repeatResponse(index, record, at: position + ResponseRecord.length)
                c.pointee.againFrom = record.statSN &+ 1
            }
            position += ResponseRecord.length + Int(record.count)
        }
        c.pointee.againFrom = c.pointee.againTo
    }

    private mutating func repeatResponse(_ index: Int, _ record: ResponseRecord, at position: Int) {
        let slot = Int(record.slot)
        if slot >= 0 {
            let command = commands.pointer(slot)
            if command.pointee.state == .answered && UInt32(command.pointee.generation) == record.generation {
                sendRetainedResponse(index, slot, again: true)
            }
            return
        }
        let dataLength = Int(record.count) - Field.headerLength
        guard let base = beginPDU(index, dataLength: dataLength) else { return }
        pool.copy(connections[index].responses, at: position, Field.headerLength, to: base)
        if dataLength > 0 {
            pool.copy(
                connections[index].responses, at: position + Field.headerLength, dataLength,
                to: dataSegment(index, base))
        }
        var now = serials(index, advance: false)
        now.statSN = record.statSN
        now.encode(into: base)
        finish(index, base, dataLength: dataLength)
    }
}
