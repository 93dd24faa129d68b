import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// Begins the data segment that follows a SCSI Command or Data-Out header: its bytes go to the command in `slot`,
    /// or are dropped when that is -1. Of no bytes, only what they mean to a command counts.
    @inline(__always) mutating func beginSegment(
        _ index: Int, _ header: UnsafeRawPointer, slot: Int, endsSequence: Bool, solicited: Bool = false
    ) {
        let c = connections + index
        let length = BasicHeaderSegment(header).dataSegmentLength
        if length == 0 && slot < 0 { return }
        let hasDigest = length > 0 && c.pointee.parameters.dataDigest
        if hasDigest { c.pointee.headerCopy.copyMemory(from: header, byteCount: Field.headerLength) }
        c.pointee.segment = IncomingSegment(
            active: true, slot: Int32(truncatingIfNeeded: slot), remaining: length,
            trailer: BasicHeaderSegment.padded(length) - length + (hasDigest ? 4 : 0), hasDigest: hasDigest,
            endsSequence: endsSequence, solicited: solicited)
    }

    /// Takes what is there of the data segment; false when more bytes, or a word of the device server, are needed.
    mutating func advanceSegment(_ index: Int) -> Bool {
        let c = connections + index
        while c.pointee.segment.remaining > 0 {
            var count = min(c.pointee.available, c.pointee.segment.remaining)
            let slot = Int(c.pointee.segment.slot)
            if slot >= 0 && commands.pointer(slot).pointee.accepting {
                let command = commands.pointer(slot)
                if !command.pointee.outActive {
                    c.pointee.wait = .receiveDataOut
                    return false
                }
                count = min(count, Int(command.pointee.outEnd &- command.pointee.outPosition))
                if count > 0 { place(c, command, count) }
                took(c, count)
                if command.pointee.outPosition == command.pointee.outEnd && c.pointee.segment.remaining > 0 {
                    finishRun(slot)
                    continue
                }
            } else {
                if c.pointee.segment.isDraft && !collect(index, count) { return false }
                took(c, count)
            }
            if count == 0 { return false }
        }
        if c.pointee.available < c.pointee.segment.trailer { return false }
        return endSegment(index)
    }

    private mutating func place(
        _ c: UnsafeMutablePointer<Connection>, _ command: UnsafeMutablePointer<CommandSlot>, _ count: Int
    ) {
        var done = 0
        let from = Int(command.pointee.outPosition &- command.pointee.outStart)
        while done < count {
            let piece = command.pointee.outRun.piece(at: from + done, frames: frames, lists: lists)
            let length = min(piece.count, count - done)
            piece.base.copyMemory(from: c.pointee.start + done, byteCount: length)
            done += length
        }
        command.pointee.outPosition &+= UInt32(truncatingIfNeeded: count)
    }

    private mutating func took(_ c: UnsafeMutablePointer<Connection>, _ count: Int) {
        if c.pointee.segment.hasDigest {
            c.pointee.segment.crc = Checksum.extend(c.pointee.segment.crc, c.pointee.start, count)
        }
        c.pointee.head += count
        c.pointee.segment.remaining -= count
    }

    /// Padding and digest of a segment are there.
    private mutating func endSegment(_ index: Int) -> Bool {
        let c = connections + index
        let segment = c.pointee.segment
        let trailer = UnsafeRawPointer(c.pointee.start)
        c.pointee.head += segment.trailer
        c.pointee.segment = IncomingSegment()
        var isDamaged = false
        if segment.hasDigest {
            let padding = segment.trailer - 4
            isDamaged = ~Checksum.extend(segment.crc, trailer, padding) != trailer.little32(padding)
        }
        if segment.isDraft {
            draftEnded(index, isDamaged: isDamaged)
        } else if isDamaged {
            segmentDamaged(index, segment)
        } else if segment.slot >= 0 {
            segmentEnded(index, Int(segment.slot), segment)
        }
        return true
    }

    /// RFC 7143 §7.8: a Data-Out whose digest is wrong is rejected and discarded. Its task then recovers the data, or
    /// ends with a CHECK CONDITION after the last of them. Of a SCSI Command, all but the data counts.
    private mutating func segmentDamaged(_ index: Int, _ segment: IncomingSegment) {
        statistics.digestErrors &+= 1
        reject(index, connections[index].headerCopy, .dataDigestError)
        let slot = Int(segment.slot)
        if slot < 0 { return }
        if commands.pointer(slot).pointee.accepting { dataOutDamaged(index, slot, segment) }
        if !commands.pointer(slot).pointee.accepting { segmentEnded(index, slot, segment) }
    }

    /// A segment of a command is complete and right: reports a full run, closes the sequence at its F bit, and
    /// asks for what is still missing.
    private mutating func segmentEnded(_ index: Int, _ slot: Int, _ segment: IncomingSegment) {
        let command = commands.pointer(slot)
        if segment.endsSequence {
            if segment.solicited {
                command.pointee.r2tOutstanding = false
            } else {
                command.pointee.unsolicitedOpen = false
            }
        }
        if command.pointee.hasStatus {
            if !expectsData(slot) { wantToSend(slot) }
            return
        }
        if !command.pointee.accepting || !command.pointee.outActive { return }
        if command.pointee.outPosition == command.pointee.outEnd {
            finishRun(slot)
        } else {
            solicit(slot)
        }
    }

    /// All bytes of the outstanding `receiveDataOut` are placed.
    mutating func finishRun(_ slot: Int) {
        let command = commands.pointer(slot)
        command.pointee.outActive = false
        indications.append(.dataOutReceived(CommandHandle(slot: slot, generation: command.pointee.generation)))
    }

    /// Asks for the next burst of the run when nothing else brings data: immediate and unsolicited data come first.
    mutating func solicit(_ slot: Int) {
        let command = commands.pointer(slot)
        if command.pointee.unsolicitedOpen || command.pointee.r2tOutstanding || command.pointee.r2tWanted { return }
        if segmentIsOnItsWay(slot) { return }
        command.pointee.r2tWanted = true
        wantToSend(slot)
    }

    /// The connection is inside a data segment of the command.
    @inline(__always) mutating func segmentIsOnItsWay(_ slot: Int) -> Bool {
        let index = Int(commands.pointer(slot).pointee.connection)
        if index < 0 { return false }
        return connections[index].segment.active && Int(connections[index].segment.slot) == slot
    }

    /// The initiator still has to send data that it has begun to send, or was asked for: RFC 7143 §11.4.2 lets a
    /// response wait for the last of it.
    @inline(__always) mutating func expectsData(_ slot: Int) -> Bool {
        let command = commands.pointer(slot)
        return command.pointee.unsolicitedOpen || command.pointee.r2tOutstanding || segmentIsOnItsWay(slot)
    }
}
