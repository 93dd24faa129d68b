import CISAL
import Glibc

// iSCSI as the client speaks it: only what an initiator needs, with offsets of RFC 7143 §11. The product's own codecs
// are not used on purpose: a mistake that both sides share would not be seen.

/// Operation codes of RFC 7143 §11.2.1.2.
enum Opcode {
    static let nopOut: UInt8 = 0x00
    static let scsiCommand: UInt8 = 0x01
    static let loginRequest: UInt8 = 0x03
    static let dataOut: UInt8 = 0x05
    static let nopIn: UInt8 = 0x20
    static let scsiResponse: UInt8 = 0x21
    static let loginResponse: UInt8 = 0x23
    static let dataIn: UInt8 = 0x25
    static let readyToTransfer: UInt8 = 0x31
    static let asyncMessage: UInt8 = 0x32
    static let reject: UInt8 = 0x3F
    static let immediate: UInt8 = 0x40
}

/// Length of a basic header segment.
let headerLength = 48
/// A tag that names no task (RFC 7143 §11.2.1.8).
let noTag: UInt32 = 0xFFFF_FFFF
/// Tag of the one command a session sends for itself: READ CAPACITY (16) after login.
let capacityTag: UInt32 = 0x7FFF_FFFF

extension UnsafeRawPointer {
    @inline(__always) func byte(_ offset: Int) -> UInt8 { load(fromByteOffset: offset, as: UInt8.self) }
    @inline(__always) func big16(_ offset: Int) -> UInt16 {
        UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
    @inline(__always) func big24(_ offset: Int) -> Int { Int(byte(offset)) << 16 | Int(big16(offset + 1)) }
    @inline(__always) func big32(_ offset: Int) -> UInt32 {
        UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    @inline(__always) func big64(_ offset: Int) -> UInt64 {
        UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    @inline(__always) func word(_ offset: Int) -> UInt64 { loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
}

extension UnsafeMutableRawPointer {
    @inline(__always) func put(_ offset: Int, _ value: UInt8) {
        storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
    }
    @inline(__always) func put16(_ offset: Int, _ value: UInt16) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }
    @inline(__always) func put24(_ offset: Int, _ value: Int) {
        put(offset, UInt8(truncatingIfNeeded: value >> 16))
        put16(offset + 1, UInt16(truncatingIfNeeded: value))
    }
    @inline(__always) func put32(_ offset: Int, _ value: UInt32) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }
    @inline(__always) func put64(_ offset: Int, _ value: UInt64) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt64.self)
    }
    /// LUN field at byte 8 of a header: peripheral device addressing to 255, flat space above (SAM-6 §4.7.7).
    @inline(__always) func putLUN(_ lun: UInt16) {
        put16(8, lun < 256 ? lun : 0x4000 | lun)
    }
}

/// CRC32C as a digest carries it (RFC 7143 §13.1).
@inline(__always) func crc32c(_ base: UnsafeRawPointer, _ count: Int) -> UInt32 {
    ~crc32_iscsi(
        UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: UInt8.self)), Int32(truncatingIfNeeded: count), ~0)
}

/// Writes a READ or WRITE command descriptor block into a zeroed header: the ten-byte form where it suffices, else the
/// sixteen-byte one (SBC-4 §5.11, §5.13, §5.38, §5.40).
@inline(__always)
func putTransfer(_ header: UnsafeMutableRawPointer, write: Bool, block: UInt64, blocks: UInt32) {
    let cdb = header + 32
    if block <= 0xFFFF_FFFF - 0xFFFF, blocks <= 0xFFFF {
        cdb.put(0, write ? 0x2A : 0x28)
        cdb.put32(2, UInt32(truncatingIfNeeded: block))
        cdb.put16(7, UInt16(truncatingIfNeeded: blocks))
    } else {
        cdb.put(0, write ? 0x8A : 0x88)
        cdb.put64(2, block)
        cdb.put32(10, blocks)
    }
}

/// What the client makes of a status and its sense data.
enum Verdict {
    case good
    /// The target asks to try again: BUSY, TASK SET FULL, UNIT ATTENTION, ABORTED COMMAND, NOT READY in transition.
    case again
    /// This path does not serve the unit now (standby, unavailable): another may.
    case otherPath
    case refused(key: UInt8, code: UInt8, qualifier: UInt8)
}

/// Reads a status with the data segment that follows it: two bytes of length, then sense data (SPC-5 §4.4).
func verdict(status: UInt8, sense: UnsafeRawPointer?, count: Int) -> Verdict {
    switch status {
    case 0x00: return .good
    case 0x08, 0x28, 0x40: return .again
    case 0x02: break
    default: return .refused(key: 0xFF, code: status, qualifier: 0)
    }
    guard let sense, count >= 6 else { return .refused(key: 0xFE, code: 0, qualifier: 0) }
    let length = min(Int(sense.big16(0)), count - 2)
    let data = sense + 2
    let fixed = data.byte(0) & 0x7E == 0x70
    guard length >= (fixed ? 14 : 4) else { return .refused(key: 0xFE, code: 0, qualifier: 0) }
    let key = (fixed ? data.byte(2) : data.byte(1)) & 0xF
    let code = fixed ? data.byte(12) : data.byte(2)
    let qualifier = fixed ? data.byte(13) : data.byte(3)
    switch (key, code, qualifier) {
    case (0x6, _, _), (0xB, _, _): return .again
    case (0x2, 0x04, 0x0B), (0x2, 0x04, 0x0C): return .otherPath
    case (0x2, 0x04, _): return .again
    default: return .refused(key: key, code: code, qualifier: qualifier)
    }
}

/// Nanoseconds of the monotonic clock.
@inline(__always) func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
