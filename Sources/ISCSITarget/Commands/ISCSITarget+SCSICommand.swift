import ISCSIFormats
import Primitives
import SAM

/// What the command order says of a PDU (RFC 7143 §4.2.2.1).
enum Admission { case accepted, dropped, refused }

extension ISCSITarget {
    /// Puts a PDU in the session's command order. An immediate one takes no CmdSN. With one connection a gap cannot be
    /// filled by another, so it is the initiator's error and is refused; what is outside the window, or was there
    /// before, is dropped in silence.
    @inline(__always) mutating func admit(_ index: Int, _ header: BasicHeaderSegment) -> Admission {
        if header.immediate { return .accepted }
        let session = sessions.pointer(Int(connections[index].session))
        let cmdSN = header.cmdSN
        if cmdSN == session.pointee.expCmdSN && cmdSN <= session.pointee.maxCmdSN {
            session.pointee.expCmdSN = cmdSN &+ 1
            return .accepted
        }
        if session.pointee.expCmdSN < cmdSN && cmdSN <= session.pointee.maxCmdSN { return .refused }
        statistics.dropped &+= 1
        return .dropped
    }

    /// `admit`, answering a gap with a Reject.
    @inline(__always) mutating func isAdmitted(_ index: Int, _ header: UnsafeRawPointer) -> Bool {
        switch admit(index, BasicHeaderSegment(header)) {
        case .accepted: return true
        case .dropped: return false
        case .refused:
            reject(index, header, .protocolError)
            return false
        }
    }

    /// A SCSI Command whose header, with additional segments, is complete (RFC 7143 §11.3).
    mutating func scsiCommand(_ index: Int, _ header: UnsafeRawPointer) {
        let pdu = SCSICommandPDU(decoding: header)
        beginSegment(index, header, slot: -1, endsSequence: false)
        if !isAdmitted(index, header) { return }
        if let reason = violation(index, pdu, header) {
            reject(index, header, reason)
            return
        }
        if let code = unsolicitedDataFault(index, pdu) {
            respond(index, pdu, .checkCondition, code)
            return
        }
        guard let slot = commands.take() else {
            statistics.slotsExhausted &+= 1
            respond(index, pdu, .taskSetFull, 0)
            return
        }
        fill(slot, index, pdu)
        tasks.set(taskKey(connections[index].session, pdu.initiatorTaskTag), UInt32(slot))
        let session = sessions.pointer(Int(connections[index].session))
        session.pointee.outstanding += 1
        session.pointee.commands &+= 1
        statistics.commands &+= 1
        indicate(slot, index, pdu, header)
        if pdu.dataSegmentLength > 0 { connections[index].segment.slot = Int32(truncatingIfNeeded: slot) }
    }

    /// What makes a SCSI Command unacceptable as a PDU, nil when nothing does.
    mutating func violation(_ index: Int, _ pdu: SCSICommandPDU, _ header: UnsafeRawPointer) -> RejectReason? {
        if sessions.pointer(Int(connections[index].session)).pointee.discovery { return .protocolError }
        if pdu.initiatorTaskTag == Tag.none { return .protocolError }
        if let other = tasks[taskKey(connections[index].session, pdu.initiatorTaskTag)], !forget(Int(other)) {
            return .taskInProgress
        }
        if pdu.attribute > 4 { return .invalidPDUField }
        // Bidirectional commands are not supported (RFC 7143 §11.2.2.3 gives them an additional header segment).
        if pdu.read && pdu.write { return .invalidPDUField }
        if pdu.dataSegmentLength > 0 && !pdu.write { return .invalidPDUField }
        if pdu.totalAHSLength > 0 && extendedCDB(header) == nil { return .invalidPDUField }
        return nil
    }

    /// Unsolicited data that was not negotiated, or more than was: additional sense code and qualifier.
    mutating func unsolicitedDataFault(_ index: Int, _ pdu: SCSICommandPDU) -> UInt16? {
        if !pdu.write { return nil }
        let parameters = connections[index].parameters
        let limit = min(parameters.firstBurstLength, pdu.expectedDataTransferLength)
        if pdu.dataSegmentLength > 0 && !parameters.immediateData { return TransportSense.unexpectedUnsolicitedData }
        if pdu.dataSegmentLength > limit { return TransportSense.incorrectAmountOfData }
        if !pdu.final && parameters.initialR2T { return TransportSense.unexpectedUnsolicitedData }
        return nil
    }

    /// The Extended CDB (RFC 7143 §11.2.2.4): where its bytes are, nil when the additional header segments are
    /// malformed, of another kind, or longer than the 32 bytes of a CDB allow.
    private mutating func extendedCDB(_ header: UnsafeRawPointer) -> UnsafeRawBufferPointer? {
        let total = BasicHeaderSegment(header).additionalLength
        let start = header + Field.headerLength
        // AHSLength counts the bytes after AHSType, a reserved one first.
        let length = Int(start.big16(0))
        if start.byte(2) & 0x3F != 1 || length < 2 || length > 17 { return nil }
        if BasicHeaderSegment.padded(length + 3) != total { return nil }
        return UnsafeRawBufferPointer(start: start + 4, count: length - 1)
    }

    mutating func fill(_ slot: Int, _ index: Int, _ pdu: SCSICommandPDU) {
        let command = commands.pointer(slot)
        let length = pdu.expectedDataTransferLength
        let generation = command.pointee.generation
        command.pointee = CommandSlot()
        command.pointee.generation = generation
        command.pointee.state = .active
        command.pointee.connection = Int32(truncatingIfNeeded: index)
        command.pointee.initiatorTaskTag = pdu.initiatorTaskTag
        command.pointee.lun = pdu.lun
        command.pointee.dataInLength = pdu.read ? length : 0
        command.pointee.dataOutLength = pdu.write ? length : 0
        let end = pdu.write ? min(connections[index].parameters.firstBurstLength, length) : 0
        command.pointee.unsolicitedEnd = end
        // Immediate data that fill the first burst leave nothing to come unsolicited.
        command.pointee.unsolicitedOpen = pdu.write && !pdu.final && pdu.dataSegmentLength < end
    }

    mutating func indicate(_ slot: Int, _ index: Int, _ pdu: SCSICommandPDU, _ header: UnsafeRawPointer) {
        let command = commands.pointer(slot)
        var cdb = CDB(sixteen: header + Field.cdb)
        if pdu.totalAHSLength > 0, let extended = extendedCDB(header) {
            withUnsafeMutableBytes(of: &cdb.bytes) { bytes in
                UnsafeMutableRawBufferPointer(rebasing: bytes[16...]).copyMemory(from: extended)
            }
        }
        indications.append(.commandReceived(SCSICommand(
            handle: CommandHandle(slot: slot, generation: command.pointee.generation),
            nexus: NexusIndex(UInt16(truncatingIfNeeded: connections[index].session)),
            attribute: Self.attribute(pdu.attribute), lun: pdu.lun, cdb: cdb,
            dataInLength: command.pointee.dataInLength, dataOutLength: command.pointee.dataOutLength)))
    }

    /// ATTR of RFC 7143 §11.3.1; untagged commands are treated as simple ones.
    private static func attribute(_ value: UInt8) -> TaskAttribute {
        switch value {
        case 2: .ordered
        case 3: .headOfQueue
        case 4: .aca
        default: .simple
        }
    }

    /// Gives a slot back. Late words about the command carry the old generation.
    mutating func free(_ slot: Int) {
        let command = commands.pointer(slot)
        let index = Int(command.pointee.connection)
        if index >= 0 && connections[index].segment.active && Int(connections[index].segment.slot) == slot {
            connections[index].segment.slot = -1
            makeRunnable(index)
        }
        if command.pointee.ordered { forgetRecovery(slot) }
        command.pointee.state = .free
        command.pointee.connection = -1
        command.pointee.generation &+= 1
        commands.giveBack(slot)
    }
}
