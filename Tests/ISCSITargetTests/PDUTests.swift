import Foundation
import ISCSIFormats
import Primitives
import Testing

/// Bytes of a fixture: hexadecimal digits, comments after `#`.
func fixture(_ name: String) throws -> [UInt8] {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    let text = try String(contentsOf: root.appending(path: "fixtures/pdus/\(name).hex"), encoding: .utf8)
    var digits: [UInt8] = []
    for line in text.split(separator: "\n") {
        let bytes = line.prefix { $0 != "#" }
        for character in bytes { if let digit = character.hexDigitValue { digits.append(UInt8(digit)) } }
    }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

@Suite struct PDUTests {
    /// Decodes a fixture, encodes what was found, and compares all 48 bytes.
    func roundTrip<P>(
        _ name: String, _ decode: (UnsafeRawPointer) -> P, _ encode: (P, UnsafeMutableRawPointer) -> Void
    ) throws -> P {
        let bytes = try fixture(name)
        #expect(bytes.count == 48)
        let pdu = bytes.withUnsafeBytes { decode($0.baseAddress!) }
        var again = [UInt8](repeating: 0xCC, count: 48)
        again.withUnsafeMutableBytes { encode(pdu, $0.baseAddress!) }
        #expect(again == bytes, "\(name)")
        return pdu
    }

    @Test func commandsAndResponses() throws {
        let command = try roundTrip("scsi-command-write", SCSICommandPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(command.write && !command.read && command.final && command.attribute == 2)
        #expect(command.lun == 1 << 48 && command.expectedDataTransferLength == 4096 && command.cdb[0] == 0x2A)
        #expect(command.cmdSN == 5 && command.expStatSN == 10 && command.dataSegmentLength == 4096)
        let response = try roundTrip("scsi-response-underflow", SCSIResponsePDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(response.residual == Residual(underflow: true, count: 512))
        #expect(response.status == 2 && response.serials.maxCmdSN == 0x45 && response.expDataSN == 3)
    }

    @Test func data() throws {
        let out = try roundTrip("data-out", DataOutPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(out.final && out.targetTransferTag == 0x77 && out.dataSN == 1 && out.bufferOffset == 2048)
        let dataIn = try roundTrip("data-in-status", DataInPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(dataIn.hasStatus && dataIn.residual == Residual(overflow: true, count: 24) && dataIn.dataSN == 2)
        let r2t = try roundTrip("ready-to-transfer", ReadyToTransferPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(r2t.desiredDataTransferLength == 196_608 && r2t.bufferOffset == 65536 && r2t.r2tSN == 1)
    }

    @Test func login() throws {
        let request = try roundTrip("login-request", LoginRequestPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(request.transit && request.currentStage == 1 && request.nextStage == 3 && request.cid == 2)
        #expect(request.isid == ISID(0x0002_3D00_0001) && request.tsih == 0)
        let response = try roundTrip("login-response", LoginResponsePDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(response.tsih == 9 && response.status == 0 && response.serials.statSN == 3)
        let refused = try roundTrip("login-refused", LoginResponsePDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(LoginStatus(rawValue: refused.status) == .notFound)
    }

    @Test func taskManagement() throws {
        let request = try roundTrip("task-management-request", TaskManagementRequestPDU.init(decoding:)) {
            $0.encode(into: $1)
        }
        #expect(request.function == 1 && request.referencedTaskTag == 0x10 && request.refCmdSN == 5)
        let response = try roundTrip("task-management-response", TaskManagementResponsePDU.init(decoding:)) {
            $0.encode(into: $1)
        }
        #expect(response.response == 1)
    }

    @Test func textAndLogout() throws {
        let request = try roundTrip("text-request", TextRequestPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(request.final && request.targetTransferTag == Tag.none)
        let response = try roundTrip("text-response-continued", TextResponsePDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(response.continues && !response.final && response.targetTransferTag == 0x78)
        let logout = try roundTrip("logout-request", LogoutRequestPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(logout.reason == 1 && logout.cid == 2)
        let closed = try roundTrip("logout-response", LogoutResponsePDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(closed.time2Wait == 2 && closed.time2Retain == 20)
    }

    @Test func theOthers() throws {
        let snack = try roundTrip("snack-request", SNACKRequestPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(snack.type == 1 && snack.begRun == 3 && snack.runLength == 2)
        let reject = try roundTrip("reject", RejectPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(RejectReason(rawValue: reject.reason) == .protocolError)
        let message = try roundTrip("async-message", AsyncMessagePDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(message.event == 1 && message.parameter3 == 10)
        let nopOut = try roundTrip("nop-out", NOPOutPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(nopOut.immediate && nopOut.dataSegmentLength == 4)
        let nopIn = try roundTrip("nop-in", NOPInPDU.init(decoding:)) { $0.encode(into: $1) }
        #expect(nopIn.targetTransferTag == 0x79)
    }

    @Test func serialNumbersWrap() {
        #expect(SerialNumber(0xFFFF_FFFF) < SerialNumber(0))
        #expect(!(SerialNumber(0) < SerialNumber(0xFFFF_FFFF)))
        #expect(SerialNumber(3) <= SerialNumber(3))
        #expect(SerialNumber(2) - SerialNumber(0xFFFF_FFFE) == 4)
    }

    @Test func textsAreReadStrictly() {
        func read(_ text: String) -> [String]? {
            Array(text.utf8).withUnsafeBytes { bytes -> [String]? in
                var reader = KeyValueReader(bytes)
                var result: [String] = []
                do {
                    while let pair = try reader.next() {
                        result.append(String(decoding: pair.key, as: UTF8.self))
                        result.append(String(decoding: pair.value, as: UTF8.self))
                    }
                } catch { return nil }
                return result
            }
        }
        #expect(read("A=1\0B=x=y\0\0") == ["A", "1", "B", "x=y"])
        #expect(read("") == [])
        for bad in ["A=1", "A\0", "=1\0", "9A=1\0", "A b=1\0", "A=\u{7}\0"] { #expect(read(bad) == nil) }
    }

    @Test func numbersAndListsAreReadStrictly() {
        func number(_ text: String) -> UInt64? { Array(text.utf8).withUnsafeBytes { TextValue.number($0) } }
        #expect(number("0x1fF") == 511)
        #expect(number("18446744073709551615") == .max)
        for bad in ["", "0x", "-1", "1e9", "18446744073709551616", "0xG", " 1"] { #expect(number(bad) == nil) }
        let list = Array("SHA,CRC32C,None".utf8)
        #expect(list.withUnsafeBytes { TextValue.choose($0, among: ["None", "CRC32C"]) } == "CRC32C")
        #expect(list.withUnsafeBytes { TextValue.choose($0, among: ["MD5"]) } == nil)
    }
}
