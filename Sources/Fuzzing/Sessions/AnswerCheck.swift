import ISCSIFormats
import Primitives

/// What a target sends on one stream, cut into PDUs and judged: opcodes of a target, lengths within what was
/// negotiated, serial numbers in order, and for each task no more answers, data and wants than the initiator asked for.
struct AnswerCheck {
    struct Task {
        /// Commands sent with the tag, and responses to them.
        var commands = 0
        /// Operation code of the last one.
        var opcode: UInt8 = 0
        var responses = 0
        var longest: UInt32 = 0
        var expectedIn: UInt64 = 0
        var dataIn: UInt64 = 0
    }
    /// A want of the target: the R2T.
    struct Want {
        var task: UInt32
        var tag: UInt32
        var offset: UInt32
        var length: UInt32
        var lun: UInt64
    }
    /// What the two sides agreed on; defaults of RFC 7143 §13 until then.
    struct Agreement {
        var maxRecv = 8192
        var maxBurst: UInt32 = 262_144
        var errorRecovery = 0
        var headerDigest = false
        var dataDigest = false
    }

    let oracle: Oracle
    /// False when the initiator sent bytes of which nobody knows what the target reads in them: then what it answers to
    /// which task is not judged.
    var knowsTasks = true
    private var bytes: [UInt8] = []
    private var at = 0
    var tasks: [UInt32: Task] = [:]
    var wants: [Want] = []
    /// Tags of pings that want an answer.
    var pings: [UInt32] = []
    var agreement = Agreement()
    /// Digests as answered: they begin behind the last Login Response.
    var pendingDigests = (header: false, data: false)
    var isLoggedIn = false
    var isRefused = false
    var tsih: UInt16 = 0
    var expCmdSN: UInt32 = 0
    var nextStatSN: UInt32?
    private var maxCmdSN: UInt32?
    /// Each login response with its text, for the login target.
    var logins: [(pdu: LoginResponsePDU, text: [UInt8])] = []
    /// Tag by which a text goes on.
    var textTag = Tag.none

    init(_ oracle: Oracle) { self.oracle = oracle }

    mutating func take(_ piece: UnsafeRawBufferPointer) {
        bytes += piece
        while oracle.failure == nil, let length = whole() {
            judge(length)
            at += length
        }
        bytes.removeFirst(at)
        at = 0
    }

    private func byte(_ place: Int) -> Int { Int(bytes[at + place]) }

    /// Bytes of the PDU at the front, with digests and padding; nil when it is not whole.
    private func whole() -> Int? {
        guard bytes.count - at >= 48 else { return nil }
        let data = byte(5) << 16 | byte(6) << 8 | byte(7)
        let length = 48 + byte(4) * 4 + (agreement.headerDigest ? 4 : 0) + (data + 3) & ~3
            + (agreement.dataDigest && data > 0 ? 4 : 0)
        return bytes.count - at >= length ? length : nil
    }

    private mutating func judge(_ length: Int) {
        let pdu = Array(bytes[at..<at + length])
        let data = Int(pdu[5]) << 16 | Int(pdu[6]) << 8 | Int(pdu[7])
        oracle.expect(pdu[4] == 0, "a target's PDU with additional header segments")
        oracle.expect(
            data <= (isLoggedIn ? agreement.maxRecv : 8192),
            "a data segment of \(data) bytes, MaxRecvDataSegmentLength is \(agreement.maxRecv)")
        var start = 48
        if agreement.headerDigest {
            oracle.expect(Self.digest(pdu[0..<48]) == Array(pdu[48..<52]), "a header digest is wrong")
            start = 52
        }
        let padded = (data + 3) & ~3
        oracle.expect(pdu[start + data..<start + padded].allSatisfy { $0 == 0 }, "padding that is not zero")
        if agreement.dataDigest, data > 0 {
            oracle.expect(
                Self.digest(pdu[start..<start + padded]) == Array(pdu[start + padded..<start + padded + 4]),
                "a data digest is wrong")
        }
        pdu.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return }
            judge(base, Array(pdu[start..<start + data]))
        }
    }

    static func digest(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let crc = bytes.withUnsafeBytes { raw in raw.baseAddress.map { Checksum.crc32c($0, raw.count) } ?? 0 }
        return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: crc >> $0) }
    }

    private mutating func judge(_ base: UnsafeRawPointer, _ data: [UInt8]) {
        guard let opcode = Opcode(rawValue: base.byte(0)) else {
            return oracle.expect(false, "opcode \(base.byte(0)) is no target's")
        }
        oracle.expect(isLoggedIn || opcode == .loginResponse, "\(opcode) before the end of the login")
        let serials = TargetSerialNumbers(decoding: base)
        count(opcode, base, serials)
        switch opcode {
        case .loginResponse: login(LoginResponsePDU(decoding: base), data)
        case .scsiResponse: response(SCSIResponsePDU(decoding: base), data)
        case .dataIn: dataIn(DataInPDU(decoding: base))
        case .readyToTransfer: readyToTransfer(ReadyToTransferPDU(decoding: base))
        case .textResponse: textTag = TextResponsePDU(decoding: base).targetTransferTag
        case .nopIn: ping(NOPInPDU(decoding: base))
        case .taskManagementResponse, .logoutResponse, .asyncMessage: break
        case .reject: oracle.expect(data.count >= 48, "a Reject without the header that it rejects")
        case .nopOut, .scsiCommand, .taskManagementRequest, .loginRequest, .textRequest, .dataOut, .logoutRequest,
            .snackRequest:
            oracle.expect(false, "\(opcode) is an initiator's")
        }
    }

    /// StatSN goes up by one with each PDU that carries status; the window never shrinks (RFC 7143 §4.2.2).
    private mutating func count(_ opcode: Opcode, _ base: UnsafeRawPointer, _ serials: TargetSerialNumbers) {
        let carriesStatus: Bool
        switch opcode {
        case .dataIn: carriesStatus = base.byte(1) & 1 == 1
        case .readyToTransfer: carriesStatus = false
        case .nopIn: carriesStatus = base.big32(Field.initiatorTaskTag) != Tag.none
        default: carriesStatus = true
        }
        if carriesStatus, agreement.errorRecovery == 0 {
            oracle.expect(
                nextStatSN == nil || nextStatSN == serials.statSN,
                "\(opcode) has StatSN \(serials.statSN) where \(nextStatSN ?? 0) comes")
            nextStatSN = serials.statSN &+ 1
        }
        if opcode == .loginResponse, base.byte(Field.statusClass) != 0 { return }
        oracle.expect(
            SerialNumber(serials.expCmdSN) <= SerialNumber(serials.maxCmdSN &+ 1),
            "ExpCmdSN \(serials.expCmdSN) and MaxCmdSN \(serials.maxCmdSN)")
        oracle.expect(
            maxCmdSN.map { SerialNumber($0) <= SerialNumber(serials.maxCmdSN) } ?? true, "MaxCmdSN went back")
        maxCmdSN = serials.maxCmdSN
        expCmdSN = serials.expCmdSN
    }
}
