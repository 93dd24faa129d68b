import Glibc

// What the target says.
extension LoadGenerator {
    /// Handles one PDU; `data` is nil when it was discarded. False: the connection is lost.
    @inline(__always)
    mutating func handle(
        _ session: UnsafeMutablePointer<Session>, _ header: UnsafeRawPointer, _ data: UnsafeRawPointer?, _ count: Int,
        _ now: UInt64
    ) -> Bool {
        let maximum = header.big32(32)
        if Int32(bitPattern: maximum &- session.pointee.maximumSequence) > 0 {
            session.pointee.maximumSequence = maximum
        }
        switch header.byte(0) & 0x3F {
        case Opcode.dataIn: return dataIn(session, header, data, count, now)
        case Opcode.scsiResponse:
            session.pointee.expectedStatus = header.big32(24) &+ 1
            guard header.byte(2) == 0 else {
                lose(session, now, "SCSI Response with response code \(header.byte(2))")
                return false
            }
            return completed(session, header.big32(16), header.byte(3), data, count, now)
        case Opcode.readyToTransfer: return readyToTransfer(session, header, now)
        default: return handleOther(session, header, data, count, now)
        }
    }

    @inline(__always)
    private mutating func dataIn(
        _ session: UnsafeMutablePointer<Session>, _ header: UnsafeRawPointer, _ data: UnsafeRawPointer?, _ count: Int,
        _ now: UInt64
    ) -> Bool {
        let tag = header.big32(16)
        let offset = Int(header.big32(40))
        if tag == capacityTag {
            if let data, count >= 12, offset == 0 {
                session.pointee.lastBlock = data.big64(0)
                session.pointee.blockLength = UInt64(data.big32(8))
            }
        } else {
            guard let number = own(tag, session), !commands[Int(number)].isWrite,
                offset <= options.blockSize, count <= options.blockSize - offset
            else {
                lose(session, now, "Data-In for no read of ours: tag \(tag) offset \(offset) length \(count)")
                return false
            }
            if bufferStride > 0, let data { memcpy(buffer(number) + offset, data, count) }
            commands[Int(number)].received += count
        }
        guard header.byte(1) & 1 != 0 else { return true }
        session.pointee.expectedStatus = header.big32(24) &+ 1
        return completed(session, tag, header.byte(3), nil, 0, now)
    }

    /// The number of a command that this session has under way.
    @inline(__always)
    private func own(_ tag: UInt32, _ session: UnsafeMutablePointer<Session>) -> Int32? {
        guard Int(tag) < commandCount, commands[Int(tag)].session == session.pointee.index else { return nil }
        return Int32(bitPattern: tag)
    }

    private mutating func readyToTransfer(
        _ session: UnsafeMutablePointer<Session>, _ header: UnsafeRawPointer, _ now: UInt64
    ) -> Bool {
        let offset = Int(header.big32(40))
        let length = Int(header.big32(44))
        guard let number = own(header.big32(16), session), commands[Int(number)].isWrite, length > 0,
            offset <= options.blockSize, length <= options.blockSize - offset,
            session.pointee.roomForUnits > length / session.pointee.targetReceive + 1
        else {
            lose(session, now, "R2T that no write of ours needs: offset \(offset) length \(length)")
            return false
        }
        sendData(number, session, offset..<offset + length, transferTag: header.big32(20))
        return true
    }

    @inline(__always)
    private mutating func completed(
        _ session: UnsafeMutablePointer<Session>, _ tag: UInt32, _ status: UInt8, _ data: UnsafeRawPointer?,
        _ count: Int, _ now: UInt64
    ) -> Bool {
        if tag == capacityTag { return sized(session, verdict(status: status, sense: data, count: count), now) }
        guard let number = own(tag, session) else {
            lose(session, now, "an answer for no command of ours: tag \(tag)")
            return false
        }
        session.pointee.outstanding -= 1
        commands[Int(number)].session = -1
        if status == 0 {
            succeeded(number, now)
            if session.pointee.phase == .leaving, session.pointee.outstanding == 0 {
                lose(session, now, "left, as the target asked")
                return false
            }
            return true
        }
        return failed(session, number, verdict(status: status, sense: data, count: count), now)
    }

    @inline(__always)
    private mutating func succeeded(_ number: Int32, _ now: UInt64) {
        let command = commands[Int(number)]
        if !command.isWrite, command.received != options.blockSize {
            tally.complain("sector \(command.sector): \(command.received) bytes came with GOOD", errors: 1)
        }
        if let table, let busy {
            if command.isWrite {
                table.didWrite(first: command.sector, count: blockSectors, sequence: command.sequence)
            } else if command.received == options.blockSize,
                let mismatch = table.compare(buffer(number), first: command.sector, count: blockSectors) {
                tally.complain(mismatch, mismatches: 1)
            }
            busy[Int(command.sector) / blockSectors] = 0
        }
        free.push(number, in: commands)
        inFlight -= 1
        if work == .checking || work == .resolving { tally.blocksChecked += 1 }
        if tally.completed(command.isWrite, now) { histogram.record(now &- command.begun) }
    }

    private mutating func failed(
        _ session: UnsafeMutablePointer<Session>, _ number: Int32, _ verdict: Verdict, _ now: UInt64
    ) -> Bool {
        switch verdict {
        case .good, .again:
            tally.retries += 1
            delayed.push(number, in: commands)
        case .otherPath:
            tally.retries += 1
            delayed.push(number, in: commands)
            if options.failOver, paths.count > 1 {
                lose(session, now, "the path is not active")
                return false
            }
        case .refused(let key, let code, let qualifier):
            let command = commands[Int(number)]
            let kind = command.isWrite ? "write" : "read"
            func hex(_ byte: UInt8) -> String { String(byte, radix: 16) }
            tally.complain(
                "\(kind) at sector \(command.sector) refused: sense key \(hex(key)) code \(hex(code)) "
                    + "qualifier \(hex(qualifier))", errors: 1)
            // The fate of a refused write is unknown: its block stays untouched for the rest of this run.
            if let busy, !command.isWrite { busy[Int(command.sector) / blockSectors] = 0 }
            free.push(number, in: commands)
            inFlight -= 1
        }
        return true
    }

    private mutating func handleOther(
        _ session: UnsafeMutablePointer<Session>, _ header: UnsafeRawPointer, _ data: UnsafeRawPointer?, _ count: Int,
        _ now: UInt64
    ) -> Bool {
        switch header.byte(0) & 0x3F {
        case Opcode.loginResponse:
            return loginAnswered(session, header, UnsafeRawBufferPointer(start: data, count: count), now)
        case Opcode.nopIn:
            guard header.big32(20) != noTag else { return true }
            let answer = session.pointee.nextHeader()
            answer.put(0, Opcode.nopOut | Opcode.immediate)
            answer.put(1, 0x80)
            answer.put64(8, header.big64(8))
            answer.put32(16, noTag)
            answer.put32(20, header.big32(20))
            answer.put32(24, session.pointee.commandSequence)
            answer.put32(28, session.pointee.expectedStatus)
            session.pointee.queue(data: nil, count: 0)
            return true
        case Opcode.asyncMessage: return asyncMessage(session, header, now)
        case Opcode.reject: lose(session, now, "Reject, reason \(header.byte(2)) (RFC 7143 §11.17.1)")
        default: lose(session, now, "a PDU of unknown opcode \(header.byte(0) & 0x3F)")
        }
        return false
    }

    /// RFC 7143 §11.9: 0 is sense data, 1 asks for logout, 2 and 3 drop connections, 4 asks for negotiation.
    private mutating func asyncMessage(
        _ session: UnsafeMutablePointer<Session>, _ header: UnsafeRawPointer, _ now: UInt64
    ) -> Bool {
        session.pointee.expectedStatus = header.big32(24) &+ 1
        switch header.byte(36) {
        case 1 where session.pointee.outstanding > 0:
            session.pointee.phase = .leaving
            session.pointee.leaveAt = now + UInt64(max(header.big16(42), 1)) * 1_000_000_000
            return true
        case 1, 2, 3:
            lose(session, now, "the target asked us to leave")
            return false
        default: return true
        }
    }
}
