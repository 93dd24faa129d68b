import Primitives
import SAM

@testable import ISCSITarget

/// A device server for the tests: one RAM disk of 512-byte blocks behind SAM.
/// READ(10), WRITE(10), INQUIRY, TEST UNIT READY; opcode E0h never answers; any other is refused with sense.
final class RAMDevice {
    struct Work {
        var command: SCSICommand
        var total: UInt32 = 0
        var done: UInt32 = 0
        var chunk: UInt32 = 0
        var writes = false
    }

    var disk = [UInt8](repeating: 0, count: 4 << 20)
    var chunkBytes: UInt32 = 262_144
    /// A disk full of noise.
    static let noise = pattern(4 << 20)
    var works: [UInt32: Work] = [:]
    var requests: [TransportRequest] = []
    var log: [String] = []
    /// Views of the nexuses that came.
    var accesses: [UInt16] = []
    var lastCDB = CDB()
    var lastLUN: UInt64 = 0
    /// Block addresses of the commands, in the order of their delivery.
    var arrived: [UInt32] = []
    /// Sense key, code and qualifier of refusals; nil: something that is no sense data.
    var senseCode: (UInt8, UInt8, UInt8)?
    /// Task management requests are kept instead of answered.
    var holdTaskManagement = false
    let frames: Frames
    let lists: PageLists

    init(_ frames: Frames, _ lists: PageLists) {
        self.frames = frames
        self.lists = lists
    }

    func handle(_ indication: TransportIndication) {
        switch indication {
        case .nexusEstablished(let nexus, let identity):
            accesses.append(identity.access)
            log.append("nexus \(nexus.raw) \(String(decoding: identity.initiatorPort, as: UTF8.self))")
        case .nexusLost(let nexus): log.append("lost nexus \(nexus.raw)")
        case .commandReceived(let command): begin(command)
        case .dataOutReceived(let handle): tookDataOut(handle)
        case .dataInDelivered(let handle): delivered(handle)
        case .commandLost(let handle):
            log.append("lost command")
            works[handle.raw] = nil
            requests.append(.commandEnded(handle))
        case .taskManagementRequestReceived(let request): manage(request)
        }
    }

    private func begin(_ command: SCSICommand) {
        lastCDB = command.cdb
        lastLUN = command.lun
        arrived.append(command.cdb.big32(2))
        var work = Work(command: command)
        switch command.cdb[0] {
        case 0x00: complete(command.handle, .good, total: 0)
        case 0x12:
            let page = frames.pointer(Frames.parameter(command.handle.slot))
            for place in 0..<36 { page.put(byte: UInt8(place), place) }
            works[command.handle.raw] = work
            let run = PageRun(parameter: Frames.parameter(command.handle.slot), count: 36)
            requests.append(.sendDataIn(command.handle, run: run, bufferOffset: 0, final: true, total: 36))
        case 0x28, 0x2A:
            work.total = UInt32(command.cdb.big16(7)) * 512
            work.writes = command.cdb[0] == 0x2A
            works[command.handle.raw] = work
            advance(command.handle)
        case 0xE0: works[command.handle.raw] = work
        default:
            let page = frames.pointer(Frames.parameter(command.handle.slot))
            for place in 0..<18 { page.put(byte: UInt8(0xA0 + place), place) }
            if let (key, code, qualifier) = senseCode {
                page.put(byte: 0x70, 0)
                page.put(byte: key, 2)
                page.put(byte: code, 12)
                page.put(byte: qualifier, 13)
            }
            let sense = PageRun(parameter: Frames.parameter(command.handle.slot), count: 18)
            requests.append(.sendCommandComplete(command.handle, .checkCondition, sense: sense, total: 0))
        }
    }

    /// Frames of a slot in falling order, so that neighbours in a list are not neighbours in memory.
    private func fillList(_ slot: Int) {
        for place in 0..<PageSize.operationPages {
            let index = slot * PageSize.operationPages + PageSize.operationPages - 1 - place
            lists[slot][place] = FrameIndex(UInt32(index))
        }
    }

    private func each(_ run: PageRun, _ body: (UnsafeMutableRawPointer, Int, Int) -> Void) {
        var done = 0
        while done < Int(run.count) {
            let piece = run.piece(at: done, frames: frames, lists: lists)
            body(piece.base, done, piece.count)
            done += piece.count
        }
    }

    private func run(_ handle: CommandHandle, _ work: Work) -> PageRun {
        PageRun(list: handle.slot, offset: 0, count: Int(work.chunk))
    }

    private func advance(_ handle: CommandHandle) {
        guard var work = works[handle.raw] else { return }
        let limit = work.writes ? min(work.total, work.command.dataOutLength) : work.total
        if work.done >= limit && (work.writes || work.total == 0) {
            works[handle.raw] = nil
            complete(handle, .good, total: work.total)
            return
        }
        work.chunk = min(chunkBytes, work.total - work.done)
        works[handle.raw] = work
        fillList(handle.slot)
        let start = Int(work.command.cdb.big32(2)) * 512 + Int(work.done)
        let run = run(handle, work)
        if work.writes {
            requests.append(.receiveDataOut(handle, run: run, bufferOffset: work.done))
            return
        }
        each(run) { base, at, count in
            disk.withUnsafeBytes { base.copyMemory(from: $0.baseAddress! + start + at, byteCount: count) }
        }
        let last = work.done + work.chunk == work.total
        requests.append(.sendDataIn(handle, run: run, bufferOffset: work.done, final: last, total: work.total))
    }

    private func tookDataOut(_ handle: CommandHandle) {
        guard let work = works[handle.raw] else { return }
        let start = Int(work.command.cdb.big32(2)) * 512 + Int(work.done)
        let offered = Int(work.command.dataOutLength - work.done)
        each(run(handle, work)) { base, at, count in
            let wanted = max(0, min(count, offered - at))
            disk.withUnsafeMutableBytes { ($0.baseAddress! + start + at).copyMemory(from: base, byteCount: wanted) }
        }
        works[handle.raw]?.done += work.chunk
        advance(handle)
    }

    private func delivered(_ handle: CommandHandle) {
        guard var work = works[handle.raw] else { return }
        // The pages may go: whoever still sends from them sends this.
        each(run(handle, work)) { base, _, count in
            (base).initializeMemory(as: UInt8.self, repeating: 0xEE, count: count)
        }
        work.done += work.chunk
        works[handle.raw] = work
        if work.command.cdb[0] != 0x28 || work.done >= work.total {
            works[handle.raw] = nil
        } else {
            advance(handle)
        }
    }

    private func complete(_ handle: CommandHandle, _ status: Status, total: UInt32) {
        let none = PageRun(parameter: Frames.parameter(handle.slot), count: 0)
        requests.append(.sendCommandComplete(handle, status, sense: none, total: total))
    }

    private func manage(_ request: TaskManagementRequest) {
        log.append("tmf \(request.function)")
        if holdTaskManagement { return }
        for (raw, work) in works.sorted(by: { $0.key < $1.key }) {
            if let referenced = request.referenced, referenced.raw != raw { continue }
            works[raw] = nil
            requests.append(.commandEnded(work.command.handle))
        }
        requests.append(.taskManagementFunctionExecuted(request: request.request, .functionComplete))
    }
}
