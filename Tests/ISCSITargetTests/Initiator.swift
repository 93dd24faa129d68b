import ISCSIFormats
import Primitives
import SAM

@testable import ISCSITarget

/// A small initiator on one stream of the bench.
final class Initiator {
    let bench: Bench
    let stream: UInt32
    var isid = ISID(0x8000_0000_0001)
    var cmdSN: UInt32 = 0xFFFF_FFFE
    var nextTag: UInt32 = 100
    var headerDigest = false
    var dataDigest = false

    init(_ bench: Bench, stream: UInt32 = 1) {
        self.bench = bench
        self.stream = stream
        _ = bench.connect(stream)
        bench.fromTarget[stream] = []
    }

    func tag() -> UInt32 {
        nextTag += 1
        return nextTag
    }

    /// Sends a PDU with digests as agreed, without settling.
    func put(_ encode: (UnsafeMutableRawPointer) -> Void, additional: [UInt8] = [], data: [UInt8] = []) {
        var header = [UInt8](repeating: 0, count: 48)
        header.withUnsafeMutableBytes { encode($0.baseAddress!) }
        header[4] = UInt8(additional.count / 4)
        header[5] = UInt8(data.count >> 16 & 0xFF)
        header[6] = UInt8(data.count >> 8 & 0xFF)
        header[7] = UInt8(data.count & 0xFF)
        var bytes = header + additional
        if headerDigest { bytes += Self.digest(bytes) }
        let padded = data + [UInt8](repeating: 0, count: (4 - data.count % 4) % 4)
        bytes += padded
        if dataDigest && !data.isEmpty { bytes += Self.digest(padded) }
        bench.toTarget[stream, default: []] += bytes
    }

    static func digest(_ bytes: [UInt8]) -> [UInt8] {
        let crc = bytes.withUnsafeBytes { Checksum.crc32c($0.baseAddress!, $0.count) }
        return [0, 8, 16, 24].map { UInt8(truncatingIfNeeded: crc >> $0) }
    }

    /// Settles the bench and takes every PDU that has come.
    func take() -> [SeenPDU] {
        bench.settle()
        let bytes = bench.fromTarget[stream] ?? []
        var result: [SeenPDU] = []
        var start = 0
        while bytes.count - start >= 48 {
            let length = Int(bytes[start + 5]) << 16 | Int(bytes[start + 6]) << 8 | Int(bytes[start + 7])
            let padded = (length + 3) & ~3
            let header = Array(bytes[start..<(start + 48)])
            var at = start + 48
            if headerDigest {
                if bytes.count < at + 4 { break }
                if Array(bytes[at..<(at + 4)]) != Self.digest(header) { result.append(Self.damaged) }
                at += 4
            }
            let end = at + padded + (dataDigest && length > 0 ? 4 : 0)
            if bytes.count < end { break }
            if dataDigest && length > 0
                && Array(bytes[(at + padded)..<end]) != Self.digest(Array(bytes[at..<(at + padded)])) {
                result.append(Self.damaged)
            }
            result.append(SeenPDU(header: header, data: Array(bytes[at..<(at + length)])))
            start = end
        }
        bench.fromTarget[stream] = Array(bytes[start...])
        return result
    }

    /// Stands for a digest that was wrong.
    static let damaged = SeenPDU(header: [0x3E], data: [])

    static func text(_ pairs: [String]) -> [UInt8] { pairs.flatMap { Array($0.utf8) + [0] } }

    func putLogin(
        _ pairs: [String], stage: UInt8 = 1, next: UInt8? = 3,
        _ adjust: (inout LoginRequestPDU) -> Void = { _ in }
    ) {
        var pdu = LoginRequestPDU()
        pdu.transit = next != nil
        pdu.currentStage = stage
        pdu.nextStage = next ?? 0
        pdu.isid = isid
        pdu.initiatorTaskTag = 1
        pdu.cmdSN = cmdSN
        adjust(&pdu)
        put(pdu.encode, data: Self.text(pairs))
    }

    func login(_ pairs: [String] = [], names: [String] = Initiator.names) -> (LoginResponsePDU, [String])? {
        putLogin(names + pairs)
        guard let seen = take().first, seen.opcode == .loginResponse else { return nil }
        let response = seen.decoded { LoginResponsePDU(decoding: $0) }
        headerDigest = seen.text.contains("HeaderDigest=CRC32C")
        dataDigest = seen.text.contains("DataDigest=CRC32C")
        return (response, seen.text)
    }

    static let names = ["InitiatorName=iqn.2026-11.example:host", "TargetName=iqn.2026-11.io.gemel:one"]
    static let discovery = ["InitiatorName=iqn.2026-11.example:host", "SessionType=Discovery"]

    func command(
        _ cdb: [UInt8], read: Int? = nil, write: Int? = nil, immediate: [UInt8] = [], final: Bool = true,
        additional: [UInt8] = [], _ adjust: (inout SCSICommandPDU) -> Void = { _ in }
    ) -> UInt32 {
        var pdu = SCSICommandPDU()
        pdu.initiatorTaskTag = tag()
        pdu.final = final
        pdu.read = read != nil
        pdu.write = write != nil
        pdu.expectedDataTransferLength = UInt32(read ?? write ?? 0)
        pdu.cmdSN = cmdSN
        for (index, byte) in cdb.enumerated() { pdu.cdb[index] = byte }
        adjust(&pdu)
        if !pdu.immediate { cmdSN &+= 1 }
        put(pdu.encode, additional: additional, data: immediate)
        return pdu.initiatorTaskTag
    }

    static func read10(_ block: Int, _ count: Int) -> [UInt8] { transfer(0x28, block, count) }
    static func write10(_ block: Int, _ count: Int) -> [UInt8] { transfer(0x2A, block, count) }
    private static func transfer(_ code: UInt8, _ block: Int, _ count: Int) -> [UInt8] {
        [code, 0, UInt8(block >> 24), UInt8(block >> 16 & 255), UInt8(block >> 8 & 255), UInt8(block & 255), 0,
            UInt8(count >> 8), UInt8(count & 255), 0]
    }

    func putData(
        _ task: UInt32, transferTag: UInt32 = Tag.none, number: UInt32, offset: Int, _ data: [UInt8], final: Bool
    ) {
        var pdu = DataOutPDU()
        pdu.final = final
        pdu.initiatorTaskTag = task
        pdu.targetTransferTag = transferTag
        pdu.dataSN = number
        pdu.bufferOffset = UInt32(offset)
        put(pdu.encode, data: data)
    }

    /// Answers R2Ts with `data`, in PDUs of `pduBytes`, until a SCSI Response comes.
    func finishWrite(_ task: UInt32, _ data: [UInt8], pduBytes: Int = 65_536) -> (SCSIResponsePDU?, r2ts: Int) {
        var r2ts = 0
        for _ in 0..<1000 {
            for seen in take() {
                if seen.opcode == .scsiResponse { return (seen.decoded { SCSIResponsePDU(decoding: $0) }, r2ts) }
                guard seen.opcode == .readyToTransfer else { continue }
                let r2t = seen.decoded { ReadyToTransferPDU(decoding: $0) }
                r2ts += 1
                var at = Int(r2t.bufferOffset)
                let end = at + Int(r2t.desiredDataTransferLength)
                var number: UInt32 = 0
                while at < end {
                    let count = min(pduBytes, end - at)
                    putData(
                        task, transferTag: r2t.targetTransferTag, number: number, offset: at,
                        Array(data[at..<(at + count)]), final: at + count == end)
                    at += count
                    number += 1
                }
            }
        }
        return (nil, r2ts)
    }

    /// Reads, and puts the Data-In PDUs together; checks their numbers.
    func read(_ block: Int, _ count: Int, expecting: Int? = nil) -> (data: [UInt8], last: DataInPDU?, pdus: Int) {
        _ = command(Self.read10(block, count), read: expecting ?? count * 512)
        var data: [UInt8] = []
        var last: DataInPDU?
        var pdus = 0
        for seen in take() where seen.opcode == .dataIn {
            let pdu = seen.decoded { DataInPDU(decoding: $0) }
            if Int(pdu.bufferOffset) != data.count || Int(pdu.dataSN) != pdus { return ([], nil, -1) }
            data += seen.data
            last = pdu
            pdus += 1
        }
        return (data, last, pdus)
    }
}

func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SeededRandom(seed: seed)
    var words = [UInt64](repeating: 0, count: (count + 7) / 8)
    for index in words.indices { words[index] = random.next() }
    return words.withUnsafeBytes { Array($0.prefix(count)) }
}
