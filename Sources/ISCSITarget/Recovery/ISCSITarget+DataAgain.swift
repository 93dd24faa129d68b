import ISCSIFormats
import Primitives

// Data-In that is sent again, from the copies that were kept.

extension ISCSITarget {
    /// Asks for Data-In PDUs `from` to before `to` again; they are kept.
    mutating func repeatData(_ slot: Int, from: UInt32, to: UInt32) {
        let kept = recovery + slot
        kept.pointee.againFrom = from
        kept.pointee.againTo = to
        var position = 0
        while position < kept.pointee.sent.count {
            let record = dataRecord(kept.pointee.sent, at: position)
            if record.dataSN == from { break }
            position += DataRecord.length + Int(record.count)
        }
        kept.pointee.againAt = position
        wantToSend(slot)
    }

    /// Sends what is asked for again; false when there was no room for all of it.
    mutating func serveAgain(_ index: Int, _ slot: Int) -> Bool {
        let c = connections + index
        let kept = recovery + slot
        while kept.pointee.againFrom != kept.pointee.againTo && kept.pointee.againAt < kept.pointee.sent.count {
            if !hasSenderRoom(index) || c.pointee.output.ownedBytes > Sizes.sentAgain { return false }
            let record = dataRecord(kept.pointee.sent, at: kept.pointee.againAt)
            sendKept(index, slot, record, at: kept.pointee.againAt + DataRecord.length)
            kept.pointee.againAt += DataRecord.length + Int(record.count)
            kept.pointee.againFrom = record.dataSN &+ 1
        }
        kept.pointee.againFrom = kept.pointee.againTo
        if kept.pointee.answersAgain && commands.pointer(slot).pointee.state == .answered {
            if !hasSenderRoom(index) { return false }
            kept.pointee.answersAgain = false
            sendRetainedResponse(index, slot, again: true)
        }
        return true
    }

    /// One Data-In from the copy that begins at `position`.
    private mutating func sendKept(_ index: Int, _ slot: Int, _ record: DataRecord, at position: Int) {
        let c = connections + index
        let base = c.pointee.output.append(bytes: headerLength(index))
        encode(record, index, slot, into: base)
        putHeaderDigest(index, base)
        let count = Int(record.count)
        let padded = BasicHeaderSegment.padded(count)
        let hasDigest = c.pointee.parameters.dataDigest
        let copy = UnsafeMutableRawPointer.allocate(byteCount: padded + 4, alignment: 8)
        pool.copy(recovery[slot].sent, at: position, count, to: copy)
        for place in count..<padded { copy.put(byte: 0, place) }
        if hasDigest { putDigest(Checksum.crc32c(copy, padded), copy + padded) }
        c.pointee.output.append(owned: copy, length: UInt32(padded + (hasDigest ? 4 : 0)))
        sent(index)
    }

    /// Divides what is kept into PDUs that the initiator takes now, numbered from the first that is not acknowledged
    /// (RFC 7143 §11.16.3). False: there is no room for it.
    mutating func resegment(_ slot: Int, limit: UInt32) -> Bool {
        let kept = recovery + slot
        var fits = true
        var position = 0
        while position < kept.pointee.sent.count {
            let record = dataRecord(kept.pointee.sent, at: position)
            if record.count > limit { fits = false }
            position += DataRecord.length + Int(record.count)
        }
        if fits { return true }
        if !pool.hasRoom(kept.pointee.sent.count + kept.pointee.sent.count / 16) { return false }
        let piece = UnsafeMutableRawPointer.allocate(byteCount: Int(limit), alignment: 8)
        defer { piece.deallocate() }
        var divided = ByteChain()
        var dataSN = kept.pointee.acknowledged
        while !kept.pointee.sent.isEmpty {
            let record = dataRecord(kept.pointee.sent, at: 0)
            pool.drop(&kept.pointee.sent, DataRecord.length)
            var done: UInt32 = 0
            while done < record.count {
                let count = min(limit, record.count - done)
                let isLast = done + count == record.count
                append(
                    DataRecord(
                        dataSN: dataSN, offset: record.offset &+ done, count: count, flags: isLast ? record.flags : 0),
                    to: &divided)
                pool.copy(kept.pointee.sent, at: 0, Int(count), to: piece)
                pool.append(&divided, piece, Int(count))
                pool.drop(&kept.pointee.sent, Int(count))
                dataSN &+= 1
                done += count
            }
        }
        kept.pointee.sent = divided
        commands.pointer(slot).pointee.inDataSN = dataSN
        return true
    }
}
