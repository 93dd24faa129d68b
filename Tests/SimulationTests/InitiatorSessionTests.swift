import Testing

@testable import Simulation

/// The initiator's session against bytes written by hand.
@Suite struct InitiatorSessionTests {
    private func session(immediate: Bool = true, initialR2T: Bool = true) -> InitiatorSession {
        var settings = InitiatorSettings(
            initiatorName: "iqn.2026-11.test:i", targetName: "iqn.2026-11.test:t", isid: [0x80, 0, 0, 1, 0, 7])
        settings.immediateData = immediate
        settings.initialR2T = initialR2T
        return InitiatorSession(settings)
    }

    /// Everything that the session wants to send.
    private func sent(_ session: InitiatorSession) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: session.output.count)
        let count = bytes.count
        _ = bytes.withUnsafeMutableBytes { session.output.read(into: $0.baseAddress!, count) }
        return bytes
    }

    private func feed(_ session: InitiatorSession, _ bytes: [UInt8], chunk: Int = .max) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(chunk))
            piece.withUnsafeBytes { session.receive($0.baseAddress!, piece.count) }
            rest = rest.dropFirst(piece.count)
        }
    }

    /// A header from its bytes by offset, then data, padded.
    private func pdu(_ fields: [Int: [UInt8]], _ data: [UInt8] = []) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: 48)
        for (offset, bytes) in fields { header.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
        header[7] = UInt8(data.count & 0xFF)
        header[6] = UInt8(data.count >> 8)
        return header + data + Array(repeating: 0, count: (4 - data.count % 4) % 4)
    }

    /// Login response: T, operational to full feature, StatSN 0x10, ExpCmdSN 1, MaxCmdSN 4, TSIH 0x0102.
    private var loginResponse: [UInt8] {
        pdu(
            [0: [0x23, 0x87], 14: [1, 2], 24: [0, 0, 0, 0x10], 28: [0, 0, 0, 1], 32: [0, 0, 0, 4]],
            Array("MaxRecvDataSegmentLength=1024\0ImmediateData=Yes\0InitialR2T=Yes\0FirstBurstLength=2048\0".utf8))
    }

    private func loggedIn(immediate: Bool = true) -> InitiatorSession {
        let session = session(immediate: immediate)
        session.startLogin()
        _ = sent(session)
        feed(session, loginResponse)
        session.events.removeAll()
        return session
    }

    private func violation(_ session: InitiatorSession) -> String? {
        for case .violation(let text) in session.events { return text }
        return nil
    }

    /// SCSI Response with GOOD: tag at 16, StatSN at 24, ExpCmdSN at 28, MaxCmdSN at 32.
    private func response(_ tag: UInt32, statSN: UInt8) -> [UInt8] {
        pdu([0: [0x21, 0x80], 16: [0, 0, 0, UInt8(tag)], 27: [statSN], 31: [2], 35: [9]])
    }

    @Test func theLoginRequestIsByteForByteWhatTheStandardSays() {
        let session = session()
        session.startLogin()
        let bytes = sent(session)
        #expect(bytes[0] == 0x43)
        #expect(bytes[1] == 0x87, "transit from operational negotiation to full feature phase")
        #expect(Array(bytes[8..<14]) == [0x80, 0, 0, 1, 0, 7])
        #expect(bytes[14] == 0 && bytes[15] == 0, "TSIH 0: a new session")
        #expect(Array(bytes[24..<28]) == [0, 0, 0, 1])
        let length = Int(bytes[5]) << 16 | Int(bytes[6]) << 8 | Int(bytes[7])
        let text = String(decoding: bytes[48..<48 + length], as: UTF8.self)
        #expect(text.hasPrefix("InitiatorName=iqn.2026-11.test:i\0TargetName=iqn.2026-11.test:t\0"))
        #expect(text.hasSuffix("\0"))
        #expect(bytes.count % 4 == 0)
    }

    @Test(arguments: [1, 7, 48, 1000])
    func loginSucceedsHoweverTheBytesAreCut(chunk: Int) {
        let session = session()
        session.startLogin()
        feed(session, loginResponse, chunk: chunk)
        guard case .loggedIn(let tsih)? = session.events.first else {
            Issue.record("not logged in")
            return
        }
        #expect(tsih == 0x0102 && session.isReady && session.hasWindow)
    }

    @Test func aRefusedLoginIsReported() {
        let session = session()
        session.startLogin()
        feed(session, pdu([0: [0x23, 0], 36: [2, 3]]))
        guard case .loginFailed(2, 3)? = session.events.first else {
            Issue.record("not reported")
            return
        }
    }

    @Test func aReadIsCollectedFromItsDataIn() {
        let session = loggedIn()
        let command = InitiatorCommand.read(lun: 1, block: 0x0102_0304, count: 2, isLong: false, forceUnitAccess: true)
        guard let tag = session.submit(command) else {
            Issue.record("no window")
            return
        }
        let bytes = sent(session)
        #expect(bytes[0] == 1 && bytes[1] == 0xC1 && bytes[9] == 1)
        #expect(Array(bytes[20..<24]) == [0, 0, 4, 0])
        #expect(Array(bytes[32..<42]) == [0x28, 0x08, 1, 2, 3, 4, 0, 0, 2, 0])
        let first = Array(repeating: UInt8(0xA1), count: 512)
        let second = Array(repeating: UInt8(0xB2), count: 512)
        feed(session, pdu([0: [0x25, 0], 16: [0, 0, 0, UInt8(tag)], 31: [2], 35: [9]], first))
        #expect(session.events.isEmpty)
        let last: [Int: [UInt8]] = [
            0: [0x25, 0x81], 16: [0, 0, 0, UInt8(tag)], 27: [0x11], 31: [2], 35: [9], 39: [1], 42: [2, 0],
        ]
        feed(session, pdu(last, second))
        guard case .completed(tag, 0, nil, let data)? = session.events.first else {
            Issue.record("not completed: \(session.events)")
            return
        }
        #expect(data == first + second)
    }

    @Test func aWriteSendsImmediateDataAndWhatTheTargetAsksFor() {
        let session = loggedIn()
        let data = (0..<3072).map { UInt8($0 / 512) }
        guard
            let tag = session.submit(
                .write(lun: 0, block: 9, data: data, isLong: true, forceUnitAccess: false))
        else {
            Issue.record("no window")
            return
        }
        let request = sent(session)
        #expect(request[1] == 0xA1 && request.count == 48 + 1024, "as much as one PDU may carry")
        #expect(request[32] == 0x8A && request[41] == 9 && request[45] == 6)
        // R2T: target transfer tag 0x55, StatSN is the next one, offset 1024, 2048 bytes.
        feed(
            session,
            pdu([
                0: [0x31, 0x80], 16: [0, 0, 0, UInt8(tag)], 23: [0x55], 27: [0x11], 31: [2], 35: [9], 42: [4, 0],
                46: [8, 0],
            ]))
        let out = sent(session)
        #expect(out.count == 2 * (48 + 1024))
        #expect(out[0] == 5 && out[1] == 0 && out[23] == 0x55)
        #expect(out[1072] == 5 && out[1072 + 1] == 0x80 && out[1072 + 39] == 1 && out[1072 + 42] == 8)
        feed(session, response(tag, statSN: 0x11))
        guard case .completed(tag, 0, nil, _)? = session.events.first else {
            Issue.record("not completed: \(session.events)")
            return
        }
    }

    @Test func senseDataIsRead() {
        let session = loggedIn()
        guard let tag = session.submit(.testUnitReady(lun: 0)) else { return }
        var sense = [UInt8](repeating: 0, count: 20)
        sense[1] = 18
        sense[2] = 0x70
        sense[4] = 6
        sense[14] = 0x29
        sense[15] = 0x07
        feed(session, pdu([0: [0x21, 0x80, 0, 2], 16: [0, 0, 0, UInt8(tag)], 27: [0x11], 31: [2], 35: [9]], sense))
        guard case .completed(_, 2, let found?, _)? = session.events.first else {
            Issue.record("no sense")
            return
        }
        #expect(found == InitiatorSense(key: 6, code: 0x29, qualifier: 7))
        let descriptor = InitiatorSense(segment: [0, 8, 0x72, 6, 0x2A, 0x09, 0, 0])
        #expect(descriptor == InitiatorSense(key: 6, code: 0x2A, qualifier: 9))
    }

    @Test func aSecondResponseIsAViolation() {
        let session = loggedIn()
        guard let tag = session.submit(.testUnitReady(lun: 0)) else { return }
        feed(session, response(tag, statSN: 0x11))
        #expect(violation(session) == nil)
        feed(session, response(tag, statSN: 0x12))
        #expect(violation(session)?.contains("second answer") == true)
    }

    @Test func aResponseToNothingIsAViolation() {
        let session = loggedIn()
        _ = session.submit(.testUnitReady(lun: 0))
        feed(session, response(77, statSN: 0x11))
        #expect(violation(session)?.contains("unknown tag") == true)
    }

    @Test func aGapInStatSNIsAViolation() {
        let session = loggedIn()
        guard let tag = session.submit(.testUnitReady(lun: 0)) else { return }
        feed(session, response(tag, statSN: 0x12))
        #expect(violation(session)?.contains("StatSN") == true)
    }

    @Test func anR2TOutsideTheDataIsAViolation() {
        let session = loggedIn()
        let data = [UInt8](repeating: 1, count: 2048)
        guard let tag = session.submit(.write(lun: 0, block: 0, data: data, isLong: false, forceUnitAccess: false))
        else { return }
        feed(
            session,
            pdu([0: [0x31, 0x80], 16: [0, 0, 0, UInt8(tag)], 27: [0x11], 31: [2], 35: [9], 42: [4, 0], 46: [8, 0]]))
        #expect(violation(session)?.contains("R2T") == true)
    }

    @Test func goodWithLessDataThanAskedIsAViolation() {
        let session = loggedIn()
        guard let tag = session.submit(.read(lun: 0, block: 0, count: 1, isLong: false, forceUnitAccess: false))
        else { return }
        feed(session, response(tag, statSN: 0x11))
        #expect(violation(session)?.contains("GOOD after 0 of 512") == true)
    }

    @Test func theCommandWindowIsKept() {
        let session = loggedIn()
        for _ in 1...4 { #expect(session.submit(.testUnitReady(lun: 0)) != nil) }
        #expect(session.submit(.testUnitReady(lun: 0)) == nil)
    }

    @Test func aPingIsAnswered() {
        let session = loggedIn()
        feed(
            session,
            pdu([
                0: [0x20, 0x80], 16: [0xFF, 0xFF, 0xFF, 0xFF], 20: [0, 0, 0, 0x99], 27: [0x11], 31: [1], 35: [9],
            ]))
        let answer = sent(session)
        #expect(answer[0] == 0x40 && answer[23] == 0x99 && Array(answer[16..<20]) == [0xFF, 0xFF, 0xFF, 0xFF])
        #expect(violation(session) == nil)
    }

    @Test func anAbortedCommandNeedsNoResponse() {
        let session = loggedIn()
        guard let tag = session.submit(.testUnitReady(lun: 0)), let abort = session.abort(tag) else { return }
        let bytes = sent(session)
        #expect(bytes[48] == 0x42 && bytes[49] == 0x81 && bytes[48 + 23] == UInt8(tag))
        feed(session, pdu([0: [0x22, 0x80, 0], 16: [0, 0, 0, UInt8(abort)], 27: [0x11], 31: [2], 35: [9]]))
        guard case .managed(abort, 0)? = session.events.first else {
            Issue.record("not managed")
            return
        }
    }
}
