import ISCSIFormats
import Primitives
import SAM
import Testing

@testable import Fuzzing

/// The oracles see what is wrong: what an engine must never say makes them say so.
@Suite struct OracleTests {
    private func failure(loggedIn: Bool = true, _ stories: (inout AnswerCheck) -> Void) -> String? {
        let oracle = Oracle()
        var check = AnswerCheck(oracle)
        check.isLoggedIn = loggedIn
        stories(&check)
        return oracle.failure
    }

    private func take(
        _ check: inout AnswerCheck, data: [UInt8] = [], _ encode: (UnsafeMutableRawPointer) -> Void
    ) {
        var bytes = [UInt8](repeating: 0, count: 48)
        bytes.withUnsafeMutableBytes { raw in raw.baseAddress.map(encode) }
        bytes[6] = UInt8(data.count >> 8)
        bytes[7] = UInt8(data.count & 0xFF)
        (bytes + data).withUnsafeBytes { check.take($0) }
    }

    @Test func aRightAnswerIsRight() {
        let failure = failure { check in
            check.asked(5, expecting: 512, read: true)
            var data = DataInPDU()
            data.initiatorTaskTag = 5
            data.final = true
            data.hasStatus = true
            data.dataSegmentLength = 512
            take(&check, data: [UInt8](repeating: 1, count: 512)) { data.encode(into: $0) }
        }
        #expect(failure == nil)
    }

    @Test func aSecondResponseIsSeen() {
        let failure = failure { check in
            check.asked(5, expecting: 0, read: false)
            for number in 0..<2 {
                var pdu = SCSIResponsePDU()
                pdu.initiatorTaskTag = 5
                pdu.serials.statSN = UInt32(number)
                take(&check) { pdu.encode(into: $0) }
            }
        }
        #expect(failure == "task 5 is answered 2 times")
    }

    @Test(arguments: [UInt32(512), 1024]) func dataBeyondTheExpectedLengthIsSeen(offset: UInt32) {
        let failure = failure { check in
            check.asked(5, expecting: 512, read: true)
            var pdu = DataInPDU()
            pdu.initiatorTaskTag = 5
            pdu.bufferOffset = offset
            take(&check, data: [0, 0, 0, 0]) { pdu.encode(into: $0) }
        }
        #expect(failure?.hasPrefix("Data-In up to") == true)
    }

    @Test func aSegmentLongerThanAgreedIsSeen() {
        let failure = failure { check in
            check.agreement.maxRecv = 512
            var pdu = NOPInPDU()
            pdu.initiatorTaskTag = 1
            take(&check, data: [UInt8](repeating: 0, count: 516)) { pdu.encode(into: $0) }
        }
        #expect(failure == "a data segment of 516 bytes, MaxRecvDataSegmentLength is 512")
    }

    @Test func aStatusNumberThatIsLeftOutIsSeen() {
        let failure = failure { check in
            for number in [7, 9] {
                var pdu = LogoutResponsePDU()
                pdu.serials.statSN = UInt32(number)
                take(&check) { pdu.encode(into: $0) }
            }
        }
        #expect(failure?.contains("StatSN 9") == true)
    }

    @Test func anAnswerBeforeTheLoginIsSeen() {
        let failure = failure(loggedIn: false) { check in take(&check) { NOPInPDU().encode(into: $0) } }
        #expect(failure == "nopIn before the end of the login")
    }

    @Test func senseDataThatAreNotWholeAreSeen() {
        var fixed = [UInt8](repeating: 0, count: 18)
        fixed[0] = 0x70
        fixed[2] = 5
        fixed[7] = 10
        #expect(SenseCheck.fault(.checkCondition, fixed) == nil)
        #expect(SenseCheck.fault(.good, fixed) != nil)
        #expect(SenseCheck.fault(.checkCondition, []) != nil)
        #expect(SenseCheck.fault(.checkCondition, Array(fixed.dropLast())) != nil)
        var pointer = fixed
        pointer[15] = 0xC0
        pointer[17] = 40
        #expect(SenseCheck.fault(.checkCondition, pointer) == "a field pointer beyond the CDB")
        #expect(SenseCheck.fault(.checkCondition, [0x72, 5, 0x20, 0, 0, 0, 0, 4, 2, 6, 0, 0]) != nil)
    }
}
