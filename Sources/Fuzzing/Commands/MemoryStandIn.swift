import BlockModel
import Glibc
import Primitives
import SCSITarget

/// A memory in miniature behind a device server: small units whose content is kept, answers at once or when they are
/// let go, faults, and state blocks that anybody may spoil while nobody here has their pointer.
final class MemoryStandIn {
    struct Operation {
        var unit: Int
        var extent: BlockExtent
        var isWrite = false
        var isReady = false
        var isCommitting = false
        var synchronizes = false
        var hasScratch = false
        var mode = CommitMode.replace
    }

    /// Sectors of 512 bytes in each unit.
    static let sectors = 512
    let oracle: Oracle
    let slots: Int
    let units: Int
    let frames: Frames
    let lists: PageLists
    private let memory: UnsafeMutableRawPointer
    private let disks: UnsafeMutableRawPointer
    private let trailers: UnsafeMutableRawPointer
    /// Protection information, complemented, 8 bytes a sector.
    private let tuples: UnsafeMutableRawPointer

    var operations: [Int: Operation] = [:]
    /// Operations that ended while their release was on its way: it finds nothing, and is not answered.
    private var crossed: Set<Int> = []
    /// Units whose state pointer the device server has, to read or to write.
    var pointers: Set<Int> = []
    var holds = false
    var held: [BlockRequest] = []
    /// What the next answers say; nil: success.
    var fault: BlockFault?

    init(_ oracle: Oracle, slots: Int, units: Int) {
        self.oracle = oracle
        self.slots = slots
        self.units = units
        // The device server's own work has tokens behind the commands'.
        let tokens = slots + DeviceServerLimits.workers
        let frameCount = units + tokens * PageSize.operationPages
        memory = .allocate(byteCount: (frameCount + slots) * PageSize.bytes, alignment: PageSize.bytes)
        (memory + frameCount * PageSize.bytes).initializeMemory(
            as: UInt8.self, repeating: 0, count: slots * PageSize.bytes)
        trailers = .allocate(byteCount: frameCount * Frames.trailerStride, alignment: 8)
        frames = Frames(
            base: memory, count: frameCount, parameters: memory + frameCount * PageSize.bytes, parameterCount: slots,
            trailers: trailers)
        let table = UnsafeMutablePointer<FrameIndex>.allocate(capacity: tokens * PageSize.operationPages)
        table.initialize(repeating: .none, count: tokens * PageSize.operationPages)
        lists = PageLists(base: table, count: tokens)
        // Zeros that cost nothing until they are touched: most stories touch few.
        guard let zeros = calloc(units, Self.sectors * 512), let none = calloc(units, Self.sectors * 8) else {
            preconditionFailure("no memory")
        }
        (disks, tuples) = (zeros, none)
        for unit in 0..<units { state(unit).format(home: .a) }
    }

    deinit {
        memory.deallocate()
        trailers.deallocate()
        free(tuples)
        lists.base.deallocate()
        free(disks)
    }

    func state(_ unit: Int) -> StateBlock { StateBlock(frames.pointer(FrameIndex(UInt32(unit)))) }

    /// Takes a request; answers go to `server`.
    func take(_ request: BlockRequest, _ server: inout DeviceServer, at now: Instant) {
        switch request {
        case .read(let token, let unit, let extent, _): begin(Int(token.slot), unit, extent)
        case .prepareWrite(let token, let unit, let extent, let scratch):
            begin(Int(token.slot), unit, extent, isWrite: true)
            operations[Int(token.slot)]?.hasScratch = scratch
            oracle.expect(
                !scratch || extent.pageCount * 2 <= PageSize.operationPages,
                "\(extent.pageCount) pages, and as many again for compare data")
        case .synchronize(let token, let unit, let extent), .provisioning(let token, let unit, let extent),
            .verify(let token, let unit, let extent):
            begin(Int(token.slot), unit, extent, synchronizes: true)
        case .discard(let token, let unit, let extent):
            begin(Int(token.slot), unit, extent, synchronizes: true)
            oracle.expect(
                extent.count > 0 && extent.start % UInt64(PageSize.sectors) == 0 && extent.count % 8 == 0,
                "a discard of \(extent), not of whole pages")
        case .commitWrite(let token, let options):
            let operation = operations[Int(token.slot)]
            oracle.expect(
                operation?.isWrite == true && operation?.isReady == true && operation?.isCommitting == false,
                "slot \(token.slot) commits a write that was not prepared")
            operations[Int(token.slot)]?.isCommitting = true
            operations[Int(token.slot)]?.mode = options.mode
        case .release(let token): return release(token, &server, at: now)
        case .returnState(let unit):
            oracle.expect(pointers.remove(Int(unit.raw)) != nil, "a state pointer came back that was not given")
            return
        case .wantStateWrite(let unit): pointers.remove(Int(unit.raw))
        case .wantState, .commitState, .room: break
        }
        if holds { held.append(request) } else { answer(request, &server, at: now) }
    }

    private func begin(
        _ slot: Int, _ unit: UnitIndex, _ extent: BlockExtent, isWrite: Bool = false, synchronizes: Bool = false
    ) {
        oracle.expect(operations[slot] == nil, "slot \(slot) has a second operation")
        oracle.expect(
            extent.end <= UInt64(Self.sectors) && extent.start <= extent.end, "an extent beyond the unit: \(extent)")
        oracle.expect(
            synchronizes || (extent.count > 0 && extent.pageCount <= PageSize.operationPages),
            "an extent of \(extent.pageCount) pages")
        operations[slot] = Operation(
            unit: min(Int(unit.raw), units - 1), extent: extent, isWrite: isWrite, synchronizes: synchronizes)
    }

    private func release(_ token: BlockToken, _ server: inout DeviceServer, at now: Instant) {
        guard let operation = operations.removeValue(forKey: Int(token.slot)) else {
            return oracle.expect(
                crossed.remove(Int(token.slot)) != nil, "slot \(token.slot) releases what it has not")
        }
        held.removeAll { Self.slot(of: $0) == Int(token.slot) }
        if !operation.isReady || operation.isCommitting { server.handle(.completed(token, .aborted), at: now) }
    }

    private static func slot(of request: BlockRequest) -> Int? {
        switch request {
        case .read(let token, _, _, _), .prepareWrite(let token, _, _, _), .commitWrite(let token, _),
            .release(let token), .synchronize(let token, _, _), .discard(let token, _, _),
            .provisioning(let token, _, _), .verify(let token, _, _):
            Int(token.slot)
        case .wantState, .returnState, .wantStateWrite, .commitState, .room: nil
        }
    }

    /// Gives the answers that were held, the newest first if `backwards`.
    func giveHeld(_ server: inout DeviceServer, at now: Instant, backwards: Bool = false) {
        let all = backwards ? held.reversed() : held
        held = []
        for request in all { answer(request, &server, at: now) }
    }

    private func answer(_ request: BlockRequest, _ server: inout DeviceServer, at now: Instant) {
        switch request {
        case .wantState(let unit):
            pointers.insert(Int(unit.raw))
            server.handle(.stateGranted(unit, FrameIndex(UInt32(unit.raw))), at: now)
        case .wantStateWrite(let unit):
            pointers.insert(Int(unit.raw))
            server.handle(.stateWritable(unit, FrameIndex(UInt32(unit.raw))), at: now)
        case .commitState(let unit, _):
            pointers.remove(Int(unit.raw))
            server.handle(.stateCommitted(unit, fault), at: now)
        case .read(let token, _, _, _), .prepareWrite(let token, _, _, _), .commitWrite(let token, _),
            .synchronize(let token, _, _), .discard(let token, _, _), .verify(let token, _, _):
            answerOperation(token, &server, at: now)
        case .provisioning(let token, let unit, let extent):
            tell(token, unit, extent)
            answerOperation(token, &server, at: now)
        case .room(let unit):
            let used = UInt64(held.count) << 20
            server.handle(.room(unit, fault == nil ? RoomUsage(used: used, available: 8 << 20) : nil), at: now)
        case .release, .returnState: break
        }
    }

    /// One run, mapped or not as its first sector has it.
    private func tell(_ token: BlockToken, _ unit: UnitIndex, _ extent: BlockExtent) {
        let page = frames.pointer(Frames.parameter(Int(token.slot)))
        page.put(little64: 1, 0)
        page.put(little64: extent.start, 8)
        page.put(little64: UInt64(extent.count) | (extent.start % 3 == 0 ? 1 << 63 : 0), 16)
    }

    private func answerOperation(_ token: BlockToken, _ server: inout DeviceServer, at now: Instant) {
        let slot = Int(token.slot)
        guard let operation = operations[slot] else { return }
        if fault != nil || operation.synchronizes || operation.isCommitting {
            operations[slot] = nil
            for index in 0..<server.blocks.count {
                if case .release(token) = server.blocks[index] { crossed.insert(slot) }
            }
            if fault == nil, operation.isCommitting {
                if operation.mode == .compare, let offset = difference(slot, operation) {
                    return server.handle(.miscompared(token, offset: UInt32(offset)), at: now)
                }
                move(slot, operation, toDisk: true)
            }
            guard let fault, operation.extent.start % 3 == 0 else {
                return server.handle(.completed(token, fault), at: now)
            }
            return server.handle(.failed(token, fault, sector: operation.extent.start), at: now)
        }
        for place in 0..<operation.extent.pageCount * (operation.hasScratch ? 2 : 1) {
            // Neighbours in the list are no neighbours in memory.
            let frame = units + slot * PageSize.operationPages + PageSize.operationPages - 1 - place
            lists[slot][place] = FrameIndex(UInt32(frame))
        }
        if !operation.isWrite { move(slot, operation, toDisk: false) }
        operations[slot]?.isReady = true
        server.handle(.pagesReady(token, run(slot, operation)), at: now)
    }

    /// Where the compare data in the scratch pages differ from the medium.
    private func difference(_ slot: Int, _ operation: Operation) -> Int? {
        let pages = operation.extent.pageCount * PageSize.bytes
        let scratch = PageRun(
            list: slot, offset: operation.extent.leadingSectors * 512 + pages, count: Int(operation.extent.count) * 512)
        var at = 0
        while at < Int(scratch.count) {
            let piece = scratch.piece(at: at, frames: frames, lists: lists)
            let present = UnsafeRawPointer(disk(operation) + at)
            for index in 0..<piece.count where UnsafeRawPointer(piece.base).byte(index) != present.byte(index) {
                return at + index
            }
            at += piece.count
        }
        return nil
    }

    private func disk(_ operation: Operation) -> UnsafeMutableRawPointer {
        disks + (operation.unit * Self.sectors + Int(operation.extent.start)) * 512
    }

    private func run(_ slot: Int, _ operation: Operation) -> PageRun {
        PageRun(
            list: slot, offset: operation.extent.leadingSectors * 512, count: Int(operation.extent.count) * 512)
    }

    private func move(_ slot: Int, _ operation: Operation, toDisk: Bool) {
        let run = run(slot, operation)
        let disk = disk(operation)
        var at = 0
        while at < Int(run.count) {
            let piece = run.piece(at: at, frames: frames, lists: lists)
            if toDisk {
                (disk + at).copyMemory(from: piece.base, byteCount: piece.count)
            } else {
                piece.base.copyMemory(from: disk + at, byteCount: piece.count)
            }
            at += piece.count
        }
        let stored = tuples + (operation.unit * Self.sectors + Int(operation.extent.start)) * 8
        for sector in 0..<Int(operation.extent.count) {
            let tuple = run.tuple(at: sector * 512, frames: frames, lists: lists)
            let (from, to) = toDisk ? (tuple, stored + sector * 8) : (stored + sector * 8, tuple)
            to.put(little64: ~UnsafeRawPointer(from).little64(0), 0)
        }
    }
}
