import ISCSIFormats
import Primitives
import SAM

// SCSI Commands of ordered sessions. Their immediate and unsolicited data are collected before anything looks at them,
// so that a PDU whose digest is wrong has never been there, and a parser never waits for the device server.

extension ISCSITarget {
    /// Begins to collect the data segment of a SCSI Command, or of an unsolicited Data-Out.
    mutating func beginDraft(_ index: Int, _ header: BasicHeaderSegment) {
        let c = connections + index
        let length = header.dataSegmentLength
        let headerLength = min(Field.headerLength + header.additionalLength, Sizes.headerCopy)
        c.pointee.headerCopy.copyMemory(from: header.base, byteCount: headerLength)
        pool.removeAll(&c.pointee.draft)
        let hasDigest = c.pointee.parameters.dataDigest
        var segment = IncomingSegment()
        segment.active = true
        segment.remaining = length
        segment.trailer = BasicHeaderSegment.padded(length) - length + (hasDigest ? 4 : 0)
        segment.hasDigest = hasDigest
        segment.isDraft = true
        c.pointee.segment = segment
    }

    /// Adds received bytes to the draft; false: there is no room, and the connection is at its end.
    mutating func collect(_ index: Int, _ count: Int) -> Bool {
        let c = connections + index
        if !pool.hasRoom(count) {
            fail(index, .outOfOrder)
            return false
        }
        pool.append(&c.pointee.draft, c.pointee.start, count)
        return true
    }

    /// The data segment of a draft is complete.
    mutating func draftEnded(_ index: Int, isDamaged: Bool) {
        let c = connections + index
        let header = UnsafeRawPointer(c.pointee.headerCopy)
        if isDamaged {
            statistics.digestErrors &+= 1
            pool.removeAll(&c.pointee.draft)
            reject(index, header, .dataDigestError)
        }
        if BasicHeaderSegment(header).opcode == .dataOut {
            unsolicitedEnded(index, DataOutPDU(decoding: header), isDamaged: isDamaged)
            return
        }
        // What is discarded for its digest can come again only above ErrorRecoveryLevel 0 (RFC 7143 §7.8, §7.2.1);
        // else the command gets its answer, so that the order goes on behind it.
        if isDamaged && c.pointee.retains { return }
        var arrival = Arrival()
        if isDamaged { arrival.fault = TransportSense.protocolServiceCRCError }
        enter(index, header, UnsafeRawBufferPointer(start: nil, count: 0), arrival)
    }

    /// A SCSI Command whose turn has come, with its data in the connection's draft.
    mutating func orderedCommand(_ index: Int, _ header: UnsafeRawPointer, _ arrival: Arrival) {
        let pdu = SCSICommandPDU(decoding: header)
        if !isAdmitted(index, header) { return }
        if let reason = violation(index, pdu, header) {
            reject(index, header, reason)
        } else if let code = arrival.fault != 0 ? arrival.fault : unsolicitedDataFault(index, pdu) {
            respond(index, pdu, .checkCondition, code)
        } else if let slot = commands.take() {
            begin(slot, index, pdu, arrival)
            indicate(slot, index, pdu, header)
        } else {
            statistics.slotsExhausted &+= 1
            respond(index, pdu, .taskSetFull, 0)
        }
        pool.removeAll(&connections[index].draft)
    }

    private mutating func begin(_ slot: Int, _ index: Int, _ pdu: SCSICommandPDU, _ arrival: Arrival) {
        let c = connections + index
        let command = commands.pointer(slot)
        fill(slot, index, pdu)
        command.pointee.ordered = true
        command.pointee.retains = c.pointee.retains
        var kept = RecoverySlot()
        kept.session = c.pointee.session
        kept.cid = c.pointee.cid
        swap(&kept.staged, &c.pointee.draft)
        kept.stagedEnd = UInt32(truncatingIfNeeded: kept.staged.count)
        kept.isBroken = arrival.isBroken
        kept.isPreemptAndAbort = pdu.cdb[0] == 0x5F && pdu.cdb[1] & 0x1F == 5
        recovery[slot] = kept
        command.pointee.outDataSN = arrival.outDataSN
        command.pointee.unsolicitedOpen =
            pdu.write && !pdu.final && !arrival.isClosed && kept.stagedEnd < command.pointee.unsolicitedEnd
        tasks.set(taskKey(c.pointee.session, pdu.initiatorTaskTag), UInt32(slot))
        let session = sessions.pointer(Int(c.pointee.session))
        session.pointee.outstanding += 1
        session.pointee.commands &+= 1
        statistics.commands &+= 1
    }

    /// Gives the device server's run what has been collected for it, and asks for what is missing.
    mutating func feedStaged(_ slot: Int) {
        let command = commands.pointer(slot)
        if !command.pointee.accepting || !command.pointee.outActive { return }
        let kept = recovery + slot
        while !kept.pointee.staged.isEmpty && command.pointee.outPosition < command.pointee.outEnd {
            let at = Int(command.pointee.outPosition &- command.pointee.outStart)
            let piece = command.pointee.outRun.piece(at: at, frames: frames, lists: lists)
            let left = Int(command.pointee.outEnd &- command.pointee.outPosition)
            let count = min(piece.count, min(kept.pointee.staged.count, left))
            pool.copy(kept.pointee.staged, at: 0, count, to: piece.base)
            pool.drop(&kept.pointee.staged, count)
            command.pointee.outPosition &+= UInt32(truncatingIfNeeded: count)
        }
        if command.pointee.outPosition == command.pointee.outEnd {
            finishRun(slot)
        } else {
            solicit(slot)
        }
    }
}
