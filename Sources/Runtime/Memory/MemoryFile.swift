import CLinux
import Controller
import Glibc
import PagingFormats
import Primitives

/// A controller's own memory file: locked, allocated and mapped for as long as the process lives.
///
/// The lock is an OFD lock on a description that is opened here and never passed to anybody: who receives a descriptor
/// shares its locks. The descriptor that the partner gets for its window is opened anew.
package struct MemoryFile: ~Copyable {
    /// Whose memory it must be.
    package struct Identity: Sendable {
        package var controller: ControllerID
        package var pairID: UInt64
        package var durability: MemoryDurability
        package var bootID: WitnessRecord.MemoryID
        package init(
            controller: ControllerID, pairID: UInt64, durability: MemoryDurability, bootID: WitnessRecord.MemoryID
        ) {
            self.controller = controller
            self.pairID = pairID
            self.durability = durability
            self.bootID = bootID
        }
    }

    package let path: String
    package let base: UnsafeMutableRawPointer
    package let layout: RegionLayout
    /// No superblock was there.
    package let isFresh: Bool
    /// A superblock or something else was there that cannot be trusted.
    package let isLost: Bool
    /// The incarnation that used the memory last, 0 when nobody knows.
    package let lastIncarnation: UInt64
    private let descriptor: Int32
    /// Blocks that are still to be given.
    private let reservation: MemoryReservation?

    /// When the file gets its blocks: all of them before the initializer returns, or beside what follows it.
    package enum Reserving: Sendable { case now, beside }

    /// How long the lock of an ending predecessor is waited for.
    static var lockPatience: Interval { .seconds(1) }

    /// Opens or makes the file, takes its lock, allocates every byte, and maps it. With `beside`, `awaitOwnArea` must
    /// be called before anything is written into the memory.
    ///
    /// - Throws: exit code 75 when another process has the lock, 78 when the file holds unwritten pages that this
    ///   controller could not use, 74 when the file system is full or fails.
    package init(
        path: String, layout: RegionLayout, identity: Identity, reserving: Reserving = .now
    ) throws(RuntimeError) {
        let fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if fd < 0 { throw Self.failed(path, "cannot be opened", errno) }
        let found: Found
        let mapped: UnsafeMutableRawPointer
        let isWhole: Bool
        do {
            try Self.lock(fd, path)
            found = try Self.examine(fd, path, layout, identity)
            isWhole = try Self.size(fd, path, layout.bytes, reserving)
            mapped = try Self.map(fd, path, layout.bytes)
        } catch {
            close(fd)
            throw error
        }
        self.path = path
        self.layout = layout
        descriptor = fd
        base = mapped
        reservation = isWhole
            ? nil : MemoryReservation(fd, path: path, first: layout.frame(layout.mirrorStart), bytes: layout.bytes)
        isFresh = found.isFresh
        isLost = found.isLost
        lastIncarnation = found.incarnation
    }

    deinit {
        reservation?.stop()
        munmap(base, layout.bytes)
        close(descriptor)
    }

    /// Waits until everything before the mirror area has its blocks. Throws exit code 74 when the file system is full.
    package func awaitOwnArea() throws(RuntimeError) {
        let code = reservation?.awaitFirst() ?? 0
        if code != 0 { throw Self.failed(path, "cannot be given \(layout.bytes) bytes", code) }
    }

    /// The superblock as it is now; its writer is the controller.
    var superblock: Superblock? { Superblock(decoding: base) }

    /// A description of its own for the partner's window; the caller closes it. Negative: a negated errno.
    func openAnew() -> Int32 {
        let fd = open("/proc/self/fd/\(descriptor)", O_RDWR | O_CLOEXEC)
        return fd < 0 ? -errno : fd
    }

    private struct Found {
        var isFresh = false
        var isLost = false
        var incarnation: UInt64 = 0
    }

    private static func lock(_ fd: Int32, _ path: String) throws(RuntimeError) {
        let patience = Platform.now + lockPatience
        while true {
            let code = gemel_try_lock(fd)
            if code == 0 { return }
            if code != -EAGAIN { throw failed(path, "cannot be locked", -code) }
            if Platform.now >= patience { break }
            usleep(10_000)
        }
        let user = readSuperblock(fd).map { " (process \($0.pid) used it last)" } ?? ""
        throw RuntimeError(
            .temporary,
            "memory file \(path) is locked by a running process\(user): the controller runs already, or its partner "
                + "is taking its pages over; stop it, or wait")
    }

    /// What the file holds, before anything is changed.
    private static func examine(
        _ fd: Int32, _ path: String, _ layout: RegionLayout, _ identity: Identity
    ) throws(RuntimeError) -> Found {
        var status = stat()
        if fstat(fd, &status) != 0 { throw failed(path, "cannot be looked at", errno) }
        if status.st_mode & S_IFMT != S_IFREG {
            throw RuntimeError(.configuration, "memory file \(path) is not a regular file")
        }
        if status.st_size == 0 { return Found(isFresh: true) }
        guard let superblock = readSuperblock(fd) else {
            return Found(isFresh: isZero(fd), isLost: !isZero(fd))
        }
        let itsLayout = superblock.layout
        let ours = superblock.pairID == identity.pairID && superblock.controller == identity.controller.rawValue
        let sameBoot = superblock.bootID == identity.bootID && identity.bootID != .none
        let whole = Int(status.st_size) == itsLayout.bytes
        let survives = sameBoot || identity.durability == .power
        let incarnation = ours ? superblock.incarnation : 0
        if ours && whole && survives && itsLayout == layout { return Found(incarnation: incarnation) }
        if whole && survives && holdsDirtyPages(fd, itsLayout) {
            throw RuntimeError(.configuration, unusable(path, ours, itsLayout, layout))
        }
        return Found(isLost: true, incarnation: incarnation)
    }

    private static func unusable(_ path: String, _ ours: Bool, _ old: RegionLayout, _ new: RegionLayout) -> String {
        let remedy = "nothing was touched; remove the file only if those writes may be lost"
        if ours {
            return "memory file \(path) holds acknowledged writes that are on no device yet, in \(old.bytes) bytes; "
                + "the configuration now says \(new.bytes)"
                + (old.hasTrailers == new.hasTrailers ? "" : ", and other units with protection information")
                + ". Start once with the old one and stop cleanly; \(remedy)"
        }
        return "memory file \(path) belongs to another array or controller and holds acknowledged writes that are on "
            + "no device yet. Start that array and stop it cleanly, or name another file; \(remedy)"
    }

    /// Gives the file its length, and its blocks now if asked; whether it has them all. A block that the file system
    /// could not give later would be a SIGBUS, so there must be room for every one.
    private static func size(
        _ fd: Int32, _ path: String, _ bytes: Int, _ reserving: Reserving
    ) throws(RuntimeError) -> Bool {
        let what = "cannot be given \(bytes) bytes"
        var status = stat()
        var system = statvfs()
        if fstat(fd, &status) != 0 || fstatvfs(fd, &system) != 0 { throw failed(path, what, errno) }
        let missing = bytes - Int(status.st_blocks) * 512
        if Int(status.st_size) == bytes && missing <= 0 { return true }
        // A file system that says nothing of its room is asked for every block now.
        if reserving == .beside && system.f_blocks > 0 {
            if missing > Int(system.f_bavail) * Int(system.f_frsize) { throw failed(path, what, ENOSPC) }
            if ftruncate(fd, bytes) != 0 { throw failed(path, what, errno) }
            return false
        }
        let code = posix_fallocate(fd, 0, bytes)
        if code != 0 { throw failed(path, what, code) }
        if ftruncate(fd, bytes) != 0 { throw failed(path, what, errno) }
        return true
    }

    private static func map(_ fd: Int32, _ path: String, _ bytes: Int) throws(RuntimeError) -> UnsafeMutableRawPointer {
        guard let base = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), base != MAP_FAILED else {
            throw failed(path, "cannot be mapped", errno)
        }
        // Huge pages, where the file system has them, keep the exit of the process short; their lack is no error.
        _ = madvise(base, bytes, 14)
        return base
    }

    private static func failed(_ path: String, _ what: String, _ code: Int32) -> RuntimeError {
        let exit: RuntimeError.ExitCode = code == ENOENT || code == ENOTDIR ? .noInput : .ioError
        return RuntimeError(exit, "memory file \(path) \(what): \(String(cString: strerror(code)))")
    }
}
