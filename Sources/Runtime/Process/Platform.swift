import CCrypto
import CLinux
import Glibc
import PagingFormats
import Primitives

/// What a driver may ask the machine and an engine may not: the clock, chance, identities.
package enum Platform {
    /// CLOCK_BOOTTIME: it goes on while the machine is suspended, so a lease cannot outlive its time there.
    package static var now: Instant { Instant(nanoseconds: gemel_boottime()) }

    /// Seconds of the wall clock: only the seed of incarnations, never a deadline.
    static var wallSeconds: UInt64 { UInt64(Swift.max(0, time(nil))) }

    /// Milliseconds since 1970 (UTC) when `now` was zero, as the wall clock has it at the moment: what a unit's clock
    /// reports, never a deadline.
    static var wallClockOffset: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let wall = Swift.max(0, time.tv_sec) * 1000 + time.tv_nsec / 1_000_000
        return UInt64(wall) &- now.nanoseconds / 1_000_000
    }

    /// 32 bytes from the system's random source; nil when it has none to give.
    package static func random() -> InlineArray<32, UInt8>? {
        var bytes = InlineArray<32, UInt8>(repeating: 0)
        var span = bytes.mutableSpan
        let code = span.withUnsafeMutableBufferPointer { RAND_bytes($0.baseAddress, 32) }
        return code == 1 ? bytes : nil
    }

    /// A random identity of a memory.
    static func freshMemoryID() -> WitnessRecord.MemoryID? {
        guard let bytes = random() else { return nil }
        func word(_ at: Int) -> UInt64 { (0..<8).reduce(0) { $0 << 8 | UInt64(bytes[at + $1]) } }
        // Never `none`, whatever chance says.
        return WitnessRecord.MemoryID(high: word(0), low: word(8) | 1)
    }

    /// HMAC-SHA-256 of the first `count` bytes of `message`.
    package static func authenticate(
        key: [UInt8], message: InlineArray<128, UInt8>, count: Int
    ) -> InlineArray<32, UInt8> {
        var digest = InlineArray<32, UInt8>(repeating: 0)
        var length: UInt32 = 32
        let bounded = Swift.max(0, Swift.min(count, 128))
        var output = digest.mutableSpan
        output.withUnsafeMutableBufferPointer { output in
            message.span.withUnsafeBufferPointer { input in
                _ = HMAC(
                    EVP_sha256(), key, Int32(truncatingIfNeeded: key.count), input.baseAddress, bounded,
                    output.baseAddress, &length)
            }
        }
        return digest
    }

    /// A number for the address at the other end of a stream, its port aside; 0 when it cannot be had. IPv6 hosts count
    /// by their network of 64 bits, in which a host has as many addresses as it likes.
    static func peer(of descriptor: Int32) -> UInt64 {
        var room = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let isThere = withUnsafeMutablePointer(to: &room) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) == 0 }
        }
        if !isThere { return 0 }
        let isIPv6 = Int32(room.ss_family) == AF_INET6
        return withUnsafeBytes(of: room) { bytes in
            // sockaddr_in has the address at byte 4, sockaddr_in6 at byte 8.
            let address = isIPv6 ? bytes[8..<16] : bytes[4..<8]
            return address.reduce(isIPv6 ? 6 : 4) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 } | 1
        }
    }

    /// The kernel's boot id; `none` when it cannot be read, which equals no boot id of any superblock.
    static func bootID() -> WitnessRecord.MemoryID {
        let digits = firstLine("/proc/sys/kernel/random/boot_id").filter { $0 != "-" }
        guard digits.count == 32, let high = UInt64(digits.prefix(16), radix: 16),
            let low = UInt64(digits.suffix(16), radix: 16)
        else { return .none }
        return WitnessRecord.MemoryID(high: high, low: low)
    }

    /// When a process started, in clock ticks since boot (proc(5), field 22); nil when there is none with that pid.
    package static func startTime(pid: Int32) -> UInt64? {
        // The command name, in parentheses, may hold anything: fields are counted behind the last parenthesis.
        guard let tail = firstLine("/proc/\(pid)/stat").split(separator: ")").last else { return nil }
        let fields = tail.split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }

    /// The beginning of a small file, up to the first newline; empty when it cannot be read.
    static func firstLine(_ path: String) -> String {
        let fd = open(path, O_RDONLY | O_CLOEXEC)
        if fd < 0 { return "" }
        defer { close(fd) }
        return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { room in
            let got = read(fd, room.baseAddress, 4096)
            let text = String(decoding: room[..<Swift.max(0, got)], as: UTF8.self)
            return text.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init) ?? ""
        }
    }
}
