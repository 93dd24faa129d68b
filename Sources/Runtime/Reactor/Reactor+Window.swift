import CLinux
import Controller
import Glibc
import PagingFormats
import Primitives

/// How far the reactor is with the partner's window.
struct WindowState: ~Copyable {
    /// The engine wants it: `openWindow` came, and no `closeWindow`.
    var isWanted = false
    /// Connection to the partner's window server, waiting for the offer; -1 for none.
    var dial: Int32 = -1
    /// When the server is tried next.
    var nextTry = Instant.never
    /// Placements of this batch whose pages are copied; those after the first `sealed` wait for their seals, and all
    /// for the look at the window word.
    var placed = Queue<WindowPlacement>(capacity: 256)
    var sealed = 0
    /// A header was opened since the last fence: what is copied past the caches must not overtake it.
    var hasCleared = false
    /// The word that they need.
    var expected = WindowWord.closed
}

// Both sides of the window: serving our own memory, and placing in the partner's.
extension Reactor where Engine: ~Copyable {
    // Our memory.

    /// Sets our own window word. While the partner is cut off from us, what it places may not count: it sees `closed`.
    mutating func setWindowWord(_ word: UInt64) {
        wantedWindowWord = word
        showWindowWord()
    }

    mutating func showWindowWord() {
        let word = isCutFromPartner ? WindowWord.closed : wantedWindowWord
        SharedWord.store(word, at: plant.memory.base + RegionLayout.controlOffset)
    }

    /// Answers the partner's connections with our memory and a pidfd of ours.
    mutating func serveWindow() {
        for _ in 0..<Limits.accepts {
            let connection = gemel_accept(plant.listeners.window)
            if connection < 0 { return }
            defer { close(connection) }
            if isCutFromPartner { continue }
            let settings = plant.settings
            let offer = WindowOffer(
                controller: UInt32(settings.controller.rawValue), pairID: settings.pairID, layout: plant.memory.layout,
                pid: getpid(), incarnation: settings.incarnation,
                memoryID: plant.memory.superblock?.memoryID ?? .none)
            let memory = plant.memory.openAnew()
            if !WindowHandover.serve(connection, offer, memory: memory) {
                log("a connection to the window's socket was refused: not of this user, or already gone")
            }
            if memory >= 0 { close(memory) }
        }
    }

    // The partner's memory.

    /// Tries until the window is open or no longer wanted.
    mutating func openWindow(at now: Instant) {
        windowState.isWanted = plant.settings.partnerWindow != nil
        if windowState.isWanted { dialWindow(at: now) }
    }

    mutating func dialWindow(at now: Instant) {
        hangUpWindow()
        guard windowState.isWanted, let path = plant.settings.partnerWindow else {
            windowState.nextTry = .never
            return
        }
        windowState.nextTry = now + Limits.windowRetry
        if isCutToPartner { return }
        windowState.dial = gemel_dial_unix(path)
        if windowState.dial >= 0 { poller.add(windowState.dial, .windowDial) }
    }

    private mutating func hangUpWindow() {
        if windowState.dial >= 0 { close(windowState.dial) }
        windowState.dial = -1
    }

    /// The partner's offer is there.
    mutating func receiveWindow() {
        guard windowState.dial >= 0 else { return }
        let received = WindowHandover.receive(windowState.dial)
        hangUpWindow()
        guard let received else { return }
        defer { close(received.memory) }
        let offer = received.offer
        guard windowState.isWanted, !isCutToPartner, offer.pairID == plant.settings.pairID,
            offer.layout.hasTrailers == plant.memory.layout.hasTrailers,
            offer.controller == UInt32(plant.settings.controller.partner.rawValue)
        else {
            close(received.pidfd)
            return
        }
        let before = plant.partner.pidfd
        if before >= 0 { poller.remove(before) }
        plant.partner.adopt(pidfd: received.pidfd, pid: offer.pid)
        watchPartner(insteadOf: -1)
        window = nil
        window = WindowMapping(offer, memory: received.memory)
        if window == nil { return }
        windowState.nextTry = .never
        feed.append(.windowOpened(layout: offer.layout, incarnation: offer.incarnation))
    }

    mutating func closeWindow() {
        finishPlacements()
        windowState.isWanted = false
        windowState.nextTry = .never
        hangUpWindow()
        window = nil
    }

    /// The window is gone without the engine's doing.
    mutating func loseWindow() {
        let wasOpen = window != nil
        closeWindow()
        if wasOpen { feed.append(.windowClosed) }
    }

    /// Whether the partner's word is what counts now.
    private borrowing func wordIsRight(_ expected: UInt64) -> Bool {
        guard expected != WindowWord.closed else { return false }
        switch window {
        case .some(let window): return window.word == expected && !window.isBroken
        case .none: return false
        }
    }

    /// Copies a page to the partner's memory. `finishPlacements` seals it, and finds out whether it counts.
    mutating func place(_ placement: WindowPlacement) {
        let expected = engine.expectedWindowWord
        if expected != windowState.expected { finishPlacements() }
        let frame = Int(placement.frame.raw)
        let layout = plant.memory.layout
        guard frame < layout.frames, wordIsRight(expected) else {
            feed.append(.placed(token: placement.token, ok: false))
            return
        }
        let page = plant.memory.base + layout.frame(frame)
        var isPlaced = false
        if windowState.hasCleared { CacheHint.finishCopies() }
        windowState.hasCleared = false
        switch window {
        case .some(let window): isPlaced = window.place(page: page, slot: placement.slot)
        case .none: break
        }
        if isPlaced {
            windowState.expected = expected
            windowState.placed.append(placement)
        } else {
            feed.append(.placed(token: placement.token, ok: false))
        }
    }

    /// Seals what was copied: the copies of a batch share one fence.
    private mutating func sealPlacements() {
        if windowState.sealed == windowState.placed.count { return }
        CacheHint.finishCopies()
        let layout = plant.memory.layout
        while windowState.sealed < windowState.placed.count {
            let next = windowState.placed[windowState.sealed]
            windowState.sealed += 1
            let header = plant.memory.base + layout.header(Int(next.frame.raw))
            switch window {
            case .some(let window): window.seal(header: header, slot: next.slot)
            case .none: break
            }
        }
    }

    /// Behind the last seal of a batch: a fence, then the partner's word, then the answers. Their clock is read later.
    mutating func finishPlacements() {
        if windowState.placed.isEmpty { return }
        sealPlacements()
        windowState.sealed = 0
        SharedWord.fence()
        let counts = wordIsRight(windowState.expected)
        while let next = windowState.placed.popFirst() { feed.append(.placed(token: next.token, ok: counts)) }
        if gemel_mapping_faulted() != 0 {
            log("the partner's memory file was truncated under the window")
            loseWindow()
        }
    }

    /// Opens or settles a header in the partner's memory. A memory whose word is not ours is not touched: the engine
    /// learns that the window is closed, and uses messages.
    mutating func touch(_ slot: UInt32, settles: Bool) {
        if window == nil { return }
        // In their order: a page that is placed and then cleared must end up cleared.
        sealPlacements()
        guard wordIsRight(engine.expectedWindowWord) else {
            loseWindow()
            return
        }
        switch window {
        case .some(let window):
            if settles { window.settle(slot: slot) } else { window.clear(slot: slot) }
            windowState.hasCleared = true
        case .none: break
        }
    }
}
