import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// What became of a command.
struct Outcome: Equatable {
    var status: Status?
    var sense: [UInt8] = []
    var data: [UInt8] = []
    var total: UInt32 = 0
    /// `commandEnded` came, or the last Data-In was delivered.
    var ended = false
    /// Words that ended the command; more than one is a bug.
    var lastWords = 0

    var key: UInt8 { sense.count > 2 ? (sense[0] & 0x7F == 0x72 ? sense[1] : sense[2]) & 0xF : 0 }
    var code: UInt16 {
        if sense.count < 4 { return 0 }
        if sense[0] & 0x7F == 0x72 { return UInt16(sense[2]) << 8 | UInt16(sense[3]) }
        return sense.count > 13 ? UInt16(sense[12]) << 8 | UInt16(sense[13]) : 0
    }
}

/// A transport and a memory in miniature around one device server. Everything is answered at once, unless a test holds
/// it: then answers are given one by one.
final class World {
    struct Operation {
        var extent: BlockExtent
        var unit: Int
        var frames: [UInt32]
        var answered: Bool
        var isWrite: Bool
        var committing: Bool
        var synchronizing = false
        var hasScratch = false
        var options = CommitOptions(durable: false)
    }
    struct Held { var slot: Int; var request: BlockRequest }

    static let frameCount = 1024
    var server: DeviceServer
    let memory: UnsafeMutableRawPointer
    let lists: PageLists
    let slots: Int
    let frames: Frames
    var disks: [[UInt8]]
    /// Protection information beside the disks, 8 bytes a sector, where units have it.
    var tuples: [[UInt8]] = []
    private let trailers: UnsafeMutableRawPointer
    var now = Instant(nanoseconds: 1_000_000_000)

    var operations: [Int: Operation] = [:]
    var freeFrames: [UInt32]
    /// State frames, by unit index.
    let stateFrames: [UInt32]
    var outcomes: [CommandHandle: Outcome] = [:]
    var commands: [CommandHandle: (command: SCSICommand, dataOut: [UInt8])] = [:]
    var management: [UInt16: ServiceResponse] = [:]
    var generation: UInt16 = 0
    var nextSlot = 0
    var requests: [String] = []
    var discards: [BlockExtent] = []
    var reads: [(BlockExtent, Bool)] = []
    var commits: [CommitOptions] = []
    var writes: [BlockExtent] = []
    /// What was to be read back from the medium, and sectors of the medium that cannot be read.
    var verified: [BlockExtent] = []
    var badSectors: Range<UInt64> = 0..<0
    /// They can be read when they are asked for once more.
    var forgives = false
    var durables: [Bool] { commits.map(\.durable) }

    var holdBlocks = false
    var holdTransport = false
    var holdState = false
    var heldBlocks: [BlockRequest] = []
    var heldTransport: [TransportIndication] = []
    var heldState: [BlockRequest] = []
    var fault: BlockFault?
    /// … and where it is, if that is known.
    var faultSector: UInt64?
    /// What the device says of its room, and how often it was asked.
    var room: RoomUsage? = RoomUsage(used: 0, available: 100 << 20)
    var roomQuestions = 0
    var holdRoom = false
    /// The medium keeps one bit of each write wrong.
    var spoilsWrites = false
    /// Units whose read pointer the server holds.
    var granted: Set<Int> = []

    init(
        blocks: UInt64 = 1024, blockLength: UInt32 = 512, controllers: Int = 2, controller: ControllerID = .a,
        units: Int = 1, lunBase: UInt16 = 0, slots: Int = 32, serving: Bool = true,
        profile: UnitProfile? = nil, managementURL: String? = nil, canQuery: Bool = false,
        views: [DeviceServerView] = [DeviceServerView()]
    ) {
        let raw = UnsafeMutableRawPointer.allocate(byteCount: (Self.frameCount + slots) * 4096, alignment: 4096)
        raw.initializeMemory(as: UInt8.self, repeating: 0xEE, count: (Self.frameCount + slots) * 4096)
        memory = raw
        trailers = .allocate(byteCount: Self.frameCount * Frames.trailerStride, alignment: 8)
        trailers.initializeMemory(as: UInt8.self, repeating: 0xEE, count: Self.frameCount * Frames.trailerStride)
        let isProtected = profile.map { $0.protectionType != 0 } ?? false
        frames = Frames(
            base: raw, count: Self.frameCount, parameters: raw + Self.frameCount * 4096, parameterCount: slots,
            trailers: isProtected ? trailers : nil)
        let table = UnsafeMutablePointer<FrameIndex>.allocate(capacity: (slots + 2) * PageSize.operationPages)
        table.initialize(repeating: .none, count: (slots + 2) * PageSize.operationPages)
        lists = PageLists(base: table, count: slots + DeviceServerLimits.workers)
        self.slots = slots
        var profile = profile ?? UnitProfile()
        if blockLength == 512 { profile.physicalExponent = 3 }
        let descriptions = (0..<units).map {
            DeviceServerUnit(
                lun: lunBase + UInt16($0), index: UnitIndex(UInt16($0)), sectors: blocks * UInt64(blockLength / 512),
                blockLength: blockLength, naa: Self.naa(UInt8($0 & 0xFF)), serial: "SN\($0)", preferred: .a,
                profile: profile)
        }
        var configuration = DeviceServerConfiguration(
            controller: controller, controllers: controllers, units: descriptions, vendor: "GEMEL",
            product: "VIRTUAL DISK", revision: "0001", targets: ["iqn.2026-11.io.gemel:demo"], maxCommands: slots)
        configuration.maxNexuses = 8
        configuration.managementURL = managementURL
        configuration.canQuery = canQuery
        // 2027-01-01, midnight.
        configuration.wallClockOffset = 1_798_761_600_000
        configuration.views = views
        server = DeviceServer(configuration: configuration, frames: frames, lists: lists)
        let size = Int(blocks) * Int(blockLength)
        disks = (0..<units).map { Self.disk($0, bytes: size) }
        if isProtected { tuples = disks.map { [UInt8](repeating: 0xFF, count: $0.count / 64) } }
        stateFrames = (0..<units).map { UInt32($0) }
        freeFrames = Array(UInt32(units)..<UInt32(Self.frameCount))
        for frame in stateFrames { StateBlock(frames.pointer(FrameIndex(frame))).format(home: .a) }
        if serving { serve() }
    }

    deinit {
        memory.deallocate()
        trailers.deallocate()
        lists.base.deallocate()
    }

    /// Content that differs from sector to sector, within a sector, and from unit to unit.
    private static func disk(_ unit: Int, bytes: Int) -> [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(bytes)
        for sector in 0..<bytes / 512 {
            let mark = UInt8(truncatingIfNeeded: sector * 7 + sector / 256 + unit)
            all += [UInt8](repeating: mark, count: 255)
            all += [UInt8](repeating: ~mark, count: 257)
        }
        return all
    }

    static func naa(_ n: UInt8) -> InlineArray<16, UInt8> {
        var bytes = InlineArray<16, UInt8>(repeating: n)
        bytes[0] = 0x60
        return bytes
    }

    func state(_ unit: Int = 0) -> StateBlock { StateBlock(frames.pointer(FrameIndex(stateFrames[unit]))) }

    func serve(paired: Bool = true, serving: Bool = true, until leaseEnd: Instant = .never) {
        server.handle(
            .serving(ServiceCondition(serving: serving, paired: paired, joining: false, epoch: 1, leaseEnd: leaseEnd)),
            at: now)
        run()
    }

    static func portName(_ nexus: Int) -> String { "iqn.2026-11.io.gemel:host\(nexus),i,0x80000100000\(nexus)" }

    func login(
        _ nexus: Int = 0, target: UInt16 = 0, access: UInt16 = 0, consume: Bool = true, port: String? = nil
    ) {
        let name: [UInt8] = Array((port ?? Self.portName(nexus)).utf8)
        name.withUnsafeBytes {
            server.handle(
                .nexusEstablished(
                    NexusIndex(UInt16(nexus)), NexusIdentity(target: target, access: access, initiatorPort: $0)),
                at: now)
        }
        run()
        guard consume else { return }
        for unit in disks.indices { _ = command([0, 0, 0, 0, 0, 0], lun: UInt16(unit), nexus: nexus) }
    }

    // MARK: Commands

    /// Sends a command and lets everything go on as far as it goes.
    func send(
        _ cdb: [UInt8], lun: UInt16 = 0, field: UInt64? = nil, nexus: Int = 0, dataIn: Int = 0, out: [UInt8] = [],
        attribute: TaskAttribute = .simple
    ) -> CommandHandle {
        generation &+= 1
        while commands.values.contains(where: { $0.command.handle.slot == nextSlot }) {
            nextSlot = (nextSlot + 1) % slots
        }
        let handle = CommandHandle(slot: nextSlot, generation: generation)
        var block = CDB()
        for (index, byte) in cdb.prefix(32).enumerated() { block[index] = byte }
        let command = SCSICommand(
            handle: handle, nexus: NexusIndex(UInt16(nexus)), attribute: attribute,
            lun: field ?? LogicalUnitAddress.field(lun: lun), cdb: block, dataInLength: UInt32(dataIn),
            dataOutLength: UInt32(out.count))
        commands[handle] = (command, out)
        outcomes[handle] = Outcome()
        server.handle(.commandReceived(command), at: now)
        run()
        return handle
    }

    /// Sends a command and returns what became of it.
    @discardableResult
    func command(
        _ cdb: [UInt8], lun: UInt16 = 0, field: UInt64? = nil, nexus: Int = 0, dataIn: Int = 0, out: [UInt8] = [],
        attribute: TaskAttribute = .simple
    ) -> Outcome {
        let handle = send(
            cdb, lun: lun, field: field, nexus: nexus, dataIn: dataIn, out: out, attribute: attribute)
        return outcomes[handle] ?? Outcome()
    }

    func outcome(_ handle: CommandHandle) -> Outcome { outcomes[handle] ?? Outcome() }

    func lose(_ handle: CommandHandle) {
        // Words before the loss do not count: the transport waits for `commandEnded`.
        if commands[handle] != nil { outcomes[handle]?.lastWords = 0 }
        server.handle(.commandLost(handle), at: now)
        heldTransport.removeAll { Self.handle(of: $0) == handle }
        run()
    }

    func manage(
        _ function: TaskManagementFunction, lun: UInt16 = 0, nexus: Int = 0, referenced: CommandHandle? = nil,
        request: UInt16 = 1
    ) {
        server.handle(
            .taskManagementRequestReceived(TaskManagementRequest(
                request: request, nexus: NexusIndex(UInt16(nexus)), function: function,
                lun: LogicalUnitAddress.field(lun: lun), referenced: referenced)), at: now)
        run()
    }

    static func handle(of indication: TransportIndication) -> CommandHandle? {
        switch indication {
        case .dataInDelivered(let handle), .dataOutReceived(let handle), .commandLost(let handle): handle
        case .commandReceived(let command): command.handle
        case .nexusEstablished, .nexusLost, .taskManagementRequestReceived: nil
        }
    }

    var homeIsMoving: Bool { server.homeIsMoving(UnitIndex(0)) }
    var accessState: AsymmetricAccessState { server.accessState(of: UnitIndex(0)) }
}
