import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// Where the next bytes of a stream go; nothing: do not read until `resumeReceive`. A long data segment goes
    /// straight to its pages, followed by its trailer and the next header, so that one read fetches all of them.
    package mutating func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) {
        guard let index = connection(stream) else { return }
        let c = connections + index
        c.pointee.offered = 0
        if c.pointee.state != .inLogin && c.pointee.state != .loggedIn { return }
        if c.pointee.wait != .nothing {
            c.pointee.paused = true
            return
        }
        if c.pointee.segment.remaining > Sizes.directSegment && offerPages(c, into: &vector) { return }
        if c.pointee.head > 0 && (c.pointee.head == c.pointee.tail || c.pointee.tail > Sizes.receiveBuffer / 2) {
            let count = c.pointee.available
            if count > 0 { c.pointee.buffer.copyMemory(from: c.pointee.start, byteCount: count) }
            c.pointee.head = 0
            c.pointee.tail = count
        }
        vector.append(c.pointee.buffer + c.pointee.tail, Sizes.receiveBuffer - c.pointee.tail)
    }

    /// Offers the pages of the segment that is on its way in; false when it has none.
    private mutating func offerPages(_ c: UnsafeMutablePointer<Connection>, into vector: inout ByteVector) -> Bool {
        guard c.pointee.segment.slot >= 0, c.pointee.available == 0 else { return false }
        let command = commands.pointer(Int(c.pointee.segment.slot))
        guard command.pointee.accepting, command.pointee.outActive else { return false }
        let room = Int(command.pointee.outEnd &- command.pointee.outPosition)
        let want = min(room, c.pointee.segment.remaining)
        let from = Int(command.pointee.outPosition &- command.pointee.outStart)
        let before = vector.byteCount
        let all = append(command.pointee.outRun, from, want, to: &vector)
        c.pointee.offered = vector.byteCount - before
        c.pointee.offeredSlot = c.pointee.segment.slot
        c.pointee.head = 0
        c.pointee.tail = 0
        if all && want == c.pointee.segment.remaining {
            vector.append(c.pointee.buffer, c.pointee.segment.trailer + nextHeader(c))
        }
        return true
    }

    private mutating func nextHeader(_ c: UnsafeMutablePointer<Connection>) -> Int {
        Field.headerLength + (c.pointee.parameters.headerDigest ? 4 : 0)
    }

    /// `count` bytes were placed where `receiveTargets` said.
    package mutating func received(_ stream: StreamID, count: Int, at now: Instant) {
        guard let index = connection(stream) else { return }
        let c = connections + index
        if c.pointee.state != .inLogin && c.pointee.state != .loggedIn { return }
        self.now = now
        statistics.bytesReceived &+= UInt64(count)
        c.pointee.lastReceived = now
        c.pointee.ping = nil
        let direct = min(count, c.pointee.offered)
        if direct > 0 { tookDirect(c, direct) }
        c.pointee.offered = 0
        c.pointee.tail += count - direct
        precondition(c.pointee.tail <= Sizes.receiveBuffer, "more was received than was offered")
        parse(index)
    }

    /// Accounts for bytes that went from the stream straight to pages.
    private mutating func tookDirect(_ c: UnsafeMutablePointer<Connection>, _ count: Int) {
        c.pointee.segment.remaining -= count
        guard c.pointee.segment.slot >= 0, c.pointee.segment.slot == c.pointee.offeredSlot else { return }
        let command = commands.pointer(Int(c.pointee.segment.slot))
        if c.pointee.segment.hasDigest && command.pointee.outActive {
            var position = Int(command.pointee.outPosition &- command.pointee.outStart)
            var left = count
            while left > 0 {
                let piece = command.pointee.outRun.piece(at: position, frames: frames, lists: lists)
                let length = min(piece.count, left)
                c.pointee.segment.crc = Checksum.extend(c.pointee.segment.crc, piece.base, length)
                position += length
                left -= length
            }
        }
        command.pointee.outPosition &+= UInt32(truncatingIfNeeded: count)
    }

    /// Goes on with connections that waited for the device server. The owner calls it until `isRunnable` is false.
    package mutating func resume(at now: Instant) {
        self.now = now
        while let index = runnable.popFirst() {
            let c = connections + Int(index)
            c.pointee.runnable = false
            if c.pointee.wait == .receiveDataOut { c.pointee.wait = .nothing }
            parse(Int(index))
        }
    }

    /// The device server said something that the connection's parser waits for.
    mutating func makeRunnable(_ index: Int) {
        let c = connections + index
        if c.pointee.runnable { return }
        c.pointee.runnable = true
        runnable.append(Int32(truncatingIfNeeded: index))
    }

    /// Parses what is in the receive buffer, as far as it is complete and nothing has to be waited for.
    mutating func parse(_ index: Int) {
        let c = connections + index
        while c.pointee.wait == .nothing && (c.pointee.state == .loggedIn || c.pointee.state == .inLogin) {
            if c.pointee.segment.active {
                if !advanceSegment(index) { break }
                continue
            }
            if c.pointee.available < Field.headerLength { break }
            if !hasParseReserve(index) {
                c.pointee.wait = .output
                c.pointee.stalledSince = now
                break
            }
            if !parsePDU(index) { break }
        }
        if c.pointee.paused && c.pointee.wait == .nothing
            && (c.pointee.state == .loggedIn || c.pointee.state == .inLogin) {
            c.pointee.paused = false
            effects.append(.resumeReceive(c.pointee.stream))
        }
    }

    /// Parses one PDU whose basic header segment is there; false when more bytes are needed.
    private mutating func parsePDU(_ index: Int) -> Bool {
        let c = connections + index
        let header = BasicHeaderSegment(c.pointee.start)
        if c.pointee.state == .inLogin { return parseLogin(index, header) }
        let headerLength = Field.headerLength + header.additionalLength
        let digest = c.pointee.parameters.headerDigest ? 4 : 0
        if c.pointee.available < headerLength + digest { return false }
        if digest > 0 && Checksum.crc32c(c.pointee.start, headerLength)
            != UnsafeRawPointer(c.pointee.start).little32(headerLength) {
            // RFC 7143 §7.7: a header digest error at ErrorRecoveryLevel 0 ends the connection.
            statistics.digestErrors &+= 1
            fail(index, .headerDigest)
            return false
        }
        if header.dataSegmentLength > Int(c.pointee.parameters.targetMaxRecvDataSegmentLength) {
            reject(index, header.base, .protocolError)
            fail(index, .segmentTooLong)
            return false
        }
        if c.pointee.ordered {
            // A Logout Request carries the ExpStatSN of the connection that it names (RFC 7143 §11.14.5).
            if c.pointee.retains && header.opcode != .logoutRequest { acknowledge(index, header.expStatSN) }
            if c.pointee.isFenced && header.opcode != .logoutRequest { acknowledgeFence(index, header.expStatSN) }
            return parseOrdered(index, header, headerLength + digest)
        }
        switch header.opcode {
        case .scsiCommand:
            consumeHeader(index, headerLength + digest)
            scsiCommand(index, header.base)
            return true
        case .dataOut:
            consumeHeader(index, headerLength + digest)
            dataOut(index, header.base)
            return true
        case .nopOut, .taskManagementRequest, .loginRequest, .textRequest, .logoutRequest, .snackRequest, .nopIn,
            .scsiResponse, .taskManagementResponse, .loginResponse, .textResponse, .dataIn, .logoutResponse,
            .readyToTransfer, .asyncMessage, .reject, nil:
            return parseCollected(index, header, headerLength + digest)
        }
    }

    mutating func consumeHeader(_ index: Int, _ count: Int) {
        connections[index].head += count
        statistics.pdusReceived &+= 1
    }

    /// Parses a PDU that is handled when all of it is in the buffer.
    mutating func parseCollected(_ index: Int, _ header: BasicHeaderSegment, _ headerLength: Int) -> Bool {
        let c = connections + index
        let length = header.dataSegmentLength
        if length > Sizes.collectedSegment {
            reject(index, header.base, .protocolError)
            fail(index, .segmentTooLong)
            return false
        }
        let padded = BasicHeaderSegment.padded(length)
        let digest = length > 0 && c.pointee.parameters.dataDigest ? 4 : 0
        if c.pointee.available < headerLength + padded + digest { return false }
        let data = UnsafeRawPointer(c.pointee.start + headerLength)
        consumeHeader(index, headerLength + padded + digest)
        if digest > 0 && Checksum.crc32c(data, padded) != data.little32(padded) {
            return failDataDigest(index, header)
        }
        if header.additionalLength > 0 {
            reject(index, header.base, .invalidPDUField)
            return true
        }
        dispatch(index, header, UnsafeRawBufferPointer(start: data, count: length))
        return true
    }

    /// RFC 7143 §7.8: a data digest error is answered with a Reject, and the PDU is discarded. When it has a place in
    /// the command order, it can come again only above ErrorRecoveryLevel 0; else the session fails.
    private mutating func failDataDigest(_ index: Int, _ header: BasicHeaderSegment) -> Bool {
        statistics.digestErrors &+= 1
        reject(index, header.base, .dataDigestError)
        if header.immediate || connections[index].retains || header.opcode == .snackRequest { return true }
        fail(index, .dataDigest)
        return false
    }

    private mutating func dispatch(_ index: Int, _ header: BasicHeaderSegment, _ data: UnsafeRawBufferPointer) {
        if connections[index].ordered && !header.immediate && header.opcode?.hasCmdSN == true {
            enter(index, header.base, data, Arrival())
        } else {
            perform(index, header, data)
        }
    }

    /// What a PDU that has been collected asks for.
    mutating func perform(_ index: Int, _ header: BasicHeaderSegment, _ data: UnsafeRawBufferPointer) {
        switch header.opcode {
        case .nopOut: nopOut(index, header.base, data)
        case .taskManagementRequest: taskManagementRequest(index, header.base)
        case .textRequest: textRequest(index, header.base, data)
        case .logoutRequest: logoutRequest(index, header.base)
        case .snackRequest: snackRequest(index, header.base)
        case .loginRequest: reject(index, header.base, .protocolError)
        case .scsiCommand, .dataOut: break
        case .nopIn, .scsiResponse, .taskManagementResponse, .loginResponse, .textResponse, .dataIn, .logoutResponse,
            .readyToTransfer, .asyncMessage, .reject, nil:
            reject(index, header.base, .commandNotSupported)
        }
    }
}
