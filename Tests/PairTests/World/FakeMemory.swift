import BlockModel
import PagingFormats
import Primitives

@testable import Pair

/// Stands for Memory: one page, with the acknowledgement rules of pair-rules 3, and the reports that orders want.
final class FakeMemory {
    unowned let node: Node
    /// The version in the memory file; survives the process.
    var held: UInt64 = 0
    /// … is not on the device yet, as far as this memory knows.
    private(set) var isDirty = false
    /// What a host reads here.
    var visible: UInt64 { held > 0 ? held : world.device }
    /// Two hosts: the device takes no write of this life any more.
    var isFenced = false

    private var condition = ServiceCondition.stopped
    private var isFrozen = true
    /// A destage that was decided before a freeze is not submitted after it.
    private var freezes = 0
    private var isQuiet = true
    /// In the kernel: they land even if the process is stopped or dead, unless the device fences them.
    private(set) var deviceWrites = 0
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
        if world.lock?.node == node.index { world.lock = nil }
        condition = .stopped
        isFrozen = true
        isQuiet = true
        catchingUp = false
        unanswered = []
        write = nil
        quiesceAsked = false
    }

    /// A lock stays with the dead until its epoch is over.
    func died() { write = nil }

    private func report(_ report: MembershipReport) {
        let delay = world.random.chance(1, in: 10) ? world.random.below(300_000_000) : world.random.below(5_000_000)
        node.soon(after: delay) { $0.call(.report(report)) }
    }

    // MARK: Orders

    func take(_ order: MembershipOrder) {
        switch order {
        case .freeze:
            isFrozen = true
            freezes += 1
            condition = .stopped
            abandonWrite()
        case .adoptMirror:
            unanswered = []
            abandonWrite()
            adoptMirror()
        case .adoptForeign:
            hold(node.partner.memory.held, dirty: node.partner.memory.isDirty)
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
            destageSoon()
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
        case .drain: drain()
        case .void:
            held = 0
            isDirty = false
            unanswered = []
        case .channelUp: for message in unanswered { post(message) }
        case .begin, .cyclePower, .channelDown, .window: break
        }
    }

    /// The newest version wins; that of an evicted page is none.
    private func hold(_ version: UInt64, dirty: Bool) {
        if version > held {
            held = version
            isDirty = dirty
        } else if version == held, !dirty {
            isDirty = false
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
        message.argument2 = isDirty ? 1 : 0
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

    private(set) var largestDelivered: UInt64 = 0

    func deliver(_ message: PagingMessage, _ data: UnsafeRawPointer?) {
        largestDelivered = max(largestDelivered, message.argument)
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
        hold(message.argument, dirty: message.argument2 == 1)
        var answer = message.answer(.done)
        answer.argument = held
        answer.argument2 = isDirty ? 1 : 0
        post(answer)
    }

    private func answered(_ message: PagingMessage) {
        guard let index = unanswered.firstIndex(where: { $0.request == message.request }) else { return }
        unanswered.remove(at: index)
        if message.kind == .readHeader {
            hold(message.argument, dirty: message.argument2 == 1)
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
        guard mayServe, write == nil, deviceWrites == 0, take() else { return }
        let version = world.nextVersion
        world.nextVersion += 1
        held = version
        isDirty = true
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
        release()
    }

    // MARK: The page's lock and its device

    private func take() -> Bool {
        guard world.lock == nil else { return false }
        world.lock = (node.index, node.life)
        return true
    }

    private func release() {
        if let lock = world.lock, lock == (node.index, node.life), deviceWrites == 0 { world.lock = nil }
    }

    private func soon(_ delay: UInt64, _ action: @escaping (FakeMemory) -> Void) {
        node.soon(after: delay) { action($0.memory) }
    }

    /// The mirror area is ours, and every lock of the partner void, when our own writes have landed.
    private func adoptMirror() {
        if deviceWrites > 0 {
            soon(1_000_000) { $0.adoptMirror() }
            return
        }
        world.lock = nil
        report(.mirrorAdopted(pages: 1))
    }

    private func drain() {
        if !isDirty, deviceWrites == 0 {
            report(.drained)
        } else {
            if deviceWrites == 0, take() { deviceWrite(held) { $0.release() } }
            soon(1_000_000) { $0.drain() }
        }
    }

    private func destageSoon() {
        soon(world.random.below(50_000_000)) { $0.beginDestage() }
    }

    /// Decides to destage, and submits a moment later without a look at anything: the process may have been stopped
    /// in between.
    private func beginDestage() {
        guard mayServe, !condition.joining else { return }
        if !condition.paired, world.random.chance(1, in: 2) { report(.dirty(isDirty)) }
        guard deviceWrites == 0, write == nil, take() else { return }
        if !isDirty {
            // A clean page may go, on both sides or on one.
            if world.random.chance(1, in: 2) { held = 0 }
            release()
            return
        }
        let (version, decidedAt) = (held, freezes)
        soon(world.random.below(20_000_000)) { memory in
            // The freeze gave the lock up; it may be somebody else's by now.
            if memory.freezes != decidedAt { return }
            memory.deviceWrite(version) { $0.release() }
        }
    }

    /// The process that wrote learns it, and tells the partner while both are members.
    private func destaged(_ version: UInt64, _ life: UInt64) {
        guard node.life == life, node.isAlive, !node.isPaused else { return }
        if held == version { isDirty = false }
        let partner = node.partner
        if condition.paired, mayServe, partner.isAlive, partner.condition.epoch == condition.epoch,
            partner.memory.held == version
        {
            partner.memory.isDirty = false
        }
    }

    /// A write to the shared device.
    private func deviceWrite(_ version: UInt64, _ done: @escaping (FakeMemory) -> Void) {
        let life = node.life
        deviceWrites += 1
        world.note("\(node.id) writes \(version), \(deviceWrites) in flight")
        world.schedule(after: world.random.below(3_000_000)) { [self] in
            deviceWrites -= 1
            if isFenced { return }
            if version < world.device { world.violations.append("the device went back to \(version)") }
            world.device = version
            destaged(version, life)
            node.later(life: life) { node in
                done(node.memory)
                node.memory.quiesced()
            }
        }
    }
}
