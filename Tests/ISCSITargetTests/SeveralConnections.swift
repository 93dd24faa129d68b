import ISCSIFormats
import Primitives
import Testing

@testable import ISCSITarget

/// Connections of one session for tests: they share its CmdSN and tags.
final class SeveralConnections {
    let bench: Bench
    var hosts: [Initiator] = []
    var tsih: UInt16 = 0
    private var streams: UInt32 = 0
    var cmdSN: UInt32 = 10

    init(_ count: Int, _ keys: [String] = [], _ adjust: (inout ISCSITargetConfiguration.Limits) -> Void = { _ in })
        throws {
        bench = Bench(adjust)
        bench.device.disk = RAMDevice.noise
        for index in 0..<count {
            let response = try open(cid: UInt16(index + 1), index == 0 ? ["MaxConnections=4"] + keys : [])
            #expect(response?.status == 0)
        }
    }

    /// Logs a connection in; nil: no answer.
    func open(cid: UInt16, _ keys: [String] = [], expStatSN: UInt32 = 0) throws -> LoginResponsePDU? {
        streams += 1
        let host = Initiator(bench, stream: streams)
        host.nextTag = streams * 1000
        host.putLogin(Initiator.names + keys) { pdu in
            pdu.tsih = self.tsih
            pdu.cid = cid
            pdu.cmdSN = self.cmdSN
            pdu.expStatSN = expStatSN
        }
        guard let seen = host.take().first, seen.opcode == .loginResponse else { return nil }
        let response = seen.decoded { LoginResponsePDU(decoding: $0) }
        if response.status != 0 { return response }
        tsih = response.tsih
        host.headerDigest = seen.text.contains("HeaderDigest=CRC32C")
        host.dataDigest = seen.text.contains("DataDigest=CRC32C")
        hosts.append(host)
        return response
    }

    /// Sends a command on a connection, with the session's next CmdSN or one that is given.
    @discardableResult func command(
        _ index: Int, _ cdb: [UInt8], read: Int? = nil, write: Int? = nil, immediate: [UInt8] = [], final: Bool = true,
        cmdSN number: UInt32? = nil, expStatSN: UInt32 = 0
    ) -> UInt32 {
        let host = hosts[index]
        host.cmdSN = number ?? cmdSN
        if number == nil { cmdSN &+= 1 }
        return host.command(cdb, read: read, write: write, immediate: immediate, final: final) {
            $0.expStatSN = expStatSN
        }
    }

    func manage(
        _ index: Int, _ code: TaskManagementCode, task: UInt32 = Tag.none, ref: UInt32 = 0, expDataSN: UInt32 = 0
    ) -> UInt8? {
        put(index, code, task: task, ref: ref, expDataSN: expDataSN)
        return take(index).first { $0.opcode == .taskManagementResponse }?
            .decoded { TaskManagementResponsePDU(decoding: $0) }.response
    }

    func put(
        _ index: Int, _ code: TaskManagementCode, task: UInt32 = Tag.none, ref: UInt32 = 0, expDataSN: UInt32 = 0
    ) {
        var pdu = TaskManagementRequestPDU()
        pdu.function = code.rawValue
        pdu.initiatorTaskTag = hosts[index].tag()
        pdu.referencedTaskTag = task
        pdu.cmdSN = cmdSN
        pdu.refCmdSN = ref
        pdu.expDataSN = expDataSN
        hosts[index].put(pdu.encode)
    }

    func logout(_ index: Int, _ reason: LogoutReason, cid: UInt16, expStatSN: UInt32 = 0) -> LogoutResponsePDU? {
        var pdu = LogoutRequestPDU()
        pdu.immediate = true
        pdu.reason = reason.rawValue
        pdu.cid = cid
        pdu.initiatorTaskTag = hosts[index].tag()
        pdu.cmdSN = cmdSN
        pdu.expStatSN = expStatSN
        hosts[index].put(pdu.encode)
        return take(index).first { $0.opcode == .logoutResponse }?.decoded { LogoutResponsePDU(decoding: $0) }
    }

    func snack(
        _ index: Int, _ type: SNACKType, task: UInt32 = Tag.none, tag: UInt32 = Tag.none, from: UInt32 = 0,
        count: UInt32 = 0, expStatSN: UInt32 = 0
    ) -> [SeenPDU] {
        var pdu = SNACKRequestPDU()
        pdu.type = type.rawValue
        pdu.initiatorTaskTag = task
        pdu.snackTag = tag
        pdu.begRun = from
        pdu.runLength = count
        pdu.expStatSN = expStatSN
        hosts[index].put(pdu.encode)
        return take(index)
    }

    func take(_ index: Int) -> [SeenPDU] { hosts[index].take() }

    /// A NOP-Out that acknowledges.
    func ping(_ index: Int, expStatSN: UInt32) -> SeenPDU? {
        var pdu = NOPOutPDU()
        pdu.initiatorTaskTag = hosts[index].tag()
        pdu.cmdSN = cmdSN
        pdu.expStatSN = expStatSN
        hosts[index].put(pdu.encode)
        return take(index).first { $0.opcode == .nopIn }
    }
}

extension SeenPDU {
    var response: SCSIResponsePDU { decoded { SCSIResponsePDU(decoding: $0) } }
    var dataIn: DataInPDU { decoded { DataInPDU(decoding: $0) } }
    var r2t: ReadyToTransferPDU { decoded { ReadyToTransferPDU(decoding: $0) } }
    var rejectReason: UInt8 { decoded { RejectPDU(decoding: $0) }.reason }
    var statSN: UInt32 { decoded { TargetSerialNumbers(decoding: $0).statSN } }
}
