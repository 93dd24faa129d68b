import Controller
import Glibc
import PagingFormats
import Primitives
import Runtime
import Testing

@Suite struct MemoryFileTests {
    private let scratch = Scratch()
    private var path: String { scratch.file("a.memory") }

    private func refusal(_ layout: RegionLayout = Sample.layout, _ identity: MemoryFile.Identity) -> RuntimeError? {
        do {
            _ = try MemoryFile(path: path, layout: layout, identity: identity)
            return nil
        } catch {
            return error
        }
    }

    /// Makes a memory that a controller used: superblock, and a sealed page when asked.
    private func use(dirty: UInt8 = 0) throws {
        let memory = try MemoryFile(path: path, layout: Sample.layout, identity: Sample.identity())
        Sample.superblock().encode(to: memory.base)
        Sample.seal(memory.base, frame: 3, dirty: dirty)
    }

    @Test func aNewFileIsFreshAndAllocated() throws {
        let memory = try MemoryFile(path: path, layout: Sample.layout, identity: Sample.identity())
        verify(memory.isFresh && !memory.isLost && memory.lastIncarnation == 0)
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(Int(status.st_size) == Sample.layout.bytes && status.st_blocks * 512 >= status.st_size)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func aFileThatIsReservedBesideTheStartHasItsOwnAreaFirstAndAllSoon() throws {
        let memory = try MemoryFile(
            path: path, layout: Sample.layout, identity: Sample.identity(), reserving: .beside)
        try memory.awaitOwnArea()
        var status = stat()
        #expect(stat(path, &status) == 0)
        let own = Sample.layout.frame(Sample.layout.mirrorStart)
        #expect(Int(status.st_size) == Sample.layout.bytes && Int(status.st_blocks) * 512 >= own)
        #expect(eventually { stat(path, &status) == 0 && Int(status.st_blocks) * 512 >= Sample.layout.bytes })
        // A second life finds everything there, and waits for nothing.
        verify(memory.isFresh)
    }

    @Test func anEndBeforeAllIsReservedIsAnEndAtOnce() throws {
        let begun = Platform.now
        do {
            let memory = try MemoryFile(
                path: path, layout: Sample.layout, identity: Sample.identity(), reserving: .beside)
            try memory.awaitOwnArea()
        }
        #expect((Platform.now - begun) < .milliseconds(200))
        let again = try MemoryFile(
            path: path, layout: Sample.layout, identity: Sample.identity(), reserving: .beside)
        try again.awaitOwnArea()
        verify(again.isFresh)
    }

    @Test func aFileSystemWithoutRoomIsRefusedBeforeAnythingIsAllocated() {
        let layout = RegionLayout(bytes: 1 << 46)
        do {
            _ = try MemoryFile(path: path, layout: layout, identity: Sample.identity(), reserving: .beside)
            Issue.record("64 TiB were given")
        } catch {
            #expect(error.exitCode == .ioError && error.description.contains("No space left"), "\(error)")
        }
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_blocks == 0)
    }

    @Test func aUsedFileKeepsItsPagesAndIncarnation() throws {
        try use(dirty: 1)
        let memory = try MemoryFile(path: path, layout: Sample.layout, identity: Sample.identity())
        verify(!memory.isFresh && !memory.isLost && memory.lastIncarnation == 7)
        #expect(FrameHeader(sealed: memory.base + Sample.layout.header(3))?.page == 77)
    }

    @Test func aLockedFileIsRefusedWithTheReason() throws {
        let memory = try MemoryFile(path: path, layout: Sample.layout, identity: Sample.identity())
        Sample.superblock().encode(to: memory.base)
        let error = refusal(Sample.layout, Sample.identity())
        #expect(error?.exitCode == .temporary)
        #expect(error?.description.contains("locked by a running process") == true)
        withExtendedLifetime(scratch) { _ = memory.isLost }
    }

    @Test func aFileUnlockedWithinASecondIsTaken() throws {
        try use()
        let fd = open(path, O_RDWR | O_CLOEXEC)
        #expect(LockProbe.lock(fd))
        let release = Sleepless.after(200_000) { close(fd) }
        #expect(refusal(Sample.layout, Sample.identity()) == nil)
        release.join()
    }

    @Test func anotherBootLosesAVolatilePlaceButNotADurableOne() throws {
        try use(dirty: 1)
        let other = WitnessRecord.MemoryID(high: 8, low: 8)
        do {
            let durable = try MemoryFile(
                path: path, layout: Sample.layout, identity: Sample.identity(durability: .power, boot: other))
            verify(!durable.isLost)
        }
        let memory = try MemoryFile(path: path, layout: Sample.layout, identity: Sample.identity(boot: other))
        verify(memory.isLost && memory.lastIncarnation == 7)
    }

    @Test func aScribbledSuperblockIsLost() throws {
        try use(dirty: 1)
        scratch.scribble("a.memory", at: 20, [9, 9, 9])
        let memory = try MemoryFile(path: path, layout: Sample.layout, identity: Sample.identity())
        verify(memory.isLost && !memory.isFresh)
    }

    @Test func aTruncatedFileIsLostAndWholeAgain() throws {
        try use(dirty: 1)
        truncate(path, 12_000)
        let memory = try MemoryFile(path: path, layout: Sample.layout, identity: Sample.identity())
        verify(memory.isLost)
        verify(memory.base.load(fromByteOffset: Sample.layout.bytes - 1, as: UInt8.self) == 0)
    }

    @Test func unwrittenPagesOfAnotherSizeAreNeverThrownAway() throws {
        try use(dirty: 1)
        let error = refusal(RegionLayout(frames: 32, mirrorFrames: 16), Sample.identity())
        #expect(error?.exitCode == .configuration)
        #expect(error?.description.contains("Start once with the old one") == true)
    }

    @Test func aCleanMemoryOfAnotherSizeIsLostAndGrows() throws {
        try use(dirty: 0)
        let memory = try MemoryFile(
            path: path, layout: RegionLayout(frames: 32, mirrorFrames: 16), identity: Sample.identity())
        verify(memory.isLost && memory.lastIncarnation == 7)
    }

    @Test func anotherArraysUnwrittenPagesAreNeverThrownAway() throws {
        try use(dirty: 1)
        var foreign = Sample.identity()
        foreign.pairID = 1
        #expect(refusal(Sample.layout, foreign)?.exitCode == .configuration)
    }

    @Test func aFolderThatIsMissingIsNamed() {
        do {
            _ = try MemoryFile(path: "/tmp/no/such/x.memory", layout: Sample.layout, identity: Sample.identity())
            Issue.record("it was opened")
        } catch {
            #expect(error.exitCode == .noInput && error.description.contains("/tmp/no/such/x.memory"))
        }
    }
}

/// Does something on a thread of its own after some microseconds.
final class Sleepless: @unchecked Sendable {
    private var thread = pthread_t()
    private let delay: UInt32
    private let body: () -> Void

    private init(_ delay: UInt32, _ body: @escaping () -> Void) {
        self.delay = delay
        self.body = body
    }

    static func after(_ delay: UInt32, _ body: @escaping () -> Void) -> Sleepless {
        let made = Sleepless(delay, body)
        let box = Unmanaged.passRetained(made)
        pthread_create(&made.thread, nil, { argument in
            guard let argument else { return nil }
            let sleepless = Unmanaged<Sleepless>.fromOpaque(argument).takeRetainedValue()
            usleep(sleepless.delay)
            sleepless.body()
            return nil
        }, box.toOpaque())
        return made
    }

    func join() { pthread_join(thread, nil) }
}
