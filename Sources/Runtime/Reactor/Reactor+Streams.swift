import CLinux
import Controller
import Glibc
import Primitives

// Connections: accepting, dialing, receiving, ending.
extension Reactor where Engine: ~Copyable {
    /// Takes the connections that wait at a listener; `portal` nil: the channel's.
    mutating func accept(_ listener: Int32, portal: UInt16?) {
        for _ in 0..<Limits.accepts {
            let descriptor = gemel_accept(listener)
            if descriptor == -EMFILE || descriptor == -ENFILE {
                shed(listener)
                return
            }
            if descriptor == -ECONNABORTED || descriptor == -EINTR { continue }
            if descriptor < 0 { return }
            let reserve = portal == nil ? 0 : Limits.channelStreams
            let isRefused = portal == nil && (isCutToPartner || isCutFromPartner) || outcome != nil
            if isRefused || streams.count + reserve >= streams.capacity {
                close(descriptor)
                continue
            }
            gemel_keep_alive(descriptor)
            guard let id = register(descriptor, phase: .open, isChannel: portal == nil) else { continue }
            if let portal {
                feed.append(.hostConnected(id, portal: portal, peer: Platform.peer(of: descriptor)))
            } else {
                feed.append(.channelAccepted(id))
            }
        }
    }

    /// Out of descriptors: one connection is taken with the spare one and closed, so that its host learns of it and
    /// the listener does not stay readable for ever.
    private mutating func shed(_ listener: Int32) {
        if spare >= 0 { close(spare) }
        let descriptor = gemel_accept(listener)
        if descriptor >= 0 { close(descriptor) }
        spare = open("/dev/null", O_RDONLY | O_CLOEXEC)
        log("no file descriptor is left: a connection was refused; raise RLIMIT_NOFILE")
    }

    /// Gives a descriptor a stream; it is closed when there is none.
    private mutating func register(_ descriptor: Int32, phase: Stream.Phase, isChannel: Bool) -> StreamID? {
        guard let index = streams.take() else {
            close(descriptor)
            return nil
        }
        gemel_no_delay(descriptor)
        var stream = Stream()
        stream.descriptor = descriptor
        stream.phase = phase
        stream.isChannel = isChannel
        stream.generation = (streams[index].generation &+ 1) & 0xFF_FFFF
        stream.armed = phase == .dialing ? Poller.output : Poller.input
        // The lists may still hold the index from its last use.
        stream.inReceiveList = streams[index].inReceiveList
        stream.inSendList = streams[index].inSendList
        stream.inInterestList = streams[index].inInterestList
        streams[index] = stream
        poller.add(
            descriptor, .stream, index: index, generation: stream.generation, interest: stream.armed)
        return StreamID(UInt32(index))
    }

    /// `connectChannel`: begins to connect, or says at once or after a while that it failed.
    mutating func dialChannel(at now: Instant) {
        guard let address = plant.settings.partnerChannel, !isCutToPartner, !isCutFromPartner else {
            feed.append(.channelConnected(nil))
            return
        }
        let descriptor = gemel_dial_tcp(address.host, address.port, address.family)
        guard descriptor >= 0, let id = register(descriptor, phase: .dialing, isChannel: true) else {
            feed.append(.channelConnected(nil))
            return
        }
        limit(Int(id.raw), until: now + Limits.dialPatience)
    }

    private mutating func finishDial(_ index: Int) {
        let code = gemel_socket_error(streams[index].descriptor)
        if code == 0 && !isCutToPartner && !isCutFromPartner {
            streams[index].phase = .open
            streams[index].deadline = .never
            wantInterest(index)
            feed.append(.channelConnected(StreamID(UInt32(index))))
        } else {
            abandonDial(index)
        }
    }

    private mutating func abandonDial(_ index: Int) {
        close(streams[index].descriptor)
        streams[index].descriptor = -1
        streams[index].phase = .ended
        streams[index].deadline = .never
        streams.giveBack(index)
        feed.append(.channelConnected(nil))
    }

    /// What an epoll event means for a stream.
    mutating func streamReady(_ ready: Poller.Ready) {
        let index = ready.index
        guard streams[index].generation == ready.generation else { return }
        switch streams[index].phase {
        case .dialing: finishDial(index)
        case .ended: return
        case .open, .draining, .lingering:
            if ready.isWritable && streams[index].isBlocked {
                streams[index].isBlocked = false
                wantInterest(index)
                wantTransmit(index)
            }
            let wantsBytes = streams[index].phase != .draining && !streams[index].isPaused
            if wantsBytes && (ready.isReadable || ready.isBroken) {
                if !streams[index].inReceiveList {
                    streams[index].inReceiveList = true
                    receiveList.append(index)
                }
            } else if ready.isBroken {
                drop(index)
            }
        }
    }

    /// Closes a stream's descriptor; the engine is told with the next feed.
    mutating func drop(_ index: Int) {
        if streams[index].phase == .ended { return }
        if streams[index].phase == .draining || streams[index].phase == .lingering { closingStreams -= 1 }
        close(streams[index].descriptor)
        streams[index].descriptor = -1
        streams[index].phase = .ended
        streams[index].deadline = .never
        feed.append(.closed(StreamID(UInt32(index))))
    }

    /// The engine was told that the stream is closed: its number is free.
    mutating func recycle(_ stream: StreamID) { streams.giveBack(Int(stream.raw)) }

    /// `close`: what is there still leaves.
    mutating func beginClose(_ stream: StreamID, at now: Instant) {
        let index = Int(stream.raw)
        guard index < streams.capacity, streams[index].phase == .open else { return }
        streams[index].phase = .draining
        closingStreams += 1
        limit(index, until: now + Limits.drainPatience)
        wantInterest(index)
        wantTransmit(index)
    }

    /// Everything left: our half is shut, and the peer's end is waited for, so that no reset overtakes the last bytes.
    mutating func beginLinger(_ index: Int) {
        shutdown(streams[index].descriptor, Int32(SHUT_WR))
        streams[index].phase = .lingering
        streams[index].isPaused = false
        limit(index, until: Platform.now + Limits.lingerPatience)
        wantInterest(index)
    }

    private mutating func limit(_ index: Int, until deadline: Instant) {
        streams[index].deadline = deadline
        streamDeadline = Swift.min(streamDeadline, deadline)
    }

    /// Gives up the streams whose time is over.
    mutating func expireStreams(at now: Instant) {
        streamDeadline = .never
        for index in 0..<streams.capacity where streams[index].deadline != .never {
            if streams[index].deadline > now {
                streamDeadline = Swift.min(streamDeadline, streams[index].deadline)
            } else if streams[index].phase == .dialing {
                abandonDial(index)
            } else {
                drop(index)
            }
        }
    }
}
