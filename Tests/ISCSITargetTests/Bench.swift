import ISCSIFormats
import Primitives
import SAM

@testable import ISCSITarget

/// A PDU as an initiator sees it.
struct SeenPDU {
    var header: [UInt8]
    var data: [UInt8]
    var opcode: Opcode? { Opcode(rawValue: header[0] & 0x3F) }
    func decoded<T>(_ body: (UnsafeRawPointer) -> T) -> T { header.withUnsafeBytes { body($0.baseAddress!) } }
    var text: [String] { data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) } }
}

/// Target, device server and wires on one bench.
final class Bench {
    static let commandSlots = 16
    var target: ISCSITarget
    let device: RAMDevice
    private let memory: UnsafeMutableRawPointer
    private let parameters: UnsafeMutableRawPointer
    private let list: UnsafeMutablePointer<FrameIndex>
    private var vector = ByteVector(capacity: 64)
    var now = Instant.zero
    var effects: [TransportEffect] = []
    /// Bytes that an initiator has sent and the target has not taken, by stream.
    var toTarget: [UInt32: [UInt8]] = [:]
    /// How many of them it has taken.
    private var taken: [UInt32: Int] = [:]
    /// Bytes that the target has sent.
    var fromTarget: [UInt32: [UInt8]] = [:]
    /// The most bytes that one read, and one write, moves.
    var readLimit = Int.max
    var writeLimit = Int.max
    /// Questions of logins are answered at once; else they stay in `effects`.
    var answersLogins = true
    private var random = SeededRandom(seed: 4)
    /// TSIH of the last session that was opened.
    var lastTSIH: UInt16?
    /// The target's bytes stay in its output.
    var stalled = false

    init(
        targets: [String] = ["iqn.2026-11.io.gemel:one"], access: [[AccessRule]] = [],
        discovery: [AccessRule] = [AccessRule()],
        _ adjust: (inout ISCSITargetConfiguration.Limits) -> Void = { _ in }
    ) {
        let slots = Self.commandSlots
        let frameCount = slots * PageSize.operationPages
        memory = .allocate(byteCount: frameCount * PageSize.bytes, alignment: PageSize.bytes)
        parameters = .allocate(byteCount: slots * PageSize.bytes, alignment: PageSize.bytes)
        list = .allocate(capacity: frameCount)
        list.initialize(repeating: .none, count: frameCount)
        let frames = Frames(base: memory, count: frameCount, parameters: parameters, parameterCount: slots)
        let lists = PageLists(base: list, count: slots)
        var configuration = ISCSITargetConfiguration(
            targets: targets, portalGroupTag: 1,
            portals: [.init(address: "127.0.0.1:3260", groupTag: 1), .init(address: "127.0.0.1:3261", groupTag: 2)])
        configuration.access = access
        configuration.discovery = discovery
        configuration.limits.maxCommands = slots
        configuration.limits.maxConnections = 8
        configuration.limits.maxSessions = 4
        adjust(&configuration.limits)
        target = ISCSITarget(configuration: configuration, frames: frames, lists: lists, seed: 7)
        device = RAMDevice(frames, lists)
    }

    deinit {
        memory.deallocate()
        parameters.deallocate()
        list.deallocate()
    }

    func connect(_ stream: UInt32) -> Bool { target.hostConnected(StreamID(stream), portal: 0, at: now) }

    /// Carries everything that can be carried.
    func settle() {
        var moved = true
        while moved {
            drain()
            moved = false
            for stream in toTarget.keys.sorted() where !toTarget[stream, default: []].isEmpty {
                if feed(stream) { moved = true }
            }
            if !stalled {
                for stream in Set(toTarget.keys).union(fromTarget.keys).sorted() where fetch(stream) { moved = true }
            }
        }
    }

    func drain() {
        var busy = true
        while busy {
            busy = false
            while let indication = target.indications.popFirst() {
                device.handle(indication)
                busy = true
            }
            let requests = device.requests
            device.requests = []
            for request in requests {
                target.handle(request, at: now)
                busy = true
            }
            if target.isRunnable {
                target.resume(at: now)
                busy = true
            }
        }
        var asked = false
        while let effect = target.effects.popFirst() {
            effects.append(effect)
            if answersLogins && answer(effect) { asked = true }
        }
        if asked { drain() }
    }

    /// The driver's part of a login; digests are those of `FakeHash`.
    private func answer(_ effect: TransportEffect) -> Bool {
        switch effect {
        case .challenge(let token):
            var bytes = InlineArray<32, UInt8>(repeating: 0)
            for index in 0..<32 { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
            target.challengeDrawn(token: token, bytes, at: now)
        case .digest(let token, let request):
            target.digestMade(token: token, FakeHash.padded(FakeHash.digest(request)), at: now)
        default: return false
        }
        return true
    }

    func feed(_ stream: UInt32) -> Bool {
        vector.removeAll()
        target.receiveTargets(StreamID(stream), into: &vector)
        if vector.count == 0 { return false }
        let bytes = toTarget[stream] ?? []
        let start = taken[stream] ?? 0
        let total = min(bytes.count - start, vector.byteCount, readLimit)
        var done = 0
        for index in 0..<vector.count where done < total {
            let count = min(vector.slices[index].count, total - done)
            bytes.withUnsafeBytes {
                vector.slices[index].base.copyMemory(from: $0.baseAddress! + start + done, byteCount: count)
            }
            done += count
        }
        taken[stream] = start + total
        if start + total == bytes.count {
            toTarget[stream] = []
            taken[stream] = 0
        }
        target.received(StreamID(stream), count: total, at: now)
        drain()
        return total > 0
    }

    func fetch(_ stream: UInt32) -> Bool {
        vector.removeAll()
        target.transmitSources(StreamID(stream), into: &vector)
        var left = min(vector.byteCount, writeLimit)
        if left == 0 { return false }
        let total = left
        for index in 0..<vector.count where left > 0 {
            let count = min(vector.slices[index].count, left)
            fromTarget[stream, default: []] += UnsafeRawBufferPointer(start: vector.slices[index].base, count: count)
            left -= count
        }
        target.transmitted(StreamID(stream), count: total, at: now)
        drain()
        return true
    }

    /// StatSN that connection `index` has next.
    func statSN(_ index: Int) -> UInt32 { target.connections[index].statSN }

    func close(_ stream: UInt32) {
        target.closed(StreamID(stream), at: now)
        toTarget[stream] = nil
        taken[stream] = nil
        drain()
    }

    func advance(_ interval: Interval) {
        now = now + interval
        target.tick(at: now)
        settle()
    }
}
