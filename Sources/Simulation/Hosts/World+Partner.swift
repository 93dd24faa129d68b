import Controller
import PagingFormats
import Primitives

// The partner's process as a driver on the same host sees it: noticing its end, ending it with proof, and taking its
// memory at start-up.
extension World {
    private static var watchInterval: UInt64 { 250_000_000 }
    private static var fencePatience: UInt64 { 1_000_000_000 }

    /// The pidfd of a partner's life is readable.
    func noticeEnd(_ host: SimulatedHost, _ life: UInt64, _ partnerLife: UInt64) {
        guard host.life == life, host.isRunning, host.watched == partnerLife else { return }
        host.watched = nil
        host.toldEnd = partnerLife
        schedule(.look(host: host.index, life: life), after: Self.watchInterval)
        if host.isFencing { return }
        record(.ended, host.letter)
        enqueue(.event(.partnerEnded), to: host)
    }

    /// While no process of the partner is known: whoever has the lock of its memory file is watched from now on; when
    /// nobody has it, that is news once.
    func look(_ host: SimulatedHost, _ life: UInt64) {
        guard host.life == life, host.isRunning, host.watched == nil else { return }
        let partner = hosts[1 - host.index]
        if host.isHung || host.isFencing || partner.state == .dying {
            return schedule(.look(host: host.index, life: life), after: Self.watchInterval)
        }
        if partner.isRunning {
            host.watched = partner.life
            return
        }
        schedule(.look(host: host.index, life: life), after: Self.watchInterval)
        if host.toldEnd == partner.life { return }
        host.toldEnd = partner.life
        record(.ended, host.letter)
        enqueue(.event(.partnerEnded), to: host)
    }

    /// Kills the partner's process that is known, else the one that has its memory file, and waits for the proof: it
    /// is gone, its device requests complete.
    func fencePartner(_ host: SimulatedHost) {
        let partner = hosts[1 - host.index]
        record(.fence, host.letter, partner.life)
        if options.lie == .fenceWithoutKill { return tell(host, .fenced(true), after: 1000) }
        if parameters.twoHosts { return takeDevices(from: partner, for: host) }
        host.isFencing = true
        host.hasToldFenceFailure = false
        host.fenceBegun = now
        host.fenceTarget = host.watched ?? (partner.state == .dead ? nil : partner.life)
        if partner.isRunning && host.fenceTarget == partner.life { crash(partner, cause: .fence) }
        if options.lie == .fenceWithoutProof {
            host.isFencing = false
            return tell(host, .fenced(true), after: 1000)
        }
        schedule(.fenceCheck(host: host.index, life: host.life), after: drawn(around: 100_000))
    }

    /// PREEMPT AND ABORT of the partner's registration: its process goes on, and its writes fail (pair-rules 5). The
    /// proof is there when none of its earlier writes can land any more. A new incarnation with a void memory holds no
    /// rights and is not fenced: it registers before it joins.
    private func takeDevices(from partner: SimulatedHost, for host: SimulatedHost) {
        let memory = Superblock(decoding: partner.region)?.memoryID
        let wasMember = memory != nil && witness.lastPaired?.member(partner.id).memory == memory
        let last = wasMember || partner.life == 0 ? partner.life : partner.life - 1
        partner.fencedThrough = Swift.max(partner.fencedThrough, last)
        host.isFencing = true
        host.fenceTarget = partner.life
        schedule(.fenceCheck(host: host.index, life: host.life), after: drawn(around: 100_000))
    }

    /// A joiner registers anew before it is recorded: an earlier fence of this incarnation took its registration.
    func registerWithDevices(_ host: SimulatedHost) {
        host.fencedThrough = Swift.min(host.fencedThrough, host.life - 1)
    }

    private func checkDevicesTaken(_ host: SimulatedHost, from partner: SimulatedHost) {
        let target = host.fenceTarget ?? partner.life
        if devices.contains(where: { $0.mayLand(host: partner.index, upTo: target) }) {
            return schedule(.fenceCheck(host: host.index, life: host.life), after: drawn(around: 1_000_000))
        }
        host.isFencing = false
        enqueue(.event(.fenced(true)), to: host)
    }

    func checkFence(_ host: SimulatedHost, _ life: UInt64) {
        guard host.life == life, host.isRunning, host.isFencing else { return }
        let partner = hosts[1 - host.index]
        if parameters.twoHosts { return checkDevicesTaken(host, from: partner) }
        // A later incarnation than the one that was to end holds no rights.
        let isProven = partner.state == .dead || (host.fenceTarget.map { $0 < partner.life } ?? false)
        if isProven {
            host.isFencing = false
            if host.watched == host.fenceTarget {
                host.watched = nil
                schedule(.look(host: host.index, life: life), after: Self.watchInterval)
            }
            host.toldEnd = host.fenceTarget ?? partner.life
            enqueue(.event(.fenced(true)), to: host)
            return
        }
        if host.fenceTarget == nil { host.fenceTarget = partner.life }
        if partner.isRunning { crash(partner, cause: .fence) }
        if !host.hasToldFenceFailure && now > host.fenceBegun + Self.fencePatience {
            host.hasToldFenceFailure = true
            enqueue(.event(.fenced(false)), to: host)
        }
        schedule(.fenceCheck(host: host.index, life: life), after: drawn(around: 5_000_000))
    }

    /// The partner's memory, locked, if nobody runs with it and it is one of this pair and boot.
    func adoptPartnerMemory(_ host: SimulatedHost) {
        let partner = hosts[1 - host.index]
        let isUsable = lookAtMemory(partner) == (false, false)
        let isFree = partner.state == .dead && isUsable && !parameters.twoHosts
        record(.adopt, host.letter, isFree ? 1 : 0)
        host.holdsPartnerMemory = isFree
        let event: ControllerEvent = isFree
            ? .partnerMemory(partner.region, partner.layout) : .partnerMemory(nil, nil)
        tell(host, event, after: drawn(around: 200_000))
    }
}
