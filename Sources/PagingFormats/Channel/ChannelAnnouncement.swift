import Primitives

/// What a controller tells its partner of its own membership: sent when a connection is up and whenever it changed.
/// It states what holds and asks for nothing; the partner's rules act on it.
///
///      0 standing  1 flags  4 epoch  8 sequence  16 memory id high  24 low  32 reserved
package struct ChannelAnnouncement: Equatable, Sendable {
    /// The sender's state, as its partner must know it.
    package enum Standing: UInt8, Sendable, CaseIterable {
        /// Holds no rights: it serves nothing, destages nothing, and no earlier life of it does.
        case starting = 0
        /// A member of the recorded pair.
        case paired
        /// A member that may take over, or does.
        case candidate, takingOver
        /// Recorded as alone.
        case solo
        /// Void memory, asks to be caught up. Holds no rights.
        case joining
        /// Has stopped or gives up.
        case stopped
    }

    /// Flags, by bit.
    package struct Flags: OptionSet, Equatable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// The sender has read the witness; epoch and sequence are the record's.
        package static var recordRead: Flags { Flags(rawValue: 1) }
        /// … and there is no record, and its memory was never in one: both may create the pair.
        package static var noRecord: Flags { Flags(rawValue: 2) }
        /// Starting: the sender's memory agrees with ours page by page.
        package static var headersAgreed: Flags { Flags(rawValue: 4) }
        /// Paired: a clean stop was asked for; no host is answered any more.
        package static var leaving: Flags { Flags(rawValue: 8) }
        /// … and everything that the sender had to destage is on the devices.
        package static var drained: Flags { Flags(rawValue: 16) }
    }

    package var standing: Standing = .starting
    package var flags: Flags = []
    package var epoch: UInt32 = 0
    /// The record's sequence.
    package var sequence: UInt64 = 0
    /// The sender's memory; `none` while it has none that may be trusted.
    package var memoryID: WitnessRecord.MemoryID = .none

    package init() {}

    /// Bytes of the payload.
    package static var encodedSize: Int { 40 }

    /// Writes the payload.
    package func encode(to base: UnsafeMutableRawPointer) {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: Self.encodedSize)
        base.put(byte: standing.rawValue, 0)
        base.put(byte: flags.rawValue, 1)
        base.put(little32: epoch, 4)
        base.put(little64: sequence, 8)
        base.put(little64: memoryID.high, 16)
        base.put(little64: memoryID.low, 24)
    }

    /// Reads the payload; nil when a field has a value that no sender of ours writes.
    package init?(decoding base: UnsafeRawPointer, count: Int) {
        guard count == Self.encodedSize, let standing = Standing(rawValue: base.byte(0)), base.byte(1) < 32 else {
            return nil
        }
        self.standing = standing
        flags = Flags(rawValue: base.byte(1))
        epoch = base.little32(4)
        sequence = base.little64(8)
        memoryID = .init(high: base.little64(16), low: base.little64(24))
    }
}
