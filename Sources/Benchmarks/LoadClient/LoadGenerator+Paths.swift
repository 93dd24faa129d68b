import CLinux
import Glibc

/// A resolved address of one path.
struct PathAddress {
    var unit: UnitAddress
    var address: sockaddr_storage
    var length: socklen_t
    var family: Int32

    /// nil when the host has no address.
    init?(_ unit: UnitAddress) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(unit.host, String(unit.port), &hints, &list) == 0, let first = list else { return nil }
        self.unit = unit
        address = sockaddr_storage()
        length = first.pointee.ai_addrlen
        family = first.pointee.ai_family
        memcpy(&address, first.pointee.ai_addr, Int(length))
        freeaddrinfo(list)
    }
}

// Connecting, logging in, losing and finding paths.
extension LoadGenerator {
    func watch(_ session: UnsafeMutablePointer<Session>, writable: Bool, add: Bool = false) {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | (writable ? EPOLLOUT.rawValue : 0)
        event.data.u64 = UInt64(session.pointee.index)
        epoll_ctl(epoll, add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, session.pointee.descriptor, &event)
        session.pointee.wantsWritable = writable
    }

    mutating func connect(_ session: UnsafeMutablePointer<Session>, _ now: UInt64) {
        var path = paths[session.pointee.path]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        session.pointee.descriptor = socket(path.family, type, 0)
        session.pointee.lun = path.unit.lun
        session.pointee.heardAt = now
        session.pointee.phase = .connecting
        session.pointee.retryAt = 0
        guard session.pointee.descriptor >= 0 else {
            lose(session, now, String(cString: strerror(errno)))
            return
        }
        var one: Int32 = 1
        setsockopt(
            session.pointee.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        let length = path.length
        let descriptor = session.pointee.descriptor
        let result = withUnsafePointer(to: &path.address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, length) }
        }
        if result != 0, errno != EINPROGRESS {
            lose(session, now, String(cString: strerror(errno)))
            return
        }
        watch(session, writable: true, add: true)
    }

    /// The TCP connection is there, or failed.
    mutating func connected(_ session: UnsafeMutablePointer<Session>, _ now: UInt64) {
        var problem: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(session.pointee.descriptor, SOL_SOCKET, SO_ERROR, &problem, &length)
        guard problem == 0 else {
            lose(session, now, String(cString: strerror(problem)))
            return
        }
        watch(session, writable: false)
        session.pointee.phase = .login
        session.pointee.heardAt = now
        session.pointee.commandSequence = 1
        session.pointee.expectedStatus = 0
        login(session, now, first: true)
    }

    private mutating func login(_ session: UnsafeMutablePointer<Session>, _ now: UInt64, first: Bool) {
        let target = paths[session.pointee.path].unit.target
        if !session.pointee.queueLogin(options, target: target, first: first) {
            lose(session, now, "cannot send the login request")
        }
    }

    mutating func loginAnswered(
        _ session: UnsafeMutablePointer<Session>, _ header: UnsafeRawPointer, _ text: UnsafeRawBufferPointer,
        _ now: UInt64
    ) -> Bool {
        switch session.pointee.takeLogin(header, text) {
        case .failed(let reason):
            lose(session, now, reason)
            return false
        case .more: login(session, now, first: false)
        case .done:
            session.pointee.phase = .sizing
            let pieces = options.blockSize / session.pointee.targetReceive
            let bursts = options.blockSize / session.pointee.maxBurst
            session.pointee.reserve(units: 2 * options.depth * (4 + pieces + bursts) + 64)
            if !session.pointee.queueCapacity() { lose(session, now, "cannot send READ CAPACITY (16)") }
        }
        return session.pointee.descriptor >= 0
    }

    /// The unit's size is known, from the first session that got it.
    private mutating func takeCapacity(_ last: UInt64, _ length: UInt64) {
        guard length >= 512, length.nonzeroBitCount == 1, length <= 65536, last < 1 << 50,
            UInt64(options.blockSize) % length == 0
        else {
            tally.failure =
                "READ CAPACITY (16): last block \(last), block length \(length) with --bs \(options.blockSize)"
            work = .finished
            return
        }
        let bytes = (last + 1) * length
        unitBlockLength = length
        tally.unitBytes = bytes
        blocks = min(bytes, options.span) / UInt64(options.blockSize)
        guard blocks > 0 else {
            tally.failure = "the unit of \(bytes) bytes, or --span, is smaller than --bs \(options.blockSize)"
            work = .finished
            return
        }
        openTable(sectors: bytes / 512)
    }

    private mutating func openTable(sectors: UInt64) {
        guard options.verify else { return }
        do throws(TableError) {
            let opened = try AcknowledgedTable(path: options.stateFile, sectors: sectors, seed: options.seed)
            table = opened
            let places = Int(sectors) / blockSectors + 1
            let flags = UnsafeMutablePointer<UInt8>.allocate(capacity: places)
            flags.initialize(repeating: 0, count: places)
            busy = flags
        } catch {
            tally.failure = error.sentence
            work = .finished
        }
    }

    /// READ CAPACITY (16) was answered: the session is ready, or asks again.
    mutating func sized(_ session: UnsafeMutablePointer<Session>, _ verdict: Verdict, _ now: UInt64) -> Bool {
        switch verdict {
        case .good:
            session.pointee.phase = .running
            session.pointee.failures = 0
            aliveAt = now
            if work == .sizing {
                takeCapacity(session.pointee.lastBlock, session.pointee.blockLength)
                if work == .sizing { beginWork(now) }
            }
            return true
        case .again:
            // Asked again at the next tick.
            session.pointee.retryAt = now + 1_000_000
            return true
        case .otherPath: lose(session, now, "the path is not active")
        case .refused(let key, let code, _): lose(session, now, "READ CAPACITY (16) refused, sense \(key)/\(code)")
        }
        return false
    }

    /// The connection is gone: its commands wait for another, and the session tries again.
    mutating func lose(_ session: UnsafeMutablePointer<Session>, _ now: UInt64, _ reason: String) {
        let path = paths[session.pointee.path].unit
        lastLoss = "\(path.host):\(path.port): \(reason)"
        if session.pointee.phase == .running || session.pointee.phase == .leaving { tally.losses += 1 }
        for number in 0..<commandCount where commands[number].session == session.pointee.index {
            commands[number].session = -1
            tally.retries += 1
            retry.push(Int32(number), in: commands)
        }
        session.pointee.outstanding = 0
        session.pointee.reset()
        session.pointee.failures += 1
        if options.failOver { session.pointee.path = (session.pointee.path + 1) % paths.count }
        let atOnce = session.pointee.failures < (options.failOver ? paths.count : 1) + 1
        session.pointee.retryAt = now + (atOnce ? 0 : 20_000_000)
        nextTick = 0
    }
}
