import Foundation
import PagingFormats
import Primitives
import Testing

@testable import Pair

/// Two channels, their bytes in between at the test's mercy.
final class ChannelBench {
    final class End {
        var channel: Channel
        var effects = Queue<PairEffect>()
        var secret: UInt64 = 1
        var logs: [PairLog] = []
        var closed = false
        var changes: [ChannelChange] = []
        var frames: [ChannelHeader] = []
        var payloads: [[UInt8]] = []
        let stream: StreamID

        init(_ id: ControllerID, pairID: UInt64 = 7, incarnation: UInt64 = 1) {
            stream = StreamID(UInt32(id.rawValue) + 10)
            channel = Channel(
                identity: ChannelHello(
                    controller: id, pairID: pairID, incarnation: incarnation,
                    memoryID: .init(high: 1, low: UInt64(id.rawValue))),
                patience: .seconds(1))
        }
    }

    let ends: [End]
    var random = SeededRandom(seed: 3)
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Everything that was sent, by sender.
    var sent: [[UInt8]] = [[], []]
    /// Changes bytes under way.
    var spoil: (Int, inout [UInt8]) -> Void = { _, _ in }

    init(_ a: End = End(.a), _ b: End = End(.b)) { ends = [a, b] }

    func connect() {
        for end in ends { end.channel.opened(end.stream, dialled: false, at: now, &end.effects) }
        pump()
    }

    func pump() {
        for _ in 0..<200 {
            var moved = false
            for index in 0..<2 {
                perform(ends[index])
                if move(from: index) { moved = true }
            }
            if !moved && ends[0].effects.isEmpty && ends[1].effects.isEmpty { return }
        }
    }

    private func perform(_ end: End) {
        while let effect = end.effects.popFirst() {
            switch effect {
            case .random(let token):
                var bytes = InlineArray<32, UInt8>(repeating: 0)
                for index in 0..<32 { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
                end.changes.append(end.channel.random(token, bytes, at: now, &end.effects))
            case .authenticate(let token, let message, let count):
                let digest = Node.digest(end.secret, message, count)
                end.changes.append(end.channel.authenticated(token, digest, at: now, &end.effects))
            case .close: end.closed = true
            case .log(let entry): end.logs.append(entry)
            default: break
            }
        }
    }

    private func move(from index: Int) -> Bool {
        let (sender, receiver) = (ends[index], ends[1 - index])
        var vector = ByteVector(capacity: 16)
        sender.channel.transmitSources(sender.stream, into: &vector)
        if vector.byteCount == 0 { return false }
        var bytes: [UInt8] = []
        for slice in 0..<vector.count {
            bytes += UnsafeRawBufferPointer(start: vector.slices[slice].base, count: vector.slices[slice].count)
        }
        sender.channel.transmitted(sender.stream, bytes.count)
        sent[index] += bytes
        spoil(index, &bytes)
        feed(receiver, bytes)
        return true
    }

    /// Gives bytes to an end as a driver does.
    func feed(_ end: End, _ given: some Collection<UInt8>) {
        let bytes = Array(given)
        var at = 0
        for _ in 0..<100_000 where at < bytes.count && !end.closed {
            var vector = ByteVector(capacity: 4)
            end.channel.receiveTargets(end.stream, into: &vector)
            if vector.count == 0 {
                perform(end)
                end.channel.receiveTargets(end.stream, into: &vector)
                if vector.count == 0 { return }
            }
            let slice = vector.slices[0]
            let count = min(slice.count, bytes.count - at, Int(random.below(70_000)) + 1)
            bytes.withUnsafeBytes { slice.base.copyMemory(from: $0.baseAddress! + at, byteCount: count) }
            at += count
            end.changes.append(end.channel.received(end.stream, count, at: now, &end.effects))
            parse(end)
            perform(end)
        }
    }

    private func parse(_ end: End) {
        do {
            while let frame = try end.channel.nextFrame(at: now) {
                end.frames.append(frame.header)
                end.payloads.append(
                    [UInt8](UnsafeRawBufferPointer(start: frame.payload, count: Int(frame.header.payloadLength))))
            }
        } catch {
            end.changes.append(end.channel.drop(error, &end.effects))
        }
    }

    func isUp(_ index: Int) -> Bool { ends[index].channel.isUp }
    func connection(_ index: Int) -> UInt32 { ends[index].channel.connection }
    var bothUp: Bool { ends[0].channel.isUp && ends[1].channel.isUp }
}

@Suite struct ChannelTests {
    private func refusals(_ end: ChannelBench.End) -> [UInt64] {
        end.logs.filter { $0.code == .channelRefused }.map(\.first)
    }

    @Test func bothEndsAreProvedAndAgreeOnTheConnectionNumber() {
        let bench = ChannelBench()
        bench.connect()
        #expect(bench.bothUp)
        #expect(bench.connection(0) == 1 && bench.connection(1) == 1)
        let partners = (bench.ends[0].channel.partner?.controller, bench.ends[1].channel.partner?.controller)
        #expect(partners.0 == .b && partners.1 == .a)
    }

    @Test func aWrongSecretIsRefusedByBothAndChangesNothing() {
        let bench = ChannelBench()
        bench.ends[1].secret = 2
        bench.connect()
        #expect(!bench.isUp(0) && !bench.isUp(1))
        #expect(refusals(bench.ends[0]) == [UInt64(ChannelFault.proofWrong.rawValue)])
        let seen = bench.ends[0].channel.incarnationSeen
        #expect(seen == 0)
    }

    @Test(arguments: [
        (ChannelFault.ownReflection, ControllerID.a, UInt64(7)), (.foreignPair, .b, 8),
    ])
    func aHelloOfTheWrongPeerIsRefused(fault: ChannelFault, id: ControllerID, pairID: UInt64) {
        let bench = ChannelBench(.init(.a), .init(id, pairID: pairID))
        bench.connect()
        #expect(!bench.isUp(0) && !bench.isUp(1))
        // Whoever reads the other's hello first says so and closes.
        #expect(refusals(bench.ends[0]) + refusals(bench.ends[1]) == [UInt64(fault.rawValue)])
    }

    @Test func aVersionThatWeDoNotSpeakIsRefused() {
        let bench = ChannelBench()
        bench.ends[1].channel.identity.versionMinimum = 2
        bench.ends[1].channel.identity.versionMaximum = 3
        bench.connect()
        #expect(!bench.isUp(0) && !bench.isUp(1))
        #expect(
            refusals(bench.ends[0]) + refusals(bench.ends[1]) == [UInt64(ChannelFault.versionUnknown.rawValue)])
    }

    @Test func anEarlierLifeOfThePartnerIsRefused() {
        let bench = ChannelBench(.init(.a), .init(.b, incarnation: 4))
        bench.ends[0].channel.incarnationSeen = 5
        bench.connect()
        #expect(refusals(bench.ends[0]) == [UInt64(ChannelFault.earlierIncarnation.rawValue)])
    }

    /// Everything that a sent comes back to it: its own hello is refused.
    @Test func reflectedBytesProveNothing() {
        let bench = ChannelBench()
        let a = bench.ends[0]
        a.channel.opened(a.stream, dialled: true, at: bench.now, &a.effects)
        bench.spoil = { _, bytes in bytes = [] }
        bench.pump()
        bench.feed(a, bench.sent[0])
        bench.pump()
        #expect(!bench.isUp(0))
        #expect(refusals(a) == [UInt64(ChannelFault.ownReflection.rawValue)])
    }

    /// An attacker who sends a's hello back as b's can only send a's own proof back: its label is a's.
    @Test func aReflectedProofIsNotThePartners() {
        let bench = ChannelBench()
        bench.spoil = { index, bytes in
            // b's hello passes, its proof does not.
            let before = bench.sent[1].count - bytes.count
            if index == 1 { bytes = Array(bytes.prefix(max(0, ChannelHello.frameSize - before))) }
        }
        bench.connect()
        #expect(!bench.isUp(0) && bench.isUp(1))
        bench.feed(bench.ends[0], bench.sent[0].suffix(ChannelProof.frameSize))
        #expect(!bench.isUp(0))
        #expect(refusals(bench.ends[0]) == [UInt64(ChannelFault.proofWrong.rawValue)])
    }

    @Test func aRecordedHandshakeCannotBeReplayed() {
        let bench = ChannelBench()
        bench.connect()
        let recording = Array(bench.sent[1].prefix(Handshake.bytes))
        let a = bench.ends[0]
        let stream = StreamID(99)
        let connection = a.channel.connection
        a.channel.opened(stream, dialled: false, at: bench.now, &a.effects)
        bench.pump()
        var vector = ByteVector(capacity: 1)
        a.channel.receiveTargets(stream, into: &vector)
        #expect(vector.byteCount == recording.count)
        recording.withUnsafeBytes { vector.slices[0].base.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        let change = a.channel.received(stream, recording.count, at: bench.now, &a.effects)
        #expect(change == .none)
        bench.pump()
        #expect(bench.connection(0) == connection)
        #expect(refusals(a) == [UInt64(ChannelFault.proofWrong.rawValue)])
    }

    @Test func unprovedPeersGetNoMoreThanTheirHandshakesBytesAndTime() {
        let bench = ChannelBench()
        let a = bench.ends[0]
        for number in 0..<20 {
            a.channel.opened(StreamID(UInt32(100 + number)), dialled: false, at: bench.now, &a.effects)
        }
        var closed = 0
        while let effect = a.effects.popFirst() { if case .close = effect { closed += 1 } }
        #expect(closed >= 20 - Channel.slots)
        a.channel.expire(at: bench.now + .seconds(1), &a.effects)
        while let effect = a.effects.popFirst() { if case .close = effect { closed += 1 } }
        #expect(closed == 20)
        let deadline = a.channel.handshakeDeadline
        #expect(deadline == .never)
    }

    @Test func messagesOfABatchTravelAsOneFrameWithTheirData() throws {
        let bench = ChannelBench()
        bench.connect()
        let a = bench.ends[0]
        a.channel.lamport = 42
        let page = (0..<4096).map { UInt8(truncatingIfNeeded: $0 * 31) }
        page.withUnsafeBytes { bytes in
            for (request, count) in [(1, 0), (2, 4096), (3, 13)] {
                var message = PagingMessage(.writePage)
                message.request = UInt32(request)
                message.dataLength = UInt32(count)
                let taken = a.channel.send(
                    message, data: bytes.baseAddress, stable: request == 2, epoch: 5, &a.effects)
                #expect(taken)
            }
            a.channel.flush(&a.effects)
            bench.pump()
        }
        let header = try #require(bench.ends[1].frames.first)
        #expect(bench.ends[1].frames.count == 1)
        #expect(header.records == 3 && header.epoch == 5 && header.lamport == 42 && header.connection == 1)
        let payload = bench.ends[1].payloads[0]
        #expect(payload.count == 3 * PagingMessage.encodedSize + 4096 + 16)
        #expect(Array(payload[224..<224 + 4096]) == page)
        #expect(Array(payload.suffix(16)) == Array(page.prefix(13)) + [0, 0, 0])
    }

    /// More than the output holds: the connection is given up, nothing traps, nothing is sent half.
    @Test func outputThatNobodyTakesIsBounded() {
        let bench = ChannelBench()
        bench.connect()
        let a = bench.ends[0]
        let page = [UInt8](repeating: 7, count: 4096)
        var taken = 0
        page.withUnsafeBytes { bytes in
            var message = PagingMessage(.writePage)
            message.dataLength = 4096
            while taken < 100_000,
                a.channel.send(message, data: bytes.baseAddress, stable: false, epoch: 1, &a.effects)
            { taken += 1 }
        }
        #expect(taken > 900 && taken < 1100)
        a.channel.flush(&a.effects)
        bench.pump()
        #expect(bench.ends[1].frames.map { Int($0.records) }.reduce(0, +) == taken)
    }

    /// Long traffic in both directions goes round both rings many times.
    @Test func ringsWrapWithoutMixingBytes() {
        let bench = ChannelBench()
        bench.connect()
        var expected = 0
        for round in 0..<80 {
            let a = bench.ends[0]
            let page = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 4096)
            page.withUnsafeBytes { bytes in
                for _ in 0..<Int(bench.random.below(60)) {
                    var message = PagingMessage(.writePage)
                    message.request = UInt32(round)
                    message.dataLength = UInt32(bench.random.below(4097))
                    let taken = a.channel.send(
                        message, data: bytes.baseAddress, stable: false, epoch: 1, &a.effects)
                    #expect(taken)
                    expected += 1
                }
                a.channel.flush(&a.effects)
                bench.pump()
            }
        }
        #expect(bench.ends[1].frames.map { Int($0.records) }.reduce(0, +) == expected)
        #expect(bench.bothUp)
    }

    // MARK: Fuzz

    /// Valid streams with bytes changed, dropped, doubled or cut: the connection ends or goes on, nothing traps, and
    /// no frame is taken whose checked bytes were changed.
    @Test func spoiledStreamsNeverTrap() {
        var survived = 0
        for seed in 0..<400 {
            let bench = ChannelBench()
            bench.random = SeededRandom(seed: UInt64(seed))
            bench.connect()
            let start = bench.sent[0].count
            let a = bench.ends[0]
            let page = [UInt8](repeating: 9, count: 4096)
            page.withUnsafeBytes { bytes in
                for index in 0..<20 {
                    var message = PagingMessage(index % 3 == 0 ? .writePage : .lockRequest)
                    message.dataLength = index % 3 == 0 ? 512 : 0
                    _ = a.channel.send(message, data: bytes.baseAddress, stable: false, epoch: 1, &a.effects)
                    if index % 5 == 4 { a.channel.flush(&a.effects) }
                }
                var announcement = ChannelAnnouncement()
                announcement.standing = .paired
                _ = a.channel.send(announcement, epoch: 1, &a.effects)
                bench.spoil = { _, bytes in Self.spoil(&bytes, &bench.random) }
                bench.pump()
            }
            #expect(bench.sent[0].count > start)
            if bench.isUp(1) { survived += 1 } else {
                #expect(bench.ends[1].logs.contains { $0.code == .channelDown })
            }
        }
        // Bytes of page data have the page's checksum, so some streams go on.
        #expect(survived > 0 && survived < 400)
    }

    static func spoil(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        guard !bytes.isEmpty else { return }
        let at = Int(random.below(UInt64(bytes.count)))
        switch random.below(5) {
        case 0: bytes[at] ^= UInt8(1 << random.below(8))
        case 1: bytes.removeSubrange(at..<min(bytes.count, at + Int(random.below(100)) + 1))
        case 2: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 64)], at: at)
        case 3: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
        default: for index in at..<min(bytes.count, at + 16) { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
        }
    }

    /// Headers with right checksums and wild values, as an authenticated but broken partner would send.
    @Test func wildHeadersWithRightChecksumsNeverTrap() {
        for seed in 0..<500 {
            let bench = ChannelBench()
            bench.connect()
            var random = SeededRandom(seed: UInt64(seed))
            let payload = Int(random.below(600)) & ~7
            var bytes = [UInt8](repeating: 0, count: 64 + payload)
            for index in bytes.indices { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
            var header = ChannelHeader(random.chance(1, in: 2) ? .messages : .announcement)
            header.version = random.chance(1, in: 8) ? 9 : 1
            header.connection = random.chance(1, in: 8) ? 0 : 1
            header.sequence = random.chance(1, in: 8) ? random.next() : 1
            header.acknowledged = random.chance(1, in: 8) ? random.next() : 0
            header.records = random.chance(1, in: 4) ? UInt32(truncatingIfNeeded: random.next()) : UInt32(payload / 112)
            header.payloadLength = random.chance(1, in: 4) ? UInt32(truncatingIfNeeded: random.next()) : UInt32(payload)
            header.lamport = random.next()
            bytes.withUnsafeMutableBytes { buffer in
                let base = buffer.baseAddress!
                if random.chance(1, in: 2) {
                    // A record that decodes, with a length that may not fit.
                    if payload >= 112 {
                        var message = PagingMessage(.writePage)
                        message.dataLength = UInt32(random.below(4097))
                        message.encode(to: base + 64)
                        header.records = 1
                    }
                }
                header.payloadChecksum = Checksum.crc32c(base + 64, min(payload, 112))
                header.encode(to: base)
            }
            bench.feed(bench.ends[0], bytes)
        }
    }

    @Test func noiseBeforeTheHandshakeNeverTraps() {
        for seed in 0..<300 {
            let bench = ChannelBench()
            let a = bench.ends[0]
            var random = SeededRandom(seed: UInt64(seed))
            a.channel.opened(a.stream, dialled: false, at: bench.now, &a.effects)
            bench.spoil = { _, bytes in bytes = [] }
            bench.pump()
            var noise = (0..<300).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if seed % 2 == 0 {
                var hello = ChannelHello(controller: .b, pairID: 7, incarnation: random.next(), memoryID: .none)
                hello.versionMinimum = UInt16(random.below(3))
                hello.versionMaximum = UInt16(random.below(3))
                hello.connection = UInt32(truncatingIfNeeded: random.next())
                noise.withUnsafeMutableBytes { hello.encodeFrame(to: $0.baseAddress!) }
            }
            bench.feed(a, noise)
            bench.pump()
            #expect(!bench.isUp(0))
        }
    }

    // MARK: Golden bytes

    @Test(arguments: ["channel-hello", "channel-announcement", "channel-messages"])
    func framesHaveTheirGoldenBytes(name: String) throws {
        let golden = try Golden.bytes("paging/\(name).hex")
        var made = [UInt8](repeating: 0, count: golden.count)
        made.withUnsafeMutableBytes { buffer in
            let base = buffer.baseAddress!
            switch name {
            case "channel-hello":
                var hello = ChannelHello(
                    controller: .b, pairID: 0x1122_3344_5566_7788, incarnation: 3,
                    memoryID: .init(high: 0xAA, low: 0xBB))
                hello.epoch = 5
                hello.connection = 2
                for index in 0..<32 { hello.nonce[index] = UInt8(index) }
                hello.encodeFrame(to: base)
            case "channel-announcement":
                var announcement = ChannelAnnouncement()
                announcement.standing = .joining
                announcement.flags = [.recordRead]
                announcement.epoch = 5
                announcement.sequence = 6
                announcement.memoryID = .init(high: 0xAA, low: 0xBB)
                announcement.encode(to: base + 64)
                var header = ChannelHeader(.announcement)
                header.version = 1
                header.payloadLength = 40
                header.connection = 2
                header.epoch = 5
                header.sequence = 1
                header.lamport = 7
                header.payloadChecksum = Checksum.crc32c(base + 64, 40)
                header.encode(to: base)
            default:
                var message = PagingMessage(.lockRequest)
                message.mode = .exclusive
                message.request = 9
                message.unit = 1
                message.guid = GUID(high: 0x0A, low: 0x0B)
                message.pageCount = 4
                message.encode(to: base + 64)
                var header = ChannelHeader(.messages)
                header.version = 1
                header.records = 1
                header.payloadLength = 112
                header.connection = 2
                header.epoch = 5
                header.sequence = 2
                header.acknowledged = 1
                header.lamport = 8
                header.payloadChecksum = Checksum.crc32c(base + 64, 112)
                header.encode(to: base)
            }
        }
        #expect(made == golden, "\(made.map { String(format: "%02x", $0) }.joined())")
    }
}
