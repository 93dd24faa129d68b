import CLinux
import Controller
import Devices
import Glibc
import PagingFormats
import Primitives

// The reactor's beginning and end, its timers, its signals and its side door.
extension Reactor where Engine: ~Copyable {
    /// Puts every descriptor into the epoll set, and says that the controller is there.
    mutating func begin() {
        for (index, descriptor) in plant.listeners.portals.enumerated() {
            poller.add(descriptor, .portal, index: index)
        }
        if plant.listeners.channel >= 0 { poller.add(plant.listeners.channel, .channelListener) }
        if plant.listeners.window >= 0 { poller.add(plant.listeners.window, .windowListener) }
        poller.add(plant.devices.wakeDescriptor, .devices)
        poller.add(plant.witnessWake, .witness)
        poller.add(plant.control.wakeDescriptor, .control)
        poller.add(stopWake, .stopSignal)
        if plant.settings.handlesSignals { _ = gemel_stop_signals(stopWake) }
        let now = Platform.now
        if plant.settings.partnerWindow != nil { stepPartner(at: now) }
        feed.append(.tick)
        notice.say("READY=1")
        if let interval = notice.interval { nextWatchdog = now + interval }
    }

    /// Closes everything; what the device set has in flight is waited for when it goes.
    mutating func end() {
        notice.say("STOPPING=1")
        if plant.settings.handlesSignals { _ = gemel_stop_signals(-1) }
        plant.control.shut()
        for index in 0..<streams.capacity where streams[index].descriptor >= 0 { close(streams[index].descriptor) }
        for descriptor in plant.listeners.portals { close(descriptor) }
        for descriptor in [plant.listeners.channel, plant.listeners.window, spare, stopWake, windowState.dial]
        where descriptor >= 0 { close(descriptor) }
        if plant.listeners.window >= 0 { unlink(plant.listeners.windowPath) }
        plant.witness.stop()
        close(plant.witnessWake)
    }

    /// What one ready descriptor means.
    mutating func dispatch(_ ready: Poller.Ready) {
        switch ready.subject {
        case .stream: streamReady(ready)
        case .portal: accept(plant.listeners.portals[ready.index], portal: UInt16(truncatingIfNeeded: ready.index))
        case .channelListener: accept(plant.listeners.channel, portal: nil)
        case .windowListener: serveWindow()
        case .windowDial: receiveWindow()
        case .devices: collectDevices()
        case .witness: collectWitness()
        case .control: answerControl()
        case .stopSignal: stopSignalled()
        case .partner: partnerProcessEnded()
        }
    }

    /// Everything that is due.
    mutating func timers(at now: Instant) {
        if now >= engine.nextDeadline { feed.append(.tick) }
        if now >= streamDeadline { expireStreams(at: now) }
        if now >= windowState.nextTry { dialWindow(at: now) }
        if plant.settings.partnerWindow != nil && now >= plant.partner.nextStep { stepPartner(at: now) }
        if now >= nextWatchdog, let interval = notice.interval {
            notice.say("WATCHDOG=1")
            nextWatchdog = now + interval
        }
    }

    /// The first signal asks for a clean stop, the second ends the process.
    private mutating func stopSignalled() {
        var count: UInt64 = 0
        if read(stopWake, &count, 8) != 8 { return }
        stopSignals += Int(Swift.min(count, 2))
        if stopSignals >= 2 { outcome = .halted } else { feed.append(.stop) }
    }

    /// Calls of the side door; those that change something are answered when it is in effect.
    private mutating func answerControl() {
        var count: UInt64 = 0
        _ = read(plant.control.wakeDescriptor, &count, 8)
        while let (command, reply) = plant.control.take() {
            switch command {
            case .status:
                reply.give(.status(engine.status(at: Platform.now)))
                continue
            case .moveHome(let unit, let to): feed.append(.moveHome(unit: unit, to: to))
            case .maintenance(let isOn): feed.append(.maintenance(isOn))
            case .stop: feed.append(.stop)
            case .halt: outcome = .halted
            case .cutChannel(let direction, let isCut): cut(direction, isCut)
            }
            replies.append(reply)
        }
    }

    /// The engine's last word.
    mutating func conclude(_ result: ProcessOutcome, at now: Instant) {
        if outcome != nil { return }
        outcome = result
        outcomeDeadline = now + Limits.lingerPatience
    }

    func log(_ text: String) { plant.settings.log(text) }
}
