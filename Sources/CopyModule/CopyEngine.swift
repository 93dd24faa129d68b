import BlockModel
import PagingFormats
import Primitives

/// What the copy module asks of others, in order.
package enum CopyEffect {
    /// DMA copy: place the frame in the partner's memory through the window; answered by `placed`.
    case place(WindowPlacement)
    /// Messaging copy: a write page message with the page's data, which stays as it is until the answer. `takeMessage`
    /// makes it, and `data` is its data.
    case send(FrameIndex)
    /// The partner's memory holds the sealed version of the frame.
    case copied(FrameIndex)
}

/// Counters of one copy method.
package struct CopyCounters: Sendable {
    package var pages: UInt64 = 0
    package var bytes: UInt64 = 0
    /// Copies that this method could not finish, and another one did.
    package var fallbacks: UInt64 = 0
    package init() {}
}

/// The copy module (claims 11 and 12): one interface, several methods, ordered by the policy, chosen by what the two
/// ends can do, falling back to the next from the last finished page, and counted.
///
/// What is copied is a sealed frame: its header in the region is the one source of what a copy says about it. At most
/// one copy of a frame is under way.
package struct CopyEngine: ~Copyable {
    package var effects = Queue<CopyEffect>(capacity: 256)
    package private(set) var dma = CopyCounters()
    package private(set) var messaging = CopyCounters()

    private enum Method: UInt8 { case none, dma, messaging }
    private struct Copy {
        var method = Method.none
        var slot: UInt32 = .max
        var mayMessage = true
    }

    private let region: UnsafeMutableRawPointer
    private let layout: RegionLayout
    private let copies: UnsafeMutablePointer<Copy>
    private var isWindowOpen = false
    private var isChannelUp = false
    /// Copies under way.
    package private(set) var outstanding = 0
    private let pinned = Pinned()

    /// - Parameter region: the controller's memory, as `layout` describes it; it outlives the engine.
    package init(region: UnsafeMutableRawPointer, layout: RegionLayout) {
        self.region = region
        self.layout = layout
        copies = .allocate(capacity: layout.frames)
        copies.initialize(repeating: Copy(), count: layout.frames)
    }

    deinit { copies.deallocate() }

    /// Copies a sealed frame to a slot of the partner's mirror area.
    package mutating func copy(
        _ frame: FrameIndex, to slot: UInt32, dma: Bool, messaging: Bool, dmaFirst: Bool
    ) {
        let copy = copies + Int(frame.raw)
        copy.pointee.slot = slot
        copy.pointee.mayMessage = messaging || !dma
        outstanding += 1
        if dma && isWindowOpen && (dmaFirst || !messaging) {
            copy.pointee.method = .dma
            effects.append(.place(WindowPlacement(token: frame.raw, frame: frame, slot: slot)))
        } else {
            copy.pointee.method = .messaging
            send(frame)
        }
    }

    /// The driver's word about a placement. One that failed goes by message.
    package mutating func placed(token: UInt32, ok: Bool) {
        guard token < UInt32(layout.frames), copies[Int(token)].method == .dma else { return }
        let frame = FrameIndex(token)
        guard ok else {
            dma.fallbacks += 1
            copies[Int(token)].method = .messaging
            return send(frame)
        }
        dma.pages += 1
        dma.bytes += UInt64(PageSize.bytes)
        finish(frame)
    }

    /// The answer to a write page message.
    package mutating func answered(_ message: PagingMessage) {
        guard message.request >= 1, message.request <= UInt32(layout.frames) else { return }
        let frame = FrameIndex(message.request - 1)
        let copy = copies[Int(frame.raw)]
        guard copy.method == .messaging, copy.slot == message.slot else { return }
        switch message.status {
        case .done, .exists:
            messaging.pages += 1
            messaging.bytes += UInt64(PageSize.bytes)
            finish(frame)
        case .unknown:
            // The data did not arrive as it was sent.
            send(frame)
        case .noSpace, .busy, .queued, .denied, .stale:
            // The partner refuses the slot: membership has changed, and will say so.
            break
        }
    }

    /// The window on the partner's memory opened or closed: DMA copies are possible, or not.
    package mutating func window(open: Bool) { isWindowOpen = open }

    /// The channel came up (unanswered pages are sent again) or went down.
    package mutating func channel(up: Bool) {
        isChannelUp = up
        guard up, outstanding > 0 else { return }
        for index in 0..<layout.frames where copies[index].method == .messaging { send(FrameIndex(UInt32(index))) }
    }

    /// The partner is gone: nothing is being copied any more.
    package mutating func reset() {
        for index in 0..<layout.frames { copies[index].method = .none }
        outstanding = 0
        isWindowOpen = false
    }

    private mutating func finish(_ frame: FrameIndex) {
        copies[Int(frame.raw)].method = .none
        outstanding -= 1
        effects.append(.copied(frame))
    }

    private mutating func send(_ frame: FrameIndex) {
        guard isChannelUp else { return }
        effects.append(.send(frame))
    }

    /// First byte of what a write page message of the frame carries.
    package func data(_ frame: FrameIndex) -> UnsafeRawPointer {
        UnsafeRawPointer(region + layout.frame(Int(frame.raw)))
    }

    /// First byte of what follows it in the message, when the page has a trailer.
    package func trailer(_ frame: FrameIndex, of message: PagingMessage) -> UnsafeRawPointer? {
        message.dataLength == UInt32(PageSize.bytes)
            ? nil : UnsafeRawPointer(region + layout.trailer(Int(frame.raw)))
    }

    /// The write page message of a frame whose `send` was taken; nil when none is needed any more.
    package mutating func takeMessage(_ frame: FrameIndex) -> PagingMessage? {
        guard copies[Int(frame.raw)].method == .messaging else { return nil }
        // A page that was superseded while its copy for a joiner had no answer needs none any more.
        guard let header = FrameHeader(placed: region + layout.header(Int(frame.raw))) else {
            finish(frame)
            return nil
        }
        var message = PagingMessage(.writePage)
        message.request = frame.raw + 1
        message.slot = copies[Int(frame.raw)].slot
        message.unit = header.unit
        message.mode = header.kind == .state ? .exclusive : .none
        message.guid = header.guid
        message.firstPage = header.page
        message.pageCount = 1
        message.version = header.version
        message.validMask = header.validMask
        message.dirtyMask = header.dirtyMask
        message.groupSize = header.role == .standing ? 1 : header.groupSize
        message.groupCounter = header.groupCounter
        message.checksum = header.checksum
        message.dataLength = UInt32(PageSize.bytes + (header.hasTrailer ? PageSize.trailerBytes : 0))
        return message
    }
}
