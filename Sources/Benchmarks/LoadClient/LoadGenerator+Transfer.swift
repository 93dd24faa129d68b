import Glibc

// Commands and their data on the wire.
extension LoadGenerator {
    /// Queues a SCSI command with the data that may go with it unasked (RFC 7143 §4.2.4.2).
    @inline(__always)
    mutating func send(_ number: Int32, _ session: UnsafeMutablePointer<Session>, _ now: UInt64) {
        let command = commands[Int(number)]
        commands[Int(number)].session = session.pointee.index
        commands[Int(number)].received = 0
        if session.pointee.outstanding == 0 { session.pointee.heardAt = now }
        session.pointee.outstanding += 1
        let header = session.pointee.nextHeader()
        header.put(0, Opcode.scsiCommand)
        header.putLUN(session.pointee.lun)
        header.put32(16, UInt32(bitPattern: number))
        header.put32(20, UInt32(truncatingIfNeeded: options.blockSize))
        header.put32(24, session.pointee.commandSequence)
        header.put32(28, session.pointee.expectedStatus)
        session.pointee.commandSequence &+= 1
        putTransfer(
            header, write: command.isWrite, block: command.sector &* 512 / unitBlockLength,
            blocks: UInt32(truncatingIfNeeded: UInt64(options.blockSize) / unitBlockLength))
        guard command.isWrite else {
            header.put(1, 0x80 | 0x40 | 1)
            session.pointee.queue(data: nil, count: 0)
            return
        }
        let size = options.blockSize
        let immediate =
            session.pointee.immediateData ? min(size, session.pointee.firstBurst, session.pointee.targetReceive) : 0
        let unsolicited = session.pointee.initialR2T ? immediate : min(size, session.pointee.firstBurst)
        header.put(1, (unsolicited == immediate ? 0x80 : 0) | 0x20 | 1)
        session.pointee.queue(data: buffer(number), count: immediate)
        if unsolicited > immediate { sendData(number, session, immediate..<unsolicited, transferTag: noTag) }
    }

    /// Queues the Data-Out PDUs of one sequence.
    mutating func sendData(
        _ number: Int32, _ session: UnsafeMutablePointer<Session>, _ range: Range<Int>, transferTag: UInt32
    ) {
        var at = range.lowerBound
        var dataSequence: UInt32 = 0
        while at < range.upperBound {
            let count = min(session.pointee.targetReceive, range.upperBound - at)
            let header = session.pointee.nextHeader()
            header.put(0, Opcode.dataOut)
            header.put(1, at + count == range.upperBound ? 0x80 : 0)
            header.putLUN(session.pointee.lun)
            header.put32(16, UInt32(bitPattern: number))
            header.put32(20, transferTag)
            header.put32(28, session.pointee.expectedStatus)
            header.put32(36, dataSequence)
            header.put32(40, UInt32(truncatingIfNeeded: at))
            session.pointee.queue(data: buffer(number) + at, count: count)
            at += count
            dataSequence &+= 1
        }
    }

    /// Receives once and handles every whole PDU; false: the connection is lost.
    @inline(__always)
    mutating func receive(_ session: UnsafeMutablePointer<Session>, _ now: UInt64) -> Bool {
        let discarding = session.pointee.discard > 0
        let flags = Int32(MSG_DONTWAIT) | (discarding ? Int32(MSG_TRUNC) : 0)
        // Large data that nobody looks at is thrown away by the kernel, uncopied: then headers come in small pieces.
        // Otherwise not too much at once: answering the first commands while the target still sends the others keeps
        // both sides busy.
        let small = mayDiscard && options.blockSize >= 16384 ? 4096 : 65536
        let room = session.pointee.inputCapacity - session.pointee.end
        let wanted = discarding ? min(session.pointee.discard, room) : min(room, small)
        let count = recv(session.pointee.descriptor, session.pointee.input + session.pointee.end, wanted, flags)
        if count <= 0 {
            if count < 0, errno == EAGAIN || errno == EINTR { return true }
            lose(session, now, count == 0 ? "closed by the target" : String(cString: strerror(errno)))
            return false
        }
        session.pointee.heardAt = now
        if discarding {
            session.pointee.discard -= count
            guard session.pointee.discard == 0 else { return true }
            let held = UnsafeRawPointer(session.pointee.held)
            return handle(session, held, nil, held.big24(5), now)
        }
        session.pointee.end += count
        return parse(session, now)
    }

    /// Data-In of this run need not be copied out of the kernel.
    private var mayDiscard: Bool { !options.verify && !options.dataDigest }

    @inline(__always)
    private mutating func parse(_ session: UnsafeMutablePointer<Session>, _ now: UInt64) -> Bool {
        while session.pointee.end - session.pointee.start >= headerLength {
            let header = UnsafeRawPointer(session.pointee.input + session.pointee.start)
            let available = session.pointee.end - session.pointee.start
            let full = session.pointee.phase.rawValue > Session.Phase.login.rawValue
            let digest = full && session.pointee.headerDigest ? 4 : 0
            let headerBytes = headerLength + Int(header.byte(4)) * 4 + digest
            let count = header.big24(5)
            let padded = (count + 3) & ~3
            let tail = full && session.pointee.dataDigest && count > 0 ? 4 : 0
            let whole = headerBytes + padded + tail
            guard whole <= session.pointee.inputCapacity else {
                lose(session, now, "a data segment of \(count) bytes, more than MaxRecvDataSegmentLength")
                return false
            }
            guard available >= whole else {
                if mayDiscard, available >= headerBytes, whole - available >= 8192,
                    header.byte(0) & 0x3F == Opcode.dataIn {
                    memcpy(session.pointee.held, header, headerLength)
                    session.pointee.discard = whole - available
                    session.pointee.start = session.pointee.end
                }
                break
            }
            if digest + tail > 0, !digestsAgree(header, headerBytes, digest, padded, tail) {
                tally.digestErrors += 1
                lose(session, now, "a digest does not agree with its bytes")
                return false
            }
            session.pointee.start += whole
            guard handle(session, header, header + headerBytes, count, now) else { return false }
        }
        let rest = session.pointee.end - session.pointee.start
        if rest > 0, session.pointee.start > 0 {
            memmove(session.pointee.input, session.pointee.input + session.pointee.start, rest)
        }
        session.pointee.start = 0
        session.pointee.end = rest
        return true
    }

    private func digestsAgree(
        _ header: UnsafeRawPointer, _ headerBytes: Int, _ digest: Int, _ padded: Int, _ tail: Int
    ) -> Bool {
        if digest > 0 {
            let stored = header.loadUnaligned(fromByteOffset: headerBytes - 4, as: UInt32.self)
            if UInt32(littleEndian: stored) != crc32c(header, headerBytes - 4) { return false }
        }
        if tail > 0 {
            let stored = header.loadUnaligned(fromByteOffset: headerBytes + padded, as: UInt32.self)
            if UInt32(littleEndian: stored) != crc32c(header + headerBytes, padded) { return false }
        }
        return true
    }
}
