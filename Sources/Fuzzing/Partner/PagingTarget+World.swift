import BlockModel
import CopyModule
import Memory
import PagingFormats
import Primitives

// The user of the memory, its device, its copy module; and what must hold of all that it says.
extension PagingTarget {
    // MARK: The user

    func use(_ input: inout FuzzInput) {
        let slot = input.below(Self.slots)
        let unit = UnitIndex(UInt16(input.below(2)))
        let start = UInt64(input.big16()) % (Self.unitSectors - 512)
        let count = UInt32(input.byte())
        let how = input.byte()
        // With compare data an extent touches at most half of the pages of an operation.
        let hasScratch = how & 1 == 1
        let extent = BlockExtent(start: start, count: 1 + (hasScratch ? count % 128 : count))
        switch input.below(8) {
        case 0..<2 where users[slot] == nil: begin(slot, .reading, .read(token(slot), unit, extent, sequential: false))
        case 2..<4 where users[slot] == nil:
            scratched[slot] = hasScratch
            begin(slot, .preparing, .prepareWrite(token(slot), unit, extent, scratch: hasScratch))
        case 4 where users[slot] == nil && how & 3 == 3:
            let pages = BlockExtent(start: start / 8 * 8, count: (extent.count + 7) / 8 * 8)
            if pages.end <= Self.unitSectors { begin(slot, .synchronizing, .discard(token(slot), unit, pages)) }
        case 4 where users[slot] == nil: begin(slot, .synchronizing, .synchronize(token(slot), unit, extent))
        case 5:
            if statePointers.insert(Int(unit.raw)).inserted { memory.handle(.wantState(unit), at: now) }
        case 6 where users[slot] != nil: release(slot)
        default:
            guard users[slot] == .ready, writes.contains(slot) else { return }
            users[slot] = .committing
            let mode = scratched[slot] == true ? CommitMode.compare : how & 2 == 2 ? .or : .replace
            let options = CommitOptions(durable: how & 4 == 4, mode: mode, isAtomic: how & 8 == 8)
            memory.handle(.commitWrite(token(slot), options), at: now)
        }
    }

    private func token(_ slot: Int) -> BlockToken { BlockToken(slot: slot) }

    private func begin(_ slot: Int, _ user: User, _ request: BlockRequest) {
        users[slot] = user
        if user == .preparing { writes.insert(slot) } else { writes.remove(slot) }
        memory.handle(request, at: now)
    }

    /// Takes effect at once on pages that are ready; else an answer follows.
    func release(_ slot: Int) {
        guard let user = users[slot], user != .released else { return }
        users[slot] = user == .ready ? nil : .released
        memory.handle(.release(token(slot)), at: now)
    }

    private func take(_ response: BlockResponse) {
        switch response {
        case .pagesReady(let token, let run):
            let slot = Int(token.slot)
            guard users[slot] == .reading || users[slot] == .preparing else {
                return oracle.expect(users[slot] == .released, "slot \(slot) gets pages that it did not ask for")
            }
            var at = 0
            while at < Int(run.count) { at += run.piece(at: at, frames: frames, lists: lists).count }
            users[slot] = .ready
        case .completed(let token, _), .failed(let token, _, _), .miscompared(let token, _):
            let slot = Int(token.slot)
            oracle.expect(users[slot] != nil && users[slot] != .ready, "slot \(slot) ends, and had ended")
            users[slot] = nil
        case .stateGranted(let unit, let frame):
            oracle.expect(Int(frame.raw) < Self.layout.frames, "state in frame \(frame.raw)")
            oracle.expect(statePointers.contains(Int(unit.raw)), "a state pointer that nobody wanted")
        case .stateRecalled(let unit):
            statePointers.remove(Int(unit.raw))
            memory.handle(.returnState(unit), at: now)
        case .stateWritable, .stateCommitted: oracle.expect(false, "a write pointer that nobody wanted")
        case .serving, .room: break
        }
    }

    // MARK: The device

    func completeTransfers(all: Bool) {
        for _ in 0..<(all ? 4096 : 1) where !transfers.isEmpty {
            let request = transfers.removeFirst()
            if request.kind == .read {
                for index in 0..<Int(request.sliceCount) {
                    let slice = request.slices[index]
                    slice.base.initializeMemory(as: UInt8.self, repeating: 0, count: slice.count)
                }
            }
            memory.handle(StorageCompletion(id: request.id, fault: deviceFault), at: now)
            settle()
        }
    }

    private func check(_ request: StorageRequest) {
        transfers.append(request)
        if request.kind == .flush { return }
        let end = DeviceLayout.labelArea + 2 * Self.unitSectors * 512
        let (last, overflow) = request.offset.addingReportingOverflow(UInt64(request.count))
        oracle.expect(!overflow && last <= end, "a transfer at \(request.offset) beyond the device")
        oracle.expect(request.offset % 512 == 0 && request.count % 512 == 0, "a transfer that is not aligned")
        if request.kind == .discard || request.kind == .allocate { return }
        var bytes = 0
        for index in 0..<Int(request.sliceCount) {
            let slice = request.slices[index]
            let place = UnsafeRawPointer(slice.base) - UnsafeRawPointer(region)
            oracle.expect(
                place >= Self.layout.frameOffset && place + slice.count <= Self.layout.bytes,
                "a transfer outside of the frames")
            bytes += slice.count
        }
        oracle.expect(bytes == Int(request.count), "\(bytes) bytes in the slices of \(request.count)")
    }

    // MARK: The loop

    func settle() {
        memory.settle(at: now)
        var isBusy = true
        while isBusy, oracle.failure == nil {
            isBusy = false
            performed += 1
            guard performed < 500_000 else { return oracle.expect(false, "the memory never comes to rest") }
            while let effect = memory.effects.popFirst() {
                isBusy = true
                perform(effect)
            }
            while let effect = copy.effects.popFirst() {
                isBusy = true
                perform(effect)
            }
            while let response = memory.responses.popFirst() {
                isBusy = true
                take(response)
            }
        }
    }

    private func isGranted(_ slot: UInt32) -> Bool { granted.contains { $0.contains(Int(slot)) } }

    private func perform(_ effect: MemoryEffect) {
        switch effect {
        case .storage(let request): check(request)
        case .send(let message, let data, _):
            oracle.expect(
                message.dataLength == 0 || data != nil && message.dataLength <= 4096,
                "a message with \(message.dataLength) bytes of data")
        case .copy(let frame, let slot, let methods):
            oracle.expect(isGranted(slot), "a page goes to slot \(slot), which the partner did not give")
            copy.copy(frame, to: slot, dma: methods.dma, messaging: methods.messaging, dmaFirst: methods.dmaFirst)
        case .clear(let slot), .settle(let slot):
            oracle.expect(isGranted(slot), "slot \(slot) is changed, which the partner did not give")
        case .report(let report): heard(report)
        case .tornFrame, .deviceFault, .homeChanged: break
        }
    }

    private func perform(_ effect: CopyEffect) {
        switch effect {
        case .place(let placement):
            oracle.expect(isGranted(placement.slot), "a page is placed in \(placement.slot), which is not given")
            copy.placed(token: placement.token, ok: true)
        case .send(let frame): _ = copy.takeMessage(frame)
        case .copied(let frame): memory.copied(frame, at: now)
        }
    }
}
