import BlockModel
import Memory
import PagingFormats
import Primitives
import Testing

/// The table of pair-rules 3: by state, copy method, lease and kind of WRITE, what must have happened before GOOD. Each
/// row is played with everything else withheld, and then with that too.
@Suite struct AcknowledgementTests {
    /// What may arrive: nothing of it is there before its turn.
    enum Arrival { case message, deviceWrite, flush }

    enum State { case pairedMessaging, pairedWindow, pairedWordClosed, solo, soloKeepsBack, soloJoining }

    struct Row: CustomTestStringConvertible, Sendable {
        var state: State
        var durable: Bool
        /// All of these are needed, and nothing else.
        var needs: [Arrival]
        var testDescription: String { "\(state), \(durable ? "FUA" : "write-back"): \(needs)" }
    }

    static let rows: [Row] = [
        Row(state: .pairedMessaging, durable: false, needs: [.message]),
        Row(state: .pairedMessaging, durable: true, needs: [.message, .deviceWrite, .flush]),
        Row(state: .pairedWindow, durable: false, needs: []),
        Row(state: .pairedWindow, durable: true, needs: [.deviceWrite, .flush]),
        Row(state: .pairedWordClosed, durable: false, needs: [.message]),
        Row(state: .pairedWordClosed, durable: true, needs: [.message, .deviceWrite, .flush]),
        Row(state: .solo, durable: false, needs: [.deviceWrite]),
        Row(state: .solo, durable: true, needs: [.deviceWrite, .flush]),
        Row(state: .soloKeepsBack, durable: false, needs: []),
        Row(state: .soloKeepsBack, durable: true, needs: [.deviceWrite, .flush]),
        Row(state: .soloJoining, durable: false, needs: [.message, .deviceWrite]),
        Row(state: .soloJoining, durable: true, needs: [.message, .deviceWrite, .flush]),
    ]

    @Test(arguments: rows)
    func goodComesAfterWhatTheRowNeedsAndNotBefore(row: Row) {
        for withheld in row.needs {
            let stage = Stage(row.state)
            stage.write(durable: row.durable)
            stage.let(row.needs.filter { $0 != withheld })
            #expect(!stage.isDone, "GOOD came without \(withheld)")
            stage.let(row.needs)
            #expect(stage.isDone, "GOOD did not come with \(row.needs)")
        }
        let stage = Stage(row.state)
        stage.write(durable: row.durable)
        stage.let(row.needs)
        #expect(stage.isDone, "GOOD needs more than \(row.needs)")
    }

    @Test(arguments: [State.pairedMessaging, .pairedWindow], [true, false])
    func withoutALeaseGoodIsHeldUntilTheStateThatFollows(state: State, durable: Bool) {
        let stage = Stage(state, lease: .milliseconds(50))
        stage.world.now = stage.world.now + .milliseconds(100)
        stage.write(durable: durable)
        stage.let([.message, .deviceWrite, .flush])
        #expect(!stage.isDone, "the lease is over")
        stage.world.order(.a, .freeze)
        stage.let([.message, .deviceWrite, .flush])
        #expect(!stage.isDone, "a candidate answers nobody")
        stage.world.isLinked = false
        stage.world.order(.a, .adoptMirror(epoch: 2))
        stage.world.order(.a, .serve(stage.world.solo(epoch: 2)))
        // With FUA the device had everything before; without, it is the device's word that counts now.
        #expect(stage.isDone == durable)
        stage.let([.deviceWrite])
        #expect(stage.isDone)
    }

    @Test func aReadNeedsTheLeaseToo() {
        let stage = Stage(.pairedWindow, lease: .milliseconds(50))
        #expect(stage.user.mismatch(.a, start: 512, count: 8) == nil)
        stage.world.now = stage.world.now + .milliseconds(100)
        let token = BlockToken(slot: 6)
        stage.world.request(.a, .read(token, UnitIndex(0), BlockExtent(start: 512, count: 8), sequential: false))
        stage.let([.message, .deviceWrite, .flush])
        #expect(!Self.hasAnswered(stage.world.nodes[0], token), "not even from the cache")
        stage.world.order(.a, .freeze)
        stage.world.isLinked = false
        stage.world.order(.a, .adoptMirror(epoch: 2))
        stage.world.order(.a, .serve(stage.world.solo(epoch: 2)))
        stage.let([.deviceWrite, .flush])
        #expect(Self.hasAnswered(stage.world.nodes[0], token))
    }

    private static func hasAnswered(_ node: MemoryWorld.Node, _ token: BlockToken) -> Bool {
        node.responses.contains { response in
            switch response {
            case .pagesReady(let each, _), .completed(let each, _): each == token
            default: false
            }
        }
    }

    /// One controller in a state, and one WRITE of a page through it.
    final class Stage {
        let world: MemoryWorld
        let user: MemoryUser
        static var token: BlockToken { BlockToken(slot: 5) }

        init(_ state: State, lease: Interval? = nil) {
            let usesWindow = state == .pairedWindow || state == .pairedWordClosed
            (world, user) = MemoryTests.pair(seed: 1, usesWindow: usesWindow)
            settleAll()
            if let lease {
                var condition = world.paired(epoch: 1)
                condition.leaseEnd = world.now + lease
                world.order(.a, .serve(condition))
            }
            switch state {
            case .pairedMessaging, .pairedWindow: break
            case .pairedWordClosed: world.usesWindow = false
            case .solo: alone(keepsBack: false)
            case .soloKeepsBack: alone(keepsBack: true)
            case .soloJoining:
                alone(keepsBack: false)
                join()
            }
        }

        private func alone(keepsBack: Bool) {
            if keepsBack { world.restart(.a, keepsBackAlone: true) }
            world.nodes[1].isAlive = false
            world.order(.a, .channelDown)
            world.order(.a, .freeze)
            world.order(.a, .adoptMirror(epoch: 2))
            world.order(.a, .serve(world.solo(epoch: 2)))
            settleAll()
        }

        private func join() {
            world.restart(.b)
            for id in ControllerID.allCases { world.order(id, .channelUp(connection: 2, window: false)) }
            world.order(.b, .void)
            world.order(.a, .catchUp)
            settleAll()
        }

        /// What goes on by itself ends: room at the partner, state blocks, catch-up.
        private func settleAll() { _ = world.run(limit: 60) { false } }

        func write(durable: Bool) {
            let extent = BlockExtent(start: 64, count: 8)
            world.request(.a, .prepareWrite(Self.token, UnitIndex(0), extent, scratch: false))
            world.nodes[0].responses.removeAll()
            world.request(.a, .commitWrite(Self.token, CommitOptions(durable: durable)))
        }

        var isDone: Bool { AcknowledgementTests.hasAnswered(world.nodes[0], Self.token) }

        /// Lets everything of these kinds arrive that comes.
        func `let`(_ arrivals: [Arrival]) {
            var device: [StorageRequest.Kind] = [.read]
            if arrivals.contains(.deviceWrite) { device.append(.write) }
            if arrivals.contains(.flush) { device.append(.flush) }
            for _ in 0..<400 where !world.step(messages: arrivals.contains(.message), device: device) { break }
        }
    }
}
