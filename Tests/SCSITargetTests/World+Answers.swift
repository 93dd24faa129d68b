import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

// How the miniature transport and memory answer.

extension World {
    /// A world with a nexus whose first unit attentions are taken.
    static func signedIn(profile: UnitProfile? = nil) -> World {
        let world = World(profile: profile)
        world.login()
        return world
    }

    // MARK: Memory

    func perform(_ request: BlockRequest) {
        switch request {
        case .read(let token, let unit, let extent, let sequential):
            reads.append((extent, sequential))
            begin(Int(token.slot), Int(unit.raw), extent, isWrite: false)
            answerOrHold(request)
        case .prepareWrite(let token, let unit, let extent, let scratch):
            begin(Int(token.slot), Int(unit.raw), extent, isWrite: true)
            writes.append(extent)
            operations[Int(token.slot)]?.hasScratch = scratch
            precondition(!scratch || extent.pageCount * 2 <= PageSize.operationPages)
            answerOrHold(request)
        case .commitWrite(let token, let options):
            let slot = Int(token.slot)
            precondition(operations[slot]?.isWrite == true && operations[slot]?.answered == true)
            operations[slot]?.committing = true
            commits.append(options)
            operations[slot]?.options = options
            answerOrHold(request)
        case .synchronize(let token, let unit, let extent):
            begin(Int(token.slot), Int(unit.raw), extent, isWrite: false, synchronizing: true)
            answerOrHold(request)
        case .discard(let token, let unit, let extent):
            precondition(extent.start % 8 == 0 && extent.count % 8 == 0 && extent.count > 0)
            begin(Int(token.slot), Int(unit.raw), extent, isWrite: false, synchronizing: true)
            discards.append(extent)
            answerOrHold(request)
        case .verify(let token, let unit, let extent):
            precondition(extent.count > 0 && extent.pageCount <= PageSize.operationPages)
            begin(Int(token.slot), Int(unit.raw), extent, isWrite: false, synchronizing: true)
            verified.append(extent)
            if badSectors.overlaps(extent.start..<extent.end) {
                end(Int(token.slot))
                if forgives { badSectors = 0..<0 }
                server.handle(.completed(token, .unreadable), at: now)
                return
            }
            answerOrHold(request)
        case .provisioning(let token, let unit, let extent):
            begin(Int(token.slot), Int(unit.raw), extent, isWrite: false, synchronizing: true)
            answerOrHold(request)
        case .release(let token): release(Int(token.slot))
        case .room(let unit):
            roomQuestions += 1
            if !holdRoom { server.handle(.room(unit, room), at: now) }
        case .wantState, .wantStateWrite, .commitState:
            requests.append("\(request)".split(separator: "(")[0].description)
            if holdState { heldState.append(request) } else { answerState(request) }
        case .returnState(let unit):
            requests.append("returnState")
            #expect(granted.remove(Int(unit.raw)) != nil, "a state pointer was returned that was not granted")
        }
    }

    private func begin(_ slot: Int, _ unit: Int, _ extent: BlockExtent, isWrite: Bool, synchronizing: Bool = false) {
        precondition(operations[slot] == nil, "a second operation with one token")
        precondition(synchronizing || extent.pageCount <= PageSize.operationPages && extent.count > 0)
        precondition(extent.end <= UInt64(disks[unit].count / 512), "an extent beyond the unit")
        operations[slot] = Operation(
            extent: extent, unit: unit, frames: [], answered: false, isWrite: isWrite, committing: false,
            synchronizing: synchronizing)
    }

    private func answerOrHold(_ request: BlockRequest) {
        if holdBlocks { heldBlocks.append(request) } else { answer(request) }
    }

    private func end(_ slot: Int) {
        if let operation = operations.removeValue(forKey: slot) { freeFrames += operation.frames }
    }

    private func release(_ slot: Int) {
        guard let operation = operations[slot] else { return }
        let unanswered = !operation.answered || operation.committing
        end(slot)
        heldBlocks.removeAll { Self.slot(of: $0) == slot }
        if unanswered { server.handle(.completed(BlockToken(slot: slot), .aborted), at: now) }
    }

    static func slot(of request: BlockRequest) -> Int? {
        switch request {
        case .read(let token, _, _, _), .prepareWrite(let token, _, _, _), .commitWrite(let token, _),
            .release(let token), .synchronize(let token, _, _), .discard(let token, _, _),
            .provisioning(let token, _, _), .verify(let token, _, _):
            Int(token.slot)
        case .wantState, .returnState, .wantStateWrite, .commitState, .room: nil
        }
    }

    /// Answers a block request, with `fault` if that is set.
    func answer(_ request: BlockRequest) {
        guard let slot = Self.slot(of: request), let operation = operations[slot] else { return }
        let token = BlockToken(slot: slot)
        if let fault {
            end(slot)
            if let faultSector {
                server.handle(.failed(token, fault, sector: faultSector), at: now)
            } else {
                server.handle(.completed(token, fault), at: now)
            }
            return
        }
        if operation.synchronizing {
            if case .discard = request { zero(operation) }
            if case .provisioning = request { tell(operation, slot) }
            end(slot)
            server.handle(.completed(token, nil), at: now)
        } else if operation.committing {
            let run = run(of: slot)
            var bytes = bytes(run)
            let start = Int(operation.extent.start) * 512
            let present = Array(disks[operation.unit][start..<start + bytes.count])
            if operation.options.mode == .compare, let offset = firstDifference(slot, run, present) {
                end(slot)
                server.handle(.miscompared(token, offset: UInt32(offset)), at: now)
                return
            }
            if operation.options.mode == .or { for index in bytes.indices { bytes[index] |= present[index] } }
            disks[operation.unit].replaceSubrange(start..<start + bytes.count, with: bytes)
            keepTuples(operation, run, recomputed: operation.options.mode == .or)
            if spoilsWrites { disks[operation.unit][start + bytes.count - 1] ^= 0x10 }
            end(slot)
            server.handle(.completed(token, nil), at: now)
        } else {
            for index in 0..<operation.extent.pageCount * (operation.hasScratch ? 2 : 1) {
                let frame = freeFrames.removeLast()
                operations[slot]?.frames.append(frame)
                lists[slot][index] = FrameIndex(frame)
            }
            operations[slot]?.answered = true
            let run = run(of: slot)
            if !operation.isWrite {
                let start = Int(operation.extent.start) * 512
                store(Array(disks[operation.unit][start..<start + Int(run.count)]), in: run)
                giveTuples(operation, run)
            }
            server.handle(.pagesReady(token, run), at: now)
        }
    }

    private func zero(_ operation: Operation) {
        let range = Int(operation.extent.start) * 512..<Int(operation.extent.end) * 512
        disks[operation.unit].replaceSubrange(range, with: [UInt8](repeating: 0, count: range.count))
        if tuples.isEmpty { return }
        let places = Int(operation.extent.start) * 8..<Int(operation.extent.end) * 8
        tuples[operation.unit].replaceSubrange(places, with: [UInt8](repeating: 0xFF, count: places.count))
    }

    private func giveTuples(_ operation: Operation, _ run: PageRun) {
        if tuples.isEmpty { return }
        for sector in 0..<Int(operation.extent.count) {
            let tuple = run.tuple(at: sector * 512, frames: frames, lists: lists)
            let at = (Int(operation.extent.start) + sector) * 8
            for index in 0..<8 { tuple.put(byte: tuples[operation.unit][at + index], index) }
        }
    }

    /// What stands in the trailers is stored; after an OR with the guards of the result, which Memory computes.
    private func keepTuples(_ operation: Operation, _ run: PageRun, recomputed: Bool) {
        if tuples.isEmpty { return }
        for sector in 0..<Int(operation.extent.count) {
            let tuple = UnsafeRawPointer(run.tuple(at: sector * 512, frames: frames, lists: lists))
            let at = Int(operation.extent.start) + sector
            for index in 0..<8 { tuples[operation.unit][at * 8 + index] = tuple.byte(index) }
            if !recomputed { continue }
            let code = ProtectionTests.crc(Array(disks[operation.unit][at * 512..<(at + 1) * 512]))
            tuples[operation.unit][at * 8] = UInt8(code >> 8)
            tuples[operation.unit][at * 8 + 1] = UInt8(code & 0xFF)
        }
    }

    /// Pages of zeros count as unmapped.
    private func tell(_ operation: Operation, _ slot: Int) {
        let page = frames.pointer(Frames.parameter(slot))
        var entries = 0
        var sector = Int(operation.extent.start)
        while sector < Int(operation.extent.end), entries < 255 {
            let end = min((sector / 8 + 1) * 8, Int(operation.extent.end))
            let mapped = disks[operation.unit][sector * 512..<end * 512].contains { $0 != 0 }
            page.put(little64: UInt64(sector), 8 + entries * 16)
            page.put(little64: UInt64(end - sector) | (mapped ? 1 << 63 : 0), 16 + entries * 16)
            entries += 1
            sector = end
        }
        page.put(little64: UInt64(entries), 0)
    }

    /// Where the compare data in the scratch pages differ from the medium.
    private func firstDifference(_ slot: Int, _ run: PageRun, _ present: [UInt8]) -> Int? {
        let pages = operations[slot]?.extent.pageCount ?? 0
        let scratch = PageRun(list: slot, offset: Int(run.offset) + pages * 4096, count: present.count)
        return zip(bytes(scratch), present).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    }

    private func run(of slot: Int) -> PageRun {
        let extent = operations[slot]?.extent ?? BlockExtent(start: 0, count: 0)
        return PageRun(list: slot, offset: extent.leadingSectors * 512, count: Int(extent.count) * 512)
    }

    func answerState(_ request: BlockRequest) {
        switch request {
        case .wantState(let unit):
            granted.insert(Int(unit.raw))
            server.handle(.stateGranted(unit, FrameIndex(stateFrames[Int(unit.raw)])), at: now)
        case .wantStateWrite(let unit):
            granted.remove(Int(unit.raw))
            server.handle(.stateWritable(unit, FrameIndex(stateFrames[Int(unit.raw)])), at: now)
        case .commitState(let unit, _): server.handle(.stateCommitted(unit, fault), at: now)
        case .read, .prepareWrite, .commitWrite, .release, .synchronize, .discard, .provisioning, .verify, .returnState,
            .room:
            break
        }
    }

    /// Nothing is left: no slot, no operation, no frame.
    func expectIdle(_ comment: Comment? = nil) {
        #expect(server.commandsUnderWay == 0, comment)
        #expect(operations.isEmpty, comment)
        #expect(freeFrames.count == Self.frameCount - disks.count, comment)
        #expect(commands.isEmpty, comment)
        #expect(server.management.count == 0 && server.changes.count == 0, comment)
        for unit in 0..<server.units.capacity {
            #expect(server.units[unit].executing == 0 && server.units[unit].live == 0, comment)
            #expect(server.units[unit].liveHead == 0 && server.units[unit].liveOrdered == 0, comment)
            #expect(server.units[unit].firstWaiting < 0, comment)
        }
        for (handle, outcome) in outcomes { #expect(outcome.lastWords == 1, "command \(handle.raw): \(outcome)") }
    }
}
