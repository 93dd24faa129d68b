import ISCSIFormats
import Primitives
import SAM

// Above ErrorRecoveryLevel 0 everything with a number is kept until the initiator acknowledges it (RFC 7143 §4.2.2.2,
// §7.1.4): Data-In as copies, since their pages go when they are sent; responses as they were, or with their command.

extension ISCSITarget {
    /// One Data-In of a command's run, kept for another time. The status never goes with it, so that data and response
    /// can be recovered each by itself.
    mutating func sendRetainedDataIn(_ index: Int, _ slot: Int) {
        let c = connections + index
        let command = commands.pointer(slot)
        let kept = recovery + slot
        let position = command.pointee.inQueued
        let burst = c.pointee.parameters.maxBurstLength
        let inBurst = burst - position % burst
        let count = min(
            command.pointee.inLength - position, c.pointee.parameters.initiatorMaxRecvDataSegmentLength, inBurst)
        let last = position + count == command.pointee.inLength
        var record = DataRecord()
        record.dataSN = command.pointee.inDataSN
        record.offset = command.pointee.inOffset + position
        record.count = count
        record.flags = last || count == inBurst ? 1 : 0
        let base = c.pointee.output.append(bytes: headerLength(index))
        encode(record, index, slot, into: base)
        kept.pointee.sinceRequest &+= count
        if kept.pointee.sinceRequest >= burst { requestAcknowledgement(slot, base) }
        putHeaderDigest(index, base)
        keep(record, slot, position: Int(position))
        command.pointee.inDataSN &+= 1
        command.pointee.inQueued = position + count
        c.pointee.output.append(payload: slot, position: position, length: count, last: last)
        appendTrailer(c, command.pointee.inRun, Int(position), Int(count))
        sent(index)
        if last && command.pointee.inFinal && !command.pointee.hasStatus {
            command.pointee.hasStatus = true
            command.pointee.status = .good
        }
    }

    func headerLength(_ index: Int) -> Int {
        Field.headerLength + (connections[index].parameters.headerDigest ? 4 : 0)
    }

    mutating func putHeaderDigest(_ index: Int, _ base: UnsafeMutableRawPointer) {
        if connections[index].parameters.headerDigest {
            putDigest(Checksum.crc32c(base, Field.headerLength), base + Field.headerLength)
        }
    }

    /// Header of a Data-In without status.
    mutating func encode(_ record: DataRecord, _ index: Int, _ slot: Int, into base: UnsafeMutableRawPointer) {
        var pdu = DataInPDU()
        pdu.final = record.flags & 1 != 0
        pdu.initiatorTaskTag = commands.pointer(slot).pointee.initiatorTaskTag
        pdu.serials = serials(index, advance: false)
        pdu.serials.statSN = 0
        pdu.dataSN = record.dataSN
        pdu.bufferOffset = record.offset
        pdu.dataSegmentLength = record.count
        pdu.encode(into: base)
    }

    /// Sets the A bit: once for each MaxBurstLength (RFC 7143 §11.7.2). The tag names slot and generation.
    private mutating func requestAcknowledgement(_ slot: Int, _ base: UnsafeMutableRawPointer) {
        recovery[slot].sinceRequest = 0
        let command = commands.pointer(slot)
        DataInPDU.requestAcknowledgement(
            lun: command.pointee.lun,
            targetTransferTag: CommandHandle(slot: slot, generation: command.pointee.generation).raw & 0x7FFF_FFFF,
            in: base)
    }

    /// Keeps the bytes of a Data-In. Three quarters of the pool are for them; the rest is for commands and responses.
    private mutating func keep(_ record: DataRecord, _ slot: Int, position: Int) {
        let kept = recovery + slot
        if kept.pointee.isGone { return }
        let count = Int(record.count)
        if !pool.hasRoom(DataRecord.length + count + limits.retainedBytes / 4) {
            kept.pointee.isGone = true
            pool.removeAll(&kept.pointee.sent)
            return
        }
        append(record, to: &kept.pointee.sent)
        let run = commands.pointer(slot).pointee.inRun
        var done = 0
        while done < count {
            let piece = run.piece(at: position + done, frames: frames, lists: lists)
            let length = min(piece.count, count - done)
            pool.append(&kept.pointee.sent, piece.base, length)
            done += length
        }
    }

    mutating func append(_ record: DataRecord, to chain: inout ByteChain) {
        withUnsafeBytes(of: record) { bytes in
            if let base = bytes.baseAddress { pool.append(&chain, base, DataRecord.length) }
        }
    }

    mutating func dataRecord(_ chain: ByteChain, at position: Int) -> DataRecord {
        var record = DataRecord()
        withUnsafeMutableBytes(of: &record) { bytes in
            if let base = bytes.baseAddress { pool.copy(chain, at: position, DataRecord.length, to: base) }
        }
        return record
    }

    /// Gives up Data-In PDUs before `dataSN`, which the initiator has acknowledged.
    mutating func acknowledgeData(_ slot: Int, before dataSN: UInt32) {
        let kept = recovery + slot
        while !kept.pointee.sent.isEmpty {
            let record = dataRecord(kept.pointee.sent, at: 0)
            if !(SerialNumber(record.dataSN) < SerialNumber(dataSN)) { break }
            let length = DataRecord.length + Int(record.count)
            pool.drop(&kept.pointee.sent, length)
            kept.pointee.againAt = max(0, kept.pointee.againAt - length)
        }
        kept.pointee.acknowledged = dataSN
        if SerialNumber(kept.pointee.againFrom) < SerialNumber(dataSN) { kept.pointee.againFrom = dataSN }
        if SerialNumber(kept.pointee.againTo) < SerialNumber(dataSN) { kept.pointee.againTo = dataSN }
    }

    /// SCSI Response of a command that is kept. `again`: with the StatSN that it had.
    mutating func sendRetainedResponse(_ index: Int, _ slot: Int, again: Bool) {
        let command = commands.pointer(slot)
        let dataLength = senseSegmentLength(slot)
        guard let base = beginPDU(index, dataLength: dataLength) else { return }
        var pdu = SCSIResponsePDU()
        pdu.status = command.pointee.status.rawValue
        pdu.residual = Residual(total: command.pointee.total, expected: command.pointee.expected)
        pdu.initiatorTaskTag = command.pointee.initiatorTaskTag
        pdu.snackTag = recovery[slot].snackTag
        pdu.serials = serials(index, advance: !again)
        if again { pdu.serials.statSN = recovery[slot].statSN }
        pdu.expDataSN = command.pointee.inDataSN
        pdu.dataSegmentLength = UInt32(truncatingIfNeeded: dataLength)
        pdu.encode(into: base)
        if dataLength > 0 { putSense(slot, dataSegment(index, base), dataLength - 2) }
        let wasDelivering = command.pointee.deliversWithResponse
        if !again {
            recovery[slot].statSN = pdu.serials.statSN
            command.pointee.state = .answered
            command.pointee.deliversWithResponse = false
            keepResponse(index, pdu.serials.statSN, slot)
        }
        finish(index, base, dataLength: dataLength)
        if !again && wasDelivering {
            indications.append(.dataInDelivered(CommandHandle(slot: slot, generation: command.pointee.generation)))
        }
        if !again { askForAcknowledgement(index) }
    }

    /// The session has no more room for commands until it acknowledges: it is pinged, as it may have nothing to send.
    private mutating func askForAcknowledgement(_ index: Int) {
        let c = connections + index
        let session = sessions.pointer(Int(c.pointee.session))
        if session.pointee.expCmdSN <= session.pointee.maxCmdSN || c.pointee.ping != nil { return }
        sendPing(index)
    }
}
