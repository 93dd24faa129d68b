import ISCSIFormats
import ISCSITarget
import Primitives
import SAM
import SCSITarget

/// An iSCSI target with a device server behind it, and the streams that a stranger has to it.
final class SessionBench {
    static let slots = 16

    /// One stream: what is on its way in, and what was made of what came out.
    struct Wire {
        var incoming: [UInt8] = []
        var taken = 0
        var answers: AnswerCheck
        /// The target wants it closed: what is there is still sent.
        var closing = false
    }

    let oracle: Oracle
    var target: ISCSITarget
    let device: DeviceBench
    var wires: [UInt32: Wire] = [:]
    private var vector = ByteVector(capacity: 64)
    /// The most bytes that one read, and one write, moves.
    var readLimit = Int.max
    var writeLimit = Int.max
    /// The stranger takes nothing.
    var stalled = false

    init(_ oracle: Oracle, descriptorSense: Bool = false) {
        self.oracle = oracle
        device = DeviceBench(oracle, slots: Self.slots, nexuses: 4, descriptorSense: descriptorSense)
        var configuration = ISCSITargetConfiguration(
            targets: ["iqn.2026-11.io.gemel:fuzz"], portalGroupTag: 1,
            portals: [.init(address: "127.0.0.1:3260", groupTag: 1), .init(address: "127.0.0.1:3261", groupTag: 2)])
        configuration.limits.maxCommands = Self.slots
        configuration.limits.maxConnections = 6
        configuration.limits.maxSessions = 4
        configuration.limits.maxRecvDataSegmentLength = 65_536
        target = ISCSITarget(
            configuration: configuration, frames: device.memory.frames, lists: device.memory.lists, seed: 7)
    }

    /// Opens a stream, unless it is open or the table is full.
    func connect(_ stream: UInt32) {
        guard wires[stream] == nil, target.hostConnected(StreamID(stream), portal: 0, at: device.now) else { return }
        wires[stream] = Wire(answers: AnswerCheck(oracle))
    }

    func send(_ stream: UInt32, _ bytes: [UInt8]) { wires[stream]?.incoming += bytes }

    /// The stranger goes, and what was on its way with it.
    func hangUp(_ stream: UInt32) {
        guard wires.removeValue(forKey: stream) != nil else { return }
        target.closed(StreamID(stream), at: device.now)
        drain()
    }

    func advance(_ interval: Interval) {
        device.now = device.now + interval
        target.tick(at: device.now)
        if device.now >= device.server.nextDeadline { device.server.tick(at: device.now) }
        settle()
    }

    /// Carries everything that can be carried.
    func settle() {
        var moved = true
        var turns = 0
        while moved {
            turns += 1
            guard turns < 200_000 else { return oracle.expect(false, "the target never comes to rest") }
            drain()
            moved = false
            for stream in wires.keys.sorted() {
                if feed(stream) { moved = true }
                if !stalled, fetch(stream) { moved = true }
            }
            for stream in wires.keys.sorted() where wires[stream]?.closing == true && !(stalled && moved) {
                hangUp(stream)
                moved = true
            }
        }
    }

    /// Words between the two engines, and the effects of the first.
    func drain() {
        var isBusy = true
        var turns = 0
        while isBusy, turns < 200_000 {
            isBusy = false
            turns += 1
            while let indication = target.indications.popFirst() {
                device.server.handle(indication, at: device.now)
                isBusy = true
            }
            device.settleMemory()
            while let request = device.server.transport.popFirst() {
                target.handle(request, at: device.now)
                isBusy = true
            }
            if target.isRunnable {
                target.resume(at: device.now)
                isBusy = true
            }
            if !device.server.blocks.isEmpty { isBusy = true }
        }
        oracle.expect(turns < 200_000, "the engines never come to rest")
        while let effect = target.effects.popFirst() {
            if case .close(let stream) = effect { wires[stream.raw]?.closing = true }
        }
    }

    private func feed(_ stream: UInt32) -> Bool {
        guard let wire = wires[stream], !wire.closing, wire.taken < wire.incoming.count else { return false }
        vector.removeAll()
        target.receiveTargets(StreamID(stream), into: &vector)
        let total = min(wire.incoming.count - wire.taken, vector.byteCount, readLimit)
        var done = 0
        wire.incoming.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for index in 0..<vector.count where done < total {
                let count = min(vector.slices[index].count, total - done)
                vector.slices[index].base.copyMemory(from: base + wire.taken + done, byteCount: count)
                done += count
            }
        }
        if total == 0 { return false }
        wires[stream]?.taken += total
        if wires[stream]?.taken == wires[stream]?.incoming.count {
            wires[stream]?.incoming = []
            wires[stream]?.taken = 0
        }
        target.received(StreamID(stream), count: total, at: device.now)
        drain()
        return true
    }

    private func fetch(_ stream: UInt32) -> Bool {
        guard wires[stream] != nil else { return false }
        vector.removeAll()
        target.transmitSources(StreamID(stream), into: &vector)
        let total = min(vector.byteCount, writeLimit)
        if total == 0 { return false }
        var left = total
        for index in 0..<vector.count where left > 0 {
            let count = min(vector.slices[index].count, left)
            wires[stream]?.answers.take(UnsafeRawBufferPointer(start: vector.slices[index].base, count: count))
            left -= count
        }
        target.transmitted(StreamID(stream), count: total, at: device.now)
        drain()
        return true
    }

    /// Everybody goes; nothing may be left.
    func finish() {
        stalled = false
        readLimit = .max
        writeLimit = .max
        device.calm()
        for _ in 0..<4 {
            device.giveHeld()
            settle()
        }
        for stream in wires.keys.sorted() { hangUp(stream) }
        for _ in 0..<6 {
            device.calm()
            device.giveHeld()
            advance(.seconds(10))
        }
        oracle.expect(target.connectionCount == 0, "\(target.connectionCount) connections are left")
        oracle.expect(target.sessionCount == 0, "\(target.sessionCount) sessions are left")
        oracle.expect(target.commandCount == 0, "\(target.commandCount) command slots are left")
        device.expectIdle(oracle)
    }
}
