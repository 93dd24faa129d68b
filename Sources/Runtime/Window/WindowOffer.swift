import CLinux
import Glibc
import PagingFormats
import Primitives

/// What travels with the two descriptors of a window: whose memory it is.
///
///      0 magic  8 format version  12 controller  16 pair id  24 frames  28 mirror frames  32 pid  40 incarnation
///     36 one when frames have trailers           48 memory id high  56 low
package struct WindowOffer: Equatable, Sendable {
    package var controller: UInt32
    package var pairID: UInt64
    package var layout: RegionLayout
    package var pid: Int32
    package var incarnation: UInt64
    package var memoryID: WitnessRecord.MemoryID

    package static var bytes: Int { 64 }
    private static var magic: UInt64 { 0x574F_444E_4957_4D47 }

    package init(
        controller: UInt32, pairID: UInt64, layout: RegionLayout, pid: Int32, incarnation: UInt64,
        memoryID: WitnessRecord.MemoryID
    ) {
        self.controller = controller
        self.pairID = pairID
        self.layout = layout
        self.pid = pid
        self.incarnation = incarnation
        self.memoryID = memoryID
    }

    package func encode(to base: UnsafeMutableRawPointer) {
        base.initializeMemory(as: UInt8.self, repeating: 0, count: Self.bytes)
        base.put(little64: Self.magic, 0)
        base.put(little32: 1, 8)
        base.put(little32: controller, 12)
        base.put(little64: pairID, 16)
        base.put(little32: UInt32(truncatingIfNeeded: layout.frames), 24)
        base.put(little32: UInt32(truncatingIfNeeded: layout.mirrorFrames), 28)
        base.put(little32: UInt32(bitPattern: pid), 32)
        base.put(byte: layout.hasTrailers ? 1 : 0, 36)
        base.put(little64: incarnation, 40)
        base.put(little64: memoryID.high, 48)
        base.put(little64: memoryID.low, 56)
    }

    package init?(decoding base: UnsafeRawPointer) {
        guard base.little64(0) == Self.magic, base.little32(8) == 1 else { return nil }
        let frames = Int(base.little32(24))
        let mirrorFrames = Int(base.little32(28))
        guard mirrorFrames <= frames else { return nil }
        controller = base.little32(12)
        pairID = base.little64(16)
        layout = RegionLayout(frames: frames, mirrorFrames: mirrorFrames, hasTrailers: base.byte(36) == 1)
        pid = Int32(bitPattern: base.little32(32))
        incarnation = base.little64(40)
        memoryID = .init(high: base.little64(48), low: base.little64(56))
    }
}

/// An offer with the descriptors that came with it; both are the receiver's.
package struct ReceivedWindow {
    package var offer: WindowOffer
    package var memory: Int32
    package var pidfd: Int32
}

/// The handover of a window over a unix socket between two controllers of one user on one host.
package enum WindowHandover {
    /// Answers a connection: sends the offer, a description of the memory file that is opened for this purpose, and a
    /// pidfd of this process. The connection stays the caller's. False when the peer is another user's, or gone.
    package static func serve(_ connection: Int32, _ offer: WindowOffer, memory: Int32) -> Bool {
        var peer = gemel_credentials()
        guard gemel_peer(connection, &peer) == 0, peer.uid == geteuid(), memory >= 0 else { return false }
        let pidfd = gemel_pidfd_open(getpid())
        if pidfd < 0 { return false }
        defer { close(pidfd) }
        return withUnsafeTemporaryAllocation(byteCount: WindowOffer.bytes, alignment: 8) { room in
            guard let base = room.baseAddress else { return false }
            offer.encode(to: base)
            return gemel_send_descriptors(connection, base, WindowOffer.bytes, memory, pidfd) == 0
        }
    }

    /// Takes what `serve` sent, once the connection is readable. nil when the peer is not of this user, or what came
    /// is no offer.
    package static func receive(_ connection: Int32) -> ReceivedWindow? {
        var peer = gemel_credentials()
        guard gemel_peer(connection, &peer) == 0, peer.uid == geteuid() else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: WindowOffer.bytes, alignment: 8) { room in
            var memory: Int32 = -1
            var pidfd: Int32 = -1
            guard let base = room.baseAddress,
                gemel_receive_descriptors(connection, base, WindowOffer.bytes, &memory, &pidfd) == 0
            else { return nil }
            guard let offer = WindowOffer(decoding: base), offer.pid == peer.pid else {
                close(memory)
                close(pidfd)
                return nil
            }
            return ReceivedWindow(offer: offer, memory: memory, pidfd: pidfd)
        }
    }
}
