import BlockModel
import Controller
import PagingFormats
import Primitives
import Runtime
import Synchronization

/// A small engine that speaks the driver's seam over real sockets: it sends back what it receives, from the memory
/// that it was received into, and does what single bytes tell it.
///
///     Q  close the connection after what is due     W  write a page to device 0, answer `w` when it is there
///     P  place frame 2 in slot 12, answer `p` or `-`
struct EchoEngine: DrivenController, ~Copyable {
    /// What tests look at from outside.
    final class Diary: Sendable {
        struct Page: Sendable {
            var lines: [String] = []
            var windowIncarnation: UInt64?
        }
        let page = Mutex(Page())
        func note(_ line: String) { page.withLock { $0.lines.append(line) } }
        func has(_ line: String) -> Bool { page.withLock { $0.lines.contains(line) } }
        var lines: [String] { page.withLock { $0.lines } }
    }

    struct Line {
        var isOpen = false
        var head = 0
        var tail = 0
        var starved = false
        var closing = false
    }

    static var room: Int { 1 << 16 }
    let diary: Diary
    let memory: UnsafeMutableRawPointer
    let layout: RegionLayout
    let buffers: UnsafeMutableRawPointer
    let slices: UnsafeMutablePointer<ByteSlice>
    var lines = [Line](repeating: Line(), count: 16)
    var effects = Queue<ControllerEffect>()
    var expectedWindowWord = WindowWord.closed
    var nextDeadline: Instant { .never }
    /// The connection that a device or window result is for.
    var waiting = StreamID.none

    init(_ diary: Diary, memory: UnsafeMutableRawPointer, layout: RegionLayout, opening: [ControllerEffect] = []) {
        self.diary = diary
        self.memory = memory
        self.layout = layout
        buffers = .allocate(byteCount: 16 * Self.room, alignment: 4096)
        slices = .allocate(capacity: 1)
        for effect in opening { effects.append(effect) }
    }

    deinit {
        buffers.deallocate()
        slices.deallocate()
    }

    mutating func handle(_ event: ControllerEvent, at now: Instant) {
        switch event {
        case .hostConnected(let id, let portal, _):
            lines[Int(id.raw)] = Line(isOpen: true)
            diary.note("connected \(portal)")
        case .channelAccepted(let id):
            lines[Int(id.raw)] = Line(isOpen: true)
            diary.note("accepted")
        case .channelConnected(let id):
            if let id { lines[Int(id.raw)] = Line(isOpen: true) }
            diary.note(id == nil ? "dial failed" : "dialed")
            if let id { say(0x48, on: id) }
        case .received(let id, let count): received(Int(id.raw), count)
        case .transmitted(let id, let count): transmitted(Int(id.raw), count)
        case .closed(let id):
            lines[Int(id.raw)].isOpen = false
            diary.note("closed")
        case .storageCompleted(let completion): say(completion.fault == nil ? 0x77 : 0x2D, on: waiting)
        case .windowOpened(_, let incarnation):
            expectedWindowWord = WindowWord.open(epoch: 4, incarnation: incarnation)
            diary.note("window opened")
        case .windowClosed: diary.note("window closed")
        case .placed(_, let ok): say(ok ? 0x70 : 0x2D, on: waiting)
        case .witnessRead(let answer): diary.note("witness \(answer == .none ? "none" : "other")")
        case .witnessSwapped(_, let won): diary.note("swapped \(won)")
        case .partnerEnded: diary.note("partner ended")
        case .fenced(let proof): diary.note("fenced \(proof)")
        case .partnerMemory(let base, _): diary.note(base == nil ? "no memory" : "memory")
        case .authenticated(_, let digest): diary.note("digest \(digest[0])")
        case .random: diary.note("random")
        case .loginChallenge: diary.note("login challenge")
        case .loginDigest(_, let digest): diary.note("login digest \(digest.map { "\($0[0])" } ?? "none")")
        case .maintenance(let isOn): diary.note("maintenance \(isOn)")
        case .moveHome: diary.note("move")
        case .stop: effects.append(.stopped)
        case .tick: diary.note("tick")
        }
    }

    mutating func settle(at now: Instant) {}
    func status(at now: Instant) -> ControllerStatus { ControllerStatus() }
    mutating func nextEffect() -> ControllerEffect? { effects.popFirst() }

    private func place(_ line: Int) -> UnsafeMutableRawPointer { buffers + line * Self.room }

    mutating func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) {
        let line = Int(stream.raw)
        let free = Self.room - lines[line].tail
        lines[line].starved = free == 0
        // Two slices, so that the kernel's scatter list is used.
        vector.append(place(line) + lines[line].tail, Swift.min(free, 100))
        vector.append(place(line) + lines[line].tail + Swift.min(free, 100), free - Swift.min(free, 100))
    }

    mutating func transmitSources(_ stream: StreamID, into vector: inout ByteVector) {
        let line = Int(stream.raw)
        vector.append(place(line) + lines[line].head, lines[line].tail - lines[line].head)
    }

    private mutating func received(_ line: Int, _ count: Int) {
        let id = StreamID(UInt32(line))
        let first = place(line).load(fromByteOffset: lines[line].tail, as: UInt8.self)
        lines[line].tail += count
        effects.append(.transmit(id))
        if count != 1 { return }
        switch first {
        case 0x51: effects.append(.close(id))
        case 0x57:
            waiting = id
            slices[0] = ByteSlice(base: memory + layout.frame(0), count: 4096)
            effects.append(
                .storage(
                    StorageRequest(
                        kind: .write, id: 1, device: DeviceIndex(0), offset: 0, count: 4096, slices: slices,
                        sliceCount: 1)))
        case 0x50:
            waiting = id
            effects.append(.place(WindowPlacement(token: 1, frame: FrameIndex(2), slot: 12)))
        default: break
        }
    }

    private mutating func transmitted(_ line: Int, _ count: Int) {
        lines[line].head += count
        guard lines[line].head == lines[line].tail else { return }
        lines[line].head = 0
        lines[line].tail = 0
        if lines[line].starved {
            lines[line].starved = false
            diary.note("resumed")
            effects.append(.resumeReceive(StreamID(UInt32(line))))
        }
    }

    private mutating func say(_ byte: UInt8, on id: StreamID) {
        if id == .none || !lines[Int(id.raw)].isOpen { return }
        let line = Int(id.raw)
        place(line).storeBytes(of: byte, toByteOffset: lines[line].tail, as: UInt8.self)
        lines[line].tail += 1
        effects.append(.transmit(id))
    }
}
