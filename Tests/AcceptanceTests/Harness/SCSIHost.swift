import Foundation
import Testing

/// A host with one connection at ErrorRecoveryLevel 0 and the defaults of RFC 7143: what programs of others cannot be
/// made to send.
final class SCSIHost {
    /// A PDU of the target.
    struct PDU {
        var header: [UInt8]
        var data: [UInt8]
        var opcode: UInt8 { header[0] & 0x3F }
        var text: [String] { data.split(separator: 0).map { String(decoding: $0, as: UTF8.self) } }
        /// Status class and detail of a Login Response.
        var loginStatus: Int { Int(header[36]) << 8 | Int(header[37]) }
    }

    /// How a command ended.
    struct Answer: Equatable {
        var status: UInt8
        var sense: [UInt8] = []
        var data: [UInt8] = []
        var key: UInt8 { sense.count > 2 ? sense[2] & 0x0F : 0 }
        var code: Int { sense.count > 13 ? Int(sense[12]) << 8 | Int(sense[13]) : 0 }
    }

    let wire: RawConnection
    private(set) var login: PDU
    private var tag: UInt32 = 1
    private var cmdSN: UInt32 = 1
    private var expStatSN: UInt32 = 0

    /// Logs in to the array's target, or for discovery, and takes the unit attention of LUN 0.
    init(_ array: RunningArray, _ controller: String, name: String = "host", discovery: Bool = false) throws {
        wire = try RawConnection(port: array.ports[controller] ?? 0)
        let last = discovery ? "SessionType=Discovery" : "TargetName=\(array.target)"
        var bytes = HostileNetwork.login(["InitiatorName=iqn.2026-11.com.example:\(name)", last])
        // ISID, initiator task tag, CmdSN.
        bytes.replaceSubrange(8..<14, with: [0x80, 0, 0, 0, 0, UInt8(controller == "a" ? 1 : 2)])
        bytes[27] = 1
        wire.send(bytes)
        login = PDU(header: [UInt8](repeating: 0, count: 48), data: [])
        login = try receive()
        guard login.opcode == 0x23, login.loginStatus == 0 else { throw Failure("login: \(login.header)") }
        if !discovery { _ = try command([0, 0, 0, 0, 0, 0]) }
    }

    typealias HostileNetwork = Acceptance.HostileNetwork

    private static func big(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    /// Sends a request with its own tag, CmdSN and ExpStatSN, and data as its segment.
    @discardableResult
    func send(
        _ opcode: UInt8, flags: UInt8 = 0x80, immediate: Bool = false, data: [UInt8] = [],
        _ adjust: (inout [UInt8]) -> Void = { _ in }
    ) -> UInt32 {
        tag += 1
        var header = HostileNetwork.header(opcode | (immediate ? 0x40 : 0), flags: flags, data: data.count)
        header.replaceSubrange(16..<20, with: Self.big(tag))
        header.replaceSubrange(24..<28, with: Self.big(cmdSN))
        header.replaceSubrange(28..<32, with: Self.big(expStatSN))
        if !immediate { cmdSN += 1 }
        adjust(&header)
        wire.send(header + data + [UInt8](repeating: 0, count: (4 - data.count % 4) % 4))
        return tag
    }

    /// Sends a SCSI Command: `read` bytes are expected, or `write` goes as immediate data, 8 KiB at the most.
    @discardableResult
    func sendCommand(_ cdb: [UInt8], lun: UInt8 = 0, read: Int = 0, write: [UInt8] = []) -> UInt32 {
        let flags: UInt8 = 0x81 | (read > 0 ? 0x40 : 0) | (write.isEmpty ? 0 : 0x20)
        return send(0x01, flags: flags, data: write) { header in
            header[9] = lun
            header.replaceSubrange(20..<24, with: Self.big(UInt32(max(read, write.count))))
            header.replaceSubrange(32..<(32 + cdb.count), with: cdb)
        }
    }

    /// The next PDU; pings of the target that want no answer are passed over.
    func receive() throws -> PDU {
        while true {
            guard let header = wire.take(48) else { throw Failure("the target closed, or said nothing") }
            let length = Int(header[5]) << 16 | Int(header[6]) << 8 | Int(header[7])
            guard let data = wire.take((length + 3) & ~3) else { throw Failure("a data segment is cut") }
            let pdu = PDU(header: header, data: Array(data.prefix(length)))
            let hasStatus = pdu.opcode != 0x31 && (pdu.opcode != 0x25 || header[1] & 1 == 1)
            if hasStatus { expStatSN = header[24..<28].reduce(0) { $0 << 8 | UInt32($1) } &+ 1 }
            if pdu.opcode != 0x20 || header[16..<20] != [255, 255, 255, 255] { return pdu }
        }
    }

    /// Sends a command and waits for its end.
    func command(_ cdb: [UInt8], lun: UInt8 = 0, read: Int = 0, write: [UInt8] = []) throws -> Answer {
        sendCommand(cdb, lun: lun, read: read, write: write)
        var data: [UInt8] = []
        while true {
            let pdu = try receive()
            switch pdu.opcode {
            case 0x25:
                data += pdu.data
                if pdu.header[1] & 1 == 1 { return Answer(status: pdu.header[3], data: data) }
            case 0x21:
                return Answer(status: pdu.header[3], sense: Array(pdu.data.dropFirst(2)), data: data)
            default: throw Failure("opcode \(pdu.opcode) instead of a response")
            }
        }
    }

    /// A text exchange with one request.
    func ask(_ question: String) throws -> [String] {
        send(0x04, data: Array(question.utf8) + [0]) { $0.replaceSubrange(20..<24, with: [255, 255, 255, 255]) }
        let answer = try receive()
        guard answer.opcode == 0x24 else { throw Failure("opcode \(answer.opcode) instead of a Text Response") }
        return answer.text
    }
}
