import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// What to send next on a stream: the same bytes again until `transmitted` says how many left.
    package mutating func transmitSources(_ stream: StreamID, into vector: inout ByteVector) {
        guard let index = connection(stream) else { return }
        let c = connections + index
        var skip = c.pointee.output.firstSent
        for place in 0..<c.pointee.output.entryCount {
            if vector.isFull { return }
            let entry = c.pointee.output.entry(place)
            let length = Int(entry.pointee.length)
            switch entry.pointee.kind {
            case .bytes: vector.append(c.pointee.output.bytes + Int(entry.pointee.position) + skip, length - skip)
            case .owned:
                if let pointer = entry.pointee.pointer { vector.append(pointer + skip, length - skip) }
            case .payload:
                let run = commands.pointer(Int(entry.pointee.slot)).pointee.inRun
                let from = Int(entry.pointee.position)
                if !append(run, from + skip, length - skip, to: &vector) { return }
            }
            skip = 0
        }
    }

    /// Adds `count` bytes of a run from `position` on; neighbouring pages make one slice. False: the vector is full.
    @inline(__always)
    mutating func append(_ run: PageRun, _ position: Int, _ count: Int, to vector: inout ByteVector) -> Bool {
        var position = position
        var left = count
        while left > 0 {
            let piece = run.piece(at: position, frames: frames, lists: lists)
            var length = min(piece.count, left)
            while length < left {
                let next = run.piece(at: position + length, frames: frames, lists: lists)
                if next.base != piece.base + length { break }
                length += min(next.count, left - length)
            }
            if !vector.append(piece.base, length) { return false }
            position += length
            left -= length
        }
        return true
    }

    /// `count` bytes that `transmitSources` gave have left.
    package mutating func transmitted(_ stream: StreamID, count: Int, at now: Instant) {
        guard let index = connection(stream) else { return }
        let c = connections + index
        statistics.bytesSent &+= UInt64(count)
        var left = count
        while left > 0 && !c.pointee.output.isEmpty {
            let (taken, slot) = c.pointee.output.take(left)
            left -= taken
            if slot >= 0 { delivered(Int(slot)) }
        }
        if c.pointee.output.isEmpty { c.pointee.transmitting = false }
        if c.pointee.firstSender >= 0 { serveSenders(index) }
        if c.pointee.ordered { goOn(index) }
        if c.pointee.wait == .output {
            c.pointee.wait = .nothing
            self.now = now
            parse(index)
        }
    }

    /// The last byte of a Data-In run has left: its pages may go, and with a status the command is over.
    @inline(__always) private mutating func delivered(_ slot: Int) {
        let command = commands.pointer(slot)
        command.pointee.inActive = false
        indications.append(.dataInDelivered(CommandHandle(slot: slot, generation: command.pointee.generation)))
        if command.pointee.state == .responded { free(slot) }
    }

    /// Copies what is in the output of a command's Data-In run, as the run's pages are about to go. Only for commands
    /// that end early; what can be copied is bounded by one run.
    mutating func keepPayload(of slot: Int) {
        copyPayload(of: slot)
        commands.pointer(slot).pointee.inActive = false
    }

    /// The same, while the command goes on.
    mutating func copyPayload(of slot: Int) {
        let command = commands.pointer(slot)
        if !command.pointee.inActive || command.pointee.connection < 0 { return }
        let c = connections + Int(command.pointee.connection)
        for place in 0..<c.pointee.output.entryCount {
            let entry = c.pointee.output.entry(place)
            if entry.pointee.kind != .payload || Int(entry.pointee.slot) != slot { continue }
            let length = Int(entry.pointee.length)
            let copy = UnsafeMutableRawPointer.allocate(byteCount: length, alignment: 64)
            var done = 0
            while done < length {
                let piece = command.pointee.inRun.piece(
                    at: Int(entry.pointee.position) + done, frames: frames, lists: lists)
                let count = min(piece.count, length - done)
                (copy + done).copyMemory(from: piece.base, byteCount: count)
                done += count
            }
            c.pointee.output.own(place, copy)
        }
    }

    /// StatSN, ExpCmdSN and MaxCmdSN for the next PDU of a connection; opens the window as far as the session's share
    /// of the slots allows (RFC 7143 §4.2.2.1: MaxCmdSN never goes back).
    @inline(__always) mutating func serials(_ index: Int, advance: Bool) -> TargetSerialNumbers {
        let c = connections + index
        let statSN = c.pointee.statSN
        if advance { c.pointee.statSN = statSN &+ 1 }
        if c.pointee.session < 0 { return TargetSerialNumbers(statSN: statSN) }
        let session = sessions.pointer(Int(c.pointee.session))
        let open = min(commandShare, session.pointee.commandWindow) - session.pointee.outstanding
        if open > 0 {
            let candidate = session.pointee.expCmdSN &+ UInt32(truncatingIfNeeded: open - 1)
            if session.pointee.maxCmdSN < candidate { session.pointee.maxCmdSN = candidate }
        }
        return TargetSerialNumbers(
            statSN: statSN, expCmdSN: session.pointee.expCmdSN.raw, maxCmdSN: session.pointee.maxCmdSN.raw)
    }

    /// Room for a PDU whose data segment of `dataLength` bytes is in the ring, with its digests.
    mutating func beginPDU(_ index: Int, dataLength: Int) -> UnsafeMutableRawPointer? {
        let c = connections + index
        let count = pduLength(c, dataLength: dataLength)
        guard c.pointee.output.hasRoom(bytes: count, entries: 1) else { return nil }
        return c.pointee.output.append(bytes: count)
    }

    private mutating func pduLength(_ c: UnsafeMutablePointer<Connection>, dataLength: Int) -> Int {
        Field.headerLength + (c.pointee.parameters.headerDigest ? 4 : 0) + BasicHeaderSegment.padded(dataLength)
            + (dataLength > 0 && c.pointee.parameters.dataDigest ? 4 : 0)
    }

    /// Where the data segment of a PDU from `beginPDU` begins.
    mutating func dataSegment(_ index: Int, _ base: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
        base + Field.headerLength + (connections[index].parameters.headerDigest ? 4 : 0)
    }

    /// Completes a PDU from `beginPDU`, and keeps it where it can be asked for again.
    mutating func finishPDU(_ index: Int, _ base: UnsafeMutableRawPointer, dataLength: Int) {
        if connections[index].retains { keepPDU(index, base, dataLength: dataLength) }
        finish(index, base, dataLength: dataLength)
    }

    /// Completes a PDU from `beginPDU`: padding and digests (RFC 7143 §11.2.3), then the driver's word.
    mutating func finish(_ index: Int, _ base: UnsafeMutableRawPointer, dataLength: Int) {
        let c = connections + index
        if c.pointee.parameters.headerDigest { putDigest(Checksum.crc32c(base, Field.headerLength), base + 48) }
        if dataLength > 0 {
            let data = dataSegment(index, base)
            let padded = BasicHeaderSegment.padded(dataLength)
            for place in dataLength..<padded { data.put(byte: 0, place) }
            if c.pointee.parameters.dataDigest { putDigest(Checksum.crc32c(data, padded), data + padded) }
        }
        sent(index)
    }

    /// There is room again in an ordered session's output: what was asked for again, and what was held, may go on.
    private mutating func goOn(_ index: Int) {
        if connections[index].againFrom != connections[index].againTo { repeatResponses(index) }
        if connections[index].session >= 0 { deliverHeld(Int(connections[index].session)) }
    }

    /// A digest goes out with its least significant byte first: the CRC's bits are numbered the other way round
    /// (RFC 7143 §13.1).
    mutating func putDigest(_ crc: UInt32, _ place: UnsafeMutableRawPointer) { place.put(little32: crc, 0) }

    /// A PDU is in the output.
    @inline(__always) mutating func sent(_ index: Int) {
        let c = connections + index
        statistics.pdusSent &+= 1
        if c.pointee.transmitting { return }
        c.pointee.transmitting = true
        effects.append(.transmit(c.pointee.stream))
    }
}
