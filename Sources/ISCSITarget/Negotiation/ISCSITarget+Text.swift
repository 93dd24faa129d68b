import ISCSIFormats
import Primitives

extension ISCSITarget {
    /// Text Request (RFC 7143 §11.10): SendTargets, and a new MaxRecvDataSegmentLength of the initiator.
    mutating func textRequest(_ index: Int, _ header: UnsafeRawPointer, _ data: UnsafeRawBufferPointer) {
        let pdu = TextRequestPDU(decoding: header)
        if !isAdmitted(index, header) { return }
        if pdu.initiatorTaskTag == Tag.none || pdu.final && pdu.continues {
            reject(index, header, .protocolError)
            return
        }
        if pdu.targetTransferTag == Tag.none {
            exchanges[index].removeText()
        } else if pdu.targetTransferTag != exchanges[index].targetTransferTag {
            exchanges[index].removeText()
            reject(index, header, .invalidPDUField)
            return
        }
        exchanges[index].incoming.append(contentsOf: data)
        if exchanges[index].incoming.count > TextLimits.exchange {
            exchanges[index].removeText()
            reject(index, header, .protocolError)
            return
        }
        if pdu.continues {
            sendText(index, pdu, collecting: true)
            return
        }
        if !exchanges[index].incoming.isEmpty && !composeAnswer(index) {
            exchanges[index].removeText()
            reject(index, header, .protocolError)
            return
        }
        sendText(index, pdu, collecting: false)
    }

    /// Adds the answer to the collected text to what is to be sent; false when the text is malformed.
    private mutating func composeAnswer(_ index: Int) -> Bool {
        let text = exchanges[index].incoming
        exchanges[index].incoming = []
        // A new question while the last answer is not fetched would let the answer grow without end.
        if exchanges[index].sent < exchanges[index].outgoing.count { return false }
        exchanges[index].outgoing = []
        exchanges[index].sent = 0
        var asked = false
        var writer = KeyValueWriter()
        let fine = text.withUnsafeBytes { bytes in
            var reader = KeyValueReader(bytes)
            var unknown = 0
            do {
                while let pair = try reader.next() {
                    switch TextKey(pair.key) {
                    case .sendTargets:
                        if asked { return false }
                        asked = true
                        sendTargets(index, pair.value, &writer)
                    case .maxRecvDataSegmentLength:
                        guard let length = TextValue.number(pair.value), (512...16_777_215).contains(length) else {
                            return false
                        }
                        connections[index].parameters.initiatorMaxRecvDataSegmentLength = UInt32(length)
                    case nil:
                        unknown += 1
                        if unknown > Sizes.unknownKeys { return false }
                        writer.append(pair.key, "NotUnderstood")
                    default: writer.append(pair.key, "Reject")
                    }
                }
                return true
            } catch {
                return false
            }
        }
        if fine { exchanges[index].outgoing.append(contentsOf: writer.bytes) }
        return fine
    }

    /// SendTargets (RFC 7143 §13.3, Appendix C): `All` in a discovery session, one target by its name, or the
    /// session's own target with an empty value. Another target's name is not answered in a normal session.
    private func sendTargets(_ index: Int, _ value: UnsafeRawBufferPointer, _ writer: inout KeyValueWriter) {
        let session = sessions.pointer(Int(connections[index].session))
        let discovery = session.pointee.discovery
        let initiator = initiatorName(Int(connections[index].session))
        if TextValue.equal(value, "All") {
            if !discovery {
                writer.append("SendTargets", "Reject")
                return
            }
            for (number, name) in configuration.targets.enumerated()
            where configuration.rule(UInt16(truncatingIfNeeded: number), initiator) != nil {
                describe(name, &writer)
            }
            return
        }
        if value.isEmpty {
            if discovery {
                writer.append("SendTargets", "Reject")
            } else {
                describe(configuration.targets[Int(session.pointee.target)], &writer)
            }
            return
        }
        let name = value.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
        guard let target = configuration.target(named: name), discovery || target == session.pointee.target,
            configuration.rule(target, initiator) != nil
        else { return }
        describe(configuration.targets[Int(target)], &writer)
    }

    private func describe(_ target: String, _ writer: inout KeyValueWriter) {
        writer.append("TargetName", target)
        for portal in configuration.portals {
            writer.append("TargetAddress", "\(portal.address),\(portal.groupTag)")
        }
    }

    /// Text Response (RFC 7143 §11.11) with as much of the answer as one PDU takes; the C bit says that more follows.
    private mutating func sendText(_ index: Int, _ request: TextRequestPDU, collecting: Bool) {
        let most = min(Sizes.textSegment, Int(connections[index].parameters.initiatorMaxRecvDataSegmentLength))
        let left = collecting ? 0 : exchanges[index].outgoing.count - exchanges[index].sent
        let length = min(left, most)
        let more = length < left
        guard let base = beginPDU(index, dataLength: length) else { return }
        var pdu = TextResponsePDU()
        pdu.continues = more
        pdu.final = request.final && !more
        if !pdu.final && exchanges[index].targetTransferTag == Tag.none {
            exchanges[index].targetTransferTag = transferTag()
        }
        pdu.targetTransferTag = pdu.final ? Tag.none : exchanges[index].targetTransferTag
        pdu.lun = request.lun
        pdu.initiatorTaskTag = request.initiatorTaskTag
        pdu.serials = serials(index, advance: true)
        pdu.dataSegmentLength = UInt32(truncatingIfNeeded: length)
        pdu.encode(into: base)
        let start = exchanges[index].sent
        let data = dataSegment(index, base)
        exchanges[index].outgoing.withUnsafeBytes { source in
            guard let from = source.baseAddress, length > 0 else { return }
            data.copyMemory(from: from + start, byteCount: length)
        }
        exchanges[index].sent = start + length
        finishPDU(index, base, dataLength: length)
        if pdu.final { exchanges[index].removeText() }
    }
}
