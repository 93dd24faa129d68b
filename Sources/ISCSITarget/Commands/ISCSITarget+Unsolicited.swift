import ISCSIFormats
import Primitives

// Data-Out of ordered sessions. Unsolicited data are collected, for commands that are held too; solicited ones go to
// their pages. Above ErrorRecoveryLevel 0 a gap is not the end of a task: the rest of the sequence is dropped, and
// asked for anew by a recovery R2T when the sequence is over (RFC 7143 §7.8, §11.8).

extension ISCSITarget {
    /// A SCSI Data-Out whose header is complete.
    mutating func orderedDataOut(_ index: Int, _ header: UnsafeRawPointer) {
        let pdu = DataOutPDU(decoding: header)
        let key = taskKey(connections[index].session, pdu.initiatorTaskTag)
        if pdu.targetTransferTag != Tag.none || BasicHeaderSegment(header).additionalLength > 0 {
            dataOut(index, header)
        } else if let place = heldTasks[key], Int(held[Int(place)].connection) == index {
            heldDataOut(index, header, Int(place), pdu)
        } else if let slot = tasks[key], commands.pointer(Int(slot)).pointee.ordered,
            commands.pointer(Int(slot)).pointee.accepting, commands.pointer(Int(slot)).pointee.dataOutLength > 0,
            Int(commands.pointer(Int(slot)).pointee.connection) == index {
            commandDataOut(index, header, Int(slot), pdu)
        } else {
            dataOut(index, header)
        }
    }

    /// Unsolicited data of a command that waits for its turn.
    private mutating func heldDataOut(_ index: Int, _ header: UnsafeRawPointer, _ place: Int, _ pdu: DataOutPDU) {
        let entry = held[place]
        let command = SCSICommandPDU(decoding: heldHeaders + place * Sizes.headerCopy)
        let first = connections[index].parameters.firstBurstLength
        let limit = min(first, command.expectedDataTransferLength)
        let end = UInt64(pdu.bufferOffset) + UInt64(pdu.dataSegmentLength)
        let isRight = pdu.dataSN == entry.arrival.outDataSN && Int(pdu.bufferOffset) == entry.data.count
        beginSegment(index, header, slot: -1, endsSequence: false)
        if entry.arrival.isClosed || entry.arrival.isBroken || entry.arrival.fault != 0 || command.final {
            if entry.arrival.isBroken && pdu.final { held[place].arrival.isClosed = true }
            return
        }
        if !isRight && connections[index].retains && pdu.dataSN != entry.arrival.outDataSN {
            held[place].arrival.isBroken = true
            held[place].arrival.isClosed = pdu.final
        } else if !isRight || !command.write || end > UInt64(limit) {
            held[place].arrival.fault = TransportSense.incorrectAmountOfData
        } else if pdu.dataSegmentLength == 0 {
            held[place].arrival.outDataSN &+= 1
            held[place].arrival.isClosed = pdu.final
        } else {
            beginDraft(index, BasicHeaderSegment(header))
        }
    }

    /// Unsolicited data of a command that the device server has.
    private mutating func commandDataOut(_ index: Int, _ header: UnsafeRawPointer, _ slot: Int, _ pdu: DataOutPDU) {
        let command = commands.pointer(slot)
        let kept = recovery + slot
        beginSegment(index, header, slot: -1, endsSequence: false)
        let end = UInt64(pdu.bufferOffset) + UInt64(pdu.dataSegmentLength)
        let isNext = pdu.dataSN == command.pointee.outDataSN
        if kept.pointee.isBroken || !isNext && command.pointee.retains && command.pointee.unsolicitedOpen {
            kept.pointee.isBroken = true
            if pdu.final { closeUnsolicited(slot) }
        } else if !command.pointee.unsolicitedOpen {
            failCommand(slot, TransportSense.unexpectedUnsolicitedData)
        } else if !isNext || pdu.bufferOffset != kept.pointee.stagedEnd
            || end > UInt64(command.pointee.unsolicitedEnd)
            || end == UInt64(command.pointee.unsolicitedEnd) && !pdu.final {
            failCommand(slot, TransportSense.incorrectAmountOfData)
        } else if pdu.dataSegmentLength == 0 {
            command.pointee.outDataSN &+= 1
            if pdu.final { closeUnsolicited(slot) }
        } else {
            beginDraft(index, BasicHeaderSegment(header))
        }
    }

    /// A drafted Data-Out is complete: its data join those of its command, if that is still there.
    mutating func unsolicitedEnded(_ index: Int, _ pdu: DataOutPDU, isDamaged: Bool) {
        let c = connections + index
        let key = taskKey(c.pointee.session, pdu.initiatorTaskTag)
        if !pool.hasRoom(c.pointee.draft.count) {
            fail(index, .outOfOrder)
            return
        }
        if let found = heldTasks[key], Int(held[Int(found)].connection) == index {
            let place = Int(found)
            held[place].arrival.outDataSN &+= 1
            if isDamaged && c.pointee.retains { held[place].arrival.isBroken = true }
            if isDamaged && !c.pointee.retains {
                held[place].arrival.fault = TransportSense.protocolServiceCRCError
            }
            if pdu.final { held[place].arrival.isClosed = true }
            pool.move(&c.pointee.draft, to: &held[place].data)
        } else if let found = tasks[key], Int(commands.pointer(Int(found)).pointee.connection) == index {
            joinUnsolicited(index, Int(found), pdu, isDamaged: isDamaged)
        }
        pool.removeAll(&c.pointee.draft)
    }

    private mutating func joinUnsolicited(_ index: Int, _ slot: Int, _ pdu: DataOutPDU, isDamaged: Bool) {
        let command = commands.pointer(slot)
        if command.pointee.accepting && isDamaged && !command.pointee.retains {
            failCommand(slot, TransportSense.protocolServiceCRCError, awaitsData: true)
        }
        if command.pointee.accepting {
            command.pointee.outDataSN &+= 1
            if isDamaged {
                recovery[slot].isBroken = true
            } else {
                recovery[slot].stagedEnd &+= pdu.dataSegmentLength
                pool.move(&connections[index].draft, to: &recovery[slot].staged)
            }
        }
        if pdu.final { closeUnsolicited(slot) } else { feedStaged(slot) }
    }

    /// The last unsolicited data have come.
    mutating func closeUnsolicited(_ slot: Int) {
        let command = commands.pointer(slot)
        command.pointee.unsolicitedOpen = false
        recovery[slot].isBroken = false
        if command.pointee.hasStatus {
            if !expectsData(slot) { wantToSend(slot) }
        } else {
            feedStaged(slot)
        }
    }

    /// Whether a solicited Data-Out may go to its pages. False: it is dropped, as it is of a sequence that has a gap,
    /// or was there before.
    mutating func fitsSequence(_ slot: Int, _ pdu: DataOutPDU) -> Bool {
        let command = commands.pointer(slot)
        if !command.pointee.retains { return true }
        let kept = recovery + slot
        let isBehind = SerialNumber(command.pointee.outDataSN) < SerialNumber(pdu.dataSN)
        if !kept.pointee.isBroken && !isBehind { return pdu.dataSN == command.pointee.outDataSN }
        kept.pointee.isBroken = true
        if pdu.final { endBrokenSequence(slot) }
        return false
    }

    /// The sequence with a gap is over: what it did not bring is asked for again.
    mutating func endBrokenSequence(_ slot: Int) {
        recovery[slot].isBroken = false
        commands.pointer(slot).pointee.r2tOutstanding = false
        solicit(slot)
    }

    /// The data digest of a solicited Data-Out is wrong.
    mutating func dataOutDamaged(_ index: Int, _ slot: Int, _ segment: IncomingSegment) {
        let command = commands.pointer(slot)
        let offset = UnsafeRawPointer(connections[index].headerCopy).big32(Field.bufferOffset)
        let canRewind = command.pointee.outActive && offset >= command.pointee.outStart
            && offset <= command.pointee.outPosition
        if command.pointee.retains && segment.solicited && canRewind {
            command.pointee.outPosition = offset
            if segment.endsSequence { endBrokenSequence(slot) } else { recovery[slot].isBroken = true }
            return
        }
        failCommand(slot, TransportSense.protocolServiceCRCError, awaitsData: true)
    }
}
