import Primitives
import SAM
import SCSITarget

// What the device server says to the transport, and what must hold of it.
extension CommandsTarget {
    func perform(_ request: TransportRequest) {
        switch request {
        case .sendDataIn(let handle, let run, let offset, let final, let total):
            guard let slot = known(handle) else { return }
            sendDataIn(slot, run, offset, final: final, total: total)
        case .receiveDataOut(let handle, let run, let offset):
            guard let slot = known(handle) else { return }
            receiveDataOut(slot, run, offset)
        case .sendCommandComplete(let handle, let status, let sense, let total):
            guard let slot = known(handle) else { return }
            let bytes = bytes(sense)
            expectNoPoison(bytes, slot)
            if let fault = SenseCheck.fault(status, bytes) { oracle.expect(false, "\(name(slot)): \(fault)") }
            if let allocation = entries[slot]?.allocation, status == .good, entries[slot]?.sent ?? 0 > 0 {
                oracle.expect(total <= allocation, "\(name(slot)): total \(total) beyond \(allocation)")
            }
            end(slot)
        case .commandEnded(let handle):
            guard let slot = known(handle) else { return }
            end(slot)
        case .taskManagementFunctionExecuted(let request, _):
            oracle.expect(management.remove(request) != nil, "a task management request was answered twice")
        }
    }

    func name(_ slot: Int) -> String { "command \(String(entries[slot]?.command.cdb[0] ?? 0, radix: 16))" }

    /// The slot of a command that has had no last word.
    private func known(_ handle: CommandHandle) -> Int? {
        guard let entry = entries[handle.slot], entry.command.handle == handle, !entry.finalSent else {
            oracle.expect(false, "a word about command \(handle.raw), which has had its last one")
            return nil
        }
        return handle.slot
    }

    private func sendDataIn(_ slot: Int, _ run: PageRun, _ offset: UInt32, final: Bool, total: UInt32) {
        guard let entry = entries[slot] else { return }
        oracle.expect(!entry.isDelivering, "\(name(slot)) sends before the last bytes were delivered")
        oracle.expect(offset == entry.sent, "\(name(slot)) sends from \(offset) after \(entry.sent)")
        let (end, overflow) = offset.addingReportingOverflow(run.count)
        oracle.expect(!overflow && end <= total, "\(name(slot)) sends \(end) of \(total) bytes")
        if let allocation = entry.allocation {
            oracle.expect(end <= allocation, "\(name(slot)) sends \(end) bytes, ALLOCATION LENGTH is \(allocation)")
        }
        if run.list < 0 { expectNoPoison(bytes(run), slot) } else { touch(run) }
        entries[slot]?.sent = end
        entries[slot]?.isDelivering = true
        entries[slot]?.finalSent = final && !entry.isLost
        indicate(.dataInDelivered(entry.command.handle))
    }

    private func receiveDataOut(_ slot: Int, _ run: PageRun, _ offset: UInt32) {
        guard let entry = entries[slot] else { return }
        oracle.expect(offset == entry.taken, "\(name(slot)) takes from \(offset) after \(entry.taken)")
        let (end, overflow) = offset.addingReportingOverflow(run.count)
        oracle.expect(
            !overflow && end <= entry.command.dataOutLength,
            "\(name(slot)) takes \(end) bytes of \(entry.command.dataOutLength)")
        var at = 0
        while at < Int(run.count) {
            let piece = run.piece(at: at, frames: bench.memory.frames, lists: bench.memory.lists)
            piece.base.initializeMemory(as: UInt8.self, repeating: 0, count: piece.count)
            let start = Int(offset) + at
            for index in 0..<max(0, min(piece.count, entry.dataOut.count - start)) {
                piece.base.put(byte: entry.dataOut[start + index], index)
            }
            at += piece.count
        }
        entries[slot]?.taken = end
        indicate(.dataOutReceived(entry.command.handle))
    }

    private func end(_ slot: Int) {
        let handle = entries[slot]?.command.handle
        entries[slot] = nil
        held.removeAll { Self.handle(of: $0) == handle }
    }

    private func indicate(_ indication: TransportIndication) {
        guard let handle = Self.handle(of: indication), entries[handle.slot]?.isLost == false else { return }
        if holds { held.append(indication) } else { deliver(indication) }
    }

    /// A confirmation; that of the last Data-In ends the command.
    func deliver(_ indication: TransportIndication) {
        guard let handle = Self.handle(of: indication), let entry = entries[handle.slot],
            entry.command.handle == handle, !entry.isLost
        else { return }
        entries[handle.slot]?.isDelivering = false
        if entry.finalSent { entries[handle.slot] = nil }
        bench.server.handle(indication, at: bench.now)
    }

    /// What stood in the page before does not go out: parameter data and sense data are written whole.
    private func expectNoPoison(_ bytes: [UInt8], _ slot: Int) {
        guard bytes.count >= 4 else { return }
        for start in 0...bytes.count - 4 where bytes[start] == 0x3C && bytes[start + 1] == 0xC3 {
            let isPoison = bytes[start + 2] == 0x5A && bytes[start + 3] == 0xA5
            if isPoison { return oracle.expect(false, "\(name(slot)) sends what stood in its page, at byte \(start)") }
        }
    }

    /// Looks at the ends of each piece of a run, so that it is known to be where bytes may be.
    private func touch(_ run: PageRun) {
        var (at, sum) = (0, UInt8(0))
        while at < Int(run.count) {
            let piece = run.piece(at: at, frames: bench.memory.frames, lists: bench.memory.lists)
            let base = UnsafeRawPointer(piece.base)
            sum ^= base.byte(0) ^ base.byte(piece.count - 1)
            at += piece.count
        }
        touched = sum
    }

    private func bytes(_ run: PageRun) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < Int(run.count) {
            let piece = run.piece(at: all.count, frames: bench.memory.frames, lists: bench.memory.lists)
            all += UnsafeRawBufferPointer(start: piece.base, count: piece.count)
        }
        return all
    }
}
