import Primitives

/// How a controller's memory file is laid out; the same arithmetic serves the owner, the partner's window, a takeover
/// and the simulator.
///
///     page 0              superblock
///     page 1              control words: window word at 0, Lamport counter at 64
///     pages 2 …           frame headers, 128 bytes a frame; with trailers 192, of which the last 64 are the trailer
///     then                page frames: own area first, mirror area (the last `mirrorFrames`) after it
@frozen
@usableFromInline
package struct RegionLayout: Sendable, Equatable {
    /// Frames in all.
    @usableFromInline package let frames: Int
    /// Frames of the mirror area: what the partner places its pages in.
    @usableFromInline package let mirrorFrames: Int
    /// Bytes from a frame's header to the next.
    @usableFromInline package let headerBytes: Int

    @inlinable package static var superblockBytes: Int { 4096 }
    @inlinable package static var controlOffset: Int { 4096 }
    @inlinable package static var lamportOffset: Int { controlOffset + 64 }
    @inlinable package static var headerOffset: Int { 8192 }
    /// Bytes of a header by itself, and of one with its frame's trailer.
    @inlinable package static var plainHeaderBytes: Int { 128 }
    @inlinable package static var trailedHeaderBytes: Int { Frames.trailerStride }

    /// - Parameter hasTrailers: each frame has a trailer, for the protection information of units that have it.
    package init(frames: Int, mirrorFrames: Int, hasTrailers: Bool = false) {
        self.frames = frames
        self.mirrorFrames = mirrorFrames
        headerBytes = hasTrailers ? Self.trailedHeaderBytes : Self.plainHeaderBytes
    }

    /// Frames have trailers.
    @inlinable package var hasTrailers: Bool { headerBytes == Self.trailedHeaderBytes }

    /// The layout of a memory of `bytes`: half of the frames are the mirror area ("at most half lent to the partner").
    package init(bytes: Int, hasTrailers: Bool = false) {
        let header = hasTrailers ? Self.trailedHeaderBytes : Self.plainHeaderBytes
        let frames = (bytes - Self.headerOffset - PageSize.bytes) / (PageSize.bytes + header)
        self.init(frames: frames, mirrorFrames: frames / 2, hasTrailers: hasTrailers)
    }

    /// First frame of the mirror area.
    @inlinable package var mirrorStart: Int { frames - mirrorFrames }
    /// Byte offset of frame 0, on a page boundary.
    @inlinable package var frameOffset: Int {
        (Self.headerOffset + frames * headerBytes + PageSize.bytes - 1) / PageSize.bytes * PageSize.bytes
    }
    /// Bytes of the whole region.
    @inlinable package var bytes: Int { frameOffset + frames * PageSize.bytes }
    /// Byte offset of a frame's header.
    @inlinable @inline(__always)
    package func header(_ frame: Int) -> Int { Self.headerOffset + frame * headerBytes }
    /// Byte offset of a frame's trailer; only in a memory that has them.
    @inlinable package func trailer(_ frame: Int) -> Int { header(frame) + Self.plainHeaderBytes }
    /// Byte offset of a frame.
    @inlinable @inline(__always)
    package func frame(_ frame: Int) -> Int { frameOffset + frame * PageSize.bytes }
}

/// The window word: what the owner of a memory says about its mirror area. A placement counts only if, after the seal,
/// the word still shows `open`, the writer's epoch, and the owner's incarnation (pair-rules section 3).
package enum WindowWord {
    /// Open for this epoch and incarnation (its low 31 bits).
    package static func open(epoch: UInt32, incarnation: UInt64) -> UInt64 {
        UInt64(epoch) << 32 | (incarnation & 0x7FFF_FFFF) << 1 | 1
    }
    package static var closed: UInt64 { 0 }
}

/// The header of a page frame, 128 bytes of the region, and behind it the frame's trailer (64 bytes: the protection
/// information of the page), where the page's unit has such. It is *sealed* by one release store of its first word,
/// which holds a tag and the CRC32C of the rest, trailer included: a reader sees a whole header or none. Only frames
/// whose content must survive (dirty, or mirrored for the partner) are sealed; a clean page's header is open, so a
/// restart forgets it.
///
/// A write of several pages that is all-or-nothing is a *group*: its members are sealed first, each with a tag that
/// says that it counts only beside its leader; the leader's seal, last, makes all of them count at once. Then every
/// one is settled: its tag becomes that of a page of its own, and any of them may go before the others.
///
///      0 seal   8 epoch  12 controller  16 counter   24 GUID high  32 GUID low   40 unit  42 kind  43 valid mask
///     44 dirty mask  45 one when a trailer counts  46 group size   48 page   56 CRC32C of data and trailer
///     64 group counter   72 mirror slot   80 spare   128 trailer
package struct FrameHeader: Equatable, Sendable {
    package enum Kind: UInt8, Sendable { case data = 1, state = 2 }
    /// What a seal says of the frame's group.
    package enum Role: Sendable {
        /// It counts by itself.
        case standing
        /// It counts, and so do the members that name its counter.
        case leader
        /// It counts if the leader of its group is sealed in the same area.
        case member
    }
    package var role = Role.standing
    package var version: PageVersion = .none
    package var guid: GUID = .none
    package var unit: UInt16 = 0
    package var kind: Kind = .data
    package var validMask: UInt8 = 0
    package var dirtyMask: UInt8 = 0
    /// The trailer behind the header belongs to the page.
    package var hasTrailer = false
    /// Pages that this version is all-or-nothing with; 1 for a page of its own.
    package var groupSize: UInt16 = 1
    package var page: UInt64 = 0
    package var checksum: UInt32 = 0
    /// The counter of the group's leader.
    package var groupCounter: UInt64 = 0
    /// The partner's mirror frame that holds the same version; `UInt32.max` for none.
    package var mirrorSlot: UInt32 = .max

    package init() {}

    private static func tag(_ role: Role) -> UInt64 {
        switch role {
        case .standing: 0x534C_4431
        case .leader: 0x534C_444C
        case .member: 0x534C_4447
        }
    }

    /// The role that a header's first word names; nil when it is open or scribbled.
    package static func role(_ word: UInt64) -> Role? {
        switch word >> 32 {
        case tag(.standing): .standing
        case tag(.leader): .leader
        case tag(.member): .member
        default: nil
        }
    }

    /// Writes everything but seal and trailer, which is there already when it counts, and returns the seal, which
    /// `seal(_:at:)` stores.
    package func encode(to base: UnsafeMutableRawPointer) -> UInt64 {
        base.put(little32: version.epoch, 8)
        base.put(little32: UInt32(version.controller), 12)
        base.put(little64: version.counter, 16)
        base.put(little64: guid.high, 24)
        base.put(little64: guid.low, 32)
        base.put(little16: unit, 40)
        base.put(byte: kind.rawValue, 42)
        base.put(byte: validMask, 43)
        base.put(byte: dirtyMask, 44)
        base.put(byte: hasTrailer ? 1 : 0, 45)
        base.put(little16: groupSize, 46)
        base.put(little64: page, 48)
        base.put(little32: checksum, 56)
        base.put(little32: 0, 60)
        base.put(little64: groupCounter, 64)
        base.put(little32: mirrorSlot, 72)
        (base + 76).initializeMemory(as: UInt8.self, repeating: 0, count: RegionLayout.plainHeaderBytes - 76)
        return Self.sealWord(base, role)
    }

    /// Bytes of a whole header, with its trailer if one counts.
    @inlinable package static func length(_ base: UnsafeRawPointer) -> Int {
        base.byte(45) == 1 ? RegionLayout.trailedHeaderBytes : RegionLayout.plainHeaderBytes
    }

    /// The seal that fits the bytes behind it.
    package static func sealWord(_ base: UnsafeRawPointer, _ role: Role) -> UInt64 {
        tag(role) << 32 | UInt64(Checksum.crc32c(base + 8, length(base) - 8))
    }

    /// The checksum of a page, with its trailer if it has one that counts.
    package static func contentChecksum(_ page: UnsafeRawPointer, trailer: UnsafeRawPointer?) -> UInt32 {
        guard let trailer else { return Checksum.crc32c(page, PageSize.bytes) }
        return ~Checksum.extend(Checksum.extend(~0, page, PageSize.bytes), trailer, PageSize.trailerBytes)
    }

    /// The header counts by itself from now on; nothing happens to an open one.
    package static func settle(at base: UnsafeMutableRawPointer) {
        let word = SharedWord.load(base)
        if role(word) == nil { return }
        SharedWord.store(word & 0xFFFF_FFFF | tag(.standing) << 32, at: base)
    }

    /// Seals a header that `encode` wrote.
    package static func seal(_ word: UInt64, at base: UnsafeMutableRawPointer) { SharedWord.store(word, at: base) }

    /// Opens the header again: its frame no longer holds anything that must survive.
    package static func open(at base: UnsafeMutableRawPointer) { SharedWord.store(0, at: base) }

    /// Reads a sealed header that counts by itself; nil when it is open, torn, scribbled, or a member.
    package init?(sealed base: UnsafeRawPointer) {
        self.init(placed: base)
        if role == .member { return nil }
    }

    /// Reads a whole header of any role; nil when it is open, torn or scribbled.
    package init?(placed base: UnsafeRawPointer) {
        let word = SharedWord.load(base)
        guard let role = Self.role(word), word == Self.sealWord(base, role), let kind = Kind(rawValue: base.byte(42))
        else { return nil }
        self.role = role
        self.kind = kind
        version = PageVersion(
            epoch: base.little32(8), counter: base.little64(16),
            controller: UInt8(truncatingIfNeeded: base.little32(12)))
        guid = GUID(high: base.little64(24), low: base.little64(32))
        unit = base.little16(40)
        validMask = base.byte(43)
        dirtyMask = base.byte(44)
        hasTrailer = base.byte(45) == 1
        groupSize = base.little16(46)
        page = base.little64(48)
        checksum = base.little32(56)
        groupCounter = base.little64(64)
        mirrorSlot = base.little32(72)
    }
}

extension FrameHeader {
    /// Whether the leader of a member's group is sealed in the area (own or mirror) that has frame `index`.
    package static func hasLeader(
        _ member: FrameHeader, in region: UnsafeRawPointer, _ layout: RegionLayout, ofAreaWith index: Int
    ) -> Bool {
        let isMirror = index >= layout.mirrorStart
        return hasLeader(
            member, in: region, layout, from: isMirror ? layout.mirrorStart : 0,
            to: isMirror ? layout.frames : layout.mirrorStart)
    }

    /// Whether the leader of a member's group is sealed in the frames from `first` up to `end` of a region.
    package static func hasLeader(
        _ member: FrameHeader, in region: UnsafeRawPointer, _ layout: RegionLayout, from first: Int, to end: Int
    ) -> Bool {
        for index in first..<end {
            let base = region + layout.header(index)
            guard role(SharedWord.load(base)) != nil, base.little64(16) == member.groupCounter,
                let header = FrameHeader(sealed: base)
            else { continue }
            if header.version.controller == member.version.controller && header.version.epoch == member.version.epoch {
                return true
            }
        }
        return false
    }
}
