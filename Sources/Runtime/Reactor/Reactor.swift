import BlockModel
import CLinux
import Controller
import Devices
import Glibc
import PagingFormats
import Primitives

/// The loop that owns a controller and everything it touches, on one thread.
///
/// A turn: wait; receive straight into the engine's memory; read the clock once, after the last byte; tell the engine
/// everything; settle; perform the effects in order (placements of a batch share one fence and one look at the
/// partner's window word, and are answered with a later clock); submit the batch of device requests; send with one
/// gather call a stream; again, until no effect is left.
package struct Reactor<Engine: DrivenController & ~Copyable>: ~Copyable {
    enum Limits {
        /// Receives of one stream before the batch is settled. With one, its host works on the first answers while the
        /// next commands are read; with more, both wait for each other in turns.
        static var receiveRounds: Int { 1 }
        /// Settles of one turn; what is left goes on in the next, after a look at the sockets.
        static var drainRounds: Int { 64 }
        /// Connections taken from one listener in one turn.
        static var accepts: Int { 16 }
        /// Slices of one receive or send (the kernel's limit is 1024).
        static var slices: Int { 256 }
        /// Streams that host connections leave to the channel.
        static var channelStreams: Int { 8 }
        static var dialPatience: Interval { .seconds(1) }
        static var drainPatience: Interval { .seconds(5) }
        static var lingerPatience: Interval { .seconds(1) }
        static var windowRetry: Interval { .milliseconds(250) }
        /// Tries of a witness call whose lock the partner holds.
        static var witnessAttempts: Int { 3 }
    }

    var engine: Engine
    var plant: Plant
    let poller: Poller
    var streams: Table<Stream>
    var receiveList: StreamList
    var sendList: StreamList
    var interestList: StreamList
    var vector = ByteVector(capacity: Limits.slices)
    /// Bytes that nobody wants: of a cut or lingering stream.
    let scratch: UnsafeMutableRawPointer
    static var scratchBytes: Int { 65536 }
    /// What happened and the engine was not told yet, oldest first.
    var feed = Queue<ControllerEvent>(capacity: 256)
    var completions = Queue<StorageCompletion>(capacity: 256)
    /// Replies of side-door calls that take effect with the next `drain`.
    var replies = Queue<Reply>(capacity: 16)

    var window: WindowMapping?
    var windowState = WindowState()
    var foreign: ForeignMemory?
    /// The record that the witness told last.
    var record: WitnessRecord?
    /// Attempts of the witness call under way.
    var witnessAttempts = 0

    var isCutToPartner = false
    var isCutFromPartner = false
    /// The word that the engine wants; while the partner is cut off from us, another one is shown.
    var wantedWindowWord: UInt64 = WindowWord.closed
    /// Earliest deadline of a dialing, draining or lingering stream.
    var streamDeadline = Instant.never
    /// Streams that drain or linger.
    var closingStreams = 0
    /// A descriptor kept for the moment in which there are no others.
    var spare: Int32 = -1
    let stopWake: Int32
    var stopSignals = 0
    let notice = ServiceNotice()
    var nextWatchdog = Instant.never
    /// The engine's last word; the loop goes on until closing streams have sent theirs, or `outcomeDeadline`.
    var outcome: ProcessOutcome?
    var outcomeDeadline = Instant.never

    package init(engine: consuming Engine, plant: consuming Plant) throws(RuntimeError) {
        let made = try Poller()
        poller = made
        let count = plant.settings.maximumStreams
        self.engine = engine
        self.plant = plant
        streams = Table(capacity: count, initial: Stream())
        receiveList = StreamList(capacity: count)
        sendList = StreamList(capacity: count)
        interestList = StreamList(capacity: count)
        scratch = .allocate(byteCount: Self.scratchBytes, alignment: 4096)
        stopWake = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        spare = open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    deinit { scratch.deallocate() }

    /// Runs until the engine stops, gives up or refuses, or the side door ends it.
    package consuming func run() -> ProcessOutcome {
        begin()
        drain()
        while !isOver { turn() }
        let result = outcome ?? .halted
        end()
        return result
    }

    /// The outcome is there, and nobody waits for bytes any more.
    private var isOver: Bool {
        guard let outcome else { return false }
        return outcome != .stopped || closingStreams == 0 || Platform.now >= outcomeDeadline
    }

    /// One turn.
    mutating func turn() {
        syncInterest()
        let count = poller.wait(milliseconds: timeout())
        for index in 0..<count {
            if let ready = poller[index] { dispatch(ready) }
        }
        receive()
        timers(at: Platform.now)
        drain()
    }

    /// Tells the engine what happened, and performs what it asks, until nothing is left.
    mutating func drain() {
        for _ in 0..<Limits.drainRounds {
            let now = Platform.now
            while let event = feed.popFirst() {
                engine.handle(event, at: now)
                if case .closed(let stream) = event { recycle(stream) }
            }
            engine.settle(at: now)
            while let effect = engine.nextEffect() { perform(effect, at: now) }
            finishPlacements()
            while let reply = replies.popFirst() { reply.give(.done) }
            if plant.devices.hasWork { plant.devices.submit() }
            if plant.devices.hasCompletions { collectDevices() }
            if feed.isEmpty { transmit() }
            if feed.isEmpty { return }
        }
    }

    /// Milliseconds that a wait may last, rounded up so that a deadline has passed when it ends.
    private mutating func timeout() -> Int32 {
        if !feed.isEmpty || sendList.count > 0 { return 0 }
        // The kernel had no room for a transfer, and tells nobody when it has.
        if plant.devices.hasWork { return 1 }
        var next = Swift.min(engine.nextDeadline, streamDeadline)
        next = Swift.min(next, Swift.min(windowState.nextTry, nextWatchdog))
        if plant.settings.partnerWindow != nil { next = Swift.min(next, plant.partner.nextStep) }
        if outcome != nil { next = Swift.min(next, outcomeDeadline) }
        if next == .never { return -1 }
        let left = (next - Platform.now).nanoseconds
        return Int32(Swift.min((left + 999_999) / 1_000_000, 60_000))
    }
}
