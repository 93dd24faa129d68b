import CLinux
import Controller
import Glibc
import PagingFormats
import Primitives

// The partner's process, its memory at start-up, and the cut of the channel.
extension Reactor where Engine: ~Copyable {
    /// Looks after the partner's process, or goes on fencing it.
    mutating func stepPartner(at now: Instant) {
        let before = plant.partner.pidfd
        let news = plant.partner.step(at: now)
        watchPartner(insteadOf: before)
        tell(news)
    }

    mutating func fence(at now: Instant) {
        guard plant.settings.partnerWindow != nil else {
            feed.append(.fenced(false))
            return
        }
        let before = plant.partner.pidfd
        plant.partner.beginFence(at: now)
        watchPartner(insteadOf: before)
        stepPartner(at: now)
    }

    /// The partner's pidfd is readable.
    mutating func partnerProcessEnded() {
        let now = Platform.now
        if plant.partner.isFencing {
            stepPartner(at: now)
        } else if plant.partner.hasEnded {
            poller.remove(plant.partner.pidfd)
            tell(plant.partner.processEnded(at: now))
        }
    }

    private mutating func tell(_ news: PartnerProcess.News) {
        if news.ended { feed.append(.partnerEnded) }
        if let proof = news.fenced { feed.append(.fenced(proof)) }
    }

    /// Keeps the epoll set in step with the pidfd; one that was closed has left the set by itself.
    mutating func watchPartner(insteadOf before: Int32) {
        let present = plant.partner.pidfd
        if present >= 0 && present != before { poller.add(present, .partner) }
    }

    mutating func adoptPartnerMemory() {
        foreign = nil
        if let identity = plant.settings.partnerMemory {
            foreign = ForeignMemory(path: plant.partner.path, identity: identity)
        }
        switch foreign {
        case .some(let memory): feed.append(.partnerMemory(memory.base, memory.layout))
        case .none: feed.append(.partnerMemory(nil, nil))
        }
    }

    /// The channel fault: bytes of a direction that is cut are dropped, connections are neither made nor taken, and the
    /// window counts as cut with it. Mending closes the streams that lost bytes, as a mended cable resets them.
    mutating func cut(_ direction: ChannelDirection, _ isCut: Bool) {
        switch direction {
        case .toPartner:
            isCutToPartner = isCut
            if isCut { loseWindow() }
        case .fromPartner:
            isCutFromPartner = isCut
            showWindowWord()
        }
        if isCut { return }
        for index in 0..<streams.capacity where streams[index].isChannel && streams[index].isHoled {
            streams[index].isHoled = false
            drop(index)
        }
    }
}
