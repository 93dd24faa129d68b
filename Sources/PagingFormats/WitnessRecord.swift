import Primitives


/// The record of pair-rules section 1: what the witness holds, changed only by compare-and-swap on `sequence`.
package struct WitnessRecord: Equatable, Sendable {
    package enum State: UInt8, Sendable { case paired = 0, soloA = 1, soloB = 2 }

    /// A memory's identity: random, new whenever the memory is formatted or voided.
    package struct MemoryID: Hashable, Sendable {
        package var high: UInt64
        package var low: UInt64
        package init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }
        package static var none: MemoryID { MemoryID(high: 0, low: 0) }
    }

    package struct Member: Equatable, Sendable {
        package var memory: MemoryID
        /// New at each start of the controller.
        package var incarnation: UInt64
        package init(memory: MemoryID, incarnation: UInt64) {
            self.memory = memory
            self.incarnation = incarnation
        }
        package static var absent: Member { Member(memory: .none, incarnation: 0) }
    }

    package var pairID: UInt64
    package var lineage: UInt64
    package var sequence: UInt64
    package var epoch: UInt32
    package var state: State
    /// Index by `ControllerID.rawValue`; a member that is not in has memory id `none`.
    package var memberA: Member
    package var memberB: Member
    package var dirty: Bool
    package var featureLevel: UInt32

    package init(
        pairID: UInt64, lineage: UInt64, sequence: UInt64, epoch: UInt32, state: State, memberA: Member,
        memberB: Member, dirty: Bool, featureLevel: UInt32
    ) {
        self.pairID = pairID
        self.lineage = lineage
        self.sequence = sequence
        self.epoch = epoch
        self.state = state
        self.memberA = memberA
        self.memberB = memberB
        self.dirty = dirty
        self.featureLevel = featureLevel
    }

    package func member(_ controller: ControllerID) -> Member { controller == .a ? memberA : memberB }

    /// Bytes of an encoded record, at the start of a 4 KiB slot of the witness file.
    package static var encodedSize: Int { 128 }
    static var magic: UInt64 { 0x5453_4E54_4957_4D47 }

    /// Writes the record with its checksum into the first `encodedSize` bytes of `base`.
    package func encode(to base: UnsafeMutableRawPointer) {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: Self.encodedSize)
        base.put(little64: Self.magic, 0)
        base.put(little64: pairID, 8)
        base.put(little64: lineage, 16)
        base.put(little64: sequence, 24)
        base.put(little32: epoch, 32)
        base.put(byte: state.rawValue, 36)
        base.put(byte: dirty ? 1 : 0, 37)
        base.put(little32: featureLevel, 40)
        for (member, at) in [(memberA, 48), (memberB, 72)] {
            base.put(little64: member.memory.high, at)
            base.put(little64: member.memory.low, at + 8)
            base.put(little64: member.incarnation, at + 16)
        }
        base.put(little32: Checksum.crc32c(base, Self.encodedSize - 4), Self.encodedSize - 4)
    }

    /// Reads a record; nil when the bytes are not one (magic, checksum, values).
    package init?(decoding base: UnsafeRawPointer) {
        guard base.little64(0) == Self.magic,
            base.little32(Self.encodedSize - 4) == Checksum.crc32c(base, Self.encodedSize - 4),
            let state = State(rawValue: base.byte(36)), base.byte(37) <= 1
        else { return nil }
        func member(_ at: Int) -> Member {
            Member(
                memory: MemoryID(high: base.little64(at), low: base.little64(at + 8)),
                incarnation: base.little64(at + 16))
        }
        self.init(
            pairID: base.little64(8), lineage: base.little64(16), sequence: base.little64(24), epoch: base.little32(32),
            state: state, memberA: member(48), memberB: member(72), dirty: base.byte(37) == 1,
            featureLevel: base.little32(40))
    }
}
