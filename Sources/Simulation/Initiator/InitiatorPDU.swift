import Primitives

/// Opcodes of iSCSI PDUs that an initiator sends or gets (RFC 7143 §11.1.1), without the immediate bit.
enum InitiatorOpcode {
    static let nopOut: UInt8 = 0x00, command: UInt8 = 0x01, taskManagement: UInt8 = 0x02, login: UInt8 = 0x03
    static let text: UInt8 = 0x04, dataOut: UInt8 = 0x05, logout: UInt8 = 0x06
    static let nopIn: UInt8 = 0x20, response: UInt8 = 0x21, taskManagementResponse: UInt8 = 0x22
    static let loginResponse: UInt8 = 0x23, dataIn: UInt8 = 0x25, logoutResponse: UInt8 = 0x26
    static let readyToTransfer: UInt8 = 0x31, asynchronous: UInt8 = 0x32, reject: UInt8 = 0x3F
    static let immediate: UInt8 = 0x40
}

/// A basic header segment: 48 bytes with big-endian fields at the offsets of RFC 7143 §11.2.
struct InitiatorPDU {
    static let headerBytes = 48
    var header = InlineArray<48, UInt8>(repeating: 0)

    init(opcode: UInt8, flags: UInt8, tag: UInt32) {
        header[0] = opcode
        header[1] = flags
        put32(16, tag)
    }

    init(_ base: UnsafeRawPointer) {
        for index in 0..<48 { header[index] = base.byte(index) }
    }

    var opcode: UInt8 { header[0] & 0x3F }
    var flags: UInt8 { header[1] }
    var isFinal: Bool { header[1] & 0x80 != 0 }
    /// TotalAHSLength in bytes.
    var additionalBytes: Int { Int(header[4]) * 4 }
    var dataLength: Int { Int(header[5]) << 16 | Int(header[6]) << 8 | Int(header[7]) }
    var tag: UInt32 { get32(16) }

    func get16(_ offset: Int) -> UInt16 { UInt16(header[offset]) << 8 | UInt16(header[offset + 1]) }

    func get32(_ offset: Int) -> UInt32 {
        UInt32(get16(offset)) << 16 | UInt32(get16(offset + 2))
    }

    mutating func put16(_ offset: Int, _ value: UInt16) {
        header[offset] = UInt8(truncatingIfNeeded: value >> 8)
        header[offset + 1] = UInt8(truncatingIfNeeded: value)
    }

    mutating func put32(_ offset: Int, _ value: UInt32) {
        put16(offset, UInt16(truncatingIfNeeded: value >> 16))
        put16(offset + 2, UInt16(truncatingIfNeeded: value))
    }

    /// A LUN below 256 by peripheral device addressing, else flat (SAM-6 §4.7.7).
    mutating func putLUN(_ lun: UInt16) {
        header[8] = lun < 256 ? 0 : 0x40 | UInt8(truncatingIfNeeded: lun >> 8)
        header[9] = UInt8(truncatingIfNeeded: lun)
    }

    mutating func putDataLength(_ count: Int) {
        header[5] = UInt8(truncatingIfNeeded: count >> 16)
        header[6] = UInt8(truncatingIfNeeded: count >> 8)
        header[7] = UInt8(truncatingIfNeeded: count)
    }
}

/// A command as the workload wants it.
struct InitiatorCommand {
    enum Transfer {
        case none
        case read(Int)
        case write([UInt8])
    }
    var lun: UInt16
    var cdb: [UInt8]
    var transfer: Transfer

    static func testUnitReady(lun: UInt16) -> InitiatorCommand {
        InitiatorCommand(lun: lun, cdb: [0, 0, 0, 0, 0, 0], transfer: .none)
    }

    static func read(lun: UInt16, block: UInt64, count: Int, isLong: Bool, forceUnitAccess: Bool) -> InitiatorCommand {
        let cdb = transferBlock(isLong ? 0x88 : 0x28, block, count, forceUnitAccess)
        return InitiatorCommand(lun: lun, cdb: cdb, transfer: .read(count * 512))
    }

    static func write(
        lun: UInt16, block: UInt64, data: [UInt8], isLong: Bool, forceUnitAccess: Bool
    )
        -> InitiatorCommand
    {
        let cdb = transferBlock(isLong ? 0x8A : 0x2A, block, data.count / 512, forceUnitAccess)
        return InitiatorCommand(lun: lun, cdb: cdb, transfer: .write(data))
    }

    /// WRITE ATOMIC (16): all of the data or nothing.
    static func writeAtomic(lun: UInt16, block: UInt64, data: [UInt8]) -> InitiatorCommand {
        var cdb = transferBlock(0x9C, block, 0, false)
        cdb[12] = UInt8(truncatingIfNeeded: (data.count / 512) >> 8)
        cdb[13] = UInt8(truncatingIfNeeded: data.count / 512)
        return InitiatorCommand(lun: lun, cdb: cdb, transfer: .write(data))
    }

    /// COMPARE AND WRITE: `data` if the blocks are `expected`.
    static func compareAndWrite(lun: UInt16, block: UInt64, expected: [UInt8], data: [UInt8]) -> InitiatorCommand {
        let cdb = transferBlock(0x89, block, data.count / 512, false)
        return InitiatorCommand(lun: lun, cdb: cdb, transfer: .write(expected + data))
    }

    /// UNMAP of one run of blocks.
    static func unmap(lun: UInt16, block: UInt64, count: Int) -> InitiatorCommand {
        let address = [56, 48, 40, 32, 24, 16, 8, 0].map { UInt8(truncatingIfNeeded: block >> $0) }
        let blocks = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
        return InitiatorCommand(
            lun: lun, cdb: [0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0],
            transfer: .write([0, 22, 0, 16, 0, 0, 0, 0] + address + blocks + [0, 0, 0, 0]))
    }

    /// SANITIZE with BLOCK ERASE, answered at its end.
    static func blockErase(lun: UInt16) -> InitiatorCommand {
        InitiatorCommand(lun: lun, cdb: [0x48, 2, 0, 0, 0, 0, 0, 0, 0, 0], transfer: .none)
    }

    static func synchronizeCache(lun: UInt16) -> InitiatorCommand {
        InitiatorCommand(lun: lun, cdb: [0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0], transfer: .none)
    }

    static func reportTargetPortGroups(lun: UInt16) -> InitiatorCommand {
        InitiatorCommand(lun: lun, cdb: [0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0, 0], transfer: .read(255))
    }

    /// READ or WRITE of 10 or 16 bytes (SBC-4).
    private static func transferBlock(_ opcode: UInt8, _ block: UInt64, _ count: Int, _ fua: Bool) -> [UInt8] {
        let flags: UInt8 = fua ? 0x08 : 0
        func byte(_ value: UInt64, _ shift: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: value >> shift) }
        if opcode < 0x80 {
            return [opcode, flags, byte(block, 24), byte(block, 16), byte(block, 8), byte(block, 0), 0]
                + [byte(UInt64(count), 8), byte(UInt64(count), 0), 0]
        }
        let address = [56, 48, 40, 32, 24, 16, 8, 0].map { byte(block, $0) }
        return [opcode, flags] + address + [24, 16, 8, 0].map { byte(UInt64(count), $0) } + [0, 0]
    }
}

/// Sense data of a CHECK CONDITION, fixed or descriptor format (SPC-5).
struct InitiatorSense: Equatable {
    var key: UInt8
    var code: UInt8
    var qualifier: UInt8

    init(key: UInt8, code: UInt8, qualifier: UInt8) {
        self.key = key
        self.code = code
        self.qualifier = qualifier
    }

    /// From a response's data segment: two bytes of length, then the sense data.
    init?(segment: [UInt8]) {
        guard segment.count >= 6 else { return nil }
        let sense = segment[2...]
        switch sense[2] & 0x7F {
        case 0x70, 0x71:
            guard sense.count >= 14 else { return nil }
            self.init(key: sense[4] & 0xF, code: sense[14], qualifier: sense[15])
        case 0x72, 0x73: self.init(key: sense[3] & 0xF, code: sense[4], qualifier: sense[5])
        default: return nil
        }
    }
}
