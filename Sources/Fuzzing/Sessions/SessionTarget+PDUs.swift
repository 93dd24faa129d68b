import ISCSIFormats
import Primitives
import SAM

// The PDUs of an initiator, mostly right.
extension SessionTarget {
    private func tag(_ input: inout FuzzInput) -> UInt32 {
        switch input.below(4) {
        case 0: nextTag
        case 1: nextTag &- UInt32(input.below(8))
        case 2: Tag.none
        default: UInt32(input.byte())
        }
    }

    func command(_ input: inout FuzzInput) {
        let how = input.byte()
        let cdb = maker.cdb(&input)
        let length = how & 1 == 1 ? input.length() : 4096
        let data = how & 2 == 2 ? content(&input) : []
        // Bytes of a CDB beyond the sixteenth are in an additional header segment (RFC 7143 §11.2.2.3).
        var additional: [UInt8] = []
        if cdb[0] == 0x7F { additional = [0, 17, 1, 0] + (16..<32).map { cdb[$0] } }
        let lun: UInt64 = input.pick([0, 0, 0, 1 << 48, 2 << 48, 5 << 48])
        sendCommand(lun: lun, additional: additional, data: data) { pdu in
            for index in 0..<16 { pdu.cdb[index] = cdb[index] }
            pdu.totalAHSLength = UInt8(additional.count / 4)
            pdu.read = how & 4 == 4
            pdu.write = how & 8 == 8
            pdu.expectedDataTransferLength = pdu.read || pdu.write ? length : 0
            pdu.immediate = how & 0x70 == 0x70
            pdu.final = how & 0xC0 != 0xC0
            if how & 0x90 == 0x90 { pdu.attribute = UInt8(input.below(8)) }
            if how >= 0xFC {
                pdu.initiatorTaskTag = tag(&input)
                pdu.cmdSN = UInt32(input.byte()) &- 4
            }
        }
    }

    /// Some bytes, or many that are alike.
    private func content(_ input: inout FuzzInput) -> [UInt8] {
        let count = Int(input.length() & 0xFFFF)
        let given = input.take(min(count, input.below(64)))
        return given + [UInt8](repeating: 0x5A, count: count - given.count)
    }

    /// Data for an R2T as it wants them, in PDUs of one length; or not quite so.
    func answerWant(_ input: inout FuzzInput) {
        guard let want = bench.wires[stream]?.answers.wants.popLast() else { return }
        let how = input.byte()
        let step = how & 1 == 1 ? 512 : 65_536
        var at = 0
        var number: UInt32 = 0
        while at < Int(want.length), number < 64 {
            let count = min(step, Int(want.length) - at)
            var pdu = DataOutPDU()
            pdu.initiatorTaskTag = want.task
            pdu.targetTransferTag = want.tag
            pdu.lun = want.lun
            pdu.dataSN = number
            pdu.bufferOffset = want.offset &+ UInt32(at)
            at += count
            pdu.final = at == Int(want.length)
            if how >= 240, at == count { spoil(&pdu, &input) }
            put(data: [UInt8](repeating: how, count: count)) { pdu.encode(into: $0) }
            number += 1
        }
    }

    private func spoil(_ pdu: inout DataOutPDU, _ input: inout FuzzInput) {
        switch input.below(5) {
        case 0: pdu.final.toggle()
        case 1: pdu.dataSN &+= UInt32(input.byte())
        case 2: pdu.bufferOffset &+= input.length()
        case 3: pdu.targetTransferTag = tag(&input)
        default: pdu.initiatorTaskTag = tag(&input)
        }
    }

    func dataOut(_ input: inout FuzzInput) {
        var pdu = DataOutPDU()
        pdu.initiatorTaskTag = tag(&input)
        pdu.targetTransferTag = input.flag() ? Tag.none : UInt32(input.byte())
        pdu.final = input.flag()
        pdu.dataSN = UInt32(input.below(4))
        pdu.bufferOffset = input.flag() ? input.length() : 0
        put(data: content(&input)) { pdu.encode(into: $0) }
    }

    func ping(_ input: inout FuzzInput) {
        var pdu = NOPOutPDU()
        let asked = bench.wires[stream]?.answers.pings.popLast()
        pdu.immediate = input.flag()
        pdu.targetTransferTag = asked ?? Tag.none
        nextTag &+= 1
        pdu.initiatorTaskTag = asked != nil || input.below(8) == 0 ? Tag.none : nextTag
        pdu.cmdSN = serial(immediate: pdu.immediate)
        put(data: input.flag() ? content(&input) : []) { pdu.encode(into: $0) }
    }

    func manage(_ input: inout FuzzInput) {
        var pdu = TaskManagementRequestPDU()
        pdu.function = input.byte() & 15
        pdu.immediate = input.flag()
        pdu.lun = input.pick([0, 0, 1 << 48, 9 << 48])
        nextTag &+= 1
        pdu.initiatorTaskTag = nextTag
        pdu.referencedTaskTag = tag(&input)
        pdu.refCmdSN = (cmdSN[stream] ?? 1) &- UInt32(input.below(4))
        pdu.cmdSN = serial(immediate: pdu.immediate)
        put { pdu.encode(into: $0) }
    }

    func text(_ input: inout FuzzInput) {
        var pdu = TextRequestPDU()
        pdu.immediate = input.flag()
        pdu.final = input.below(4) > 0
        pdu.continues = input.below(4) == 0
        pdu.initiatorTaskTag = input.flag() ? 0x99 : tag(&input)
        pdu.targetTransferTag = input.flag() ? bench.wires[stream]?.answers.textTag ?? Tag.none : Tag.none
        pdu.cmdSN = serial(immediate: pdu.immediate)
        let texts = [
            "SendTargets=All\0", "SendTargets=\0", "MaxRecvDataSegmentLength=1024\0", "X-gemel=1\0", "=\0", "A\0",
        ]
        let data = input.flag() ? Array(input.pick(texts).utf8) : input.take(input.below(256))
        put(data: data) { pdu.encode(into: $0) }
    }

    func logout(_ input: inout FuzzInput) {
        var pdu = LogoutRequestPDU()
        pdu.reason = UInt8(input.below(4))
        pdu.immediate = input.flag()
        pdu.cid = input.flag() ? UInt16(stream) : UInt16(input.byte())
        nextTag &+= 1
        pdu.initiatorTaskTag = nextTag
        pdu.cmdSN = serial(immediate: pdu.immediate)
        put { pdu.encode(into: $0) }
    }

    func snack(_ input: inout FuzzInput) {
        var pdu = SNACKRequestPDU()
        pdu.type = UInt8(input.below(5))
        pdu.initiatorTaskTag = tag(&input)
        pdu.snackTag = tag(&input)
        pdu.begRun = input.flag() ? 0 : input.length()
        pdu.runLength = input.flag() ? 0 : input.length()
        put { pdu.encode(into: $0) }
    }

    /// Any header, with a segment that may be shorter than it claims, and additional header segments.
    func raw(_ input: inout FuzzInput) {
        let codes: [UInt8] = [0, 1, 2, 3, 4, 5, 6, 0x10, 0x41, 0x43, 0x21, 0x1C]
        let code = input.flag() ? input.pick(codes) : input.byte()
        var header = [code] + input.take(47)
        header += [UInt8](repeating: 0, count: 48 - header.count)
        let additional = input.take(input.below(4) * 4)
        let data = input.take(input.below(200))
        let claims = input.below(8) == 0 ? Int(input.length() & 0xFF_FFFF) : nil
        bench.wires[stream]?.answers.knowsTasks = false
        put(
            additional: additional + [UInt8](repeating: 0, count: (4 - additional.count % 4) % 4), data: data,
            claims: claims
        ) { $0.copyMemory(from: header, byteCount: 48) }
    }

    /// Turns a bit of what is on its way.
    func spoil(_ input: inout FuzzInput) {
        ping(&input)
        guard let count = bench.wires[stream]?.incoming.count, count > 0 else { return }
        let place = Int(input.big16()) % count
        bench.wires[stream]?.answers.knowsTasks = false
        bench.wires[stream]?.incoming[place] ^= 1 << UInt8(input.below(8))
    }
}
