import BlockModel
import CopyModule
import ISCSITarget
import Memory
import PagingFormats
import Pair
import Primitives
import SAM
import SCSITarget

/// One controller of the pair: the composition of the engines. It routes and settles; it decides nothing.
///
///     streams ─▶ ISCSITarget ─SAM─▶ SCSITarget ─BlockModel─▶ Memory ─▶ CopyModule ─▶ window
///     channel ─▶ Pair ◀──────────── messages, orders, reports ──┘          └───────▶ Pair (messages)
///
/// A driver owns exactly one value, calls it from one thread, and performs `effects` after each `handle` or `settle`.
/// The same value runs under `Runtime` and under `Simulation`.
package struct Controller: ~Copyable {
    /// What the driver must do, in order; the driver empties it after each call.
    package var effects = Queue<ControllerEffect>(capacity: 1024)

    let description: ArrayDescription
    let id: ControllerID
    let region: UnsafeMutableRawPointer
    let parameters: UnsafeMutableRawPointer
    let pageLists: UnsafeMutablePointer<FrameIndex>

    var iscsi: ISCSITarget
    var server: DeviceServer
    var memory: MemoryEngine
    var copy: CopyEngine
    var pair: PairEngine

    /// Which engine a stream belongs to: the channel's are few.
    var channelStreams: [StreamID] = []
    /// This life's superblock; written when the start-up row is found, and whenever it changes after that.
    var superblock: Superblock
    /// Bytes of the region before its frames, and whether what stands there is nothing of ours: then they are zeroed
    /// before the first superblock.
    let headerBytes: Int
    var isForeignRegion: Bool
    var labels: LabelRound
    var failback: Failback
    var isStopping = false
    var isInMaintenance = false
    /// The hosts are gone, and Pair was told to stop.
    var isLeaving = false
    /// The partner's life that the open window belongs to; nil while there is no window.
    var windowIncarnation: UInt64?

    /// - Parameters:
    ///   - memory: the mapped memory file, `layout.bytes` long; it outlives the controller.
    package init(
        _ description: ArrayDescription, id: ControllerID, memory region: UnsafeMutableRawPointer,
        layout: RegionLayout, start: StartConditions, at now: Instant
    ) {
        self.description = description
        self.id = id
        self.region = region
        let slots = ControllerLimits.commands
        parameters = .allocate(byteCount: slots * PageSize.bytes, alignment: PageSize.bytes)
        parameters.initializeMemory(as: UInt8.self, repeating: 0, count: slots * PageSize.bytes)
        // Format and sanitize operations have tokens, and so page lists, behind the commands'.
        let tokens = slots + DeviceServerLimits.workers
        pageLists = .allocate(capacity: tokens * PageSize.operationPages)
        pageLists.initialize(repeating: .none, count: tokens * PageSize.operationPages)
        let frames = Frames(
            base: region + layout.frameOffset, count: layout.frames, parameters: parameters, parameterCount: slots,
            trailers: layout.hasTrailers ? region + layout.trailer(0) : nil)
        let lists = PageLists(base: pageLists, count: tokens)

        isForeignRegion = start.memoryIsFresh || start.memoryIsLost
        superblock = description.superblock(id, layout, start, in: region)
        iscsi = ISCSITarget(
            configuration: description.iscsiTarget(id), frames: frames, lists: lists, seed: start.incarnation)
        server = DeviceServer(configuration: description.deviceServer(id, start), frames: frames, lists: lists)
        memory = MemoryEngine(
            configuration: description.memory(id), region: region, layout: layout, frames: frames, lists: lists,
            at: now)
        copy = CopyEngine(region: region, layout: layout)
        pair = PairEngine(configuration: description.pair(id, start, superblock), at: now)
        failback = Failback(delay: description.pair.failbackDelay)
        headerBytes = layout.frameOffset
        labels = LabelRound(description, start.devices)
        drain(at: now)
    }

    deinit {
        parameters.deallocate()
        pageLists.deallocate()
        labels.deallocate()
    }

    /// Tells the controller what happened. `now` is read after the last byte of what happened was received.
    package mutating func handle(_ event: ControllerEvent, at now: Instant) {
        route(event, at: now)
        drain(at: now)
    }

    /// Once after each batch of events, before the effects are performed: work that is better done once than per
    /// event (destaging, channel frames, acknowledgements).
    package mutating func settle(at now: Instant) {
        leaveWhenLoggedOut(at: now)
        memory.settle(at: now)
        let isRedundant = pair.condition.paired && pair.condition.serving && !isStopping
        if failback.isDue(at: now, isRedundant: isRedundant) { moveUnitsBack(at: now) }
        let group = isInMaintenance && isRedundant ? id.partner.targetPortGroup : nil
        if iscsi.isRedirecting != (group != nil) { redirect(toGroup: group, at: now) }
        drain(at: now)
        pair.lamport = memory.lamport
        pair.settle(at: now)
        drain(at: now)
    }

    /// When `handle(.tick)` is wanted at the latest.
    package var nextDeadline: Instant {
        min(
            min(pair.nextDeadline, memory.nextDeadline), min(iscsi.nextDeadline, server.nextDeadline),
            failback.nextDeadline)
    }

    /// Where the next bytes of a stream go. An empty vector: do not read until `resumeReceive`.
    package mutating func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) {
        if isChannel(stream) {
            pair.receiveTargets(stream, into: &vector)
        } else {
            iscsi.receiveTargets(stream, into: &vector)
        }
    }

    /// The next bytes to send on a stream; the same ones again until `transmitted` says how many left.
    package mutating func transmitSources(_ stream: StreamID, into vector: inout ByteVector) {
        if isChannel(stream) {
            pair.transmitSources(stream, into: &vector)
        } else {
            iscsi.transmitSources(stream, into: &vector)
        }
    }

    func isChannel(_ stream: StreamID) -> Bool {
        for channel in channelStreams where channel == stream { return true }
        return false
    }

    /// Sends hosts to the partner's portals, those that are here too; nil: no more.
    private mutating func redirect(toGroup group: UInt16?, at now: Instant) {
        iscsi.redirectLogins(toGroup: group)
        if isStopping { return }
        if iscsi.isRedirecting {
            iscsi.requestLogouts(of: .normalSessions, within: ControllerLimits.maintenanceTime, at: now)
        } else {
            iscsi.cancelLogouts()
        }
    }

    /// Moves the units of which this controller is home, and that prefer the other one.
    private mutating func moveUnitsBack(at now: Instant) {
        for index in description.units.indices {
            let unit = UnitIndex(UInt16(index))
            let preferred = description.units[index].map.preferred
            if preferred != id && memory.home(of: unit) == id { server.moveHome(unit, to: preferred, at: now) }
        }
    }
}

/// Bounds of a controller as a whole.
package enum ControllerLimits {
    /// Command slots: parameter pages, page lists and block operations each have as many.
    package static var commands: Int { 1024 }
    /// Sessions, and so nexuses.
    package static var sessions: Int { 256 }
    /// How long a clean stop waits for hosts to log out.
    package static var logoutTime: Interval { .seconds(1) }
    /// How long hosts have to log out from a controller in maintenance.
    package static var maintenanceTime: Interval { .seconds(5) }
}

/// What a driver found before it made the controller.
package struct StartConditions: Sendable {
    /// The memory region is fresh (all zero): no superblock was there.
    package var memoryIsFresh: Bool
    /// The region's content cannot be trusted: truncated, another boot without a durable place, scribbled superblock.
    package var memoryIsLost: Bool
    /// Random: the identity that the memory takes when it is formatted or voided.
    package var freshMemoryID: WitnessRecord.MemoryID
    package var bootID: WitnessRecord.MemoryID
    /// Larger than every earlier one of this controller.
    package var incarnation: UInt64
    package var pid: UInt32
    package var pidStartTime: UInt64
    /// The partner runs on this host (or would): it can be ended, and its memory file can be locked and read.
    package var partnerOnThisHost: Bool
    /// What stands where each device's label belongs, in the description's order; empty: nobody looked.
    package var devices: [DeviceFinding] = []
    /// Milliseconds since 1970 (UTC) when the clock of `now` was zero; nil: nobody knows.
    package var wallClockOffset: UInt64?

    package init(
        memoryIsFresh: Bool, memoryIsLost: Bool, freshMemoryID: WitnessRecord.MemoryID, bootID: WitnessRecord.MemoryID,
        incarnation: UInt64, pid: UInt32, pidStartTime: UInt64, partnerOnThisHost: Bool
    ) {
        self.memoryIsFresh = memoryIsFresh
        self.memoryIsLost = memoryIsLost
        self.freshMemoryID = freshMemoryID
        self.bootID = bootID
        self.incarnation = incarnation
        self.pid = pid
        self.pidStartTime = pidStartTime
        self.partnerOnThisHost = partnerOnThisHost
    }
}
