import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

// The transport in miniature, and what moves everything on.
extension World {
    // MARK: Transport

    func perform(_ request: TransportRequest) {
        switch request {
        case .sendDataIn(let handle, let run, let offset, let final, let total):
            guard let command = commands[handle]?.command else { return }
            precondition(Int(offset) == outcomes[handle]?.data.count ?? 0 || offset >= command.dataInLength)
            let bytes = Array(bytes(run).prefix(max(0, Int(command.dataInLength) - Int(offset))))
            outcomes[handle]?.data += bytes
            if final {
                outcomes[handle]?.status = .good
                outcomes[handle]?.total = total
                outcomes[handle]?.lastWords += 1
            }
            indicate(.dataInDelivered(handle))
        case .receiveDataOut(let handle, let run, let offset):
            guard let data = commands[handle]?.dataOut else { return }
            precondition(Int(offset) + Int(run.count) <= data.count, "more Data-Out was wanted than offered")
            store(Array(data[Int(offset)..<Int(offset) + Int(run.count)]), in: run)
            indicate(.dataOutReceived(handle))
        case .sendCommandComplete(let handle, let status, let sense, let total):
            outcomes[handle]?.status = status
            outcomes[handle]?.sense = bytes(sense)
            outcomes[handle]?.total = total
            finish(handle)
        case .commandEnded(let handle): finish(handle)
        case .taskManagementFunctionExecuted(let request, let response):
            #expect(management[request] == nil, "a task management request was answered twice")
            management[request] = response
        }
    }

    private func finish(_ handle: CommandHandle) {
        outcomes[handle]?.lastWords += 1
        outcomes[handle]?.ended = true
        commands[handle] = nil
        heldTransport.removeAll { Self.handle(of: $0) == handle }
    }

    private func indicate(_ indication: TransportIndication) {
        if holdTransport { heldTransport.append(indication) } else { deliver(indication) }
    }

    /// Gives a confirmation; the last Data-In's ends the command.
    func deliver(_ indication: TransportIndication) {
        server.handle(indication, at: now)
        guard case .dataInDelivered(let handle) = indication, outcomes[handle]?.lastWords == 1 else { return }
        outcomes[handle]?.ended = true
        commands[handle] = nil
    }

    func bytes(_ run: PageRun) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < Int(run.count) {
            let piece = run.piece(at: all.count, frames: frames, lists: lists)
            all += UnsafeRawBufferPointer(start: piece.base, count: piece.count)
        }
        return all
    }

    func store(_ bytes: [UInt8], in run: PageRun) {
        var position = 0
        while position < bytes.count {
            let piece = run.piece(at: position, frames: frames, lists: lists)
            let count = min(piece.count, bytes.count - position)
            bytes[position..<position + count].withUnsafeBytes {
                if let base = $0.baseAddress { piece.base.copyMemory(from: base, byteCount: count) }
            }
            position += count
        }
    }

    // MARK: The loop

    /// Performs everything that the server asks for, until it asks for nothing more.
    func run() {
        var turns = 0
        while !server.transport.isEmpty || !server.blocks.isEmpty {
            turns += 1
            precondition(turns < 200_000, "the device server never comes to rest")
            if let request = server.transport.popFirst() { perform(request) }
            if let request = server.blocks.popFirst() { perform(request) }
        }
    }

    /// Gives the answers that were held, in order; answers to those again held if holding goes on.
    func giveHeldBlocks() {
        let all = heldBlocks
        heldBlocks = []
        for request in all { answer(request) }
        run()
    }

    func giveHeldTransport() {
        let all = heldTransport
        heldTransport = []
        for indication in all { deliver(indication) }
        run()
    }

    func giveHeldState() {
        let all = heldState
        heldState = []
        for request in all { answerState(request) }
        run()
    }

    func recall(_ unit: Int = 0) {
        server.handle(.stateRecalled(UnitIndex(UInt16(unit))), at: now)
        run()
    }

    func advance(_ interval: Interval) {
        now = now + interval
        if now >= server.nextDeadline { server.tick(at: now) }
        run()
    }
}
