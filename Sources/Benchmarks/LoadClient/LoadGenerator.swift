import CLinux
import Glibc

/// Set by the signal handler: issue nothing more, wait for what is in flight, report.
nonisolated(unsafe) var stopRequested: sig_atomic_t = 0

/// The load generator: one thread, one epoll set, commands in a fixed table, nothing allocated per command.
///
/// Commands belong to the generator, not to a session: when a connection is lost, its commands go to whichever
/// session has room, with the same data, until one answers. That is what a multipath host does.
struct LoadGenerator: ~Copyable {
    enum Work {
        /// No session has told the unit's size yet.
        case sizing
        /// Reads what an earlier run left in flight, to learn its fate.
        case resolving
        /// Reads all that the table knows.
        case checking
        case loading
        /// Nothing new is issued; what is in flight is awaited.
        case draining
        case finished
    }

    let options: Options
    let paths: [PathAddress]
    let epoll: Int32
    let sessions: UnsafeMutablePointer<Session>
    let sessionCount: Int
    let commands: UnsafeMutablePointer<Command>
    let commandCount: Int
    /// One buffer a command when verifying (`bufferStride` is the block size), else one for all (0).
    let buffers: UnsafeMutableRawPointer
    let bufferStride: Int
    let blockSectors: Int
    let events: UnsafeMutablePointer<epoll_event>
    static let eventCapacity = 256

    var free = CommandList()
    var retry = CommandList()
    /// Refused for now: sent again at the next tick.
    var delayed = CommandList()
    var inFlight = 0

    var work = Work.sizing
    var unitBlockLength: UInt64 = 512
    /// Blocks of the run's size in its span.
    var blocks: UInt64 = 0
    var cursor: UInt64 = 0
    var issued: UInt64 = 0
    var random: UInt64
    var table: AcknowledgedTable?
    /// By block: a verified command is at it, so no other may be.
    var busy: UnsafeMutablePointer<UInt8>?

    var histogram = Histogram()
    var tally = Tally()
    var loadBegan: UInt64 = 0
    var drainBegan: UInt64 = 0
    /// Last moment at which any session was in full feature phase and heard something.
    var aliveAt: UInt64 = 0
    var lastLoss = "never connected"
    var nextTick: UInt64 = 0

    init(_ options: Options, paths: [PathAddress]) {
        self.options = options
        self.paths = paths
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        sessionCount = options.failOver ? options.sessions : options.sessions * paths.count
        sessions = .allocate(capacity: sessionCount)
        for index in 0..<sessionCount {
            let session = Session(index: Int32(index), inputCapacity: 2 * options.maxReceive + 8192)
            (sessions + index).initialize(to: session)
            sessions[index].path = options.failOver ? 0 : index % paths.count
        }
        commandCount = options.depth * sessionCount
        commands = .allocate(capacity: commandCount)
        commands.initialize(repeating: Command(), count: commandCount)
        bufferStride = options.verify ? options.blockSize : 0
        let bytes = options.verify ? options.blockSize * commandCount : options.blockSize
        buffers = .allocate(byteCount: bytes, alignment: 4096)
        memset(buffers, 0x5A, bytes)
        blockSectors = options.blockSize / Stamp.sectorSize
        events = .allocate(capacity: Self.eventCapacity)
        random = options.seed &* 0x9E37_79B9_7F4A_7C15 | 1
        for number in (0..<commandCount).reversed() { free.push(Int32(number), in: commands) }
    }

    /// Runs to the end and says what happened.
    mutating func run() -> Tally {
        var now = monotonicNow()
        aliveAt = now
        for index in 0..<sessionCount { connect(sessions + index, now) }
        while work != .finished {
            let wait: Int32 = delayed.count > 0 ? 1 : 5
            let count = epoll_wait(epoll, events, Int32(Self.eventCapacity), wait)
            now = monotonicNow()
            for index in 0..<Int(max(count, 0)) {
                let event = events[index]
                serve(sessions + Int(event.data.u64), event.events, now)
            }
            if now >= nextTick { tick(now) }
        }
        return tally
    }

    /// One session's turn: receive, complete, issue, send.
    @inline(__always)
    mutating func serve(_ session: UnsafeMutablePointer<Session>, _ flags: UInt32, _ now: UInt64) {
        guard session.pointee.descriptor >= 0 else { return }
        if session.pointee.phase == .connecting {
            connected(session, now)
            return
        }
        if flags & ~EPOLLOUT.rawValue != 0, !receive(session, now) { return }
        issue(session, now)
    }

    /// Issues commands while there is room, and sends everything that is queued.
    @inline(__always)
    mutating func issue(_ session: UnsafeMutablePointer<Session>, _ now: UInt64) {
        if session.pointee.phase == .running, !session.pointee.wantsWritable {
            while session.pointee.outstanding < options.depth,
                Int32(bitPattern: session.pointee.maximumSequence &- session.pointee.commandSequence) >= 0,
                let number = nextCommand(now) {
                send(number, session, now)
            }
        }
        guard session.pointee.descriptor >= 0 else { return }
        guard session.pointee.flush() else {
            lose(session, now, "cannot send: \(String(cString: strerror(errno)))")
            return
        }
        let waits = session.pointee.queued > 0
        if waits != session.pointee.wantsWritable { watch(session, writable: waits) }
    }

    /// A command to send: one that must be sent again, else a new one; nil: nothing to do now.
    @inline(__always)
    mutating func nextCommand(_ now: UInt64) -> Int32? {
        if let number = retry.pop(in: commands) { return number }
        guard free.head >= 0, let block = nextBlock() else { return nil }
        guard let number = free.pop(in: commands) else { return nil }
        commands[Int(number)].sector = block &* UInt64(blockSectors)
        commands[Int(number)].begun = now
        commands[Int(number)].isWrite = false
        inFlight += 1
        if work == .loading {
            issued += 1
            commands[Int(number)].isWrite =
                options.readPercent == 0 || (options.readPercent < 100 && draw(100) >= options.readPercent)
        }
        if let busy, let table {
            busy[Int(block)] = 1
            if commands[Int(number)].isWrite { stamp(number, table) }
        }
        return number
    }

    private func stamp(_ number: Int32, _ table: AcknowledgedTable) {
        let sequence = table.takeSequence()
        let sector = commands[Int(number)].sector
        commands[Int(number)].sequence = sequence
        table.willWrite(first: sector, count: blockSectors, sequence: sequence)
        Stamp.write(buffer(number), first: sector, sectors: blockSectors, sequence: sequence, seed: table.seed)
    }

    @inline(__always) func buffer(_ number: Int32) -> UnsafeMutableRawPointer {
        buffers + Int(number) * bufferStride
    }

    /// A number below `bound`.
    @inline(__always) mutating func draw(_ bound: UInt64) -> UInt64 {
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        return (random &* 0x2545_F491_4F6C_DD1D).multipliedFullWidth(by: bound).high
    }

    /// The block that the next new command is for; nil: none now.
    @inline(__always) private mutating func nextBlock() -> UInt64? {
        switch work {
        case .loading:
            if issued >= options.operations || stopRequested != 0 { return nil }
            for _ in 0..<64 {
                let block: UInt64
                if options.sequential {
                    block = cursor
                    cursor = cursor + 1 == blocks ? 0 : cursor + 1
                } else {
                    block = draw(blocks)
                }
                if let busy, busy[Int(block)] != 0 { continue }
                return block
            }
            return nil
        case .checking, .resolving:
            guard let table,
                let block = table.nextKnown(
                    block: cursor, blockSectors: UInt64(blockSectors), pendingOnly: work == .resolving)
            else { return nil }
            cursor = block + 1
            return block
        case .sizing, .draining, .finished: return nil
        }
    }
}
