import BlockModel
import Controller
import PagingFormats
import Primitives

@testable import Simulation

/// What a reference target does wrong on purpose, so that the checkers can be seen to fail.
enum ReferenceBug: Sendable {
    case none
    /// GOOD before the device has the data, and the write is lost with the process.
    case earlyAnswer
    /// Reads come from a copy that never learns of the other controller's writes.
    case privateCache
    /// Every 20th response comes twice.
    case doubleResponse
    /// StatSN jumps after every 50th response.
    case statusGap
    /// A login is answered while writes of the earlier session are under way.
    case earlyLogin
    /// Two blocks of every eighth READ are exchanged.
    case misplacedData
}

/// A small target without cache or pair: each command goes straight to the shared device, so two of them are a correct
/// pair by construction. It stands in for the controller in tests of the simulator's own world.
final class ReferenceTarget: SimulatedProcess {
    private struct Command {
        var stream: UInt32
        var session: UInt64
        var tag: UInt32
        var isWrite: Bool
        var unit: Int
        var sector: Int
        var count: Int
        var buffer: UnsafeMutableRawPointer
        var filled = 0
        /// Where the data that an R2T asked for ends.
        var solicited = 0
        var nextR2T: UInt32 = 0
        var slice: UnsafeMutablePointer<ByteSlice>
        var isAtDevice = false
        var isAnswered = false
    }

    private final class Stream {
        let number: UInt32
        let session: UInt64
        var input: [UInt8] = []
        let output = ByteFIFO()
        var isFull = false
        var statSN: UInt32 = 1
        var expCmdSN: UInt32 = 0
        var heldLogin: InitiatorPDU?
        init(_ number: UInt32, _ session: UInt64) {
            self.number = number
            self.session = session
        }
    }

    private let seed: ProcessSeed
    private let bug: ReferenceBug
    private var streams: [Stream] = []
    private var commands: [Command] = []
    private var effects = Queue<ControllerEffect>()
    private var nextSession: UInt64 = 1
    private let scratch = UnsafeMutableRawPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private var outgoing = [UInt8]()
    private let sending = UnsafeMutableRawPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private var answers = 0
    private var reads = 0
    private var cache: [[UInt8]?]
    private var isStopping = false

    init(_ seed: ProcessSeed, bug: ReferenceBug) {
        self.seed = seed
        self.bug = bug
        cache = Array(repeating: nil, count: 4096)
    }

    deinit {
        scratch.deallocate()
        sending.deallocate()
        for command in commands { release(command) }
    }

    private func release(_ command: Command) {
        command.buffer.deallocate()
        command.slice.deallocate()
    }

    var nextDeadline: Instant { .never }
    var expectedWindowWord: UInt64 { 0 }
    func nextEffect() -> ControllerEffect? { effects.popFirst() }

    func status(at now: Instant) -> ControllerStatus {
        var status = ControllerStatus()
        status.state = "paired"
        status.epoch = 1
        status.serving = true
        status.redundant = true
        return status
    }

    func receiveTargets(_ stream: StreamID, into vector: inout ByteVector) {
        vector.append(scratch, 100 << 10)
    }

    func transmitSources(_ stream: StreamID, into vector: inout ByteVector) {
        guard let stream = find(stream) else { return }
        let count = stream.output.peek(into: sending, 64 << 10)
        vector.append(sending, count / 2)
        vector.append(sending + count / 2, count - count / 2)
    }

    func handle(_ event: ControllerEvent, at now: Instant) {
        switch event {
        case .hostConnected(let id, _, _):
            streams.append(Stream(id.raw, nextSession))
            nextSession += 1
        case .received(let id, let count):
            guard let stream = find(id) else { return }
            stream.input.append(contentsOf: UnsafeRawBufferPointer(start: scratch, count: count))
            parse(stream)
        case .transmitted(let id, let count): find(id)?.output.drop(count)
        case .closed(let id): end(id)
        case .storageCompleted(let completion): completed(completion)
        case .stop: isStopping = true
        default: break
        }
    }

    /// Commands of an ended stream that wait for data never get it.
    private func end(_ id: StreamID) {
        guard let stream = find(id) else { return }
        for index in commands.indices.reversed()
        where commands[index].session == stream.session && !commands[index].isAtDevice {
            release(commands.remove(at: index))
        }
        streams.removeAll { $0.number == id.raw }
    }

    func settle(at now: Instant) {
        for stream in streams {
            if let login = stream.heldLogin, bug == .earlyLogin || !commands.contains(where: \.isAtDevice) {
                stream.heldLogin = nil
                answerLogin(stream, login)
            }
        }
        if isStopping && commands.isEmpty {
            isStopping = false
            effects.append(.stopped)
        }
    }

    private func find(_ id: StreamID) -> Stream? { streams.first { $0.number == id.raw } }

    private func parse(_ stream: Stream) {
        while stream.input.count >= 48 {
            let pdu = stream.input.withUnsafeBytes { InitiatorPDU($0.baseAddress!) }
            let end = 48 + (pdu.dataLength + 3) / 4 * 4
            if stream.input.count < end { return }
            let data = Array(stream.input[48..<48 + pdu.dataLength])
            stream.input.removeFirst(end)
            handle(pdu, data, stream)
        }
    }

    private func handle(_ pdu: InitiatorPDU, _ data: [UInt8], _ stream: Stream) {
        if pdu.header[0] & 0x40 == 0, pdu.opcode != InitiatorOpcode.dataOut { stream.expCmdSN = pdu.get32(24) &+ 1 }
        switch pdu.opcode {
        case InitiatorOpcode.login:
            stream.expCmdSN = pdu.get32(24)
            stream.heldLogin = pdu
        case InitiatorOpcode.command: command(pdu, data, stream)
        case InitiatorOpcode.dataOut: dataOut(pdu, data, stream)
        case InitiatorOpcode.taskManagement:
            // Nothing is taken away: an ABORT TASK waits for the response, so "task does not exist" would be wrong.
            effects.append(.close(StreamID(stream.number)))
        default: break
        }
    }

    private func answerLogin(_ stream: Stream, _ pdu: InitiatorPDU) {
        var answer = InitiatorPDU(opcode: InitiatorOpcode.loginResponse, flags: pdu.flags, tag: pdu.tag)
        answer.put16(14, 1)
        let keys = "MaxRecvDataSegmentLength=8192\0FirstBurstLength=8192\0ImmediateData=Yes\0InitialR2T=Yes\0"
        send(stream, &answer, Array(keys.utf8))
    }

    private func command(_ pdu: InitiatorPDU, _ data: [UInt8], _ stream: Stream) {
        let opcode = pdu.header[32]
        let isWrite = opcode == 0x2A || opcode == 0x8A
        guard isWrite || opcode == 0x28 || opcode == 0x88 else {
            return respond(stream, pdu.tag, 0, residual: pdu.get32(20))
        }
        let isLong = opcode >= 0x80
        let block = isLong ? UInt64(pdu.get32(34)) << 32 | UInt64(pdu.get32(38)) : UInt64(pdu.get32(34))
        let count = isLong ? Int(pdu.get32(42)) : Int(pdu.get16(39))
        let slice = UnsafeMutablePointer<ByteSlice>.allocate(capacity: 1)
        let buffer = UnsafeMutableRawPointer.allocate(byteCount: count * 512, alignment: 512)
        slice.initialize(to: ByteSlice(base: buffer, count: count * 512))
        commands.append(
            Command(
                stream: stream.number, session: stream.session, tag: pdu.tag, isWrite: isWrite,
                unit: Int(pdu.header[9]), sector: Int(block), count: count, buffer: buffer, slice: slice))
        isWrite ? take(data, at: 0, commands.count - 1, stream) : submit(commands.count - 1)
    }

    private func dataOut(_ pdu: InitiatorPDU, _ data: [UInt8], _ stream: Stream) {
        let found = commands.firstIndex {
            $0.session == stream.session && $0.tag == pdu.tag && !$0.isAtDevice
        }
        guard let found else { return }
        take(data, at: Int(pdu.get32(40)), found, stream)
    }

    private func take(_ data: [UInt8], at offset: Int, _ index: Int, _ stream: Stream) {
        data.withUnsafeBytes { source in
            if let base = source.baseAddress {
                (commands[index].buffer + offset).copyMemory(from: base, byteCount: source.count)
            }
        }
        commands[index].filled += data.count
        let left = commands[index].count * 512 - commands[index].filled
        if left == 0 { return submit(index) }
        if commands[index].filled < commands[index].solicited { return }
        let length = Swift.min(left, 8192)
        commands[index].solicited = commands[index].filled + length
        var ready = InitiatorPDU(opcode: InitiatorOpcode.readyToTransfer, flags: 0x80, tag: commands[index].tag)
        ready.put32(20, 7)
        ready.put32(24, stream.statSN)
        ready.put32(36, commands[index].nextR2T)
        ready.put32(40, UInt32(commands[index].filled))
        ready.put32(44, UInt32(length))
        commands[index].nextR2T += 1
        send(stream, &ready, [])
    }

    private func submit(_ index: Int) {
        commands[index].isAtDevice = true
        let command = commands[index]
        if bug == .earlyAnswer, command.isWrite { answer(index, nil) }
        let offset = seed.description.units[command.unit].map.dataOffset + UInt64(command.sector * 512)
        effects.append(
            .storage(
                StorageRequest(
                    kind: command.isWrite ? .write : .read, id: identifier(command),
                    device: DeviceIndex(UInt16(command.unit)), offset: offset, count: UInt32(command.count * 512),
                    slices: UnsafePointer(command.slice), sliceCount: 1)))
    }

    private func identifier(_ command: Command) -> UInt32 {
        UInt32(truncatingIfNeeded: command.session) << 20 | command.tag & 0xFFFFF
    }

    private func completed(_ completion: StorageCompletion) {
        guard let index = commands.firstIndex(where: { identifier($0) == completion.id }) else { return }
        if !commands[index].isAnswered { answer(index, completion.fault) }
        release(commands.remove(at: index))
    }

    private func answer(_ index: Int, _ fault: BlockFault?) {
        let command = commands[index]
        commands[index].isAnswered = true
        guard let stream = streams.first(where: { $0.session == command.session }) else { return }
        if fault != nil { return respond(stream, command.tag, 2, [0, 18, 0x70, 0, 3] + Array(repeating: 0, count: 15)) }
        if !command.isWrite { sendData(command, stream) }
        respond(stream, command.tag, 0)
    }

    private func sendData(_ command: Command, _ stream: Stream) {
        var bytes = [UInt8](UnsafeRawBufferPointer(start: command.buffer, count: command.count * 512))
        reads += 1
        if bug == .misplacedData, reads % 8 == 0, command.count > 1 {
            bytes = Array(bytes[512...] + bytes[..<512])
        }
        if bug == .privateCache {
            for sector in 0..<command.count {
                let at = command.unit * 1024 + command.sector + sector
                if let old = cache[at] { bytes.replaceSubrange(sector * 512..<sector * 512 + 512, with: old) }
                cache[at] = Array(bytes[sector * 512..<sector * 512 + 512])
            }
        }
        var offset = 0
        var sequence: UInt32 = 0
        while offset < bytes.count {
            let end = Swift.min(bytes.count, offset + 4096)
            var pdu = InitiatorPDU(
                opcode: InitiatorOpcode.dataIn, flags: end == bytes.count ? 0x80 : 0, tag: command.tag)
            pdu.put32(36, sequence)
            pdu.put32(40, UInt32(offset))
            send(stream, &pdu, Array(bytes[offset..<end]))
            sequence += 1
            offset = end
        }
    }

    private func respond(
        _ stream: Stream, _ tag: UInt32, _ status: UInt8, _ sense: [UInt8] = [], residual: UInt32 = 0
    ) {
        answers += 1
        let times = bug == .doubleResponse && answers % 20 == 0 ? 2 : 1
        if bug == .statusGap, answers % 50 == 0 { stream.statSN &+= 1 }
        for _ in 0..<times {
            var pdu = InitiatorPDU(opcode: InitiatorOpcode.response, flags: 0x80, tag: tag)
            pdu.header[3] = status
            if residual > 0 { pdu.header[1] |= 2 }
            pdu.put32(44, residual)
            send(stream, &pdu, sense)
        }
    }

    private func send(_ stream: Stream, _ pdu: inout InitiatorPDU, _ data: [UInt8]) {
        if pdu.opcode != InitiatorOpcode.dataIn {
            pdu.put32(24, stream.statSN)
            if pdu.opcode != InitiatorOpcode.readyToTransfer { stream.statSN &+= 1 }
        }
        pdu.put32(28, stream.expCmdSN)
        pdu.put32(32, stream.expCmdSN &+ 32)
        pdu.putDataLength(data.count)
        var bytes = (0..<48).map { pdu.header[$0] } + data
        while bytes.count % 4 != 0 { bytes.append(0) }
        bytes.withUnsafeBytes { stream.output.write($0.baseAddress!, bytes.count) }
        effects.append(.transmit(StreamID(stream.number)))
    }
}
