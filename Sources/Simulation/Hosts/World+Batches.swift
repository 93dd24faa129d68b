import BlockModel
import Controller
import PagingFormats
import Primitives

// A controller's loop, as every driver runs it: take what happened, handle each event at one reading of the clock,
// settle, perform the effects in order. Here it can be interrupted between any two effects.
extension World {
    /// Bytes that one read of a stream takes at most.
    private static var readLimit: Int { 64 << 10 }

    func enqueue(_ input: Input, to host: SimulatedHost) {
        guard host.isRunning else { return }
        host.inbox.append(input)
        scheduleWake(host)
    }

    func scheduleWake(_ host: SimulatedHost) {
        if host.wakeScheduled || host.isHung || !host.isRunning { return }
        host.wakeScheduled = true
        schedule(.wake(host: host.index, life: host.life), after: drawn(around: parameters.reaction) + host.slowness)
    }

    func wake(_ host: SimulatedHost, _ life: UInt64) {
        guard host.life == life, host.isRunning else { return }
        host.wakeScheduled = false
        if !host.isHung { runBatch(host) }
    }

    func tick(_ host: SimulatedHost, _ life: UInt64, _ at: UInt64) {
        guard host.life == life, host.isRunning, host.tickAt == at else { return }
        host.tickAt = .max
        if !host.isHung { scheduleWake(host) }
    }

    /// One turn of the loop.
    private func runBatch(_ host: SimulatedHost) {
        if host.isInterrupted {
            host.isInterrupted = false
            if !performEffects(host) { return }
        }
        guard let process = host.process else { return }
        let time = clock(host)
        let inputs = host.inbox
        host.inbox.removeAll(keepingCapacity: true)
        record(.batch, host.letter, UInt64(inputs.count))
        for input in inputs { take(input, host, process, time) }
        if process.nextDeadline <= time { process.handle(.tick, at: time) }
        process.settle(at: time)
        if performEffects(host) { finishBatch(host) }
    }

    /// The time that a controller is told.
    private func clock(_ host: SimulatedHost) -> Instant {
        Instant(nanoseconds: now &- host.clockLag)
    }

    private func finishBatch(_ host: SimulatedHost) {
        guard let process = host.process else { return }
        if !host.inbox.isEmpty { scheduleWake(host) }
        let deadline = process.nextDeadline
        if deadline == .never { return }
        let at = Swift.max(deadline.nanoseconds &+ host.clockLag, now + 1)
        if at >= host.tickAt { return }
        host.tickAt = at
        heap.push(.tick(host: host.index, life: host.life, at: at), at: at)
    }

    private func take(_ input: Input, _ host: SimulatedHost, _ process: any SimulatedProcess, _ time: Instant) {
        switch input {
        case .event(let event):
            adoptEvent(event, host)
            process.handle(event, at: time)
        case .readable(let stream, let connection): read(host, process, stream, connection, time)
        case .writable(let stream, let connection):
            guard var slot = host.slot(stream, connection) else { return }
            slot.isBlocked = false
            host.streams[stream] = slot
            pump(host, process, stream, time)
        case .reset(let stream, let connection):
            guard host.slot(stream, connection) != nil else { return }
            endStream(host, process, stream, time)
        }
    }

    /// What the driver itself remembers of an event.
    private func adoptEvent(_ event: ControllerEvent, _ host: SimulatedHost) {
        if case .storageCompleted(let completion) = event {
            record(.completed, host.letter, UInt64(completion.id), completion.fault.map { UInt64($0.rawValue) } ?? .max)
        }
        if case .placed(let token, let ok) = event { record(.placed, host.letter, UInt64(token), ok ? 1 : 0) }
        if case .fenced(let ok) = event { record(.fenced, host.letter, ok ? 1 : 0) }
    }

    private func read(
        _ host: SimulatedHost, _ process: any SimulatedProcess, _ stream: Int, _ number: Int, _ time: Instant
    ) {
        guard let slot = host.slot(stream, number), let connection = connections[number], !slot.isPaused,
            !slot.isClosing
        else { return }
        let pipe = connection.pipes[1 - slot.side]
        var budget = Self.readLimit
        while pipe.arrived > 0, budget > 0 {
            vector.removeAll()
            process.receiveTargets(StreamID(UInt32(stream)), into: &vector)
            if vector.byteCount == 0 {
                host.streams[stream]?.isPaused = true
                return
            }
            let count = scatter(pipe, Swift.min(budget, pipe.arrived), host, stream)
            budget -= count
            process.handle(.received(StreamID(UInt32(stream)), count: count), at: time)
            guard host.slot(stream, number) != nil else { return }
        }
        tellWriter(connection, side: 1 - slot.side)
        if pipe.arrived > 0 {
            host.inbox.append(.readable(stream: stream, connection: number))
        } else if pipe.endArrived {
            endStream(host, process, stream, time)
        }
    }

    /// Moves arrived bytes to where the vector says and returns how many.
    private func scatter(_ pipe: Pipe, _ limit: Int, _ host: SimulatedHost, _ stream: Int) -> Int {
        var count = 0
        var crc: UInt32 = ~0
        for index in 0..<vector.count where count < limit {
            let slice = vector.slices[index]
            let taken = pipe.read(into: slice.base, Swift.min(slice.count, limit - count))
            crc = Checksum.extend(crc, slice.base, taken)
            count += taken
            if taken < slice.count { break }
        }
        record(.received, host.letter, UInt64(stream), UInt64(count), UInt64(crc))
        return count
    }

    /// The stream is over: the controller is told and its number is free.
    func endStream(_ host: SimulatedHost, _ process: any SimulatedProcess, _ stream: Int, _ time: Instant) {
        guard stream < host.streams.count, let slot = host.streams[stream] else { return }
        record(.closed, host.letter, UInt64(stream), UInt64(slot.connection))
        process.handle(.closed(StreamID(UInt32(stream))), at: time)
        host.needsSettle = true
        host.streams[stream] = nil
        if let connection = connections[slot.connection] { close(connection, side: slot.side) }
    }

    /// Sends what a controller has for a stream until it has no more or the pipe is full.
    func pump(_ host: SimulatedHost, _ process: any SimulatedProcess, _ stream: Int, _ time: Instant) {
        while stream < host.streams.count, let slot = host.streams[stream], !slot.isBlocked,
            let connection = connections[slot.connection]
        {
            vector.removeAll()
            process.transmitSources(StreamID(UInt32(stream)), into: &vector)
            if vector.byteCount == 0 { break }
            var count = 0
            var crc: UInt32 = ~0
            for index in 0..<vector.count {
                let slice = vector.slices[index]
                let taken = write(connection, side: slot.side, slice.base, slice.count)
                crc = Checksum.extend(crc, slice.base, taken)
                count += taken
                if taken < slice.count { break }
            }
            record(.sent, host.letter, UInt64(stream), UInt64(count), UInt64(crc))
            if count < vector.byteCount { host.streams[stream]?.isBlocked = true }
            if count > 0 {
                process.handle(.transmitted(StreamID(UInt32(stream)), count: count), at: time)
                host.needsSettle = true
            }
        }
        guard stream < host.streams.count, let slot = host.streams[stream], slot.isClosing, !slot.isBlocked else {
            return
        }
        endStream(host, process, stream, time)
    }

    func lingered(_ host: SimulatedHost, _ life: UInt64, _ stream: Int, _ connection: Int) {
        guard host.life == life, let slot = host.slot(stream, connection), slot.isClosing else { return }
        enqueue(.reset(stream: stream, connection: connection), to: host)
    }

    /// Performs the effects that there are; false when a fault struck in their midst.
    private func performEffects(_ host: SimulatedHost) -> Bool {
        while let process = host.process {
            if strikes(host) { return false }
            guard let effect = process.nextEffect() else {
                finishPlacements(host)
                if !host.needsSettle { return true }
                host.needsSettle = false
                process.settle(at: clock(host))
                continue
            }
            perform(effect, host, process)
            if !host.isRunning || failure != nil { return false }
        }
        return false
    }

    /// Whether an armed fault strikes before the effect that is next: that one and those behind it are lost with the
    /// process, or (a hang) performed when it goes on.
    func strikes(_ host: SimulatedHost) -> Bool {
        guard var armed = host.armed else { return false }
        armed.effectsLeft -= 1
        host.armed = armed
        if armed.effectsLeft > 0 { return false }
        host.armed = nil
        guard let length = armed.hang else {
            crash(host, cause: .crashInBatch)
            return true
        }
        hang(host, for: length)
        host.isInterrupted = true
        return true
    }
}
