import ISCSIFormats
import Primitives

extension ISCSITarget {
    /// NOP-Out (RFC 7143 §11.18): an answer to our ping, or a ping of the initiator.
    mutating func nopOut(_ index: Int, _ header: UnsafeRawPointer, _ data: UnsafeRawBufferPointer) {
        let pdu = NOPOutPDU(decoding: header)
        if pdu.initiatorTaskTag == Tag.none {
            // Nothing is answered. Any received byte has already counted as a sign of life.
            if !pdu.immediate { _ = isAdmitted(index, header) }
            return
        }
        if !isAdmitted(index, header) { return }
        if pdu.targetTransferTag != Tag.none {
            reject(index, header, .invalidPDUField)
            return
        }
        let most = min(Sizes.textSegment, Int(connections[index].parameters.initiatorMaxRecvDataSegmentLength))
        let length = min(data.count, most)
        guard let base = beginPDU(index, dataLength: length) else { return }
        var answer = NOPInPDU()
        answer.initiatorTaskTag = pdu.initiatorTaskTag
        answer.serials = serials(index, advance: true)
        answer.dataSegmentLength = UInt32(truncatingIfNeeded: length)
        answer.encode(into: base)
        if let source = data.baseAddress, length > 0 {
            dataSegment(index, base).copyMemory(from: source, byteCount: length)
        }
        finishPDU(index, base, dataLength: length)
    }

    /// Asks a silent initiator for a sign of life (RFC 7143 §11.19); StatSN is not advanced by it.
    mutating func sendPing(_ index: Int) {
        guard let base = beginPDU(index, dataLength: 0) else { return }
        let tag = transferTag()
        connections[index].ping = tag
        var pdu = NOPInPDU()
        pdu.targetTransferTag = tag
        pdu.serials = serials(index, advance: false)
        pdu.encode(into: base)
        finishPDU(index, base, dataLength: 0)
    }

    /// Reject (RFC 7143 §11.17) with the header that is refused.
    mutating func reject(_ index: Int, _ header: UnsafeRawPointer, _ reason: RejectReason) {
        statistics.rejects &+= 1
        guard let base = beginPDU(index, dataLength: Field.headerLength) else { return }
        var pdu = RejectPDU()
        pdu.reason = reason.rawValue
        pdu.serials = serials(index, advance: true)
        pdu.dataSegmentLength = UInt32(Field.headerLength)
        pdu.encode(into: base)
        dataSegment(index, base).copyMemory(from: header, byteCount: Field.headerLength)
        finishPDU(index, base, dataLength: Field.headerLength)
    }
}
