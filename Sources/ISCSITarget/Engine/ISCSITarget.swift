import ISCSIFormats
import Primitives
import SAM

/// The iSCSI target (RFC 7143), from the byte streams of its connections down to SAM's transport protocol services.
///
/// An engine: its driver tells it what happened on streams, it fills `effects` for the driver and `indications` for
/// the device server, which answers by `handle`. After each call, the owner carries indications and requests to and
/// fro, calling `resume` while `isRunnable`, until all are empty; then it performs the effects.
///
/// Bytes move without copies where they are many: `receiveTargets` names page pieces for long data segments, and
/// `transmitSources` names the pages of Data-In beside the headers of the output ring.
///
/// Helpers on the path of a command are `mutating` even when they change nothing: to a method that only reads, the
/// compiler may hand a copy of the whole engine, which costs more than the method.
package struct ISCSITarget: ~Copyable {
    /// To the driver.
    package var effects = Queue<TransportEffect>(capacity: 256)
    /// To the device server.
    package var indications = Queue<TransportIndication>(capacity: 256)
    package internal(set) var statistics = TransportStatistics()
    /// When `tick` is wanted; early calls do no harm.
    package internal(set) var nextDeadline = Instant.never

    let configuration: ISCSITargetConfiguration
    let limits: ISCSITargetConfiguration.Limits
    let frames: Frames
    let lists: PageLists
    var random: SeededRandom

    /// Connections by index; memory of one is made when it is first used, and then kept.
    let connections: UnsafeMutablePointer<Connection>
    /// How many elements of `connections` have been made.
    var madeConnections = 0
    var connectionPlaces: Table<UInt8>
    var streams: KeyIndex
    /// Negotiation texts by connection index.
    var exchanges: [TextExchange]
    var runnable: Queue<Int32>

    var sessions: Table<Session>
    let portNames: UnsafeMutableRawPointer
    var lastTSIH: UInt16
    /// Questions to the driver so far, and the identifier of the last challenge.
    var loginQuestions: UInt32 = 0
    var challengeIdentifier: UInt8
    /// Portal group that logins are sent to; nil: they are served.
    var redirection: UInt16?
    var redirected = RedirectMemory()
    /// How many commands a session may have when all are busy.
    var commandShare: Int

    var commands: Table<CommandSlot>
    /// (session, initiator task tag) of active commands to their slots.
    var tasks: KeyIndex
    var taskManagement: Table<TaskManagementSlot>

    /// What can be sent again, or waits for its turn.
    var pool: RetentionPool
    /// By command slot: what only sessions with `ordered` need.
    let recovery: UnsafeMutablePointer<RecoverySlot>
    var held: Table<HeldPDU>
    /// Headers of the held PDUs.
    let heldHeaders: UnsafeMutableRawPointer
    /// (session, CmdSN) to places of `held`, and (session, initiator task tag) of held SCSI Commands.
    var order: KeyIndex
    var heldTasks: KeyIndex
    /// Connections that are gone, whose commands can still be reassigned.
    var lostConnections: Table<LostConnection>
    /// Responses handed over by the device server in ordered sessions so far.
    var handedOver: UInt64 = 0
    /// Task management responses behind a fence, in their order.
    var delayedAnswers: [DelayedAnswer] = []
    /// Data of a held PDU that is delivered, in one piece.
    let scratch: UnsafeMutableRawPointer
    /// The present call's time.
    var now = Instant.zero
    /// Sessions are asked to log out; those that have not by then are dropped.
    var logoutDeadline = Instant.never
    /// They are, because the target goes away.
    var goesAway = false
    var nextTransferTag: UInt32 = 1
    private let pinned = Pinned()

    /// - Parameters:
    ///   - frames, lists: the pages that runs of the device server name.
    ///   - seed: for first StatSN and TSIH; any number.
    package init(configuration: ISCSITargetConfiguration, frames: Frames, lists: PageLists, seed: UInt64) {
        let limits = configuration.limits
        precondition(limits.maxCommands <= 0x1_0000 && limits.maxSessions <= 0x1_0000)
        precondition(limits.commandWindow >= 1 && limits.maxConnections >= 1)
        precondition((512...16_777_215).contains(limits.maxRecvDataSegmentLength))
        self.configuration = configuration
        self.limits = limits
        self.frames = frames
        self.lists = lists
        random = SeededRandom(seed: seed)
        connections = .allocate(capacity: limits.maxConnections)
        connectionPlaces = Table(capacity: limits.maxConnections, initial: 0)
        streams = KeyIndex(entries: limits.maxConnections)
        exchanges = Array(repeating: TextExchange(), count: limits.maxConnections)
        runnable = Queue(capacity: limits.maxConnections)
        sessions = Table(capacity: limits.maxSessions, initial: Session())
        portNames = .allocate(byteCount: limits.maxSessions * Sizes.portName, alignment: 8)
        commands = Table(capacity: limits.maxCommands, initial: CommandSlot())
        tasks = KeyIndex(entries: limits.maxCommands)
        taskManagement = Table(capacity: limits.maxTaskManagementRequests, initial: TaskManagementSlot())
        pool = RetentionPool(bytes: limits.retainedBytes)
        recovery = .allocate(capacity: limits.maxCommands)
        recovery.initialize(repeating: RecoverySlot(), count: limits.maxCommands)
        held = Table(capacity: limits.maxCommands, initial: HeldPDU(), lazily: true)
        heldHeaders = .allocate(byteCount: limits.maxCommands * Sizes.headerCopy, alignment: 8)
        order = KeyIndex(entries: limits.maxCommands)
        heldTasks = KeyIndex(entries: limits.maxCommands)
        lostConnections = Table(capacity: max(64, limits.maxConnections), initial: LostConnection())
        scratch = .allocate(byteCount: Sizes.collectedSegment, alignment: 64)
        lastTSIH = UInt16(truncatingIfNeeded: random.next())
        challengeIdentifier = UInt8(truncatingIfNeeded: random.next())
        commandShare = min(limits.commandWindow, limits.maxCommands)
    }

    deinit {
        for index in 0..<madeConnections { connections[index].deallocate() }
        connections.deinitialize(count: madeConnections)
        connections.deallocate()
        portNames.deallocate()
        recovery.deallocate()
        heldHeaders.deallocate()
        scratch.deallocate()
    }

    /// Connections that can go on with `resume`.
    package var isRunnable: Bool { !runnable.isEmpty }

    /// The connection of a stream, nil when there is none.
    @inline(__always) func connection(_ stream: StreamID) -> Int? { streams[UInt64(stream.raw)].map { Int($0) } }

    /// Key of a task in its session, and of a CmdSN in the command order.
    @inline(__always) func taskKey(_ session: Int32, _ number: UInt32) -> UInt64 {
        UInt64(UInt32(bitPattern: session)) << 32 | UInt64(number)
    }

    /// The port name of a session; the memory is the session's until it ends and another takes its place.
    func portName(_ session: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: portNames + session * Sizes.portName, count: sessions.pointer(session).pointee.portNameLength)
    }
}
