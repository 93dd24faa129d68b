/// What happened, as a code and three numbers: cheap enough to keep for every event, and all that the hash needs.
/// The row of `labels` says how people read it.
package enum TraceKind: UInt8, CaseIterable, Sendable {
    case start, died, dead, hang, resume, batch
    case connected, accepted, channel, received, sent, closed
    case submit, landed, completed
    case place, placed, clear, settle, windowOpen, windowClose, windowWord
    case witnessRead, witnessSwap, witnessAnswer
    case fence, fenced, adopt, adoptRelease, ended
    case restart, stopped, refuse, log
    case fault, healed, phase, sample
    case login, loggedIn, loginFailed, sessionLost, issue, finish, abort
    case note

    /// Name of the kind, then the names of its numbers; an empty name is a number that the kind does not use.
    var labels: (name: String, first: String, second: String, third: String) {
        switch self {
        case .start: ("start", "incarnation", "fresh", "lost")
        case .died: ("died", "incarnation", "inFlight", "cause")
        case .dead: ("dead", "incarnation", "", "")
        case .hang: ("hang", "ms", "", "")
        case .resume: ("resume", "inbox", "", "")
        case .batch: ("batch", "inputs", "", "")
        case .connected: ("connected", "stream", "connection", "portal")
        case .accepted: ("accepted", "stream", "connection", "")
        case .channel: ("channel", "stream", "connection", "")
        case .received: ("received", "stream", "bytes", "crc")
        case .sent: ("sent", "stream", "bytes", "crc")
        case .closed: ("closed", "stream", "connection", "")
        case .submit: ("submit", "kind", "offset", "count")
        case .landed: ("landed", "kind", "offset", "count")
        case .completed: ("completed", "id", "fault", "")
        case .place: ("place", "token", "slot", "crc")
        case .placed: ("placed", "token", "ok", "")
        case .clear: ("clear", "slot", "", "")
        case .settle: ("settle", "slot", "", "")
        case .windowOpen: ("window open", "incarnation", "", "")
        case .windowClose: ("window closed", "", "", "")
        case .windowWord: ("window word", "epoch", "incarnation", "open")
        case .witnessRead: ("witness read", "operation", "", "")
        case .witnessSwap: ("witness swap", "expected", "epoch", "state")
        case .witnessAnswer: ("witness answer", "sequence", "epoch", "won")
        case .fence: ("fence", "incarnation", "", "")
        case .fenced: ("fenced", "ok", "", "")
        case .adopt: ("adopt", "granted", "", "")
        case .adoptRelease: ("adopt release", "", "", "")
        case .ended: ("partner ended", "", "", "")
        case .restart: ("restart", "reason", "", "")
        case .stopped: ("stopped", "", "", "")
        case .refuse: ("refuse", "reason", "", "")
        case .log: ("log", "", "", "")
        case .fault: ("FAULT", "kind", "target", "ms")
        case .healed: ("HEALED", "kind", "target", "")
        case .phase: ("PHASE", "phase", "", "")
        case .sample: ("sample", "epoch", "serving", "redundant")
        case .login: ("login", "path", "", "")
        case .loggedIn: ("logged in", "path", "tsih", "")
        case .loginFailed: ("login failed", "path", "class", "detail")
        case .sessionLost: ("session lost", "path", "tasks", "")
        case .issue: ("issue", "", "lba", "")
        case .finish: ("finish", "", "status", "lba")
        case .abort: ("abort", "path", "tag", "function")
        case .note: ("note", "", "", "")
        }
    }
}

/// One line of the trace before it is text.
struct TraceEntry {
    var time: UInt64
    var kind: TraceKind
    /// `a`, `b`, `1`… for initiators, `-` for the world.
    var who: UInt8
    var first: UInt64
    var second: UInt64
    var third: UInt64

    /// Time in seconds, who, what.
    var text: String {
        let labels = kind.labels
        let micro = time / 1000
        let fraction = String(micro % 1_000_000)
        var line = String(micro / 1_000_000) + "." + String(repeating: "0", count: 6 - fraction.count) + fraction
        line = String(repeating: " ", count: Swift.max(0, 12 - line.count)) + line
        line += " " + String(UnicodeScalar(who)) + " " + describe(labels.name)
        for (name, value) in [(labels.first, first), (labels.second, second), (labels.third, third)] where name != "" {
            line += " " + name + "=" + (value == .max ? "-" : String(value))
        }
        return line
    }

    private func describe(_ name: String) -> String {
        switch kind {
        case .fault, .healed: name + " " + (FaultKind(rawValue: UInt8(truncatingIfNeeded: first))?.name ?? "?")
        case .log: name + " " + logText(first, second, third)
        case .issue:
            name + " " + command(first >> 8) + " unit=\(first >> 4 & 0xF) path=\(first & 0xF) blocks=\(third >> 32)"
                + (UInt32(truncatingIfNeeded: third) == 0 ? "" : " write=\(UInt32(truncatingIfNeeded: third))")
        case .finish: name + " " + command(first)
        default: name
        }
    }

    private func command(_ kind: UInt64) -> String {
        Operation.Kind(rawValue: kind).map { "\($0)" } ?? "?"
    }
}

/// The trace of a run: a hash over everything, and the last entries as they were.
struct Trace {
    private(set) var hash: UInt64 = 0x9E37_79B9_7F4A_7C15
    private(set) var count: UInt64 = 0
    private var ring: [TraceEntry] = []
    private let capacity: Int
    private let verbose: Bool

    init(capacity: Int, verbose: Bool) {
        self.capacity = capacity
        self.verbose = verbose
        ring.reserveCapacity(capacity)
    }

    mutating func add(_ entry: TraceEntry) {
        mix(entry.time)
        mix(UInt64(entry.kind.rawValue) << 8 | UInt64(entry.who))
        mix(entry.first)
        mix(entry.second)
        mix(entry.third)
        if ring.count < capacity {
            ring.append(entry)
        } else if capacity > 0 {
            ring[Int(count % UInt64(capacity))] = entry
        }
        count += 1
        if verbose { print(entry.text) }
    }

    private mutating func mix(_ word: UInt64) {
        hash = (hash ^ word) &* 0xFF51_AFD7_ED55_8CCD
        hash ^= hash >> 29
    }

    /// The last entries, oldest first, as text.
    var lines: [String] {
        guard count > UInt64(capacity), capacity > 0 else { return ring.map(\.text) }
        let start = Int(count % UInt64(capacity))
        return (0..<capacity).map { ring[(start + $0) % capacity].text }
    }
}
