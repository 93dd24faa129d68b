import Controller
import Glibc
import PagingFormats
import Primitives
import Runtime
import Testing

@Suite(.serialized) struct PartnerProcessTests {
    private let scratch = Scratch()
    private var path: String { scratch.file("b.memory") }

    /// A memory file of the partner, last used by `pid`.
    private func makeMemory(pid: pid_t, startTime: UInt64, incarnation: UInt64 = 7) throws {
        let memory = try MemoryFile(path: path, layout: Sample.layout, identity: Sample.identity(.b))
        var block = Sample.superblock(.b, incarnation: incarnation)
        block.pid = UInt32(pid)
        block.pidStartTime = startTime
        block.encode(to: memory.base)
        Sample.seal(memory.base, frame: 9, dirty: 0xFF)
    }

    /// Writes another user into the superblock of a file whose lock somebody has.
    private func renameUser(pid: pid_t, startTime: UInt64) {
        var block = Sample.superblock(.b)
        block.pid = UInt32(pid)
        block.pidStartTime = startTime
        var bytes = [UInt8](repeating: 0, count: 4096)
        bytes.withUnsafeMutableBytes { if let base = $0.baseAddress { block.encode(to: base) } }
        scratch.scribble("b.memory", at: 0, bytes)
    }

    private func fence(_ partner: inout PartnerProcess, for limit: Interval = .seconds(2)) -> [Bool] {
        var told: [Bool] = []
        let end = Platform.now + limit
        partner.beginFence(at: Platform.now)
        while partner.isFencing && Platform.now < end {
            if let proof = partner.step(at: Platform.now).fenced { told.append(proof) }
            usleep(1_000)
        }
        return told
    }

    @Test func aRunningPartnerIsEndedAndProven() throws {
        try makeMemory(pid: 1, startTime: 0)
        let child = Sleeper(locking: path)
        renameUser(pid: child.pid, startTime: Platform.startTime(pid: child.pid) ?? 0)
        #expect(child.isRunning)
        var partner = PartnerProcess(path: path, pairID: Sample.pairID, at: .zero)
        #expect(fence(&partner) == [true])
        #expect(eventually { !child.isRunning })
        #expect(PartnerMemoryState.look(path) == .free(PartnerProcessTests.superblock(in: path)))
    }

    @Test func aReusedPidIsNeverSignalled() throws {
        try makeMemory(pid: 1, startTime: 0)
        let child = Sleeper(locking: path)
        renameUser(pid: child.pid, startTime: 1)
        var partner = PartnerProcess(path: path, pairID: Sample.pairID, at: .zero)
        #expect(fence(&partner, for: .milliseconds(1_300)) == [false], "no proof while somebody has the lock")
        #expect(child.isRunning)
    }

    @Test func anotherPairsProcessIsNeverSignalled() throws {
        try makeMemory(pid: 1, startTime: 0)
        let child = Sleeper(locking: path)
        renameUser(pid: child.pid, startTime: Platform.startTime(pid: child.pid) ?? 0)
        var partner = PartnerProcess(path: path, pairID: 999, at: .zero)
        #expect(fence(&partner, for: .milliseconds(100)) == [])
        #expect(child.isRunning)
    }

    @Test func aFileWithoutAUserIsProofEnough() throws {
        try makeMemory(pid: 1, startTime: 0)
        var partner = PartnerProcess(path: path, pairID: Sample.pairID, at: .zero)
        #expect(fence(&partner) == [true])
    }

    @Test func aPartnerThatNeverRanIsProofEnough() {
        var partner = PartnerProcess(path: scratch.file("none"), pairID: Sample.pairID, at: .zero)
        #expect(fence(&partner) == [true])
    }

    @Test func theEndOfAPartnerIsToldOnce() throws {
        try makeMemory(pid: 1, startTime: 0)
        var partner = PartnerProcess(path: path, pairID: Sample.pairID, at: .zero)
        #expect(partner.step(at: Platform.now).ended, "nobody has the lock at the start")
        #expect(!partner.step(at: Platform.now).ended)
        let child = Sleeper(locking: path)
        renameUser(pid: child.pid, startTime: Platform.startTime(pid: child.pid) ?? 0)
        #expect(!partner.step(at: Platform.now).ended)
        #expect(partner.pidfd >= 0 && !partner.hasEnded)
        kill(child.pid, SIGKILL)
        #expect(eventually { partner.hasEnded })
        #expect(partner.processEnded(at: Platform.now).ended)
        #expect(!partner.step(at: Platform.now).ended)
    }

    @Test func theMemoryOfAPartnerThatRunsIsNotAdopted() throws {
        try makeMemory(pid: 1, startTime: 0)
        #expect(Self.pageOfAdopted(path) == 77)
        let child = Sleeper(locking: path)
        #expect(Self.pageOfAdopted(path) == nil)
        #expect(child.isRunning)
    }

    @Test func anAdoptedMemoryIsLockedAndNotChanged() throws {
        try makeMemory(pid: 1, startTime: 0)
        guard let foreign = ForeignMemory(path: path, identity: Sample.identity(.b)) else {
            Issue.record("not adopted")
            return
        }
        FrameHeader.open(at: foreign.base + foreign.layout.header(9))
        #expect(PartnerMemoryState.proveFree(path) == false)
        #expect(Self.pageOnFile(path, frame: 9) == 77, "the mapping is copy-on-write")
        _ = foreign.layout
    }

    @Test func aMemoryOfAnotherBootIsNotAdopted() throws {
        try makeMemory(pid: 1, startTime: 0)
        let other = Sample.identity(.b, boot: .init(high: 3, low: 3))
        if ForeignMemory(path: path, identity: other) != nil { Issue.record("adopted") }
    }

    private static func superblock(in path: String) -> Superblock? {
        if case .free(let block) = PartnerMemoryState.look(path) { return block }
        return nil
    }

    private static func pageOfAdopted(_ path: String) -> UInt64? {
        guard let foreign = ForeignMemory(path: path, identity: Sample.identity(.b)) else { return nil }
        return FrameHeader(sealed: foreign.base + foreign.layout.header(9))?.page
    }

    private static func pageOnFile(_ path: String, frame: Int) -> UInt64? {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(fd) }
        var bytes = [UInt64](repeating: 0, count: 16)
        return bytes.withUnsafeMutableBytes { room in
            guard let base = room.baseAddress, pread(fd, base, 128, Sample.layout.header(frame)) == 128 else {
                return nil
            }
            return FrameHeader(sealed: base)?.page
        }
    }
}
