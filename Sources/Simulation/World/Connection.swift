/// One direction of a connection: bytes that were written and not read yet. A prefix has arrived and may be read; the
/// rest is on the way, in chunks, each with its time of arrival.
final class Pipe {
    let bytes = ByteFIFO()
    /// Bytes at the front that arrived.
    var arrived = 0
    var chunks: [(time: UInt64, count: Int)] = []
    /// First chunk that is still on the way.
    var nextChunk = 0
    /// Time of the last arrival so far: bytes never overtake each other.
    var lastArrival: UInt64 = 0
    /// The writer closed; its end arrives after the bytes.
    var isFinished = false
    var endArrived = false
    /// Bytes that fit, unread ones included.
    var capacity: Int
    /// The writer found it full and waits.
    var writerWaits = false

    init(capacity: Int) { self.capacity = capacity }

    var room: Int { Swift.max(0, capacity - bytes.count) }

    /// Adds a chunk that was just written to `bytes`.
    func addChunk(_ count: Int, arriving time: UInt64) {
        lastArrival = Swift.max(lastArrival, time)
        chunks.append((lastArrival, count))
    }

    /// Lets everything arrive whose time has come; true when something did.
    func advance(to now: UInt64) -> Bool {
        let before = arrived
        while nextChunk < chunks.count, chunks[nextChunk].time <= now {
            arrived += chunks[nextChunk].count
            nextChunk += 1
        }
        if nextChunk > 64 {
            chunks.removeFirst(nextChunk)
            nextChunk = 0
        }
        var ended = false
        if isFinished, !endArrived, nextChunk == chunks.count, lastArrival <= now {
            endArrived = true
            ended = true
        }
        return arrived != before || ended
    }

    /// Reads up to `count` arrived bytes.
    func read(into base: UnsafeMutableRawPointer, _ count: Int) -> Int {
        let taken = bytes.read(into: base, Swift.min(count, arrived))
        arrived -= taken
        return taken
    }
}

/// Who holds a side of a connection.
enum Endpoint {
    /// A stream of a controller.
    case host(Int, stream: Int)
    /// A path of an initiator, and its attempt number.
    case initiator(Int, path: Int, attempt: UInt64)
    /// Somebody outside of the world, who looks when it wants to (`SimulatedWires`).
    case outsider
    /// Nobody any more.
    case closed
}

/// A connection: two sides, a pipe for each direction. Pipe `d` carries from side `d` to side `1 - d`.
final class Connection {
    let number: Int
    let link: Int
    /// For each direction its place in `Link.isCut`.
    let directions: (Int, Int)
    var ends: [Endpoint]
    let pipes: [Pipe]
    /// A reset is on its way to a side.
    var isReset = false

    init(number: Int, link: Int, directions: (Int, Int), ends: [Endpoint], capacity: Int) {
        self.number = number
        self.link = link
        self.directions = directions
        self.ends = ends
        pipes = [Pipe(capacity: capacity), Pipe(capacity: capacity)]
    }

    func direction(_ side: Int) -> Int { side == 0 ? directions.0 : directions.1 }
}

/// The way that connections take: the channel, or the network between an initiator and a controller. Each direction
/// can be cut: what is on its way stays there until the cut is over.
struct Link {
    var isCut = [false, false]
    /// Added to each chunk's latency while the link is slow.
    var extraLatency: UInt64 = 0
}
