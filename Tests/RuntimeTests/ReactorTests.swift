import Controller
import Glibc
import PagingFormats
import Primitives
import Runtime
import Testing

/// The reactor over real sockets, with an engine that echoes.
@Suite(.serialized) struct ReactorTests {
    @Test func bytesGoRoundThroughTheEnginesMemory() throws {
        let running = try Running()
        let client = Client(port: running.port)
        let message = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        #expect(client.send(message))
        #expect(client.receive(5000) == message)
        #expect(running.diary.has("connected 0"))
    }

    @Test func anEngineWithoutRoomPausesAndResumesItsStream() throws {
        let running = try Running()
        let client = Client(port: running.port)
        // More than the engine and both socket buffers hold, sent before anything is read.
        let total = 24 << 20
        let sender = Sleepless.after(0) {
            let piece = [UInt8](repeating: 9, count: 1 << 20)
            for _ in 0..<(total >> 20) where !client.sendAll(piece) { return }
        }
        usleep(300_000)
        #expect(client.receive(total).count == total)
        sender.join()
        #expect(running.diary.has("resumed"))
    }

    @Test func aClosedStreamSendsItsLastBytesAndEndsWithoutAReset() throws {
        let running = try Running()
        let client = Client(port: running.port)
        #expect(client.send([0x51]))
        #expect(client.receive(1) == [0x51])
        #expect(client.isAtEnd)
        shutdown(client.fd, Int32(SHUT_WR))
        #expect(eventually { running.diary.has("closed") })
    }

    @Test func aPeerThatGoesAwayIsTold() throws {
        let running = try Running()
        do { _ = Client(port: running.port) }
        #expect(eventually { running.diary.has("closed") })
    }

    @Test func moreHostsThanStreamsAreClosedAtOnce() throws {
        let running = try Running()
        // 12 streams, 8 of them kept for the channel.
        let clients = (0..<4).map { _ in Client(port: running.port) }
        for client in clients { #expect(client.send([1]) && client.receive(1) == [1]) }
        let late = Client(port: running.port)
        #expect(late.isAtEnd)
        #expect(clients[0].send([2]) && clients[0].receive(1) == [2])
    }

    @Test func aDeviceRequestIsAnsweredThroughTheLoop() throws {
        let running = try Running()
        let client = Client(port: running.port)
        #expect(client.send([0x57]))
        #expect(client.receive(2) == [0x57, 0x77])
    }

    @Test func theWitnessAnswersBesideTheLoop() throws {
        let running = try Running(
            opening: [.witnessRead, .witnessSwap(expected: 0, Sample.record(sequence: 1)), .random(token: 1)])
        #expect(eventually { running.diary.has("swapped true") })
        #expect(running.diary.has("witness none") && running.diary.has("random"))
    }

    @Test func theSecretIsProvenWithHMAC() {
        // RFC 4231 §4.3, test case 2.
        var message = InlineArray<128, UInt8>(repeating: 0)
        for (index, byte) in "what do ya want for nothing?".utf8.enumerated() { message[index] = byte }
        let digest = Platform.authenticate(key: Array("Jefe".utf8), message: message, count: 28)
        #expect([digest[0], digest[1], digest[2], digest[31]] == [0x5b, 0xdc, 0xc1, 0x43])
    }

    @Test func aStopIsCleanAndAHaltIsNot() throws {
        let first = try Running()
        #expect(first.control.status() != nil)
        #expect(first.control.stop())
        #expect(first.join() == .stopped)
        #expect(first.control.status() == nil, "nobody answers after the end")
        let second = try Running()
        #expect(second.control.halt())
        #expect(second.join() == .halted)
    }

    @Test func sigtermAsksForACleanStop() throws {
        let running = try Running(handlesSignals: true)
        #expect(running.control.status() != nil, "the handler is there")
        kill(getpid(), SIGTERM)
        #expect(running.join() == .stopped)
    }

    @Test func aRefusalEndsTheRun() throws {
        let running = try Running(opening: [.refuse(.memoryLost)])
        #expect(running.join()?.refusal == .memoryLost)
    }

    @Test func aPartnerThatDoesNotRunIsFencedAndItsMemoryAdopted() throws {
        let scratch = Scratch()
        do {
            let memory = try MemoryFile(
                path: scratch.file("b.memory"), layout: Sample.layout, identity: Sample.identity(.b))
            Sample.superblock(.b).encode(to: memory.base)
        }
        let running = try Running(.a, in: scratch, opening: [.fencePartner, .adoptPartnerMemory])
        #expect(eventually { running.diary.has("partner ended") && running.diary.has("fenced true") })
        // The superblock names another boot than this one, but so does the identity of the test.
        #expect(eventually { running.diary.has("memory") })
    }
}

/// Two reactors in one folder: channel and window between them.
@Suite(.serialized) struct ReactorPairTests {
    @Test func theChannelIsDialedAndAccepted() throws {
        let scratch = Scratch()
        let b = try Running(.b, in: scratch)
        let a = try Running(.a, in: scratch, partnerPort: b.channelPort, opening: [.connectChannel])
        #expect(eventually { a.diary.has("dialed") && b.diary.has("accepted") })
    }

    @Test func aDialThatNobodyTakesFails() throws {
        let a = try Running(.a, partnerPort: 1, opening: [.connectChannel])
        #expect(eventually { a.diary.has("dial failed") })
    }

    @Test func aPlacementCountsOnlyWhileThePartnersWordIsRight() throws {
        let scratch = Scratch()
        let b = try Running(.b, in: scratch, opening: [.setWindowWord(WindowWord.open(epoch: 4, incarnation: 7))])
        let a = try Running(.a, in: scratch, opening: [.openWindow])
        #expect(eventually { a.diary.has("window opened") })
        let client = Client(port: a.port)
        #expect(client.send([0x50]))
        #expect(client.receive(2) == [0x50, 0x70])
        // The partner cut off from a: its own word says closed.
        #expect(b.control.cutChannel(.fromPartner, true))
        #expect(client.send([0x50]))
        #expect(client.receive(2) == [0x50, 0x2D])
        #expect(b.control.cutChannel(.fromPartner, false))
        #expect(client.send([0x50]))
        #expect(client.receive(2) == [0x50, 0x70])
        // a cut off from its partner: the window is gone.
        #expect(a.control.cutChannel(.toPartner, true))
        #expect(a.diary.has("window closed"))
        #expect(client.send([0x50]))
        #expect(client.receive(2) == [0x50, 0x2D])
    }

    @Test func aCutChannelTakesNoConnectionsAndItsOldOnesEndWhenMended() throws {
        let scratch = Scratch()
        let b = try Running(.b, in: scratch)
        let channel = Client(port: b.channelPort)
        #expect(channel.send([1]) && channel.receive(1) == [1])
        #expect(b.control.cutChannel(.fromPartner, true))
        #expect(channel.send([2]))
        let late = Client(port: b.channelPort)
        #expect(late.isAtEnd)
        #expect(!b.diary.has("closed"))
        usleep(50_000)
        #expect(b.control.cutChannel(.fromPartner, false))
        #expect(eventually { b.diary.has("closed") })
    }
}

extension Client {
    /// Sends everything, however long it takes.
    func sendAll(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return false }
            sent += count
        }
        return true
    }
}
