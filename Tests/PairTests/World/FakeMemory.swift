import BlockModel
import PagingFormats
import Primitives

@testable import Pair

/// Stands for Memory: one page, with the acknowledgement rules of pair-rules 3, and the reports that orders want.
final class FakeMemory {
    unowned let node: Node
    /// The version in the memory file; survives the process.
    var held: UInt64 = 0
    /// Two hosts: the device takes no write of this life any more.
    var isFenced = false

    private var condition = ServiceCondition.stopped
    private var isFrozen = true
    private var isQuiet = true
    private var deviceWrites = 0
    private var catchingUp = false
    /// Messages without answer, sent again when the channel is up.
    private var unanswered: [PagingMessage] = []
    private var request: UInt32 = 0
    /// The write under way: version, still wanted of the partner, still wanted of the device.
    private var write: (version: UInt64, partner: Bool, device: Bool)?
    private var quiesceAsked = false

    init(_ node: Node) { self.node = node }

    private var world: World { node.world }

    func restarted() {
        isFenced = false
        condition = .stopped
        isFrozen = true
        isQuiet = true
        catchingUp = false
        unanswered = []
        write = nil
        quiesceAsked = false
    }

    func died() {
        write = nil
        if world.lock?.node == node.index { world.lock = nil }
    }

    private func report(_ report: MembershipReport) {
        let delay = world.random.chance(1, in: 10) ? world.random.below(300_000_000) : world.random.below(5_000_000)
        node.soon(after: delay) { $0.call(.report(report)) }
    }

    // MARK: Orders

    func take(_ order: MembershipOrder) {
        switch order {
        case .freeze:
            isFrozen = true
            condition = .stopped
            abandonWrite()
        case .adoptMirror:
            unanswered = []
            abandonWrite()
            if let lock = world.lock, lock.node != node.index { world.lock = nil }
            report(.mirrorAdopted(pages: 1))
        case .adoptForeign:
            held = max(held, node.partner.memory.held)
            report(.foreignAdopted(pages: 1))
        case .agreeHeaders: send(.readHeader)
        case .serve(let now):
            isFrozen = false
            // A member registers its key anew.
            if now.paired, now.serving { isFenced = false }
            isQuiet = !now.serving
            quiesceAsked = false
            if now.epoch != condition.epoch, now.paired != condition.paired { abandonWrite() }
            condition = now
            writeSoon()
        case .catchUp:
            catchingUp = true
            send(.writePage)
        case .abandonCatchUp:
            catchingUp = false
            unanswered = []
            if write != nil { write?.partner = false }
            acknowledge()
        case .quiesce:
            isQuiet = true
            quiesceAsked = true
            quiesced()
        case .drain:
            deviceWrite(held) { $0.report(.drained) }
        case .void:
            held = 0
            unanswered = []
        case .channelUp: for message in unanswered { post(message) }
        case .channelDown, .window: break
        }
    }

    private func quiesced() {
        guard quiesceAsked, deviceWrites == 0 else { return }
        quiesceAsked = false
        report(.quiesced)
    }

    // MARK: Messages

    private func send(_ kind: MessageKind) {
        request += 1
        var message = PagingMessage(kind)
        message.request = request
        message.argument = held
        if kind == .writePage { message.dataLength = UInt32(world.random.below(4096)) }
        unanswered.append(message)
        post(message)
    }

    /// The data is a pattern of the message's own numbers, so that the receiver can tell it.
    private func post(_ message: PagingMessage) {
        var message = message
        let bytes = (0..<Int(message.dataLength)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ Int(message.request)) }
        bytes.withUnsafeBytes { buffer in
            message.checksum = Checksum.crc32c(buffer.baseAddress ?? UnsafeRawPointer(node.region), buffer.count)
            node.engine?.handle(.send(message, data: buffer.baseAddress, stable: false), at: node.local)
        }
        node.soon(after: 0) { $0.call(.tick) }
    }

    func deliver(_ message: PagingMessage, _ data: UnsafeRawPointer?) {
        if message.dataLength > 0 {
            guard let data, Checksum.crc32c(data, Int(message.dataLength)) == message.checksum else {
                world.violations.append("data of a message differs")
                return
            }
        }
        if message.isAnswer {
            answered(message)
            return
        }
        held = max(held, message.argument)
        var answer = message.answer(.done)
        answer.argument = held
        post(answer)
    }

    private func answered(_ message: PagingMessage) {
        guard let index = unanswered.firstIndex(where: { $0.request == message.request }) else { return }
        unanswered.remove(at: index)
        if message.kind == .readHeader {
            held = max(held, message.argument)
            report(.headersAgreed)
            return
        }
        if let version = write?.version, message.argument >= version { write?.partner = false }
        acknowledge()
        if catchingUp, unanswered.isEmpty, message.argument >= held {
            catchingUp = false
            report(.caughtUp)
        }
    }

    // MARK: Writes of hosts

    private func writeSoon() {
        guard world.options.writes, write == nil else { return }
        node.soon(after: world.random.below(30_000_000)) { $0.memory.beginWrite() }
    }

    private var mayServe: Bool {
        !isFrozen && !isQuiet && condition.serving && node.local < condition.leaseEnd && node.isAlive
    }

    private func beginWrite() {
        guard mayServe, write == nil, world.lock == nil else { return }
        let version = world.nextVersion
        world.nextVersion += 1
        world.lock = (node.index, node.life)
        held = version
        if condition.paired {
            write = (version, true, false)
            send(.writePage)
        } else {
            write = (version, condition.joining, true)
            if condition.joining { send(.writePage) }
            deviceWrite(version) { memory in
                if memory.write?.version == version { memory.write?.device = false }
                memory.acknowledge()
            }
        }
    }

    private func acknowledge() {
        guard let write, !write.partner, !write.device, mayServe else { return }
        world.acknowledged = max(world.acknowledged, write.version)
        abandonWrite()
    }

    private func abandonWrite() {
        write = nil
        if let lock = world.lock, lock.node == node.index { world.lock = nil }
    }

    /// A write to the shared device: it lands even if the process is stopped meanwhile, unless it was fenced. A
    /// process that ends waits for it, as the kernel does.
    private func deviceWrite(_ version: UInt64, _ done: @escaping (FakeMemory) -> Void) {
        let life = node.life
        deviceWrites += 1
        world.schedule(after: world.random.below(3_000_000)) { [self] in
            deviceWrites -= 1
            if isFenced || node.life != life || !node.isAlive { return }
            world.device = max(world.device, version)
            node.later(life: life) { node in
                done(node.memory)
                node.memory.quiesced()
            }
        }
    }
}
