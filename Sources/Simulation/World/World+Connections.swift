import Controller
import Primitives

extension World {
    /// Makes a connection; both sides are told by the caller.
    func connect(link: Int, directions: (Int, Int), ends: [Endpoint]) -> Connection {
        let connection = Connection(
            number: connections.count, link: link, directions: directions, ends: ends,
            capacity: parameters.pipeCapacity)
        connections.append(connection)
        return connection
    }

    /// Whether nothing passes in a direction of a link at the moment.
    func isCut(_ connection: Connection, side: Int) -> Bool {
        links[connection.link].isCut[connection.direction(side)]
    }

    /// Writes bytes at a side, as far as they fit, cut into chunks that arrive one after the other.
    func write(_ connection: Connection, side: Int, _ base: UnsafeRawPointer, _ count: Int) -> Int {
        let pipe = connection.pipes[side]
        let taken = Swift.min(count, pipe.room)
        if taken < count { pipe.writerWaits = true }
        if taken == 0 { return 0 }
        pipe.bytes.write(base, taken)
        var left = taken
        while left > 0 {
            let isSplit = parameters.chunking > 0 && random.chance(parameters.chunking, in: 256)
            let piece = isSplit ? Swift.min(left, 1 + Int(random.below(UInt64(Swift.min(left, 9000))))) : left
            let latency = drawn(around: parameters.networkLatency) + links[connection.link].extraLatency
            pipe.addChunk(piece, arriving: now + latency)
            heap.push(.arrive(connection: connection.number, direction: side), at: pipe.lastArrival)
            left -= piece
        }
        return taken
    }

    /// Something of direction `side` may have arrived: the reader is told.
    func arrive(_ number: Int, _ side: Int) {
        guard let connection = connections[number], !isCut(connection, side: side) else { return }
        guard connection.pipes[side].advance(to: now) else { return }
        notifyReader(connection, side: 1 - side)
    }

    private func notifyReader(_ connection: Connection, side: Int) {
        switch connection.ends[side] {
        case .host(let host, let stream):
            enqueue(.readable(stream: stream, connection: connection.number), to: hosts[host])
        case .initiator(let initiator, let path, let attempt):
            initiators[initiator].readable(path, attempt, connection, side)
        case .outsider: break
        case .closed:
            let pipe = connection.pipes[1 - side]
            pipe.arrived = 0
            pipe.bytes.removeAll()
        }
    }

    /// The reader took bytes: the writer may have room again.
    func tellWriter(_ connection: Connection, side: Int) {
        let pipe = connection.pipes[side]
        guard pipe.writerWaits, pipe.room > 0 else { return }
        pipe.writerWaits = false
        switch connection.ends[side] {
        case .host(let host, let stream):
            enqueue(.writable(stream: stream, connection: connection.number), to: hosts[host])
        case .initiator(let initiator, let path, let attempt):
            initiators[initiator].writable(path, attempt)
        case .outsider, .closed: break
        }
    }

    /// A side closes: what it wrote still arrives, then the end.
    func close(_ connection: Connection, side: Int) {
        connection.ends[side] = .closed
        if case .closed = connection.ends[1 - side] {
            connections[connection.number] = nil
            return
        }
        let pipe = connection.pipes[side]
        pipe.isFinished = true
        pipe.lastArrival = Swift.max(pipe.lastArrival, now + drawn(around: parameters.networkLatency))
        heap.push(.arrive(connection: connection.number, direction: side), at: pipe.lastArrival)
        let unread = connection.pipes[1 - side]
        unread.capacity = .max
        tellWriter(connection, side: 1 - side)
    }

    /// A side is gone without a word (its process died) or the network resets: both sides learn of it, unless the way
    /// is cut, and what was on its way is lost.
    func reset(_ connection: Connection) {
        if connection.isReset { return }
        connection.isReset = true
        for side in 0...1 {
            if case .closed = connection.ends[side] { continue }
            schedule(.reset(connection: connection.number, side: side), after: drawn(around: parameters.networkLatency))
        }
    }

    func resetArrived(_ number: Int, _ side: Int) {
        guard let connection = connections[number], !isCut(connection, side: 1 - side) else { return }
        switch connection.ends[side] {
        case .host(let host, let stream):
            enqueue(.reset(stream: stream, connection: number), to: hosts[host])
        case .initiator(let initiator, let path, let attempt):
            connection.ends[side] = .closed
            if case .closed = connection.ends[1 - side] { connections[number] = nil }
            initiators[initiator].lost(path, attempt)
        case .outsider:
            connection.ends[side] = .closed
            if case .closed = connection.ends[1 - side] { connections[number] = nil }
        case .closed: break
        }
    }

    /// Cuts or restores a direction of a link. What waited arrives then, or the connection turns out to be dead.
    func setCut(link: Int, direction: Int, _ isCut: Bool) {
        links[link].isCut[direction] = isCut
        if isCut { return }
        for connection in connections {
            guard let connection, connection.link == link else { continue }
            if connection.isReset {
                for side in 0...1 { schedule(.reset(connection: connection.number, side: side), after: 1000) }
                continue
            }
            if !isScripted && random.chance(1, in: 3) { reset(connection) }
            for side in 0...1 where connection.direction(side) == direction {
                let delay = drawn(around: parameters.networkLatency)
                for index in connection.pipes[side].chunks.indices {
                    connection.pipes[side].chunks[index].time = Swift.min(
                        connection.pipes[side].chunks[index].time, now + delay)
                }
                connection.pipes[side].lastArrival = now + delay
                schedule(.arrive(connection: connection.number, direction: side), after: delay)
            }
        }
    }
}
