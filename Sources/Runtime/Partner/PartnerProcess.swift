import CLinux
import Glibc
import PagingFormats
import Primitives

/// The partner's process on this host: notices its end, and ends it with proof (pair-rules 5).
///
/// It is named by a pidfd: the one that the partner opened of itself and passed with its window, else one opened from
/// the pid in its memory file and accepted only if the process started when the file says. A pid alone is never
/// signalled.
package struct PartnerProcess: ~Copyable {
    /// What a look or a step found out; the reactor turns it into events.
    package struct News: Equatable, Sendable {
        package var ended = false
        package var fenced: Bool?
        package init() {}
    }

    private struct Fence {
        var begun: Instant
        /// The process that is to end; 0 when nobody was found.
        var pid: Int32
        var toldFailure = false
    }

    let path: String
    private let pairID: UInt64
    /// -1 while no process is known. The reactor waits for it to be readable, which means that the process is gone.
    package private(set) var pidfd: Int32 = -1
    private var pid: Int32 = 0
    private var fence: Fence?
    /// The incarnation whose end was told last; nil before anything was told.
    private var toldEnd: UInt64?
    /// When `step` is wanted next.
    package private(set) var nextStep: Instant

    enum Limits {
        static var watchInterval: Interval { .milliseconds(250) }
        static var fenceInterval: Interval { .milliseconds(5) }
        /// After this long without proof the controller is told, and trying goes on.
        static var fencePatience: Interval { .seconds(1) }
    }

    /// - Parameter path: the partner's memory file.
    package init(path: String, pairID: UInt64, at now: Instant) {
        self.path = path
        self.pairID = pairID
        nextStep = now
    }

    deinit { if pidfd >= 0 { close(pidfd) } }

    /// The process that the pidfd names is gone; an event may be about an earlier pidfd.
    package var hasEnded: Bool { pidfd >= 0 && gemel_pidfd_ended(pidfd) == 1 }

    /// A fence is under way.
    package var isFencing: Bool { fence != nil }

    /// The window brought the partner's own pidfd, which is now ours.
    package mutating func adopt(pidfd new: Int32, pid: Int32) {
        forget()
        pidfd = new
        self.pid = pid
    }

    /// The pidfd was readable: the process has ended.
    package mutating func processEnded(at now: Instant) -> News {
        forget()
        nextStep = now
        var news = News()
        news.ended = fence == nil
        rememberEnd()
        return news
    }

    /// The end of whoever used the memory file last is no news any more.
    private mutating func rememberEnd() {
        switch PartnerMemoryState.look(path) {
        case .free(let superblock): toldEnd = superblock?.incarnation ?? 0
        case .missing: toldEnd = 0
        case .held, .unknown: break
        }
    }

    /// Begins to end the partner; `step` has the result.
    package mutating func beginFence(at now: Instant) {
        if pidfd < 0 { find(PartnerMemoryState.look(path)) }
        fence = Fence(begun: now, pid: pidfd >= 0 ? pid : 0)
        kill()
        nextStep = now
    }

    /// Ends the partner's process without a proof being wanted (it holds the witness's lock). False when no process
    /// is known.
    package mutating func end() -> Bool {
        if pidfd < 0 { find(PartnerMemoryState.look(path)) }
        if pidfd < 0 || pid == getpid() { return false }
        kill()
        return true
    }

    /// Looks and tries; called when `nextStep` has come.
    package mutating func step(at now: Instant) -> News {
        var news = News()
        if let fence {
            nextStep = now + Limits.fenceInterval
            if proven(fence) {
                self.fence = nil
                forget()
                rememberEnd()
                news.fenced = true
            } else if !fence.toldFailure && now >= fence.begun + Limits.fencePatience {
                self.fence?.toldFailure = true
                news.fenced = false
            }
            return news
        }
        nextStep = now + Limits.watchInterval
        if pidfd < 0 { news.ended = watch() }
        return news
    }

    /// Looks for the partner's process while none is known; true when its end is news.
    private mutating func watch() -> Bool {
        let state = PartnerMemoryState.look(path)
        switch state {
        case .unknown: return false
        case .held:
            find(state)
            return false
        case .missing:
            defer { toldEnd = 0 }
            return toldEnd == nil
        case .free(let superblock):
            let incarnation = superblock?.incarnation ?? 0
            defer { toldEnd = incarnation }
            return toldEnd != incarnation
        }
    }

    /// Opens a pidfd from the memory file's word, if the process that has the lock is surely the one it names.
    private mutating func find(_ state: PartnerMemoryState) {
        guard case .held(let superblock?) = state, superblock.pairID == pairID,
            let candidate = Int32(exactly: superblock.pid), candidate > 1
        else { return }
        let opened = gemel_pidfd_open(candidate)
        if opened < 0 { return }
        // The start time is compared after the pidfd was opened: from here on the pid cannot be somebody else's.
        if Platform.startTime(pid: candidate) != superblock.pidStartTime || gemel_pidfd_ended(opened) != 0 {
            close(opened)
            return
        }
        pidfd = opened
        pid = candidate
    }

    /// Sent is not proof; and a controller never ends itself, whatever a file says.
    private func kill() {
        if pidfd >= 0 && pid != getpid() { _ = gemel_pidfd_signal(pidfd, SIGKILL) }
    }

    private mutating func proven(_ fence: Fence) -> Bool {
        if pidfd >= 0 {
            if gemel_pidfd_ended(pidfd) != 1 {
                kill()
                return false
            }
            forget()
        }
        if PartnerMemoryState.proveFree(path) { return true }
        let state = PartnerMemoryState.look(path)
        // The process that was to end has ended, and its lock is another's: a new incarnation, which holds no rights.
        if case .held(let superblock?) = state, fence.pid != 0, superblock.pid != UInt32(bitPattern: fence.pid) {
            return true
        }
        if fence.pid == 0 {
            find(state)
            if pidfd >= 0 {
                self.fence?.pid = pid
                kill()
            }
        }
        return false
    }

    private mutating func forget() {
        if pidfd >= 0 { close(pidfd) }
        pidfd = -1
        pid = 0
    }
}
