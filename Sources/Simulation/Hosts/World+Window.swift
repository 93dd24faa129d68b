import Controller
import PagingFormats
import Primitives

// The window: one controller's way into the other's mirror area, and the partner's end.
extension World {
    /// The window is open to a partner that is there and awake, and is cut together with the channel.
    func finishWindowAttempt(_ host: SimulatedHost, _ life: UInt64) {
        let partner = hosts[1 - host.index]
        guard host.life == life, host.isRunning, partner.isRunning, !partner.isHung, !isWindowCut else { return }
        host.window = partner.life
        host.windowWord = SharedWord.load(partner.region + RegionLayout.controlOffset)
        record(.windowOpen, host.letter, partner.life)
        enqueue(.event(.windowOpened(layout: partner.layout, incarnation: partner.life)), to: host)
    }

    var isWindowCut: Bool { links[0].isCut[0] || links[0].isCut[1] }

    /// Copies a frame and its header into the partner's memory, the seal last, then looks at the window word.
    func place(_ placement: WindowPlacement, _ host: SimulatedHost) {
        let partner = hosts[1 - host.index]
        let slot = Int(placement.slot)
        let frame = Int(placement.frame.raw)
        guard slot >= partner.layout.mirrorStart, slot < partner.layout.frames, frame < host.layout.frames else {
            return fail(.contract, "\(host.id.name) places frame \(frame) in slot \(slot), not of the mirror area")
        }
        let source = host.region + host.layout.frame(frame)
        record(
            .place, host.letter, UInt64(placement.token), UInt64(slot),
            UInt64(Checksum.crc32c(source, PageSize.bytes)))
        let isUnchecked = options.plantedBug == .placementUnchecked
        var isGood = false
        if host.window != nil, !isWindowCut {
            if options.plantedBug != .placementNotCopied, !copy(frame, slot, host, partner) { return }
            SharedWord.fence()
            isGood = isUnchecked || isWordRight(host, partner)
        }
        tell(host, .placed(token: placement.token, ok: isGood || isUnchecked), after: drawn(around: 1_000))
    }

    /// The copy itself, with places to die in; false when the process died there.
    private func copy(_ frame: Int, _ slot: Int, _ host: SimulatedHost, _ partner: SimulatedHost) -> Bool {
        let target = partner.region + partner.layout.header(slot)
        let source = host.region + host.layout.header(frame)
        if let old = FrameHeader(sealed: target), let new = FrameHeader(sealed: source), old.version != new.version {
            fail(
                .contract, "\(host.id.name) places version \(new.version) over the sealed version \(old.version) "
                    + "in slot \(slot)")
            return false
        }
        let data = partner.region + partner.layout.frame(slot)
        let half = PageSize.bytes / 2
        data.copyMemory(from: host.region + host.layout.frame(frame), byteCount: half)
        if strikesInPlacement(host) { return false }
        (data + half).copyMemory(from: host.region + host.layout.frame(frame) + half, byteCount: half)
        if strikesInPlacement(host) { return false }
        (target + 8).copyMemory(from: source + 8, byteCount: RegionLayout.headerBytes - 8)
        if strikesInPlacement(host) { return false }
        SharedWord.store(SharedWord.load(source), at: target)
        return true
    }

    /// An armed crash may strike between the steps of a placement; a hang waits for the next effect.
    private func strikesInPlacement(_ host: SimulatedHost) -> Bool {
        guard let armed = host.armed, armed.hang == nil else { return false }
        return strikes(host)
    }

    /// After the seal the word must show: open, by the incarnation that the window was opened to, in our own epoch
    /// (our own word's, while it is open; else the one that the partner's word showed when the window was opened).
    private func isWordRight(_ host: SimulatedHost, _ partner: SimulatedHost) -> Bool {
        guard let incarnation = host.window else { return false }
        let word = SharedWord.load(partner.region + RegionLayout.controlOffset)
        let own = SharedWord.load(host.region + RegionLayout.controlOffset)
        let epoch = own & 1 == 1 ? UInt32(own >> 32) : UInt32(host.windowWord >> 32)
        return word == WindowWord.open(epoch: epoch, incarnation: incarnation)
    }

    /// Opens the header of a slot of the partner's mirror area.
    func clear(_ slot: UInt32, _ host: SimulatedHost) {
        let partner = hosts[1 - host.index]
        record(.clear, host.letter, UInt64(slot))
        guard Int(slot) >= partner.layout.mirrorStart, Int(slot) < partner.layout.frames else {
            return fail(.contract, "\(host.id.name) clears slot \(slot), which is not of the mirror area")
        }
        guard host.window != nil else { return }
        if isWindowCut {
            // As the driver does: what cannot be cleared closes the window.
            host.window = nil
            record(.windowClose, host.letter)
            return enqueue(.event(.windowClosed), to: host)
        }
        FrameHeader.open(at: partner.region + partner.layout.header(Int(slot)))
    }

    // MARK: Ending the partner

    /// Kills whatever process of the partner there is, and waits until its device requests are complete.
    func fencePartner(_ host: SimulatedHost) {
        let partner = hosts[1 - host.index]
        record(.fence, host.letter, partner.life)
        if options.plantedBug == .fenceWithoutKill {
            tell(host, .fenced(true), after: 1000)
            return
        }
        if partner.isRunning { crash(partner, cause: .fence) }
        if options.plantedBug == .fenceWithoutProof {
            tell(host, .fenced(true), after: 1000)
            return
        }
        host.isFencing = true
        schedule(.fenceCheck(host: host.index, life: host.life), after: drawn(around: 100_000))
    }

    func checkFence(_ host: SimulatedHost, _ life: UInt64) {
        guard host.life == life, host.isRunning, host.isFencing else { return }
        let partner = hosts[1 - host.index]
        switch partner.state {
        case .dead:
            host.isFencing = false
            enqueue(.event(.fenced(true)), to: host)
        case .dying:
            if random.chance(1, in: 16) {
                host.isFencing = false
                enqueue(.event(.fenced(false)), to: host)
            } else {
                schedule(.fenceCheck(host: host.index, life: life), after: drawn(around: 500_000))
            }
        case .running:
            crash(partner, cause: .fence)
            schedule(.fenceCheck(host: host.index, life: life), after: drawn(around: 100_000))
        }
    }

    func adoptPartnerMemory(_ host: SimulatedHost) {
        let partner = hosts[1 - host.index]
        let isFree = partner.state == .dead
        record(.adopt, host.letter, isFree ? 1 : 0)
        host.holdsPartnerMemory = isFree
        let event: ControllerEvent = isFree
            ? .partnerMemory(partner.region, partner.layout) : .partnerMemory(nil, nil)
        tell(host, event, after: drawn(around: 200_000))
    }
}
