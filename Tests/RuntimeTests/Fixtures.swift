import Controller
import Glibc
import PagingFormats
import Primitives
import Runtime
import Testing

/// A folder of its own, removed with its files at the end.
final class Scratch: @unchecked Sendable {
    let path: String
    init() {
        var template = Array("/tmp/gemel-runtime-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { text in
            text.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? "/tmp"
        }
    }
    deinit { _ = system("rm -rf \(path)") }
    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o600) {
        let fd = open(file(name), O_RDWR | O_CREAT | O_TRUNC, mode)
        _ = Glibc.write(fd, bytes, bytes.count)
        fchmod(fd, mode)
        close(fd)
    }

    /// Overwrites bytes of a file.
    func scribble(_ name: String, at offset: Int, _ bytes: [UInt8]) {
        let fd = open(file(name), O_RDWR)
        _ = pwrite(fd, bytes, bytes.count, offset)
        close(fd)
    }
}

enum Sample {
    static let layout = RegionLayout(frames: 16, mirrorFrames: 8)
    static let pairID: UInt64 = 0xABCD
    static let boot = WitnessRecord.MemoryID(high: 5, low: 6)

    static func identity(
        _ controller: ControllerID = .a, durability: MemoryDurability = .process, boot: WitnessRecord.MemoryID = boot
    ) -> MemoryFile.Identity {
        .init(controller: controller, pairID: pairID, durability: durability, bootID: boot)
    }

    static func superblock(_ controller: ControllerID = .a, incarnation: UInt64 = 7) -> Superblock {
        var block = Superblock()
        block.controller = UInt32(controller.rawValue)
        block.pairID = pairID
        block.memoryID = .init(high: 1, low: 2)
        block.incarnation = incarnation
        block.bootID = boot
        block.frames = UInt32(layout.frames)
        block.mirrorFrames = UInt32(layout.mirrorFrames)
        return block
    }

    static func record(sequence: UInt64, epoch: UInt32 = 1) -> WitnessRecord {
        WitnessRecord(
            pairID: pairID, lineage: 1, sequence: sequence, epoch: epoch, state: .paired, memberA: .absent,
            memberB: .absent, dirty: false, featureLevel: 1)
    }

    /// Writes a sealed page into a region.
    static func seal(_ base: UnsafeMutableRawPointer, frame: Int, dirty: UInt8, fill: UInt8 = 0x5A) {
        memset(base + layout.frame(frame), Int32(fill), PageSize.bytes)
        var header = FrameHeader()
        header.version = PageVersion(epoch: 1, counter: 9, controller: 0)
        header.validMask = 0xFF
        header.dirtyMask = dirty
        header.page = 77
        header.checksum = Checksum.crc32c(base + layout.frame(frame), PageSize.bytes)
        let at = base + layout.header(frame)
        FrameHeader.seal(header.encode(to: at), at: at)
    }
}

/// A child that sleeps, with a file's lock in its hands when asked.
final class Sleeper {
    let pid: pid_t

    /// - Parameter locking: a file whose lock the child has when this returns.
    init(locking path: String? = nil) {
        var descriptor: Int32 = -1
        if let path {
            descriptor = open(path, O_RDWR)
            _ = LockProbe.lock(descriptor)
        }
        var child = pid_t()
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("60"), nil]
        posix_spawnp(&child, "sleep", nil, nil, arguments, environ)
        for argument in arguments { free(argument) }
        // The lock belongs to the open file description, which now only the child has.
        if descriptor >= 0 { close(descriptor) }
        pid = child
    }

    var isRunning: Bool { waitpid(pid, nil, WNOHANG) == 0 }

    deinit {
        kill(pid, SIGKILL)
        waitpid(pid, nil, 0)
    }
}

/// OFD locks by their numbers.
enum LockProbe {
    static func lock(_ fd: Int32) -> Bool {
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        return fcntl(fd, 37, &lock) == 0
    }
}

/// Polls until a condition holds; false when it does not within twenty seconds: the machine may be busy.
func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<4000 {
        if condition() { return true }
        usleep(5_000)
    }
    return false
}

/// `#expect` for conditions on values that cannot be copied, which the macro would copy.
func verify(_ condition: Bool, _ location: SourceLocation = #_sourceLocation) {
    #expect(condition, sourceLocation: location)
}
