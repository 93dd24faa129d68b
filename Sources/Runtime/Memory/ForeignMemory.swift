import CLinux
import Controller
import Glibc
import PagingFormats
import Primitives

/// The partner's memory file while its owner does not run: what stands in it, whether anybody has its lock, and, for
/// a takeover at start-up, a locked mapping of it.
package enum PartnerMemoryState: Equatable, Sendable {
    /// No controller ever ran with it.
    case missing
    /// Nobody has the lock.
    case free(Superblock?)
    /// A process has the lock: the partner runs, or is not yet gone.
    case held(Superblock?)
    /// The kernel does not say.
    case unknown

    /// Looks without taking anything, so that a partner that starts meanwhile is not disturbed.
    package static func look(_ path: String) -> PartnerMemoryState {
        let fd = open(path, O_RDWR | O_CLOEXEC)
        if fd < 0 { return errno == ENOENT || errno == ENOTDIR ? .missing : .unknown }
        defer { close(fd) }
        let superblock = MemoryFile.readSuperblock(fd)
        switch gemel_lock_is_held(fd) {
        case 0: return .free(superblock)
        case 1: return .held(superblock)
        default: return .unknown
        }
    }

    /// Takes the lock and gives it back at once: the proof that no process of the partner is left.
    package static func proveFree(_ path: String) -> Bool {
        let fd = open(path, O_RDWR | O_CLOEXEC)
        if fd < 0 { return errno == ENOENT || errno == ENOTDIR }
        defer { close(fd) }
        return gemel_try_lock(fd) == 0
    }
}

/// The partner's memory, locked by us and mapped copy-on-write: a reader that changes something changes its own copy.
package struct ForeignMemory: ~Copyable {
    package let base: UnsafeMutableRawPointer
    package let layout: RegionLayout
    private let descriptor: Int32

    /// nil when the file is missing, in use, not the partner's, or counts as lost (another boot in a volatile place).
    package init?(path: String, identity: MemoryFile.Identity) {
        let fd = open(path, O_RDWR | O_CLOEXEC)
        if fd < 0 { return nil }
        guard gemel_try_lock(fd) == 0, let superblock = MemoryFile.readSuperblock(fd),
            let layout = Self.usable(fd, superblock, identity),
            let mapped = mmap(nil, layout.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), mapped != MAP_FAILED
        else {
            close(fd)
            return nil
        }
        base = mapped
        self.layout = layout
        descriptor = fd
    }

    deinit {
        munmap(base, layout.bytes)
        close(descriptor)
    }

    private static func usable(
        _ fd: Int32, _ superblock: Superblock, _ identity: MemoryFile.Identity
    ) -> RegionLayout? {
        var status = stat()
        let layout = superblock.layout
        guard fstat(fd, &status) == 0, Int(status.st_size) == layout.bytes, layout.mirrorFrames <= layout.frames,
            superblock.pairID == identity.pairID, superblock.controller == identity.controller.rawValue,
            identity.durability == .power || (superblock.bootID == identity.bootID && identity.bootID != .none)
        else { return nil }
        return layout
    }
}
