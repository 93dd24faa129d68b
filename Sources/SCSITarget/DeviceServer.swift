import BlockModel
import Primitives
import SAM
import SCSIFormats

/// The SCSI device server of one controller, with its task router and task manager (SAM-6 §4.5): commands of a
/// transport come in, requests to Memory and words to the transport go out. It decides everything that SCSI says
/// about a command and moves no byte of block data itself.
///
/// Who may answer, and until when, is the service condition's matter; what all controllers must agree on (home, mode
/// parameters, events) is in the unit's state block, which it reads under a pointer: a command is started only while
/// the pointer is here, and counted, so that the pointer can leave as soon as nothing relies on it. A command that
/// waits for its host relies on nothing.
package struct DeviceServer: ~Copyable {
    /// Words to the transport, in order; the controller empties it after each call.
    package var transport = Queue<TransportRequest>(capacity: 256)
    /// Requests to Memory, in order; the controller empties it after each call.
    package var blocks = Queue<BlockRequest>(capacity: 256)
    package var counters = DeviceServerCounters()

    let controller: ControllerID
    let controllers: Int
    let patience: Interval
    let maxNexuses: Int
    let wallClockOffset: UInt64?
    let canQuery: Bool
    let frames: Frames
    let lists: PageLists
    let identity: Identity
    let commands: CommandTable

    var tasks: Table<CommandTask>
    /// One a unit, and one more for commands to LUNs that are not there.
    var units: Table<LogicalUnit>
    /// What this controller does of format and sanitize operations, by unit; and the unit of each worker, -1 for none.
    var works: Table<BackgroundWork>
    var workers: Table<Int32>
    var changes: Table<StateChange>
    var management: Table<TaskManagement>
    /// Target of each nexus; -1 where there is none.
    var nexusTargets: Table<Int32>
    /// View of each nexus.
    var nexusViews: Table<UInt16>
    let views: AccessViews
    var attentions: UnitAttentions
    var streams: ReadStreams
    var buffers: NexusBuffers
    var groups: GroupStatistics
    var names: NexusNames
    var standings: Standings
    /// A draft as it was before a command that may turn out to be refused: a page.
    let draftCopy: UnsafeMutableRawPointer
    /// A page a unit: the pattern of its format or sanitize operation.
    let patterns: UnsafeMutableRawPointer
    /// Ordinal by unit index.
    var unitOrdinals: KeyIndex

    /// Commands in the task sets, by nexus and unit, of units whose limit can be reached.
    var nexusTasks: Table<UInt16>
    /// Nexuses that are established.
    var nexusCount = 0
    /// Some unit has thresholds of provisioning: what takes room looks after them.
    var hasThresholds = false
    var condition = ServiceCondition.stopped
    /// `paired` when hosts were last answered; nil before.
    var lastPaired: Bool?
    /// The epoch in which this life first answered hosts.
    var lifeEpoch: UInt32 = 0
    /// Of the fault that the present call is about: its first sector.
    var faultSector: UInt64?
    /// The present call's time.
    var now = Instant.zero
    /// No later than the first end of a waiting command's patience.
    var deadline = Instant.never
    /// No later than the next step of a format or sanitize operation.
    var workDeadline = Instant.never
    /// Arrivals so far.
    var sequence: UInt64 = 0
    private let pinned = Pinned()

    /// - Parameters:
    ///   - frames: where page frames and parameter pages are.
    ///   - lists: the page lists of the command slots, at least `maxCommands`, and of as many more as `workers`.
    package init(configuration: DeviceServerConfiguration, frames: Frames, lists: PageLists) {
        precondition(configuration.maxCommands <= frames.parameterCount, "a command slot has no parameter page")
        let slots = configuration.maxCommands + configuration.workers
        precondition(slots <= 1 << 16 && configuration.maxNexuses <= 1 << 16)
        precondition(slots <= lists.count, "a command slot or a worker has no page list")
        let unitCount = configuration.units.count
        controller = configuration.controller
        controllers = configuration.controllers
        patience = configuration.patience
        maxNexuses = configuration.maxNexuses
        wallClockOffset = configuration.wallClockOffset
        canQuery = configuration.canQuery
        self.frames = frames
        self.lists = lists
        identity = Identity(configuration)
        commands = CommandTable(controllers: configuration.controllers)
        tasks = Table(capacity: configuration.maxCommands, initial: CommandTask())
        units = Table(capacity: unitCount + 1, initial: LogicalUnit())
        works = Table(capacity: unitCount + 1, initial: BackgroundWork())
        workers = Table(capacity: configuration.workers, initial: -1)
        // One change a slot; for each unit one a management request, and two moves of home, of counters, of sweeps, of
        // errors, of thresholds and of records of background work: committing, and next.
        changes = Table(
            capacity: configuration.maxCommands + unitCount * (configuration.maxTaskManagement + 12),
            initial: StateChange())
        management = Table(capacity: configuration.maxTaskManagement, initial: TaskManagement())
        nexusTargets = Table(capacity: configuration.maxNexuses, initial: -1)
        nexusTasks = Table(capacity: configuration.maxNexuses * max(1, unitCount), initial: 0)
        nexusViews = Table(capacity: configuration.maxNexuses, initial: 0)
        views = AccessViews(
            units: configuration.units.map { DeviceServerView.Mapping(lun: $0.lun, unit: $0.index) },
            views: configuration.views)
        attentions = UnitAttentions(nexuses: configuration.maxNexuses, units: unitCount)
        buffers = NexusBuffers(nexuses: configuration.maxNexuses)
        groups = GroupStatistics(units: unitCount)
        streams = ReadStreams(nexuses: configuration.maxNexuses, units: unitCount)
        names = NexusNames(nexuses: configuration.maxNexuses)
        standings = Standings(nexuses: configuration.maxNexuses, units: unitCount)
        draftCopy = .allocate(byteCount: PageSize.bytes, alignment: 8)
        patterns = .allocate(byteCount: max(1, unitCount) * PageSize.bytes, alignment: 8)
        unitOrdinals = KeyIndex(entries: unitCount)
        for (ordinal, unit) in configuration.units.enumerated() { add(unit, ordinal) }
    }

    deinit {
        draftCopy.deallocate()
        patterns.deallocate()
    }

    private mutating func add(_ unit: DeviceServerUnit, _ ordinal: Int) {
        precondition(unit.blockLength == 512 || unit.blockLength == 4096, "a block length that is neither 512 nor 4096")
        let shift: UInt64 = unit.blockLength == 512 ? 0 : 3
        precondition((unit.sectors >> shift) > 0, "a unit without a block")
        let type = unit.profile.protectionType
        precondition(
            type == 0 || type <= 3 && shift == 0 && frames.trailers != nil,
            "protection information needs blocks of 512 bytes, and a memory with trailers")
        units[ordinal].index = unit.index
        units[ordinal].lun = unit.lun
        units[ordinal].sectors = (unit.sectors >> shift) << shift
        units[ordinal].blockShift = shift
        units[ordinal].preferred = unit.preferred
        units[ordinal].home = unit.preferred
        units[ordinal].profile = unit.profile
        units[ordinal].isTaskSetLimited = Int(unit.profile.taskSetLimit) < tasks.capacity
        units[ordinal].traits = Self.traits(
            unit.profile, controllers: controllers, managed: !identity.managementURL.isEmpty)
        unitOrdinals.set(UInt64(unit.index.raw), UInt32(ordinal))
    }

    /// Ordinal of no unit.
    var noUnit: Int { units.capacity - 1 }

    /// Tells what a transport has for the device server.
    package mutating func handle(_ indication: TransportIndication, at now: Instant) {
        self.now = now
        switch indication {
        case .nexusEstablished(let nexus, let identity): establish(Int(nexus.raw), identity)
        case .nexusLost(let nexus): lose(Int(nexus.raw))
        case .commandReceived(let command): receive(command)
        case .dataOutReceived(let handle):
            guard let slot = current(handle) else { return }
            dataOutReceived(slot)
            settle(Int(tasks[slot].unit))
        case .dataInDelivered(let handle):
            guard let slot = current(handle) else { return }
            dataInDelivered(slot)
            settle(Int(tasks[slot].unit))
        case .commandLost(let handle):
            guard let slot = current(handle) else { return }
            abort(slot, .lost)
            settle(Int(tasks[slot].unit))
        case .taskManagementRequestReceived(let request): manage(request)
        }
    }

    /// Tells what Memory answered, or decided.
    package mutating func handle(_ response: BlockResponse, at now: Instant) {
        self.now = now
        switch response {
        case .pagesReady(let token, let run):
            guard Int(token.slot) < tasks.capacity else { return workPagesReady(Int(token.slot), run) }
            pagesReady(Int(token.slot), run)
            settle(Int(tasks[Int(token.slot)].unit))
        case .completed(let token, let fault):
            guard Int(token.slot) < tasks.capacity else { return workCompleted(Int(token.slot), fault) }
            completed(Int(token.slot), fault)
            settle(Int(tasks[Int(token.slot)].unit))
        case .failed(let token, let fault, let sector):
            guard Int(token.slot) < tasks.capacity else { return workCompleted(Int(token.slot), fault) }
            faultSector = sector
            completed(Int(token.slot), fault)
            faultSector = nil
            settle(Int(tasks[Int(token.slot)].unit))
        case .miscompared(let token, let offset):
            guard Int(token.slot) < tasks.capacity else { return }
            miscompared(Int(token.slot), offset: offset)
            settle(Int(tasks[Int(token.slot)].unit))
        case .room(let unit, let usage): roomTold(unit, usage)
        case .stateGranted(let unit, let frame): stateGranted(unit, frame)
        case .stateRecalled(let unit): stateRecalled(unit)
        case .stateWritable(let unit, let frame): stateWritable(unit, frame)
        case .stateCommitted(let unit, let fault): stateCommitted(unit, fault)
        case .serving(let condition): serve(condition)
        }
    }

    /// Ends commands whose patience is over, and goes on with work in the background. The controller calls it at
    /// `nextDeadline`, or at any time.
    package mutating func tick(at now: Instant) {
        self.now = now
        if now >= deadline { expire() }
        if now >= workDeadline { workDue() }
    }

    /// When `tick` is wanted at the latest.
    package var nextDeadline: Instant { min(deadline, workDeadline) }

    /// Commands that have not ended: for tests, status and a clean stop.
    package var commandsUnderWay: Int {
        var count = 0
        for slot in 0..<tasks.capacity where tasks[slot].phase != .free { count += 1 }
        return count
    }

    /// The slot of a handle, when its command has not ended.
    @inline(__always) func current(_ handle: CommandHandle) -> Int? {
        let slot = handle.slot
        guard slot < tasks.capacity else { return nil }
        let task = tasks.pointer(slot)
        return task.pointee.phase != .free && task.pointee.handle == handle ? slot : nil
    }

    /// Whether hosts may be answered now.
    @inline(__always) var isServing: Bool { condition.serving && now < condition.leaseEnd }
}
