import BlockModel
import Controller
import PagingFormats
import Primitives

extension World {
    /// Longest time that a closed stream waits for its last bytes to leave.
    private static var linger: UInt64 { 1_000_000_000 }

    /// Does what a controller asked for.
    func perform(_ effect: ControllerEffect, _ host: SimulatedHost, _ process: any SimulatedProcess) {
        switch effect {
        case .transmit(let stream): pump(host, process, Int(stream.raw), instant)
        case .resumeReceive(let stream): resumeReceive(host, Int(stream.raw))
        case .close(let stream): closeStream(host, process, Int(stream.raw))
        case .connectChannel: startChannelAttempt(host)
        case .storage(let request): submit(request, host)
        case .openWindow:
            host.wantsWindow = true
            schedule(.windowAttempt(host: host.index, life: host.life), after: drawn(around: parameters.networkLatency))
        case .closeWindow: closeWindow(host)
        case .setWindowWord(let word):
            record(.windowWord, host.letter, word >> 32, word >> 1 & 0x7FFF_FFFF, word & 1)
            host.wantedWindowWord = word
            showWindowWord(host)
        case .place(let placement): place(placement, host, process)
        case .clear(let slot): clear(slot, host, process)
        case .settle(let slot): settle(slot, host, process)
        case .witnessRead: startWitness(host, expected: 0, record: nil)
        case .witnessSwap(let expected, let record): startWitness(host, expected: expected, record: record)
        case .fencePartner: fencePartner(host)
        case .adoptPartnerMemory: adoptPartnerMemory(host)
        case .releasePartnerMemory:
            record(.adoptRelease, host.letter)
            host.holdsPartnerMemory = false
        case .authenticate(let token, let message, let count):
            let digest = KeyedHash.digest(secret: description.pairID, message: message, count: count)
            tell(host, .authenticated(token: token, digest: digest), after: drawn(around: 5_000))
        case .random(let token): tell(host, .random(token: token, randomBytes()), after: drawn(around: 5_000))
        case .loginChallenge(let token):
            tell(host, .loginChallenge(token: token, randomBytes()), after: drawn(around: 5_000))
        case .loginDigest(let token, let request):
            let digest = KeyedHash.digest(request)
            tell(host, .loginDigest(token: token, digest), after: drawn(around: 5_000))
        case .restart(let reason):
            record(.restart, host.letter, UInt64(reason.rawValue))
            crash(host, cause: .restart, then: .after(between(1_000_000, 50_000_000)))
        case .stopped: stopped(host)
        case .refuse(let reason):
            record(.refuse, host.letter, UInt64(reason.rawValue))
            fail(.refused, "\(host.id.name) refused to start: \(reason)")
        case .log(let entry): log(entry, host)
        }
    }

    private func log(_ entry: LogEntry, _ host: SimulatedHost) {
        record(.log, host.letter, UInt64(logIndex(entry.code)), entry.first, entry.second)
        switch entry.code {
        case .stateChanged, .epochChanged:
            sample()
            if host.process?.status(at: instant).state == "joining" { registerWithDevices(host) }
        case .adopted: counts.takeovers += 1
        default: break
        }
    }

    private func randomBytes() -> InlineArray<32, UInt8> {
        var bytes = InlineArray<32, UInt8>(repeating: 0)
        for index in 0..<32 { bytes[index] = UInt8(truncatingIfNeeded: random.next() >> 32) }
        return bytes
    }

    // MARK: Streams

    private func resumeReceive(_ host: SimulatedHost, _ stream: Int) {
        guard stream < host.streams.count, let slot = host.streams[stream] else { return }
        host.streams[stream]?.isPaused = false
        enqueue(.readable(stream: stream, connection: slot.connection), to: host)
    }

    private func closeStream(_ host: SimulatedHost, _ process: any SimulatedProcess, _ stream: Int) {
        guard stream < host.streams.count, let slot = host.streams[stream], !slot.isClosing else { return }
        host.streams[stream]?.isClosing = true
        pump(host, process, stream, instant)
        if host.slot(stream, slot.connection) == nil { return }
        schedule(
            .lingered(host: host.index, life: host.life, stream: stream, connection: slot.connection),
            after: Self.linger)
    }

    private func startChannelAttempt(_ host: SimulatedHost) {
        let isReachable = !links[0].isCut[0] && !links[0].isCut[1]
        let delay = isReachable ? drawn(around: parameters.networkLatency) : parameters.lease / 3
        schedule(.channelAttempt(host: host.index, life: host.life), after: delay)
    }

    func finishChannelAttempt(_ host: SimulatedHost, _ life: UInt64) {
        guard host.life == life, host.isRunning else { return }
        let partner = hosts[1 - host.index]
        guard partner.isRunning, !links[0].isCut[0], !links[0].isCut[1] else {
            record(.channel, host.letter, .max, .max)
            enqueue(.event(.channelConnected(nil)), to: host)
            return
        }
        let connection = connect(link: 0, directions: (host.index, partner.index), ends: [.closed, .closed])
        let mine = host.addStream(StreamSlot(connection: connection.number, side: 0, isChannel: true))
        let theirs = partner.addStream(StreamSlot(connection: connection.number, side: 1, isChannel: true))
        connection.ends = [.host(host.index, stream: mine), .host(partner.index, stream: theirs)]
        record(.channel, host.letter, UInt64(mine), UInt64(connection.number))
        record(.accepted, partner.letter, UInt64(theirs), UInt64(connection.number))
        enqueue(.event(.channelConnected(StreamID(UInt32(mine)))), to: host)
        enqueue(.event(.channelAccepted(StreamID(UInt32(theirs)))), to: partner)
    }

    /// An initiator reached a portal; nil when nobody listens there.
    func acceptHost(_ host: SimulatedHost, initiator: Int, path: Int, attempt: UInt64) -> Connection? {
        guard host.isRunning else { return nil }
        let link = 1 + initiator * 2 + path
        let connection = connect(link: link, directions: (0, 1), ends: [.closed, .closed])
        let stream = host.addStream(StreamSlot(connection: connection.number, side: 1, isChannel: false))
        connection.ends = [
            .initiator(initiator, path: path, attempt: attempt), .host(host.index, stream: stream),
        ]
        record(.connected, host.letter, UInt64(stream), UInt64(connection.number))
        enqueue(.event(.hostConnected(StreamID(UInt32(stream)), portal: 0)), to: host)
        return connection
    }

    /// A connection of somebody outside of the world, by the way of the first initiator; nil: nobody listens.
    func acceptOutsider(_ host: SimulatedHost) -> Connection? {
        guard host.isRunning else { return nil }
        let connection = connect(link: 1 + host.index, directions: (0, 1), ends: [.outsider, .closed])
        let stream = host.addStream(StreamSlot(connection: connection.number, side: 1, isChannel: false))
        connection.ends[1] = .host(host.index, stream: stream)
        record(.connected, host.letter, UInt64(stream), UInt64(connection.number))
        enqueue(.event(.hostConnected(StreamID(UInt32(stream)), portal: 0)), to: host)
        return connection
    }

    // MARK: Devices

    private func submit(_ request: StorageRequest, _ host: SimulatedHost) {
        let device = Int(request.device.raw)
        record(.submit, host.letter, UInt64(request.kind.rawValue), request.offset, UInt64(request.count))
        let offset = Int(clamping: request.offset)
        let isTransfer = request.kind != .flush
        guard device < devices.count, offset % 512 == 0, request.count % 512 == 0,
            !isTransfer || offset + Int(request.count) <= devices[device].count
        else {
            return fail(.contract, "\(host.id.name) asks device \(device) for bytes \(offset) + \(request.count)")
        }
        var slices: [ByteSlice] = []
        if request.kind == .read || request.kind == .write {
            slices = (0..<Int(request.sliceCount)).map { request.slices[$0] }
            guard slices.reduce(0, { $0 + $1.count }) == Int(request.count) else {
                return fail(.contract, "\(host.id.name) asks for \(request.count) bytes in slices of another sum")
            }
        }
        var entry = DeviceRequest(
            host: host.index, life: host.life, kind: request.kind, id: request.id, offset: offset,
            count: Int(request.count), slices: slices, orphaned: nil,
            checksum: request.kind == .write ? SharedDevice.checksum(slices) : 0, fault: nil)
        injectDeviceError(&entry, device)
        // A preempted registration: the device aborts the write without a word, and the lease is over before the
        // initiator of the device's session gives up.
        let isFenced = host.life <= host.fencedThrough && request.kind != .read && request.kind != .query
            && request.kind != .usage
        if isFenced {
            entry.fault = .unwritable
            entry.landing = 0
        }
        if options.lie == .lostDeviceWrites, entry.kind == .write, random.chance(1, in: 8) { entry.landing = 0 }
        let place = devices[device].start(entry)
        let latency = drawn(around: parameters.deviceLatency) + random.below(deviceExtraLatency + 1)
            + (isFenced ? 2 * parameters.lease : 0)
        schedule(.deviceDone(device: device, request: place), after: latency)
    }

    private func injectDeviceError(_ entry: inout DeviceRequest, _ device: Int) {
        guard deviceErrorRate > 0, device == deviceErrorDevice, random.chance(deviceErrorRate, in: 100) else { return }
        if entry.kind == .query || entry.kind == .allocate || entry.kind == .usage { return }
        entry.fault = entry.kind == .read ? .unreadable : .unwritable
        entry.landing = random.next() & random.next()
    }

    func finishRequest(_ device: Int, _ place: Int) {
        guard let request = devices[device].take(place) else { return }
        let host = hosts[request.host]
        let isAlive = host.isRunning && host.life == request.life
        if isAlive, request.kind == .write, SharedDevice.checksum(request.slices) != request.checksum {
            fail(.contract, "\(host.id.name) changed data under a device write at \(request.offset), under way")
        }
        let unit = device
        devices[device].transfer(request) { offset, data in self.sectorStored(unit, offset, data) }
        record(.landed, host.letter, UInt64(request.kind.rawValue), UInt64(request.offset), UInt64(request.count))
        if isAlive {
            enqueue(.event(.storageCompleted(StorageCompletion(id: request.id, fault: request.fault))), to: host)
        } else {
            finishDying(host)
        }
    }

    /// A sector is about to land on a device: its data may not be older than what lies there (invariant 5).
    private func sectorStored(_ unit: Int, _ offset: Int, _ data: UnsafeRawPointer) {
        guard offset >= Int(DeviceLayout.labelArea), let sector = sector(atDevice: offset),
            sector < parameters.unitSectors,
            let new = SectorPattern.quickWrite(data, seed: options.seed) ?? zeroWrite(data)
        else { return }
        guard let old = SectorPattern.quickWrite(devices[unit].bytes + offset, seed: options.seed) else { return }
        if oracle.isGoingBack(unit: unit, sector: sector, from: old, to: new) {
            fail(.versionWentBack, "unit \(unit) sector \(sector): write \(new) lands on the device over write \(old)")
        }
    }

    /// The sector of a unit that stands at byte `offset` of its device; nil for a trailer.
    private func sector(atDevice offset: Int) -> Int? {
        let sector = (offset - Int(DeviceLayout.labelArea)) / 512
        if parameters.protection == 0 { return sector }
        let perPage = Int(UnitMap.protectedPageBytes) / 512
        return sector % perPage < PageSize.sectors ? sector / perPage * PageSize.sectors + sector % perPage : nil
    }

    /// Where a sector of a unit stands on its device.
    func place(ofSector sector: Int) -> Int {
        let trailers = parameters.protection == 0 ? 0 : sector / PageSize.sectors
        return Int(DeviceLayout.labelArea) + (sector + trailers) * 512
    }

    private func zeroWrite(_ data: UnsafeRawPointer) -> UInt32? {
        data.little64(0) == 0 && data.little64(24) == 0 ? BlockOracle.initial : nil
    }

    // MARK: The witness

    private func startWitness(_ host: SimulatedHost, expected: UInt64, record new: WitnessRecord?) {
        let place = witness.start(
            SimulatedWitness.Operation(host: host.index, life: host.life, record: new, expected: expected))
        if let new {
            record(.witnessSwap, host.letter, expected, UInt64(new.epoch), UInt64(new.state.rawValue))
        } else {
            record(.witnessRead, host.letter, UInt64(place))
        }
        if witnessIsDown {
            schedule(.witnessReply(place), after: parameters.lease / 4)
            return
        }
        let latency = random.chance(1, in: 20) ? drawn(around: parameters.lease / 8) : drawn(around: 500_000)
        schedule(.witnessEffect(place), after: latency / 2)
        schedule(.witnessReply(place), after: latency)
    }

    func finishWitness(_ place: Int) {
        guard var operation = witness.finish(place) else { return }
        let host = hosts[operation.host]
        guard host.life == operation.life, host.isRunning else { return }
        if witnessLosesReplies, random.chance(1, in: 2) {
            operation.answer = .unreachable
            operation.won = false
        }
        var sequence = UInt64.max
        var epoch = UInt64.max
        if case .record(let record) = operation.answer {
            sequence = record.sequence
            epoch = UInt64(record.epoch)
        }
        record(.witnessAnswer, host.letter, sequence, epoch, operation.won ? 1 : 0)
        let event: ControllerEvent = operation.record == nil
            ? .witnessRead(operation.answer) : .witnessSwapped(operation.answer, won: operation.won)
        enqueue(.event(event), to: host)
    }
}
