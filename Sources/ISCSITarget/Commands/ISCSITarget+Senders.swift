import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// The command has something to send: it is done now if nobody is before it and there is room, else in its turn.
    mutating func wantToSend(_ slot: Int) {
        let command = commands.pointer(slot)
        let index = Int(command.pointee.connection)
        if index < 0 { return }
        let c = connections + index
        if !command.pointee.queued {
            command.pointee.queued = true
            command.pointee.next = -1
            if c.pointee.lastSender >= 0 {
                commands.pointer(Int(c.pointee.lastSender)).pointee.next = Int32(truncatingIfNeeded: slot)
            } else {
                c.pointee.firstSender = Int32(truncatingIfNeeded: slot)
            }
            c.pointee.lastSender = Int32(truncatingIfNeeded: slot)
        }
        if Int(c.pointee.firstSender) == slot || c.pointee.isFenced { serveSenders(index) }
    }

    /// Sends for the commands of a connection in their order, as long as there is room.
    mutating func serveSenders(_ index: Int) {
        let c = connections + index
        if c.pointee.isFenced {
            serveFenced(index)
            return
        }
        while c.pointee.firstSender >= 0 {
            let slot = Int(c.pointee.firstSender)
            let command = commands.pointer(slot)
            if !serve(index, slot) { return }
            c.pointee.firstSender = command.pointee.next
            if c.pointee.firstSender < 0 { c.pointee.lastSender = -1 }
            command.pointee.queued = false
            command.pointee.next = -1
            if command.pointee.state == .responded && !command.pointee.inActive { free(slot) }
        }
    }

    /// Sends for one command, wherever it is in its connection's list; false when there was no room for all of it.
    mutating func serveOne(_ index: Int, _ slot: Int) -> Bool {
        if !serve(index, slot) { return false }
        stopSending(slot)
        let command = commands.pointer(slot)
        if command.pointee.state == .responded && !command.pointee.inActive { free(slot) }
        return true
    }

    /// Takes a command out of the list of those who send.
    mutating func stopSending(_ slot: Int) {
        let command = commands.pointer(slot)
        let index = Int(command.pointee.connection)
        if !command.pointee.queued || index < 0 { return }
        let c = connections + index
        command.pointee.queued = false
        var before = -1
        var at = Int(c.pointee.firstSender)
        while at >= 0 && at != slot {
            before = at
            at = Int(commands.pointer(at).pointee.next)
        }
        if at < 0 { return }
        if before < 0 {
            c.pointee.firstSender = command.pointee.next
        } else {
            commands.pointer(before).pointee.next = command.pointee.next
        }
        if Int(c.pointee.lastSender) == slot { c.pointee.lastSender = Int32(truncatingIfNeeded: before) }
        command.pointee.next = -1
    }

    mutating func hasSenderRoom(_ index: Int) -> Bool {
        connections[index].output.hasRoom(
            bytes: Sizes.controlReserve + Sizes.commandPDU, entries: Sizes.controlEntries)
    }

    /// Sends what one command has to send; false when there was no room for all of it.
    private mutating func serve(_ index: Int, _ slot: Int) -> Bool {
        let command = commands.pointer(slot)
        if command.pointee.retains && !serveAgain(index, slot) { return false }
        if command.pointee.r2tWanted {
            if !hasSenderRoom(index) { return false }
            sendReadyToTransfer(index, slot)
        }
        while command.pointee.inActive && command.pointee.inQueued < command.pointee.inLength {
            if !hasSenderRoom(index) { return false }
            if command.pointee.retains { sendRetainedDataIn(index, slot) } else { sendDataInPDU(index, slot) }
        }
        if command.pointee.hasStatus && command.pointee.state != .answered {
            if !hasSenderRoom(index) { return false }
            if command.pointee.retains {
                sendRetainedResponse(index, slot, again: false)
            } else {
                sendResponse(index, slot)
            }
        }
        return true
    }

    /// Ready To Transfer for the next burst (RFC 7143 §11.8), at most MaxBurstLength.
    private mutating func sendReadyToTransfer(_ index: Int, _ slot: Int) {
        let command = commands.pointer(slot)
        guard let base = beginPDU(index, dataLength: 0) else { return }
        let start = command.pointee.outPosition
        let length = min(command.pointee.outEnd - start, connections[index].parameters.maxBurstLength)
        command.pointee.r2tWanted = false
        command.pointee.r2tOutstanding = true
        command.pointee.r2tEnd = start + length
        command.pointee.outDataSN = 0
        if command.pointee.ordered { recovery[slot].r2tStart = start }
        command.pointee.targetTransferTag = transferTag()
        var pdu = ReadyToTransferPDU()
        pdu.lun = command.pointee.lun
        pdu.initiatorTaskTag = command.pointee.initiatorTaskTag
        pdu.targetTransferTag = command.pointee.targetTransferTag
        pdu.serials = serials(index, advance: false)
        pdu.r2tSN = command.pointee.r2tSN
        pdu.bufferOffset = start
        pdu.desiredDataTransferLength = length
        command.pointee.r2tSN &+= 1
        pdu.encode(into: base)
        finishPDU(index, base, dataLength: 0)
    }

    /// A new Target Transfer Tag.
    mutating func transferTag() -> UInt32 {
        nextTransferTag &+= 1
        if nextTransferTag == Tag.none { nextTransferTag = 1 }
        return nextTransferTag
    }

    /// One Data-In of the command's run: at most what the initiator takes in a PDU and in a burst; the status goes
    /// with the last one (RFC 7143 §11.7.1 to §11.7.3).
    private mutating func sendDataInPDU(_ index: Int, _ slot: Int) {
        let c = connections + index
        let command = commands.pointer(slot)
        let position = command.pointee.inQueued
        let inBurst = c.pointee.parameters.maxBurstLength - position % c.pointee.parameters.maxBurstLength
        let count = min(
            command.pointee.inLength - position, c.pointee.parameters.initiatorMaxRecvDataSegmentLength, inBurst)
        let last = position + count == command.pointee.inLength
        let withStatus = last && command.pointee.inFinal && !command.pointee.hasStatus
        if withStatus { taskIsOver(slot) }
        let base = c.pointee.output.append(bytes: Field.headerLength + (c.pointee.parameters.headerDigest ? 4 : 0))
        var pdu = DataInPDU()
        pdu.final = last || count == inBurst
        pdu.initiatorTaskTag = command.pointee.initiatorTaskTag
        pdu.serials = serials(index, advance: withStatus)
        pdu.dataSN = command.pointee.inDataSN
        pdu.bufferOffset = command.pointee.inOffset + position
        pdu.dataSegmentLength = count
        if withStatus {
            pdu.hasStatus = true
            pdu.residual = Residual(total: command.pointee.total, expected: command.pointee.expected)
            command.pointee.state = .responded
        } else {
            pdu.serials.statSN = 0
        }
        pdu.encode(into: base)
        if c.pointee.parameters.headerDigest { putDigest(Checksum.crc32c(base, Field.headerLength), base + 48) }
        command.pointee.inDataSN &+= 1
        command.pointee.inQueued = position + count
        c.pointee.output.append(payload: slot, position: position, length: count, last: last)
        appendTrailer(c, command.pointee.inRun, Int(position), Int(count))
        sent(index)
    }

    /// Padding and digest of a Data-In.
    mutating func appendTrailer(
        _ c: UnsafeMutablePointer<Connection>, _ run: PageRun, _ position: Int, _ count: Int
    ) {
        let padding = BasicHeaderSegment.padded(count) - count
        let digest = c.pointee.parameters.dataDigest
        if padding == 0 && !digest { return }
        let base = c.pointee.output.append(bytes: padding + (digest ? 4 : 0))
        for place in 0..<padding { base.put(byte: 0, place) }
        if !digest { return }
        var crc: UInt32 = ~0
        var done = 0
        while done < count {
            let piece = run.piece(at: position + done, frames: frames, lists: lists)
            let length = min(piece.count, count - done)
            crc = Checksum.extend(crc, piece.base, length)
            done += length
        }
        putDigest(~Checksum.extend(crc, base, padding), base + padding)
    }

    /// SCSI Response (RFC 7143 §11.4); the command is over with it.
    private mutating func sendResponse(_ index: Int, _ slot: Int) {
        let command = commands.pointer(slot)
        let dataLength = senseSegmentLength(slot)
        guard let base = beginPDU(index, dataLength: dataLength) else { return }
        taskIsOver(slot)
        var pdu = SCSIResponsePDU()
        pdu.status = command.pointee.status.rawValue
        pdu.residual = Residual(total: command.pointee.total, expected: command.pointee.expected)
        pdu.initiatorTaskTag = command.pointee.initiatorTaskTag
        pdu.serials = serials(index, advance: true)
        pdu.expDataSN = command.pointee.inDataSN
        pdu.dataSegmentLength = UInt32(truncatingIfNeeded: dataLength)
        pdu.encode(into: base)
        if dataLength > 0 { putSense(slot, dataSegment(index, base), dataLength - 2) }
        finishPDU(index, base, dataLength: dataLength)
        if command.pointee.deliversWithResponse {
            indications.append(.dataInDelivered(CommandHandle(slot: slot, generation: command.pointee.generation)))
        }
        command.pointee.state = .responded
        command.pointee.inActive = false
    }

    /// Bytes of a command's sense data with the length before them; 0: it has none.
    @inline(__always) mutating func senseSegmentLength(_ slot: Int) -> Int {
        let command = commands.pointer(slot)
        if command.pointee.failure != 0 { return FixedSense.length + 2 }
        let length = min(Int(command.pointee.sense.count), Sizes.sense)
        return length > 0 ? length + 2 : 0
    }

    /// Writes `length` bytes of sense data, and their length before them.
    @inline(__always) mutating func putSense(_ slot: Int, _ data: UnsafeMutableRawPointer, _ length: Int) {
        let command = commands.pointer(slot)
        data.put(big16: UInt16(truncatingIfNeeded: length), 0)
        if command.pointee.failure != 0 {
            FixedSense.encode(key: TransportSense.key, code: command.pointee.failure, into: data + 2)
        } else {
            let piece = command.pointee.sense.piece(at: 0, frames: frames, lists: lists)
            (data + 2).copyMemory(from: piece.base, byteCount: min(length, piece.count))
        }
    }

    /// A SCSI Response for a command that gets no slot. The parser has seen to it that there is room.
    mutating func respond(_ index: Int, _ command: SCSICommandPDU, _ status: Status, _ failure: UInt16) {
        let dataLength = failure != 0 ? FixedSense.length + 2 : 0
        guard let base = beginPDU(index, dataLength: dataLength) else { return }
        let expected = command.read || command.write ? command.expectedDataTransferLength : 0
        var pdu = SCSIResponsePDU()
        pdu.status = status.rawValue
        pdu.residual = Residual(total: 0, expected: expected)
        pdu.initiatorTaskTag = command.initiatorTaskTag
        pdu.serials = serials(index, advance: true)
        pdu.dataSegmentLength = UInt32(truncatingIfNeeded: dataLength)
        pdu.encode(into: base)
        if failure != 0 {
            let data = dataSegment(index, base)
            data.put(big16: UInt16(FixedSense.length), 0)
            FixedSense.encode(key: TransportSense.key, code: failure, into: data + 2)
        }
        finishPDU(index, base, dataLength: dataLength)
    }
}

/// Fixed-format sense data (SPC-5 §4.4.3) for the few conditions that the transport reports itself.
enum FixedSense {
    static let length = 18

    static func encode(key: UInt8, code: UInt16, into base: UnsafeMutableRawPointer) {
        for place in 0..<length { base.put(byte: 0, place) }
        base.put(byte: 0x70, 0)
        base.put(byte: key, 2)
        base.put(byte: UInt8(length - 8), 7)
        base.put(big16: code, 12)
    }
}
