import ISCSIFormats
import ISCSITarget
import Primitives

/// The login phase, from the first byte: requests in any stage with any text, cut anywhere.
///
/// An input is a row of requests: flags, options, a length of two bytes, then the text, in which a line feed stands for
/// the NUL behind a pair (so that seeds can be read); option bit 0 takes the text as it is.
struct LoginTarget {
    let oracle: Oracle
    let bench: SessionBench

    init(_ oracle: Oracle) {
        self.oracle = oracle
        bench = SessionBench(oracle)
    }

    func run(_ input: inout FuzzInput) {
        bench.connect(1)
        var tag: UInt32 = 1
        while !input.isEmpty, oracle.failure == nil {
            bench.connect(1)
            request(&input, &tag)
            bench.settle()
            if let wire = bench.wires[1] { judge(wire.answers) }
        }
        bench.finish()
    }

    private func request(_ input: inout FuzzInput, _ tag: inout UInt32) {
        let flags = input.byte()
        let options = input.byte()
        var text = input.take(Int(input.big16() & 0x3FFF))
        if options & 1 == 0 { text = text.map { $0 == 10 ? 0 : $0 } }
        var pdu = LoginRequestPDU()
        pdu.transit = flags & 0x80 != 0
        pdu.continues = flags & 0x40 != 0
        pdu.currentStage = flags >> 2 & 3
        pdu.nextStage = flags & 3
        pdu.isid = ISID(0x0002_3D00_0001)
        pdu.initiatorTaskTag = options & 2 == 2 ? tag &+ 1 : tag
        pdu.cmdSN = 5
        if options & 4 == 4 { pdu.versionMin = input.byte() }
        if options & 8 == 8 { pdu.tsih = input.big16() }
        if options & 16 == 16 { pdu.isid = ISID(input.big64()) }
        var header = [UInt8](repeating: 0, count: 48)
        header.withUnsafeMutableBytes { raw in raw.baseAddress.map { pdu.encode(into: $0) } }
        header[5] = UInt8(text.count >> 16 & 0xFF)
        header[6] = UInt8(text.count >> 8 & 0xFF)
        header[7] = UInt8(text.count & 0xFF)
        if options & 32 == 32 { header[input.below(48)] = input.byte() }
        bench.readLimit = options & 64 == 64 ? 1 + input.below(64) : .max
        if options & 128 == 128 { bench.advance(.seconds(UInt64(input.below(20)))) }
        bench.send(1, header + text + [UInt8](repeating: 0, count: (4 - text.count % 4) % 4))
    }

    /// The stages of the answers go forward only.
    private func judge(_ answers: AnswerCheck) {
        var stage: UInt8 = 0
        for login in answers.logins where login.pdu.status == 0 {
            oracle.expect(login.pdu.currentStage >= stage, "stage \(login.pdu.currentStage) after \(stage)")
            if login.pdu.transit {
                oracle.expect(
                    login.pdu.nextStage > login.pdu.currentStage && login.pdu.nextStage != 2,
                    "from stage \(login.pdu.currentStage) to \(login.pdu.nextStage)")
                stage = login.pdu.nextStage
            }
        }
    }
}
