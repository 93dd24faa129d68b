import BlockModel
import PagingFormats
import Pair
import Primitives

/// The channel: strangers that shake hands, and a partner that is proved and then says anything. Whoever has not proved
/// that it knows the secret is never live, and nothing of it is delivered.
final class ChannelTarget {
    static let pairID: UInt64 = 77

    /// A peer of the engine at the other end of a stream.
    struct Peer {
        var incoming: [UInt8] = []
        var outgoing: [UInt8] = []
        /// It answered the engine's hello with a proof.
        var isProved = false
        var connection: UInt32 = 0
        var sequence: UInt64 = 0
    }

    let oracle: Oracle
    var engine: PairEngine
    var now = Instant(nanoseconds: 1_000_000_000)
    var peers: [UInt32: Peer] = [:]
    var nextStream: UInt32 = 1
    var record: WitnessRecord?
    var isOver = false
    /// The story is at its end: nobody can be reached any more.
    var isEnding = false
    /// Effects that were performed: an engine that comes to rest has a bound.
    var performed = 0
    private var vector = ByteVector(capacity: 64)

    init(_ oracle: Oracle, _ input: inout FuzzInput) {
        self.oracle = oracle
        let options = input.byte()
        var configuration = PairConfiguration(
            controller: options & 1 == 1 ? .b : .a, pairID: Self.pairID, incarnation: 3,
            freshMemoryID: .init(high: 1, low: 1))
        configuration.memoryIsFresh = options & 2 == 0
        configuration.partnerOnThisHost = options & 4 == 0
        if options & 2 == 2 { configuration.memoryID = .init(high: 1, low: 1) }
        if options & 8 == 8 {
            let own = WitnessRecord.Member(memory: .init(high: 1, low: 1), incarnation: 2)
            let other = WitnessRecord.Member(memory: .init(high: 2, low: 2), incarnation: 5)
            let isA = configuration.controller == .a
            record = WitnessRecord(
                pairID: Self.pairID, lineage: 9, sequence: 4, epoch: 6,
                state: options & 16 == 16 ? .paired : isA ? .soloB : .soloA, memberA: isA ? own : other,
                memberB: isA ? other : own, dirty: true, featureLevel: 1)
        }
        engine = PairEngine(configuration: configuration, at: now)
    }

    func run(_ input: inout FuzzInput) {
        settle()
        while !input.isEmpty, oracle.failure == nil, !isOver {
            step(&input)
            settle()
        }
        isEnding = true
        for stream in peers.keys.sorted() { close(stream) }
        settle()
        oracle.expect(peers.isEmpty, "streams that were never closed: \(peers.keys.sorted())")
    }

    private func step(_ input: inout FuzzInput) {
        switch input.byte() {
        case 0..<24: accept()
        case 24..<56: if let stream = pick(&input) { prove(stream, &input) }
        case 56..<76: if let stream = pick(&input) { rawBytes(stream, &input) }
        case 76..<120: if let stream = pick(&input) { announce(stream, &input) }
        case 120..<208: if let stream = pick(&input) { messages(stream, &input) }
        case 208..<216: if let stream = pick(&input) { close(stream) }
        case 216..<236:
            now = now + .milliseconds(UInt64(input.byte()) * 10)
            tell(.tick)
        case 236..<240: tell(.partnerEnded)
        case 240..<244: tell(input.flag() ? .windowOpened(incarnation: UInt64(input.byte())) : .windowClosed)
        case 244..<246: tell(.devicesWritable(input.flag()))
        case 246..<248: tell(.stop)
        default:
            var message = PagingMessage(.spaceRequest)
            message.request = UInt32(input.byte())
            tell(.send(message, data: nil, stable: false))
        }
    }

    func tell(_ event: PairEvent) { if !isOver { engine.handle(event, at: now) } }

    private func pick(_ input: inout FuzzInput) -> UInt32? {
        let all = peers.keys.sorted()
        let choice = input.byte()
        return all.isEmpty ? nil : all[Int(choice) % all.count]
    }

    private func accept() {
        guard peers.count < 8 else { return }
        nextStream += 1
        peers[nextStream] = Peer()
        tell(.channelAccepted(StreamID(nextStream)))
    }

    private func close(_ stream: UInt32) {
        guard peers.removeValue(forKey: stream) != nil else { return }
        engine.handle(.closed(StreamID(stream)), at: now)
    }

    // MARK: The driver

    func settle() {
        for _ in 0..<1000 {
            engine.settle(at: now)
            while let effect = engine.effects.popFirst() {
                performed += 1
                guard performed < 200_000 else { return oracle.expect(false, "the engine never comes to rest") }
                perform(effect)
            }
            var moved = false
            for stream in peers.keys.sorted() where feed(stream) || fetch(stream) { moved = true }
            if !moved, engine.effects.isEmpty { return }
        }
        oracle.expect(false, "the streams never come to rest")
    }

    private func feed(_ stream: UInt32) -> Bool {
        guard let peer = peers[stream], !peer.incoming.isEmpty else { return false }
        vector.removeAll()
        engine.receiveTargets(StreamID(stream), into: &vector)
        let total = min(peer.incoming.count, vector.byteCount)
        if total == 0 { return false }
        var done = 0
        peer.incoming.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for index in 0..<vector.count where done < total {
                let count = min(vector.slices[index].count, total - done)
                vector.slices[index].base.copyMemory(from: base + done, byteCount: count)
                done += count
            }
        }
        peers[stream]?.incoming.removeFirst(total)
        engine.handle(.received(StreamID(stream), count: total), at: now)
        return true
    }

    private func fetch(_ stream: UInt32) -> Bool {
        guard peers[stream] != nil else { return false }
        vector.removeAll()
        engine.transmitSources(StreamID(stream), into: &vector)
        if vector.byteCount == 0 { return false }
        let total = vector.byteCount
        for index in 0..<vector.count {
            peers[stream]?.outgoing += UnsafeRawBufferPointer(
                start: vector.slices[index].base, count: vector.slices[index].count)
        }
        engine.handle(.transmitted(StreamID(stream), count: total), at: now)
        checkFrames(stream)
        return true
    }

    /// What an engine sends is frames, whole and right.
    private func checkFrames(_ stream: UInt32) {
        while let bytes = peers[stream]?.outgoing, bytes.count >= ChannelHeader.encodedSize {
            let header = bytes.withUnsafeBytes { raw in raw.baseAddress.flatMap { ChannelHeader(decoding: $0) } }
            guard let header else { return oracle.expect(false, "the engine sent what is no frame") }
            let size = ChannelHeader.encodedSize + Int(header.payloadLength)
            // The hello stays: a proof is made from it.
            if header.kind == .hello || bytes.count < size { return }
            peers[stream]?.outgoing.removeFirst(size)
        }
    }

    private func perform(_ effect: PairEffect) {
        switch effect {
        case .transmit, .resumeReceive, .openWindow, .closeWindow, .setWindowWord, .lamport, .superblockChanged,
            .releasePartnerMemory:
            break
        case .log(let entry):
            if entry.code == .channelUp {
                oracle.expect(peers.values.contains { $0.isProved }, "a peer is live that proved nothing")
            }
        case .close(let stream): close(stream.raw)
        case .connectChannel:
            nextStream += 1
            if peers.count < 8, !isEnding { peers[nextStream] = Peer() }
            tell(.channelConnected(peers[nextStream] == nil ? nil : StreamID(nextStream)))
        case .witnessRead: tell(.witnessRead(record.map { .record($0) } ?? .none))
        case .witnessSwap(let expected, let new):
            let won = (record?.sequence ?? 0) == expected
            if won { record = new }
            tell(.witnessSwapped(.record(record ?? new), won: won))
        case .fencePartner: tell(.fenced(true))
        case .adoptPartnerMemory: tell(.partnerMemory(nil, nil))
        case .authenticate(let token, let message, let count):
            tell(.authenticated(token: token, digest: Self.digest(message, count)))
        case .random(let token): tell(.random(token: token, InlineArray<32, UInt8>(repeating: UInt8(token & 0x7F))))
        case .order(let order): obey(order)
        case .deliver(let message, let data):
            oracle.expect(peers.values.contains { $0.isProved }, "a message of a stranger is delivered")
            oracle.expect(
                (data == nil) == (message.dataLength == 0) && message.dataLength <= UInt32(PageSize.bytes),
                "a message with \(message.dataLength) bytes of data")
        case .writeLabels(let epoch, _): tell(.labelled(epoch))
        case .readLabels: tell(.labelsRead([]))
        case .restart, .stopped, .refuse: isOver = true
        }
    }

    private func obey(_ order: MembershipOrder) {
        switch order {
        case .adoptMirror: tell(.report(.mirrorAdopted(pages: 0)))
        case .adoptForeign: tell(.report(.foreignAdopted(pages: 0)))
        case .agreeHeaders: tell(.report(.headersAgreed))
        case .catchUp: tell(.report(.caughtUp))
        case .quiesce: tell(.report(.quiesced))
        case .drain: tell(.report(.drained))
        case .begin, .freeze, .cyclePower, .serve, .abandonCatchUp, .void, .channelUp, .channelDown, .window: break
        }
    }
}
