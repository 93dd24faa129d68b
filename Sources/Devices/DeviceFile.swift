import CLinux
import Glibc

/// Opening and making the files behind devices, with errors that say what would be right.
package enum DeviceFile {
    /// Makes a sparse regular file of `bytes` bytes, readable by its owner only. The file must not exist.
    package static func create(_ path: String, bytes: UInt64) throws(DeviceError) {
        let fd = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if fd < 0 {
            let code = errno
            if code == EEXIST {
                throw DeviceError(.exists, "\(path) exists already: a device is never made over an existing file")
            }
            throw failure(code, path, "cannot be made")
        }
        defer { close(fd) }
        guard let length = Int(exactly: bytes), ftruncate(fd, length) == 0, fsync(fd) == 0 else {
            let code = errno
            unlink(path)
            throw failure(code, path, "cannot be given \(bytes) bytes")
        }
    }

    /// Opens a file or block device unbuffered and checks that it can serve `spec`. The caller owns the descriptor.
    static func open(_ spec: DeviceSpec) throws(DeviceError) -> Int32 {
        let path = spec.path
        var status = stat()
        if stat(path, &status) != 0 {
            let code = errno
            if code == ENOENT || code == ENOTDIR {
                throw DeviceError(
                    .missing, "device \(spec.name): \(path) does not exist; `gemel up` makes the files of a new array")
            }
            throw failure(code, path, "cannot be looked at")
        }
        try checkType(spec, mode: status.st_mode)
        let fd = gemel_open_direct(path)
        if fd < 0 { throw openFailure(-fd, spec) }
        do {
            try checkLength(spec, fd, size: Int64(status.st_size))
            try probe(spec, fd)
        } catch {
            close(fd)
            throw error
        }
        return fd
    }

    private static func checkType(_ spec: DeviceSpec, mode: mode_t) throws(DeviceError) {
        let type = mode & S_IFMT
        switch spec.place {
        case .file where type != S_IFREG:
            throw DeviceError(
                .unsuitable,
                "device \(spec.name): \(spec.path) is not a regular file; a block device is configured as `block:`")
        case .block where type != S_IFBLK:
            throw DeviceError(
                .unsuitable,
                "device \(spec.name): \(spec.path) is not a block device; a regular file is configured as `file:`")
        case .file, .block, .memory: return
        }
    }

    private static func openFailure(_ code: Int32, _ spec: DeviceSpec) -> DeviceError {
        if code == EINVAL {
            return DeviceError(
                .unsuitable,
                "device \(spec.name): the file system of \(spec.path) has no unbuffered transfers (O_DIRECT), without "
                    + "which nothing is durable; put the file on ext4 or XFS, or use a `memory` device")
        }
        return failure(code, spec.path, "cannot be opened for reading and writing")
    }

    private static func checkLength(_ spec: DeviceSpec, _ fd: Int32, size: Int64) throws(DeviceError) {
        var bytes = size
        if case .block = spec.place {
            bytes = gemel_block_bytes(fd)
            if bytes < 0 { throw failure(Int32(-bytes), spec.path, "does not tell its size") }
        }
        guard UInt64(bytes) >= spec.bytes else {
            throw DeviceError(
                .tooShort,
                "device \(spec.name): \(spec.path) has \(bytes) bytes; the configuration needs \(spec.bytes) "
                    + "(data and 1 MiB of labels)")
        }
    }

    /// Reads 512 bytes from a place and into an address that are multiples of 512 and of nothing larger: what the
    /// array will do all the time, and what a device with 4096-byte blocks refuses.
    private static func probe(_ spec: DeviceSpec, _ fd: Int32) throws(DeviceError) {
        let room = UnsafeMutableRawPointer.allocate(byteCount: 8192, alignment: 4096)
        defer { room.deallocate() }
        let got = pread(fd, room + 512, 512, 512)
        if got == 512 { return }
        let code = errno
        if got < 0 && code == EINVAL {
            throw DeviceError(
                .unsuitable,
                "device \(spec.name): \(spec.path) refuses unbuffered transfers of 512 bytes; a device with logical "
                    + "blocks of 512 bytes is needed")
        }
        if got >= 0 { throw DeviceError(.tooShort, "device \(spec.name): \(spec.path) ends within its first KiB") }
        throw failure(code, spec.path, "cannot be read")
    }

    /// Maps the file of a memory device, made and allocated when it is missing or shorter.
    static func map(_ spec: DeviceSpec) throws(DeviceError) -> UnsafeMutableRawPointer {
        let path = spec.path
        guard let length = Int(exactly: spec.bytes) else {
            throw DeviceError(.unsuitable, "device \(spec.name): \(spec.bytes) bytes do not fit the address space")
        }
        let fd = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if fd < 0 { throw failure(errno, path, "cannot be opened") }
        defer { close(fd) }
        let code = posix_fallocate(fd, 0, length)
        if code != 0 { throw failure(code, path, "cannot be given \(length) bytes of memory") }
        guard let base = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), base != MAP_FAILED else {
            throw failure(errno, path, "cannot be mapped")
        }
        return base
    }

    static func failure(_ code: Int32, _ path: String, _ what: String) -> DeviceError {
        let kind: DeviceError.Kind =
            switch code {
            case ENOENT, ENOTDIR: .missing
            case ENOSPC, EDQUOT, EFBIG: .spaceExhausted
            default: .failed
            }
        return DeviceError(kind, "\(path) \(what): \(String(cString: strerror(code)))")
    }
}
