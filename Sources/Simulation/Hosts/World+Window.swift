import Controller
import PagingFormats
import Primitives

// The window: one controller's way into the other's mirror area. It counts as cut in the direction in which the
// channel is cut.
extension World {
    /// Time between two tries to open a window.
    private static var windowRetry: UInt64 { 250_000_000 }

    /// The window opens to a partner that is there and awake; else it is tried again while it is wanted.
    func finishWindowAttempt(_ host: SimulatedHost, _ life: UInt64) {
        guard host.life == life, host.isRunning, host.wantsWindow, host.window == nil else { return }
        let partner = hosts[1 - host.index]
        guard partner.isRunning, !partner.isHung, !host.isHung, !isWindowCut(host) else {
            return schedule(.windowAttempt(host: host.index, life: life), after: Self.windowRetry)
        }
        host.window = partner.life
        host.watched = partner.life
        record(.windowOpen, host.letter, partner.life)
        enqueue(.event(.windowOpened(layout: partner.layout, incarnation: partner.life)), to: host)
    }

    private func isWindowCut(_ host: SimulatedHost) -> Bool { links[0].isCut[host.index] }

    /// Stores the word that the controller wants, or `closed` while the partner is cut off from it.
    func showWindowWord(_ host: SimulatedHost) {
        if !host.isRunning || host.isHung { return }
        let isCutOff = links[0].isCut[1 - host.index]
        SharedWord.store(
            isCutOff ? WindowWord.closed : host.wantedWindowWord, at: host.region + RegionLayout.controlOffset)
    }

    func closeWindow(_ host: SimulatedHost) {
        finishPlacements(host)
        host.wantsWindow = false
        host.window = nil
        record(.windowClose, host.letter)
    }

    /// The window is gone without the controller's doing.
    func loseWindow(_ host: SimulatedHost) {
        guard host.isRunning, host.window != nil else { return }
        closeWindow(host)
        enqueue(.event(.windowClosed), to: host)
    }

    private func isWordRight(_ host: SimulatedHost, _ expected: UInt64) -> Bool {
        guard expected != WindowWord.closed, host.window != nil, !isWindowCut(host) else { return false }
        return SharedWord.load(hosts[1 - host.index].region + RegionLayout.controlOffset) == expected
    }

    /// Copies a frame and its header into the partner's memory, the seal last. Whether it counts is found out behind
    /// the last effect of the batch.
    func place(_ placement: WindowPlacement, _ host: SimulatedHost, _ process: any SimulatedProcess) {
        let partner = hosts[1 - host.index]
        let slot = Int(placement.slot)
        let frame = Int(placement.frame.raw)
        guard slot >= partner.layout.mirrorStart, slot < partner.layout.frames, frame < host.layout.frames else {
            return fail(.contract, "\(host.id.name) places frame \(frame) in slot \(slot), not of the mirror area")
        }
        let expected = process.expectedWindowWord
        if expected != host.expectedWord { finishPlacements(host) }
        let source = host.region + host.layout.frame(frame)
        record(
            .place, host.letter, UInt64(placement.token), UInt64(slot),
            UInt64(Checksum.crc32c(source, PageSize.bytes)))
        if options.lie == .placementUnchecked {
            return tell(host, .placed(token: placement.token, ok: true), after: 1)
        }
        guard isWordRight(host, expected) else {
            return tell(host, .placed(token: placement.token, ok: false), after: 1)
        }
        if options.lie != .placementNotCopied, !copy(frame, slot, host, partner) { return }
        host.expectedWord = expected
        host.placed.append(placement.token)
    }

    /// Behind the last seal of a batch: a fence, then the partner's word, then the answers.
    func finishPlacements(_ host: SimulatedHost) {
        if host.placed.isEmpty { return }
        SharedWord.fence()
        let counts = isWordRight(host, host.expectedWord)
        let tokens = host.placed
        host.placed.removeAll()
        for token in tokens { tell(host, .placed(token: token, ok: counts), after: 1) }
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
        (target + 8).copyMemory(from: source + 8, byteCount: FrameHeader.length(source) - 8)
        if strikesInPlacement(host) { return false }
        SharedWord.store(SharedWord.load(source), at: target)
        return true
    }

    /// An armed crash may strike between the steps of a placement; a hang waits for the next effect.
    private func strikesInPlacement(_ host: SimulatedHost) -> Bool {
        guard let armed = host.armed, armed.hang == nil else { return false }
        return strikes(host)
    }

    /// Opens the header of a slot of the partner's mirror area.
    func clear(_ slot: UInt32, _ host: SimulatedHost, _ process: any SimulatedProcess) {
        record(.clear, host.letter, UInt64(slot))
        touch(slot, host, process) { FrameHeader.open(at: $0) }
    }

    /// Settles the header of a slot of the partner's mirror area.
    func settle(_ slot: UInt32, _ host: SimulatedHost, _ process: any SimulatedProcess) {
        record(.settle, host.letter, UInt64(slot))
        touch(slot, host, process) { FrameHeader.settle(at: $0) }
    }

    /// Changes a header of the mirror area. A memory whose word is not the expected one is not touched: the controller
    /// learns that the window is closed.
    private func touch(
        _ slot: UInt32, _ host: SimulatedHost, _ process: any SimulatedProcess,
        _ change: (UnsafeMutableRawPointer) -> Void
    ) {
        let partner = hosts[1 - host.index]
        guard Int(slot) >= partner.layout.mirrorStart, Int(slot) < partner.layout.frames else {
            return fail(.contract, "\(host.id.name) touches slot \(slot), which is not of the mirror area")
        }
        if host.window == nil { return }
        guard isWordRight(host, process.expectedWindowWord) else { return loseWindow(host) }
        change(partner.region + partner.layout.header(Int(slot)))
    }
}
