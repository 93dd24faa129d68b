import CLinux
import Glibc

/// An open device: a descriptor for transfers, or a mapping.
struct Device {
    let bytes: UInt64
    /// Bytes that it may take of its file system; `Int64.max` when it is not thin.
    let capacity: Int64
    /// -1 for a memory device.
    let descriptor: Int32
    /// The mapping of a memory device.
    let base: UnsafeMutableRawPointer?
    let flushesAsynchronously: Bool
    /// Transfers and flushes that the kernel has.
    var inFlight = 0
    /// Flushes that failed so far.
    var flushFailures: UInt32 = 0

    init(_ spec: DeviceSpec) throws(DeviceError) {
        bytes = spec.bytes
        capacity = spec.capacity.map { Int64(clamping: $0) } ?? .max
        switch spec.place {
        case .memory:
            base = try DeviceFile.map(spec)
            descriptor = -1
            flushesAsynchronously = true
        case .file, .block:
            base = nil
            descriptor = try DeviceFile.open(spec)
            flushesAsynchronously = AsyncContext.flushes(descriptor)
        }
    }

    /// Closes it; the last use.
    func release() {
        if let base { munmap(base, Int(bytes)) }
        if descriptor >= 0 { close(descriptor) }
    }
}
