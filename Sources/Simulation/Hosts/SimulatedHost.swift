import Controller
import PagingFormats
import Primitives

/// What waits for a controller's process to look at it.
enum Input {
    case event(ControllerEvent)
    /// Bytes, or the end of the stream, may be read; room to write is there again; the connection was reset. The
    /// connection number tells a late word about an earlier stream of the same number.
    case readable(stream: Int, connection: Int)
    case writable(stream: Int, connection: Int)
    case reset(stream: Int, connection: Int)
}

/// A stream of a controller: one side of a connection.
struct StreamSlot {
    var connection: Int
    var side: Int
    var isChannel: Bool
    /// The controller gave no place for bytes; wait for `resumeReceive`.
    var isPaused = false
    /// The pipe was full; wait until it has room.
    var isBlocked = false
    /// The controller asked for the close.
    var isClosing = false
}

/// A fault that strikes after some more effects, in the midst of a batch.
struct ArmedFault {
    var effectsLeft: Int
    /// Crash, or hang for so long (nanoseconds).
    var hang: UInt64?
}

/// One of the two hosts: the process of a controller when there is one, and what outlives it.
final class SimulatedHost {
    enum State { case running, dying, dead }

    let index: Int
    let id: ControllerID
    /// The memory file: it survives the process.
    let region: UnsafeMutableRawPointer
    let layout: RegionLayout

    var state = State.dead
    var process: (any SimulatedProcess)?
    /// Number of the present or last life; also its incarnation.
    var life: UInt64 = 0
    var inbox: [Input] = []
    var wakeScheduled = false
    /// The tick that is scheduled; earlier deadlines schedule anew.
    var tickAt = UInt64.max
    /// Hung until `resume`.
    var isHung = false
    /// Effects of an interrupted batch are left.
    var isInterrupted = false
    var needsSettle = false
    /// Added to each reaction while the process is slow.
    var slowness: UInt64 = 0
    /// How far the clock that the process reads is behind (a planted bug; else 0).
    var clockLag: UInt64 = 0
    var armed: ArmedFault?
    var streams: [StreamSlot?] = []

    /// The incarnation whose mirror area is mapped; nil when no window is open.
    var window: UInt64?
    /// The controller wants the window: it is tried until it opens.
    var wantsWindow = false
    /// The word that the controller wants in its memory; while the partner is cut off from it, `closed` stands there.
    var wantedWindowWord: UInt64 = WindowWord.closed
    /// Placements of this batch that are sealed and wait for the look at the window word, and the word they need.
    var placed: [UInt32] = []
    var expectedWord: UInt64 = WindowWord.closed
    /// The partner's life that this process has a pidfd of.
    var watched: UInt64?
    /// The last life of the partner whose end was told.
    var toldEnd: UInt64?
    /// This process holds the lock of its partner's memory file.
    var holdsPartnerMemory = false
    /// `fencePartner` waits for its proof.
    var isFencing = false
    /// The partner's life that is to end; nil while nobody was found.
    var fenceTarget: UInt64?
    var fenceBegun: UInt64 = 0
    var hasToldFenceFailure = false
    /// Two hosts: lives up to this one have lost their registration with the devices, and write no more.
    var fencedThrough: UInt64 = 0
    /// The supervisor starts the process again after its end.
    var restartDelay: UInt64?
    var startAttempt: UInt64 = 0
    var lastStatus = ControllerStatus()
    /// The life that was told to stop when it ran alone at the end.
    var toldToStop: UInt64 = 0

    init(index: Int, layout: RegionLayout) {
        self.index = index
        id = index == 0 ? .a : .b
        self.layout = layout
        region = .allocate(byteCount: layout.bytes, alignment: PageSize.bytes)
        eraseMemory()
    }

    deinit { region.deallocate() }

    /// The memory file is new: all zero.
    func eraseMemory() {
        region.initializeMemory(as: UInt8.self, repeating: 0, count: layout.bytes)
    }

    var isRunning: Bool { state == .running }
    var letter: UInt8 { index == 0 ? 97 : 98 }

    /// The lowest stream number that is free.
    func addStream(_ slot: StreamSlot) -> Int {
        if let place = streams.firstIndex(where: { $0 == nil }) {
            streams[place] = slot
            return place
        }
        streams.append(slot)
        return streams.count - 1
    }

    /// The slot of a stream if it is still the one on this connection.
    func slot(_ stream: Int, _ connection: Int) -> StreamSlot? {
        guard stream < streams.count, let slot = streams[stream], slot.connection == connection else { return nil }
        return slot
    }
}
