import BlockModel
import PagingFormats
import Primitives

/// The fault-tolerant virtual memory of one controller: blocks, pages, policies, locks and pointers, staging and
/// destaging, and its side of the paging synchronization messages (claims 1 to 23).
///
/// A value that decides: requests, completions, messages and orders go in with the time, effects and responses come
/// out. The region is the mapped memory file (layout in `RegionLayout`); it outlives the engine, and everything that
/// must survive is in it under sealed headers.
///
/// How a page lives: data lands in a fresh frame; sealing its header makes it the page's *pending* version; when both
/// memories hold it (or the device, by the acknowledgement table of pair-rules 3) it becomes the *current*, readable
/// one, *dirty*; a device write makes it *written*, a flush *clean*, and its header is opened.
package struct MemoryEngine: ~Copyable {
    package var effects = MemoryEffects()
    package var responses = Queue<BlockResponse>(capacity: 1024)
    package internal(set) var statistics = MemoryStatistics()
    /// What the pair's membership allows at the moment.
    package internal(set) var condition = ServiceCondition.stopped

    let configuration: MemoryConfiguration
    let region: UnsafeMutableRawPointer
    let layout: RegionLayout
    let frames: Frames
    let lists: PageLists

    var pool: FramePool
    var pages: PageTable
    var blocks: BlockTable
    var pointers: PointerDirectory
    var slots = SlotPool()
    var transfers: Table<Transfer>
    let transferSlices: UnsafeMutablePointer<ByteSlice>
    let transferFrames: UnsafeMutablePointer<FrameIndex>
    /// Sectors for trailers on their way to and from devices, `PageSize.operationPages` a transfer; empty when no unit
    /// has protection information.
    let transferSectors: UnsafeMutableRawBufferPointer
    let operations: UnsafeMutablePointer<Operation>
    let operationCount: Int
    /// Numbers of the records of the pages that an operation has locked, `PageSize.operationPages` an operation.
    let pageSlots: UnsafeMutablePointer<UInt32>
    /// In the same order, the frames that COMPARE AND WRITE and ORWRITE look at, and that must not go meanwhile.
    let olderFrames: UnsafeMutablePointer<FrameIndex>
    let devices: UnsafeMutablePointer<DeviceState>
    let units: UnsafeMutablePointer<UnitState>
    /// Keys of the pages that a destage round has chosen.
    let candidates: UnsafeMutablePointer<UInt64>
    /// Rows of every policy by unit: looked up by request size.
    let copyOrders: UnsafeMutablePointer<CopyPreference>

    /// Where devices tell how much room they have, by unit: bytes used, and bytes available.
    let usages: UnsafeMutablePointer<UInt64>

    /// Operations that may be able to go on.
    var runnable = Queue<UInt32>(capacity: 256)
    var waitingForFrames = Queue<UInt32>(capacity: 256)
    var waitingForSpace = Queue<UInt32>(capacity: 256)
    var held = Queue<UInt32>(capacity: 256)
    var waitingForClean = Queue<UInt32>(capacity: 64)
    /// Operations whose extent is being discarded, or that need room on a thin device.
    var waitingForDiscard = Queue<UInt32>(capacity: 64)
    var waitingForRoom = Queue<UInt32>(capacity: 64)
    /// Discards that keep others out of their extents, in their order.
    var discards = Queue<UInt32>(capacity: 16)
    var dirty = FrameList()
    /// Pages of admitted operations: proves that frames for them can be had by cleaning others.
    var admittedPages = 0
    var destagesInFlight = 0
    /// Membership's orders that are not yet fulfilled.
    var membership = MembershipProgress()
    /// What the partner asked to allocate here.
    var partnerBlocks: PartnerBlocks
    /// The newest Lamport counter that this controller has seen or used.
    package internal(set) var lamport: UInt64
    var now = Instant.zero
    var nextRequest: UInt32 = 1
    /// Messages about blocks and mirror slots that the partner has not answered, oldest first; it answers in order.
    var unanswered = Queue<PagingMessage>(capacity: 256, limit: MemoryLimits.unanswered)
    /// Mirror slots of group members that came by message and wait for their leader, oldest first.
    var recentMembers = Queue<UInt32>(capacity: PageSize.operationPages)
    /// Requests of the partner to clean a range, not answered yet.
    var cleanRequests = Queue<PagingMessage>(capacity: 16)
    private let pinned = Pinned()

    /// - Parameters:
    ///   - region: `layout.bytes` bytes, page-aligned, zeroed or with what an earlier life left in it; not changed
    ///     before the order `begin` or `void`.
    ///   - lists: one page list a command slot; their count is the number of tokens.
    package init(
        configuration: MemoryConfiguration, region: UnsafeMutableRawPointer, layout: RegionLayout, frames: Frames,
        lists: PageLists, at now: Instant
    ) {
        precondition(
            layout.mirrorStart >= 4 * PageSize.operationPages, "a memory needs four operations' worth of frames")
        precondition(
            layout.hasTrailers || !configuration.units.contains(where: \.isProtected),
            "units with protection information in a memory without trailers")
        self.configuration = configuration
        self.region = region
        self.layout = layout
        self.frames = frames
        self.lists = lists
        self.now = now
        pool = FramePool(layout: layout)
        // A page has a frame of its own, or an operation that brings one or waits; a block has a page.
        pages = PageTable(capacity: layout.frames + 2 * lists.count)
        blocks = BlockTable(capacity: layout.frames + 2 * lists.count)
        partnerBlocks = PartnerBlocks(mirrorFrames: layout.mirrorFrames)
        pointers = PointerDirectory(capacity: MemoryLimits.pointers)
        transfers = Table(capacity: MemoryLimits.transfers, initial: Transfer())
        transferSlices = .allocate(capacity: MemoryLimits.transfers * PageSize.operationPages)
        transferFrames = .allocate(capacity: MemoryLimits.transfers * PageSize.operationPages)
        let isProtected = layout.hasTrailers && configuration.units.contains(where: \.isProtected)
        transferSectors = .allocate(
            byteCount: isProtected ? MemoryLimits.transfers * PageSize.operationPages * 512 : 0, alignment: 512)
        transferSectors.initializeMemory(as: UInt8.self, repeating: 0)
        operationCount = lists.count + configuration.units.count
        operations = .allocate(capacity: operationCount)
        operations.initialize(repeating: Operation(), count: operationCount)
        pageSlots = .allocate(capacity: operationCount * PageSize.operationPages)
        pageSlots.initialize(repeating: .max, count: operationCount * PageSize.operationPages)
        olderFrames = .allocate(capacity: operationCount * PageSize.operationPages)
        olderFrames.initialize(repeating: .none, count: operationCount * PageSize.operationPages)
        devices = .allocate(capacity: max(1, configuration.deviceCount))
        devices.initialize(repeating: DeviceState(), count: max(1, configuration.deviceCount))
        units = .allocate(capacity: max(1, configuration.units.count))
        usages = .allocate(capacity: max(1, configuration.units.count) * 2)
        usages.initialize(repeating: 0, count: max(1, configuration.units.count) * 2)
        candidates = .allocate(capacity: MemoryLimits.destageCandidates)
        copyOrders = .allocate(capacity: max(1, configuration.units.count) * UnitState.rowLimit)
        for index in configuration.units.indices {
            (units + index).initialize(to: UnitState(configuration.units[index]))
            for (row, value) in configuration.units[index].policy.rows.prefix(UnitState.rowLimit).enumerated() {
                (copyOrders + index * UnitState.rowLimit + row).initialize(to: CopyPreference(value.copyOrder))
            }
        }
        lamport = 0
    }

    deinit {
        transferSlices.deallocate()
        transferFrames.deallocate()
        transferSectors.deallocate()
        operations.deallocate()
        pageSlots.deallocate()
        olderFrames.deallocate()
        devices.deallocate()
        for index in configuration.units.indices { units[index].room.deallocate() }
        units.deinitialize(count: configuration.units.count)
        units.deallocate()
        copyOrders.deallocate()
        candidates.deallocate()
        usages.deallocate()
    }

    /// A request of the device server.
    package mutating func handle(_ request: BlockRequest, at now: Instant) {
        self.now = now
        switch request {
        case .read(let token, let unit, let extent, let sequential):
            beginRead(Int(token.slot), unit, extent, sequential)
        case .prepareWrite(let token, let unit, let extent, let scratch):
            beginWrite(Int(token.slot), unit, extent, scratch: scratch)
        case .commitWrite(let token, let options):
            commit(Int(token.slot), options)
        case .release(let token):
            release(Int(token.slot))
        case .synchronize(let token, let unit, let extent):
            beginSynchronize(Int(token.slot), unit, extent)
        case .verify(let token, let unit, let extent):
            precondition(extent.pageCount <= PageSize.operationPages, "a verification longer than one operation")
            beginSynchronize(Int(token.slot), unit, extent)
            operations[Int(token.slot)].isVerify = true
        case .discard(let token, let unit, let extent):
            start(Int(token.slot), .discard, unit, extent)
            runnable.append(UInt32(token.slot))
        case .provisioning(let token, let unit, let extent):
            beginSynchronize(Int(token.slot), unit, extent)
            operations[Int(token.slot)].isQuery = true
        case .room(let unit): askForUsage(unit)
        case .wantState(let unit):
            units[Int(unit.raw)].userWants = true
            evaluateState(unit)
        case .returnState(let unit):
            units[Int(unit.raw)].userHolds = false
            units[Int(unit.raw)].userRecalled = false
            evaluateState(unit)
            evaluatePointers()
        case .wantStateWrite(let unit):
            units[Int(unit.raw)].userHolds = false
            units[Int(unit.raw)].userRecalled = false
            units[Int(unit.raw)].userWantsWrite = true
            evaluateState(unit)
            evaluatePointers()
        case .commitState(let unit, let durable):
            commitState(unit, durable: durable)
        }
        run()
    }

    /// The request will be handled soon: what it looks at first comes nearer. Nothing changes.
    package func expect(_ request: BlockRequest) {
        if case .read(_, let unit, let extent, _) = request { pages.expect(PageKey.data(unit, extent.firstPage)) }
    }

    /// The end of a storage request.
    package mutating func handle(_ completion: StorageCompletion, at now: Instant) {
        self.now = now
        transferEnded(Int(completion.id), fault: completion.fault)
        run()
    }

    /// The copy module's word: the partner's memory holds the sealed version of `frame`.
    package mutating func copied(_ frame: FrameIndex, at now: Instant) {
        self.now = now
        copyEnded(frame)
        run()
    }

    /// Once after each batch: destaging and flushes are decided here, where a batch's writes are seen together.
    package mutating func settle(at now: Instant) {
        self.now = now
        membership.batch += 1
        if awaitsRelease {
            while let waiting = waitingForClean.popFirst() { runnable.append(waiting) }
            answerCleanRequests()
        }
        run()
        askForSpace()
        destage()
        flushDevices()
        membershipSettle()
    }

    /// When `settle` is wanted at the latest.
    package var nextDeadline: Instant {
        guard !membership.isFrozen, condition.serving else { return .never }
        if awaitsRelease && !hasReleased && membership.releasesPending == 0 { return now }
        // What is being written already wants nothing before its completion.
        var next = dirty.head
        for _ in 0..<PageSize.operationPages where next != .max {
            let record = pool.records[Int(next)]
            if !record.isWriting && !(pages.find(record.key).map { pages[$0].isDeviceBusy } ?? false) {
                let retryAt = devices[Int(device(of: record.key).raw)].retryAt
                return max(record.dirtySince + destageAge(of: record.key), retryAt)
            }
            next = record.next
        }
        return .never
    }

    /// Lets every runnable operation go as far as it can.
    @inline(__always) mutating func run() {
        if !runnable.isEmpty { runAll() }
    }

    private mutating func runAll() {
        while let id = runnable.popFirst() {
            let index = Int(id)
            switch operations[index].kind {
            case .none: break
            case .read: advanceRead(index)
            case .write, .stateWrite: advanceWrite(index)
            case .synchronize: advanceSynchronize(index)
            case .discard: advanceDiscard(index)
            }
        }
    }

    /// Whether an answer computed at `now` may be given (pair-rules 3).
    @inline(__always) var mayAnswer: Bool {
        condition.serving && now < condition.leaseEnd && !membership.isQuiescing
            && !membership.isFrozen
    }

    /// New versions go to the partner's memory as well.
    @inline(__always) var isMirroring: Bool { (condition.paired || condition.joining) && !membership.isFrozen }

    /// The controller that keeps the lock directory of a unit: the survivor, when there is no pair.
    func isHome(_ unit: UnitIndex) -> Bool {
        !condition.paired || units[Int(unit.raw)].home == configuration.controller
    }

    /// The page list of an operation; a state commit's one frame is in the unit's state.
    func frame(_ operation: Int, _ index: Int) -> FrameIndex {
        operation < lists.count ? lists[operation][index] : units[operation - lists.count].draft
    }
}
