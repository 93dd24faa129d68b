import BlockModel
import CopyModule
import Memory
import PagingFormats
import Primitives

/// Two memories with their copy modules, one shared device, a channel and a window, in virtual time: everything that is
/// not under test is as simple as it can be, and drawn from one seed.
final class MemoryWorld {
    static let unitSectors: UInt64 = 8192
    static let tokens = 32

    /// One controller's memory: the region survives `restart`, the engine does not.
    final class Node {
        let id: ControllerID
        let layout: RegionLayout
        let region: UnsafeMutableRawPointer
        let lists: PageLists
        let frames: Frames
        private let parameters: UnsafeMutableRawPointer
        var memory: MemoryEngine
        var copy: CopyEngine
        var inbox: [(PagingMessage, [UInt8]?)] = []
        var reports: [MembershipReport] = []
        var responses: [BlockResponse] = []
        var transfers: [StorageRequest] = []
        var isAlive = true

        init(
            _ id: ControllerID, region: UnsafeMutableRawPointer?, keepsBackAlone: Bool = false,
            isProtected: Bool = false
        ) {
            self.id = id
            layout = RegionLayout(frames: 1024, mirrorFrames: 512, hasTrailers: isProtected)
            self.region = region ?? .allocate(byteCount: layout.bytes, alignment: 4096)
            if region == nil { self.region.initializeMemory(as: UInt8.self, repeating: 0, count: layout.bytes) }
            lists = PageLists(base: .allocate(capacity: MemoryWorld.tokens * 64), count: MemoryWorld.tokens)
            parameters = .allocate(byteCount: MemoryWorld.tokens * 4096, alignment: 4096)
            parameters.initializeMemory(as: UInt8.self, repeating: 0, count: MemoryWorld.tokens * 4096)
            frames = Frames(
                base: self.region + layout.frameOffset, count: layout.frames, parameters: parameters,
                parameterCount: MemoryWorld.tokens, trailers: isProtected ? self.region + layout.trailer(0) : nil)
            var policy = Policy.standard
            policy.rows[0].destageAge = .milliseconds(20)
            policy.rows[1].destageAge = .milliseconds(20)
            for row in policy.rows.indices { policy.rows[row].keepBackAlone = keepsBackAlone }
            var map = UnitMap(
                sectors: MemoryWorld.unitSectors, device: DeviceIndex(0), dataOffset: 1 << 20, stateOffset: 64 << 10,
                preferred: .a, policy: policy)
            map.isProtected = isProtected
            memory = MemoryEngine(
                configuration: MemoryConfiguration(controller: id, arrayID: 7, units: [map], deviceCount: 1),
                region: self.region, layout: layout, frames: frames, lists: lists, at: .zero)
            copy = CopyEngine(region: self.region, layout: layout)
            memory.handle(.begin, at: .zero)
        }
    }

    var nodes: [Node]
    var device: [UInt8]
    /// The unit has protection information.
    let isProtected: Bool
    var random: SeededRandom
    var now = Instant(nanoseconds: 1_000_000_000)
    var usesWindow: Bool
    /// Whether the two still are each other's partners: copies and messages pass.
    var isLinked = true
    /// Bytes of the device that it can neither read nor write.
    var badBytes: Range<Int> = 0..<0
    /// The kinds of the messages that were sent.
    var kinds: [MessageKind] = []

    init(seed: UInt64, usesWindow: Bool, isProtected: Bool = false) {
        random = SeededRandom(seed: seed)
        self.usesWindow = usesWindow
        self.isProtected = isProtected
        let bytes = UnitMap.deviceBytes(Self.unitSectors * 512, isProtected: isProtected)
        device = [UInt8](repeating: 0, count: (1 << 20) + Int(bytes))
        nodes = ControllerID.allCases.map { Node($0, region: nil, isProtected: isProtected) }
    }

    func restart(_ id: ControllerID, keepsBackAlone: Bool = false) {
        let old = nodes[Int(id.rawValue)]
        nodes[Int(id.rawValue)] = Node(
            id, region: old.region, keepsBackAlone: keepsBackAlone, isProtected: isProtected)
    }

    func order(_ id: ControllerID, _ order: MembershipOrder) {
        let node = nodes[Int(id.rawValue)]
        switch order {
        case .channelUp(_, let window):
            node.copy.channel(up: true)
            _ = window
        case .channelDown: node.copy.channel(up: false)
        case .window(let open): node.copy.window(open: open)
        case .adoptMirror, .abandonCatchUp, .catchUp, .void: node.copy.reset()
        case .serve(let condition): if !condition.paired && !condition.joining { node.copy.reset() }
        default: break
        }
        node.memory.handle(order, at: now)
        settle()
    }

    func request(_ id: ControllerID, _ request: BlockRequest) {
        nodes[Int(id.rawValue)].memory.handle(request, at: now)
        settle()
    }

    /// One batch on both sides: effects are routed until nothing more comes at this instant.
    func settle() {
        for node in nodes where node.isAlive {
            node.memory.settle(at: now)
            route(node)
        }
    }

    private func route(_ node: Node) {
        let partner = nodes[Int(node.id.partner.rawValue)]
        var isBusy = true
        while isBusy {
            isBusy = false
            while let effect = node.memory.effects.popFirst() {
                isBusy = true
                perform(effect, node, partner)
            }
            while let effect = node.copy.effects.popFirst() {
                isBusy = true
                switch effect {
                case .place(let placement):
                    let ok = usesWindow && isLinked
                    if ok { place(placement, from: node, to: partner) }
                    node.copy.placed(token: placement.token, ok: ok)
                case .send(let frame):
                    if let message = node.copy.takeMessage(frame) {
                        send(
                            message, node.copy.data(frame), trailer: node.copy.trailer(frame, of: message), to: partner)
                    }
                case .copied(let frame): node.memory.copied(frame, at: now)
                }
            }
            while let response = node.memory.responses.popFirst() { node.responses.append(response) }
        }
    }

    private func perform(_ effect: MemoryEffect, _ node: Node, _ partner: Node) {
        switch effect {
        case .storage(let request): node.transfers.append(request)
        case .send(let message, let data, _): send(message, data, to: partner)
        case .copy(let frame, let slot, let methods):
            node.copy.copy(
                frame, to: slot, dma: methods.dma, messaging: methods.messaging, dmaFirst: methods.dmaFirst)
        case .clear(let slot):
            if isLinked { FrameHeader.open(at: partner.region + partner.layout.header(Int(slot))) }
        case .settle(let slot):
            if isLinked { FrameHeader.settle(at: partner.region + partner.layout.header(Int(slot))) }
        case .report(let report): node.reports.append(report)
        case .tornFrame, .deviceFault, .homeChanged: break
        }
    }

    private func place(_ placement: WindowPlacement, from: Node, to: Node) {
        (to.region + to.layout.frame(Int(placement.slot))).copyMemory(
            from: from.region + from.layout.frame(Int(placement.frame.raw)), byteCount: 4096)
        (to.region + to.layout.header(Int(placement.slot))).copyMemory(
            from: from.region + from.layout.header(Int(placement.frame.raw)), byteCount: from.layout.headerBytes)
    }

    private func send(
        _ message: PagingMessage, _ data: UnsafeRawPointer?, trailer: UnsafeRawPointer? = nil, to: Node
    ) {
        guard isLinked, to.isAlive else { return }
        if !kinds.contains(message.kind) { kinds.append(message.kind) }
        let tail = trailer.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: PageSize.trailerBytes)) } ?? []
        let length = Int(message.dataLength) - tail.count
        let bytes = data.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: length)) + tail }
        to.inbox.append((message, bytes))
    }

    /// Something that is under way arrives: a message, or a device completion (of a kind that `device` names); false
    /// when nothing is.
    func step(
        messages: Bool = true, device: [StorageRequest.Kind] = [.read, .write, .flush, .discard, .query]
    ) -> Bool {
        now = now + .microseconds(100)
        var choices: [(Node, Bool)] = []
        for node in nodes where node.isAlive {
            if messages && !node.inbox.isEmpty { choices.append((node, true)) }
            if node.transfers.contains(where: { device.contains($0.kind) }) { choices.append((node, false)) }
        }
        guard !choices.isEmpty else { return false }
        let (node, isMessage) = choices[Int(random.below(UInt64(choices.count)))]
        if isMessage {
            let (message, data) = node.inbox.removeFirst()
            if message.kind == .writePage && message.isAnswer {
                node.copy.answered(message)
            } else if let data {
                data.withUnsafeBytes { node.memory.deliver(message, data: $0.baseAddress, at: now) }
            } else {
                node.memory.deliver(message, data: nil, at: now)
            }
        } else {
            let able = node.transfers.indices.filter { device.contains(node.transfers[$0].kind) }
            let index = able[Int(random.below(UInt64(able.count)))]
            complete(node, node.transfers.remove(at: index))
        }
        settle()
        return true
    }

    private func complete(_ node: Node, _ request: StorageRequest) {
        let range = Int(request.offset)..<Int(request.offset) + Int(request.count)
        if request.kind != .flush, range.overlaps(badBytes) {
            let fault: BlockFault = request.kind == .read ? .unreadable : .unwritable
            return node.memory.handle(StorageCompletion(id: request.id, fault: fault), at: now)
        }
        var at = Int(request.offset)
        if request.kind == .discard {
            device.replaceSubrange(
                at..<at + Int(request.count), with: [UInt8](repeating: 0, count: Int(request.count)))
        }
        if request.kind == .query { tell(request) }
        for index in 0..<Int(request.sliceCount) {
            let slice = request.slices[index]
            device.withUnsafeMutableBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                if request.kind == .write {
                    (base + at).copyMemory(from: slice.base, byteCount: slice.count)
                } else if request.kind == .read {
                    slice.base.copyMemory(from: base + at, byteCount: slice.count)
                }
            }
            at += slice.count
        }
        node.memory.handle(StorageCompletion(id: request.id, fault: nil), at: now)
    }

    /// Blocks of 4096 bytes that are not all zero count as mapped; runs of one kind are one entry.
    private func tell(_ request: StorageRequest) {
        let room = request.slices[0].base
        var entries: [(start: Int, end: Int, mapped: Bool)] = []
        let end = Int(request.offset) + Int(request.count)
        var at = Int(request.offset)
        while at < end {
            let next = min((at / 4096 + 1) * 4096, end)
            let block = at / 4096 * 4096
            let mapped = device[block..<min(block + 4096, device.count)].contains { $0 != 0 }
            if let last = entries.last, last.mapped == mapped {
                entries[entries.count - 1].end = next
            } else {
                entries.append((at, next, mapped))
            }
            at = next
        }
        room.put(little64: UInt64(entries.count), 0)
        for (index, entry) in entries.enumerated() {
            room.put(little64: UInt64(entry.start), 8 + index * 16)
            room.put(little64: UInt64(entry.end - entry.start) | (entry.mapped ? 1 << 63 : 0), 16 + index * 16)
        }
    }

    /// Lets time pass until `done`, at most `limit` steps; false when it never was.
    func run(limit: Int = 200_000, until done: () -> Bool) -> Bool {
        for _ in 0..<limit {
            if done() { return true }
            if !step() {
                now = now + .milliseconds(5)
                settle()
            }
        }
        return done()
    }

    func paired(epoch: UInt32) -> ServiceCondition {
        ServiceCondition(serving: true, paired: true, joining: false, epoch: epoch, leaseEnd: .never)
    }

    func solo(epoch: UInt32) -> ServiceCondition {
        ServiceCondition(serving: true, paired: false, joining: false, epoch: epoch, leaseEnd: .never)
    }
}
