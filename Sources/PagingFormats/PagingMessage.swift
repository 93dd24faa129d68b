import Primitives


/// The ten paging synchronization messages (claim 2); the raw value is the wire's.
package enum MessageKind: UInt8, Sendable, CaseIterable {
    case spaceRequest = 1
    case allocateMemory, releaseMemory, lockRequest, readHeader
    case writePage, senseRequest, allocateRead, allocateWrite, releasePointer

    /// The name that status and traces use.
    package var name: String {
        switch self {
        case .spaceRequest: "space request"
        case .allocateMemory: "allocate memory"
        case .releaseMemory: "release memory"
        case .lockRequest: "lock request"
        case .readHeader: "read header"
        case .writePage: "write page"
        case .senseRequest: "sense request"
        case .allocateRead: "allocate read"
        case .allocateWrite: "allocate write"
        case .releasePointer: "release pointer"
        }
    }
}

/// What an answer says.
package enum MessageStatus: UInt8, Sendable {
    case done = 0
    case noSpace, exists, busy, queued, denied, stale, unknown
}

/// How a pointer or lock is held, asked for, or given back.
package enum PointerMode: UInt8, Sendable {
    case none = 0
    /// Read-only pointer, shared lock.
    case shared
    /// Write pointer, exclusive lock.
    case exclusive
}

/// What happened to the pages of a pointer that is released.
package enum ReleaseOutcome: UInt8, Sendable {
    case unmodified = 0
    /// Modified up to `version`.
    case modified
    /// Destaged and flushed up to `version`: clean, its mirror copy may go.
    case destaged
}

/// One paging synchronization message or its answer: one record of 112 bytes on the wire (little-endian), followed by
/// `dataLength` bytes of page data where the kind carries any. All kinds share one layout; a field that a kind does
/// not use is zero. Handles are opaque numbers, never addresses.
///
///      0 kind   1 flags (bit 0 answer)  2 status  3 mode   4 outcome  5 copy method  6 valid mask  7 dirty mask
///      8 request            12 unit   14 group size  16 GUID high  24 GUID low   32 first page  40 page count
///     44 slot               48 version epoch  52 version controller  56 version counter
///     64 checksum of data   68 data length    72 group counter       80 argument   88 argument 2  96 time  104 spare
package struct PagingMessage: Sendable, Equatable {
    package var kind: MessageKind
    package var isAnswer = false
    package var status: MessageStatus = .done
    package var mode: PointerMode = .none
    package var outcome: ReleaseOutcome = .unmodified
    package var method: UInt8 = 0
    package var validMask: UInt8 = 0
    package var dirtyMask: UInt8 = 0
    /// Chosen by the asker, repeated in the answer; 0 for a message that wants none.
    package var request: UInt32 = 0
    package var unit: UInt16 = 0
    package var groupSize: UInt16 = 0
    package var guid: GUID = .none
    package var firstPage: UInt64 = 0
    package var pageCount: UInt32 = 0
    /// A frame of the receiver's mirror area that the sender was given by a space request.
    package var slot: UInt32 = 0
    package var version: PageVersion = .none
    package var checksum: UInt32 = 0
    package var dataLength: UInt32 = 0
    package var groupCounter: UInt64 = 0
    package var argument: UInt64 = 0
    package var argument2: UInt64 = 0
    package var time: UInt64 = 0

    package init(_ kind: MessageKind) { self.kind = kind }

    /// An answer to `message`, with its request number and range.
    package func answer(_ status: MessageStatus) -> PagingMessage {
        var answer = self
        answer.isAnswer = true
        answer.status = status
        answer.dataLength = 0
        return answer
    }

    /// Bytes of the record on the wire.
    package static var encodedSize: Int { 112 }

    /// Writes the record; `base` has room for `encodedSize` bytes.
    package func encode(to base: UnsafeMutableRawPointer) {
        base.put(byte: kind.rawValue, 0)
        base.put(byte: isAnswer ? 1 : 0, 1)
        base.put(byte: status.rawValue, 2)
        base.put(byte: mode.rawValue, 3)
        base.put(byte: outcome.rawValue, 4)
        base.put(byte: method, 5)
        base.put(byte: validMask, 6)
        base.put(byte: dirtyMask, 7)
        base.put(little32: request, 8)
        base.put(little16: unit, 12)
        base.put(little16: groupSize, 14)
        base.put(little64: guid.high, 16)
        base.put(little64: guid.low, 24)
        base.put(little64: firstPage, 32)
        base.put(little32: pageCount, 40)
        base.put(little32: slot, 44)
        base.put(little32: version.epoch, 48)
        base.put(little32: UInt32(version.controller), 52)
        base.put(little64: version.counter, 56)
        base.put(little32: checksum, 64)
        base.put(little32: dataLength, 68)
        base.put(little64: groupCounter, 72)
        base.put(little64: argument, 80)
        base.put(little64: argument2, 88)
        base.put(little64: time, 96)
        base.put(little64: 0, 104)
    }

    /// Reads a record of `encodedSize` bytes; nil when a field has a value that no sender of ours writes.
    package init?(decoding base: UnsafeRawPointer) {
        guard let kind = MessageKind(rawValue: base.byte(0)), base.byte(1) <= 1,
            let status = MessageStatus(rawValue: base.byte(2)), let mode = PointerMode(rawValue: base.byte(3)),
            let outcome = ReleaseOutcome(rawValue: base.byte(4)), base.little32(52) <= 1,
            base.little32(68) <= UInt32(PageSize.bytes + PageSize.trailerBytes),
            base.little64(56) <= ChannelLimits.counter
        else { return nil }
        self.kind = kind
        isAnswer = base.byte(1) == 1
        self.status = status
        self.mode = mode
        self.outcome = outcome
        method = base.byte(5)
        validMask = base.byte(6)
        dirtyMask = base.byte(7)
        request = base.little32(8)
        unit = base.little16(12)
        groupSize = base.little16(14)
        guid = GUID(high: base.little64(16), low: base.little64(24))
        firstPage = base.little64(32)
        pageCount = base.little32(40)
        slot = base.little32(44)
        version = PageVersion(
            epoch: base.little32(48), counter: base.little64(56), controller: UInt8(base.little32(52)))
        checksum = base.little32(64)
        dataLength = base.little32(68)
        groupCounter = base.little64(72)
        argument = base.little64(80)
        argument2 = base.little64(88)
        time = base.little64(96)
    }
}
