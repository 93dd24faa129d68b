import PagingFormats
import Primitives

// The window: ours on the partner's memory, and the word that says whether the partner's on ours counts.
extension PairEngine {
    /// Asks for the window while we are members that know of each other, and gives it up when we are not.
    mutating func keepWindow(at now: Instant) {
        guard state == .paired, configuration.partnerOnThisHost, !configuration.single else { return }
        guard partner.confirmed, !window.isOpen, due(window.askAt, now) else { return }
        // Answered when it is open, or not at all: then asked for again.
        window.askAt = now + PairTimes.windowRetry
        _ = due(window.askAt, now)
        effects.append(.openWindow)
    }

    mutating func windowOpened(_ incarnation: UInt64, at now: Instant) {
        guard state == .paired, incarnation == record?.member(other).incarnation else {
            effects.append(.closeWindow)
            return
        }
        if window.isOpen { return }
        window.isOpen = true
        effects.append(.order(.window(open: true)))
        effects.append(.log(PairLog(.windowOpened, incarnation)))
    }

    mutating func windowClosed(at now: Instant) {
        guard window.isOpen else { return }
        window.isOpen = false
        window.askAt = now + PairTimes.windowRetry
        effects.append(.order(.window(open: false)))
        effects.append(.log(PairLog(.windowClosed)))
    }

    /// Leaving `paired`: no placement of the partner counts any more, and we make none.
    mutating func closeWindow() {
        if window.wordIsOpen { effects.append(.setWindowWord(WindowWord.closed)) }
        if window.isOpen {
            effects.append(.closeWindow)
            effects.append(.order(.window(open: false)))
            effects.append(.log(PairLog(.windowClosed)))
        }
        window = WindowProgress()
    }
}
