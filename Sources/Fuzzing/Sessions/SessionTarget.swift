import ISCSIFormats
import ISCSITarget
import Primitives

/// The full-feature phase: sessions with keys that the input chooses, then PDUs that are mostly right: commands of the
/// table with data in all ways, answers to R2Ts, pings, texts, task management, logouts, and noise.
final class SessionTarget {
    let oracle: Oracle
    let bench: SessionBench
    var maker = CommandMaker()
    var stream: UInt32 = 1
    var nextTag: UInt32 = 0x100
    /// CmdSN that comes next, by stream.
    var cmdSN: [UInt32: UInt32] = [:]

    init(_ oracle: Oracle, _ input: inout FuzzInput) {
        self.oracle = oracle
        bench = SessionBench(oracle, descriptorSense: input.flag())
    }

    func run(_ input: inout FuzzInput) {
        login(&input)
        while !input.isEmpty, oracle.failure == nil { step(&input) }
        bench.finish()
    }

    private func step(_ input: inout FuzzInput) {
        switch input.byte() {
        case 0..<96: command(&input)
        case 96..<132: answerWant(&input)
        case 132..<144: dataOut(&input)
        case 144..<156: ping(&input)
        case 156..<172: manage(&input)
        case 172..<182: text(&input)
        case 182..<188: logout(&input)
        case 188..<196: snack(&input)
        case 196..<204: raw(&input)
        case 204..<212:
            stream = 1 + UInt32(input.below(4))
            if bench.wires[stream] == nil { login(&input) }
        case 212..<216: bench.hangUp(stream)
        case 216..<224: surroundings(&input)
        case 224..<228: spoil(&input)
        default: bench.device.disturb(&input)
        }
        bench.settle()
    }

    private func surroundings(_ input: inout FuzzInput) {
        switch input.below(4) {
        case 0: bench.stalled.toggle()
        case 1: bench.readLimit = input.flag() ? Int.max : 1 + Int(input.big16())
        case 2: bench.writeLimit = input.flag() ? Int.max : 1 + Int(input.big16())
        default: bench.advance(.seconds(UInt64(input.below(40))))
        }
    }

    // MARK: Login

    private static let keys = [
        "HeaderDigest=CRC32C", "DataDigest=CRC32C", "InitialR2T=No", "ImmediateData=No",
        "MaxRecvDataSegmentLength=512", "MaxBurstLength=1024", "FirstBurstLength=512", "MaxBurstLength=16776192",
        "ErrorRecoveryLevel=2", "MaxConnections=4", "MaxOutstandingR2T=4", "DataPDUInOrder=No",
        "DataSequenceInOrder=No", "DefaultTime2Retain=20", "iSCSIProtocolLevel=2", "FirstBurstLength=65536",
    ]

    /// Logs in with the keys that two bytes choose; a third says who comes, and to which session.
    private func login(_ input: inout FuzzInput) {
        bench.connect(stream)
        let chosen = input.big16()
        let who = input.byte()
        var text = "InitiatorName=iqn.2026-11.example:\(who & 1)\0"
        text += who & 0xF0 == 0xF0 ? "SessionType=Discovery\0" : "TargetName=iqn.2026-11.io.gemel:fuzz\0"
        var names: Set<Substring> = []
        for (index, key) in Self.keys.enumerated() where chosen & 1 << UInt16(index) != 0 {
            if names.insert(key.prefix { $0 != "=" }).inserted { text += key + "\0" }
        }
        if who & 0x20 == 0x20 { text += "TaskReporting=ResponseFence\0" }
        var pdu = LoginRequestPDU()
        pdu.transit = true
        pdu.currentStage = 1
        pdu.nextStage = 3
        pdu.isid = ISID(0x8000_0000_0000 | UInt64(who & 2))
        pdu.cid = UInt16(stream)
        pdu.initiatorTaskTag = 1
        // To join a session, MC/S: the TSIH that another stream was given.
        let joined = who & 4 == 4 ? bench.wires.values.map(\.answers).max { $0.tsih < $1.tsih } : nil
        pdu.tsih = joined?.tsih ?? 0
        let first: UInt32 = who & 8 == 8 ? 0xFFFF_FFF0 : 1
        pdu.cmdSN = first
        cmdSN[stream] = first
        put(data: Array(text.utf8)) { pdu.encode(into: $0) }
        bench.settle()
        guard bench.wires[stream]?.answers.isLoggedIn == true else { return }
        bench.wires[stream]?.answers.agreement.maxRecv = names.contains("MaxRecvDataSegmentLength") ? 512 : 8192
        // What is agreed for a session, its first connection agreed.
        if let joined, pdu.tsih != 0 {
            bench.wires[stream]?.answers.agreement.maxBurst = joined.agreement.maxBurst
            bench.wires[stream]?.answers.agreement.errorRecovery = joined.agreement.errorRecovery
        }
        if who & 0xF0 == 0 {
            for unit in 0..<UInt64(DeviceBench.units) { sendCommand(lun: unit << 48) { _ in } }
            bench.settle()
        }
    }

    // MARK: PDUs

    /// A PDU on the present stream, with the digests that were agreed.
    func put(
        additional: [UInt8] = [], data: [UInt8] = [], claims length: Int? = nil,
        _ encode: (UnsafeMutableRawPointer) -> Void
    ) {
        guard let agreement = bench.wires[stream]?.answers.agreement else { return }
        var header = [UInt8](repeating: 0, count: 48)
        header.withUnsafeMutableBytes { raw in raw.baseAddress.map(encode) }
        header[4] = UInt8(truncatingIfNeeded: additional.count / 4)
        let count = length ?? data.count
        for (place, shift) in [(5, 16), (6, 8), (7, 0)] { header[place] = UInt8(count >> shift & 0xFF) }
        var bytes = header + additional
        if agreement.headerDigest { bytes += AnswerCheck.digest(bytes[...]) }
        let padded = data + [UInt8](repeating: 0, count: (4 - data.count % 4) % 4)
        bytes += padded
        if agreement.dataDigest, count > 0 { bytes += AnswerCheck.digest(padded[...]) }
        bench.send(stream, bytes)
    }

    /// The next CmdSN; an immediate request takes none.
    func serial(immediate: Bool) -> UInt32 {
        let number = cmdSN[stream] ?? 1
        if !immediate { cmdSN[stream] = number &+ 1 }
        return number
    }

    func sendCommand(
        lun: UInt64, additional: [UInt8] = [], data: [UInt8] = [], _ adjust: (inout SCSICommandPDU) -> Void
    ) {
        var pdu = SCSICommandPDU()
        nextTag &+= 1
        pdu.initiatorTaskTag = nextTag
        pdu.lun = lun
        adjust(&pdu)
        pdu.cmdSN &+= serial(immediate: pdu.immediate)
        bench.wires[stream]?.answers.asked(
            pdu.initiatorTaskTag, expecting: pdu.expectedDataTransferLength, read: pdu.read, opcode: pdu.cdb[0])
        put(additional: additional, data: data) { pdu.encode(into: $0) }
    }
}
