import CLinux
import Controller
import Glibc
import Primitives

// Bytes in and out of the engine's memory.
extension Reactor where Engine: ~Copyable {
    /// Receives what waits. A stream whose targets were filled is asked again, so that a batch is settled once; the
    /// clock that the engine sees is always read after the bytes that it is told of.
    mutating func receive() {
        for _ in 0..<Limits.receiveRounds where receiveList.count > 0 {
            for position in 0..<receiveList.count { receiveOnce(receiveList[position]) }
            let now = Platform.now
            var kept = 0
            for position in 0..<receiveList.count {
                let index = receiveList[position]
                let count = streams[index].received
                if count > 0 { engine.handle(.received(StreamID(UInt32(index)), count: count), at: now) }
                if streams[index].inReceiveList {
                    receiveList.set(kept, index)
                    kept += 1
                }
            }
            receiveList.keepFirst(kept)
        }
        // What is left is reported again by the next wait.
        for position in 0..<receiveList.count { streams[receiveList[position]].inReceiveList = false }
        receiveList.keepFirst(0)
    }

    /// One receive. `received` says how many bytes the engine is to be told of; the stream stays in the list when
    /// more may wait.
    private mutating func receiveOnce(_ index: Int) {
        streams[index].received = 0
        streams[index].inReceiveList = false
        let isDiscarded = streams[index].phase == .lingering || (streams[index].isChannel && isCutFromPartner)
        guard streams[index].phase == .open || isDiscarded, streams[index].descriptor >= 0 else { return }
        vector.removeAll()
        if isDiscarded {
            vector.append(scratch, Self.scratchBytes)
        } else {
            engine.receiveTargets(StreamID(UInt32(index)), into: &vector)
        }
        if vector.count == 0 {
            streams[index].isPaused = true
            wantInterest(index)
            return
        }
        let count = gemel_receive(streams[index].descriptor, vector.slices, Int32(vector.count))
        if count > 0 {
            if streams[index].phase == .open {
                if isDiscarded { streams[index].isHoled = true } else { streams[index].received = Int(count) }
            }
            streams[index].inReceiveList = Int(count) == vector.byteCount
        } else if count != -Int64(EAGAIN) && count != -Int64(EINTR) {
            // 0 is the peer's end; everything else (ECONNRESET, ETIMEDOUT) is the connection's.
            drop(index)
        }
    }

    /// `transmit`: the stream is sent from in this turn.
    mutating func wantTransmit(_ index: Int) {
        if streams[index].inSendList { return }
        streams[index].inSendList = true
        sendList.append(index)
    }

    mutating func wantTransmit(_ stream: StreamID) {
        let index = Int(stream.raw)
        if index < streams.capacity && streams[index].phase == .open && !streams[index].isBlocked {
            wantTransmit(index)
        }
    }

    /// One gather call for each stream that has something to send; who has more stays in the list.
    mutating func transmit() {
        var kept = 0
        for position in 0..<sendList.count {
            let index = sendList[position]
            if transmitOnce(index) {
                sendList.set(kept, index)
                kept += 1
            } else {
                streams[index].inSendList = false
            }
        }
        sendList.keepFirst(kept)
    }

    /// True when the stream may have more to send at once.
    private mutating func transmitOnce(_ index: Int) -> Bool {
        let isOpen = streams[index].phase == .open || streams[index].phase == .draining
        if !isOpen || streams[index].isBlocked { return false }
        let id = StreamID(UInt32(index))
        vector.removeAll()
        engine.transmitSources(id, into: &vector)
        if vector.count == 0 {
            if streams[index].phase == .draining { beginLinger(index) }
            return false
        }
        if streams[index].isChannel && isCutToPartner {
            streams[index].isHoled = true
            feed.append(.transmitted(id, count: vector.byteCount))
            return true
        }
        let count = gemel_transmit(streams[index].descriptor, vector.slices, Int32(vector.count))
        if count > 0 { feed.append(.transmitted(id, count: Int(count))) }
        if count >= 0 && Int(count) == vector.byteCount { return true }
        if count >= 0 || count == -Int64(EAGAIN) {
            streams[index].isBlocked = true
            wantInterest(index)
            return false
        }
        if count == -Int64(EINTR) { return true }
        drop(index)
        return false
    }

    /// `resumeReceive`.
    mutating func resume(_ stream: StreamID) {
        let index = Int(stream.raw)
        guard index < streams.capacity, streams[index].isPaused, streams[index].phase == .open else { return }
        streams[index].isPaused = false
        wantInterest(index)
    }

    /// What the epoll set waits for is changed once a turn, however often it was switched.
    mutating func wantInterest(_ index: Int) {
        if streams[index].inInterestList { return }
        streams[index].inInterestList = true
        interestList.append(index)
    }

    mutating func syncInterest() {
        for position in 0..<interestList.count {
            let index = interestList[position]
            streams[index].inInterestList = false
            let stream = streams[index]
            if stream.descriptor < 0 { continue }
            var wanted: UInt32 = 0
            switch stream.phase {
            case .dialing: wanted = Poller.output
            case .open: wanted = (stream.isPaused ? 0 : Poller.input) | (stream.isBlocked ? Poller.output : 0)
            case .draining: wanted = stream.isBlocked ? Poller.output : 0
            case .lingering: wanted = Poller.input
            case .ended: continue
            }
            if wanted == stream.armed { continue }
            streams[index].armed = wanted
            poller.change(
                stream.descriptor, .stream, index: index, generation: stream.generation, interest: wanted)
        }
        interestList.keepFirst(0)
    }
}
