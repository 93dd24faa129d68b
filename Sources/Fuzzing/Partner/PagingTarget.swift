import BlockModel
import CopyModule
import Memory
import PagingFormats
import Primitives

/// The memory of one member whose partner lies: any message at any time, with a user of its own and a device behind it.
/// Nothing outside of the unit, of the device and of the partner's mirror area is ever named; every request of the user
/// ends when the partner is gone.
final class PagingTarget {
    static let slots = 8
    static let unitSectors: UInt64 = 8192
    static let layout = RegionLayout(frames: 640, mirrorFrames: 320)

    let oracle: Oracle
    let region: UnsafeMutableRawPointer
    let lists: PageLists
    let frames: Frames
    var memory: MemoryEngine
    var copy: CopyEngine
    var now = Instant(nanoseconds: 1_000_000_000)
    var epoch: UInt32 = 1
    /// The user's operations by slot: what they wait for.
    var users: [Int: User] = [:]
    var transfers: [StorageRequest] = []
    var deviceFault: BlockFault?
    var statePointers: Set<Int> = []
    var performed = 0
    /// Slots that the partner gave.
    var granted: [Range<Int>] = []
    /// Slots whose operation is a write.
    var writes: Set<Int> = []
    /// Whether a slot's write has pages for compare data.
    var scratched: [Int: Bool] = [:]

    /// What the record says, as Pair would tell it.
    enum Reign { case paired, solo, joining }
    var reign = Reign.paired
    var connection: UInt32 = 1

    enum User { case reading, preparing, ready, committing, synchronizing, released }

    init(_ oracle: Oracle, _ input: inout FuzzInput) {
        self.oracle = oracle
        let layout = Self.layout
        region = .allocate(byteCount: layout.bytes, alignment: PageSize.bytes)
        region.initializeMemory(as: UInt8.self, repeating: 0, count: layout.frameOffset)
        lists = PageLists(base: .allocate(capacity: Self.slots * PageSize.operationPages), count: Self.slots)
        frames = Frames(base: region + layout.frameOffset, count: layout.frames, parameters: region, parameterCount: 0)
        var policy = Policy.standard
        for row in policy.rows.indices { policy.rows[row].destageAge = .milliseconds(20) }
        let options = input.byte()
        let units = (0..<2).map { index in
            UnitMap(
                sectors: Self.unitSectors, device: DeviceIndex(0),
                dataOffset: DeviceLayout.labelArea + UInt64(index) * Self.unitSectors * 512,
                stateOffset: DeviceLayout.stateOffset(index), preferred: index == 0 ? .a : .b, policy: policy)
        }
        memory = MemoryEngine(
            configuration: MemoryConfiguration(
                controller: options & 1 == 1 ? .b : .a, arrayID: 7, units: units, deviceCount: 1),
            region: region, layout: layout, frames: frames, lists: lists, at: .zero)
        copy = CopyEngine(region: region, layout: layout)
        order(.begin)
        order(.channelUp(connection: 1, window: options & 2 == 2))
        if options & 2 == 2 { order(.window(open: true)) }
        reign = options & 4 == 0 ? .paired : .solo
        serve()
        completeTransfers(all: true)
    }

    deinit {
        region.deallocate()
        lists.base.deallocate()
    }

    func run(_ input: inout FuzzInput) {
        while !input.isEmpty, oracle.failure == nil {
            step(&input)
            settle()
        }
        finish()
    }

    private func step(_ input: inout FuzzInput) {
        switch input.byte() {
        case 0..<128: deliver(&input)
        case 128..<176: use(&input)
        case 176..<200: completeTransfers(all: input.flag())
        case 200..<216: now = now + .milliseconds(UInt64(input.byte()))
        case 216..<224: deviceFault = input.flag() ? BlockFault(rawValue: UInt8(input.below(8))) : nil
        default: reign(&input)
        }
    }

    // MARK: The partner and the membership

    private func deliver(_ input: inout FuzzInput) {
        // What no frame can carry does not come.
        guard let message = MessageMaker.carried(MessageMaker.message(&input)) else { return }
        if message.kind == .spaceRequest, message.isAnswer {
            granted.append(Int(message.slot)..<Int(message.slot) + Int(message.pageCount))
        }
        if message.kind == .writePage, message.isAnswer { return copy.answered(message) }
        let data = [UInt8](repeating: input.byte(), count: Int(message.dataLength))
        var sealed = message
        data.withUnsafeBytes { raw in
            if let base = raw.baseAddress, input.flag() { sealed.checksum = Checksum.crc32c(base, raw.count) }
            memory.deliver(sealed, data: raw.isEmpty ? nil : raw.baseAddress, at: now)
        }
    }

    /// What Pair may order now, in the order in which it does.
    private func reign(_ input: inout FuzzInput) {
        switch (reign, input.below(6)) {
        case (_, 0):
            order(.channelDown)
            connection += 1
            order(.channelUp(connection: connection, window: false))
        case (_, 1): order(.window(open: input.flag()))
        case (.paired, 2):
            epoch += 1
            reign = .solo
            order(.freeze)
            order(.adoptMirror(epoch: epoch))
            serve()
        case (.solo, 3...4):
            reign = .joining
            granted = []
            order(.catchUp)
            serve()
        case (.joining, 5):
            reign = .solo
            order(.abandonCatchUp)
            serve()
        default: serve()
        }
    }

    /// A joiner that has everything becomes a member.
    func heard(_ report: MembershipReport) {
        switch report {
        case .caughtUp: if reign == .joining { order(.quiesce) }
        case .quiesced:
            guard reign == .joining else { return }
            epoch += 1
            reign = .paired
            serve()
        case .mirrorAdopted, .foreignAdopted, .headersAgreed, .drained, .dirty: break
        }
    }

    func serve() {
        order(
            .serve(
                ServiceCondition(
                    serving: true, paired: reign == .paired, joining: reign == .joining, epoch: epoch,
                    leaseEnd: .never)))
    }

    func order(_ order: MembershipOrder) {
        switch order {
        case .channelUp: copy.channel(up: true)
        case .channelDown: copy.channel(up: false)
        case .window(let open): copy.window(open: open)
        case .adoptMirror, .abandonCatchUp, .catchUp, .void: copy.reset()
        case .serve(let condition): if !condition.paired && !condition.joining { copy.reset() }
        case .begin, .freeze, .adoptForeign, .agreeHeaders, .cyclePower, .quiesce, .drain: break
        }
        memory.handle(order, at: now)
        settle()
    }

    private func finish() {
        deviceFault = nil
        epoch += 1
        order(.channelDown)
        if reign == .paired {
            order(.freeze)
            order(.adoptMirror(epoch: epoch))
        } else if reign == .joining {
            order(.abandonCatchUp)
        }
        reign = .solo
        serve()
        for _ in 0..<400 where oracle.failure == nil {
            if users.isEmpty, transfers.isEmpty { break }
            for slot in users.keys.sorted() where users[slot] == .ready { release(slot) }
            completeTransfers(all: true)
            now = now + .milliseconds(20)
            settle()
        }
        oracle.expect(users.isEmpty, "requests that never ended: \(users)")
        oracle.expect(transfers.isEmpty, "\(transfers.count) transfers have no end")
    }
}
