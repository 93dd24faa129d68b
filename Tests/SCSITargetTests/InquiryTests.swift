import BlockModel
import Foundation
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct InquiryTests {
    static func hex(_ text: Substring) -> [UInt8] {
        text.split(separator: " ").compactMap { UInt8($0, radix: 16) }
    }

    /// `fixtures/cdbs/answers.txt`: a CDB after `>`, its parameter list after `<`, then the bytes of its answer; `#`
    /// begins a comment.
    static func answers() throws -> [(cdb: [UInt8], list: [UInt8], data: [UInt8])] {
        var all: [(cdb: [UInt8], list: [UInt8], data: [UInt8])] = []
        for line in try CommandTableTests.fixture("cdbs/answers.txt").split(separator: "\n") {
            let text = line.split(separator: "#", omittingEmptySubsequences: false)[0]
            if text.hasPrefix(">") {
                all.append((hex(text.dropFirst()), [], []))
            } else if text.hasPrefix("<"), !all.isEmpty {
                all[all.count - 1].list += hex(text.dropFirst())
            } else if !all.isEmpty {
                all[all.count - 1].data += hex(text)
            }
        }
        return all
    }

    @Test func parameterDataEqualTheirFixtures() throws {
        let world = World(blocks: 1 << 12, units: 2)
        world.login()
        let answers = try Self.answers()
        #expect(answers.count >= 12)
        for (cdb, list, data) in answers {
            let outcome = world.command(cdb, dataIn: list.isEmpty ? 4096 : 0, out: list)
            #expect(outcome.status == .good && outcome.data == data, "\(cdb): \(Self.dump(outcome.data))")
        }
    }

    static func dump(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02X", $0) }.joined(separator: " ") }

    @Test func everySupportedPageAnswersAndNoOther() {
        let world = World()
        world.login()
        let pages = world.command([0x12, 1, 0, 0, 255, 0], dataIn: 255).data.dropFirst(4)
        for page in UInt8(0)...255 {
            let outcome = world.command([0x12, 1, page, 4, 0, 0], dataIn: 1024)
            if pages.contains(page) {
                #expect(outcome.data[1] == page)
                #expect(outcome.data.count == 4 + Int(outcome.data[2]) << 8 + Int(outcome.data[3]), "\(page)")
            } else {
                #expect(outcome.code == 0x2400 && outcome.sense[17] == 2)
            }
        }
        #expect(world.command([0x12, 0, 0x80, 0, 255, 0], dataIn: 255).code == 0x2400)
        world.expectIdle()
    }

    @Test func designatorsOfTheUnitFollowFromItsNAA() {
        let page = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 8)
        defer { page.deallocate() }
        page.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
        var naa = InlineArray<16, UInt8>(repeating: 0)
        for index in 0..<16 { naa[index] = UInt8(index) &* 0x11 }
        naa[0] = 0x6A
        naa[1] = 0xBC
        naa[2] = 0xDE
        naa[3] = 0xF3
        var writer = ParameterWriter(base: page, window: 0, capacity: 4096)
        DesignationDescriptor.extendedUniqueIdentifier(naa).write(to: &writer)
        DesignationDescriptor.logicalUnitName(naa).write(to: &writer)
        let bytes = Array(UnsafeRawBufferPointer(start: page, count: writer.count))
        let extended: [UInt8] = [0x88, 0x99, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF]
        #expect(Array(bytes[0..<20]) == [1, 2, 0, 16] + extended + [0xAB, 0xCD, 0xEF, 3, 0x44, 0x55, 0x66, 0x77])
        #expect(String(decoding: bytes[24..<60], as: UTF8.self) == "naa.6ABCDEF3445566778899AABBCCDDEEFF")
        #expect(bytes.count == 64 && bytes[60] == 0)
    }

    @Test func pagesOfAnSPC3UnitAreThoseOfSPC3() {
        var profile = UnitProfile()
        profile.version = 0x05
        let world = World(profile: profile)
        world.login()
        let pages = world.command([0x12, 1, 0, 0, 255, 0], dataIn: 255).data
        #expect(Array(pages.dropFirst(4)) == [0x00, 0x80, 0x83, 0x86, 0x87, 0x88, 0xB0])
        #expect(world.command([0x12, 1, 0xB0, 0, 255, 0], dataIn: 255).data.count == 16)
        #expect(world.command([0x12, 1, 0xB2, 0, 255, 0], dataIn: 255).code == 0x2400)
        let extended = world.command([0x12, 1, 0x86, 0, 255, 0], dataIn: 255).data
        #expect(Array(extended[4..<14]) == [0, 0x17, 1, 0, 0, 0, 0, 0, 0, 0])
        #expect(world.command([0x4D, 0, 0x59, 0, 0, 0, 0, 0, 255, 0], dataIn: 255).code == 0x2400)
        #expect(world.command([0x9E, 0x13] + [UInt8](repeating: 0, count: 14)).code == 0x2000)
        world.expectIdle()
    }

    @Test func provisioningAndProtectionAreReportedFromTheProfile() {
        var profile = UnitProfile()
        profile.thin = true
        profile.protectionType = 3
        let world = World(profile: profile)
        world.login()
        #expect(world.command([0x12, 0, 0, 0, 96, 0], dataIn: 96).data[5] == 0x31)
        let capacity = world.command([0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0], dataIn: 32).data
        #expect(capacity[12] == 0x05 && capacity[14] == 0xC0)
        #expect(world.command([0x12, 1, 0x86, 0, 255, 0], dataIn: 255).data[4] == 0x26)
        #expect(world.command([0x12, 1, 0xB4, 0, 255, 0], dataIn: 255).data[9] == 0x08)
        #expect(world.command([0x12, 1, 0xB2, 0, 255, 0], dataIn: 255).data == [0, 0xB2, 0, 4, 11, 0xE4, 2, 0])
        let limits = world.command([0x12, 1, 0xB0, 0, 255, 0], dataIn: 255).data
        #expect(Array(limits[20..<36]) == [0, 0x10, 0, 0, 0, 0, 0, 255, 0, 0, 0, 8, 0x80, 0, 0, 0])
    }

    @Test func theManagementAddressIsThereWhenItIsConfigured() {
        let world = World(managementURL: "http://[::1]:8080/")
        world.login()
        #expect(world.command([0x12, 1, 0, 0, 255, 0], dataIn: 255).data[7] == 0x85)
        let page = world.command([0x12, 1, 0x85, 0, 255, 0], dataIn: 255).data
        #expect(Array(page[0..<8]) == [0, 0x85, 0, 24, 0x43, 0, 0, 20])
        #expect(String(decoding: page[8..<26], as: UTF8.self) == "http://[::1]:8080/" && page[26] == 0)
    }

    @Test func theAllocationLengthCutsAndTheTotalSaysSo() {
        let world = World()
        let outcome = world.command([0x12, 0, 0, 0, 36, 0], dataIn: 255)
        #expect(outcome.data.count == 36 && outcome.total == 36 && outcome.data[4] == 91)
        #expect(world.command([0x12, 0, 0, 0, 0, 0], dataIn: 255).total == 0)
        #expect(world.command([0x12, 0, 0, 0, 96, 0], dataIn: 5).total == 96)
        #expect(world.command([0x12, 0, 0, 0, 96, 0]).status == .good)
        world.expectIdle()
    }

    @Test func lunsWithoutAUnitAnswerAsTheStandardAsks() {
        let world = World(lunBase: 3)
        let absent = world.command([0x12, 0, 0, 0, 96, 0], lun: 7, dataIn: 96)
        #expect(absent.status == .good && absent.data[0] == 0x7F)
        #expect(world.command([0x12, 1, 0, 0, 96, 0], lun: 7, dataIn: 96).data == [0x7F, 0, 0, 1, 0])
        #expect(world.command([0x12, 1, 0x83, 0, 96, 0], lun: 7, dataIn: 96).code == 0x2400)
        let sense = world.command([0x03, 0, 0, 0, 252, 0], lun: 7, dataIn: 252)
        #expect(sense.status == .good && sense.data[2] == 5 && sense.data[12] == 0x25)
        for opcode in [0x00, 0x28, 0xA0, 0x42] as [UInt8] {
            let outcome = world.command([opcode] + [UInt8](repeating: 0, count: 11), lun: 7)
            #expect(outcome.key == 5 && outcome.code == 0x2500, "\(opcode)")
        }
        let reportLUNs: [UInt8] = [0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
        #expect(world.command(reportLUNs, lun: 0, dataIn: 256).data == [0, 0, 0, 8, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0])
        world.expectIdle()
    }

    @Test func theWellKnownLogicalUnitReportsTheOthers() {
        let world = World()
        let field = LogicalUnitAddress.reportLUNsField
        #expect(world.command([0x12, 0, 0, 0, 96, 0], field: field, dataIn: 96).data[0] == 0x1E)
        let all = world.command([0xA0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0], field: field, dataIn: 256).data
        #expect(all.count == 24 && Array(all[8..<11]) == [0xC1, 1, 0])
        #expect(world.command([0xA0, 0, 0x12, 0, 0, 0, 0, 0, 1, 0, 0, 0], field: field, dataIn: 256).code == 0x2400)
        #expect(world.command([0, 0, 0, 0, 0, 0], field: field).status == .good)
        #expect(world.command([0x28] + [UInt8](repeating: 0, count: 9), field: field).code == 0x2000)
        world.expectIdle()
    }

    @Test func answersLongerThanAPageComeInPieces() {
        let world = World(blocks: 8, units: 900, slots: 8)
        let cdb: [UInt8] = [0xA0, 0, 2, 0, 0, 0, 0, 0, 0x80, 0, 0, 0]
        let data = world.command(cdb, dataIn: 32_768).data
        #expect(data.count == 8 + 901 * 8)
        #expect(Array(data[0..<4]) == [0, 0, 0x1C, 0x28])
        for lun in 0..<900 {
            let at = 16 + lun * 8
            let expected: [UInt8] = lun < 256 ? [0, UInt8(lun)] : [0x40 | UInt8(lun >> 8), UInt8(lun & 255)]
            #expect(Array(data[at..<at + 2]) == expected)
        }
        #expect(world.command(cdb, dataIn: 5000).data == Array(data[0..<5000]))
        world.expectIdle()
    }

    @Test func lunFieldsAreReadInBothAddressingMethods() {
        #expect(LogicalUnitAddress(field: 0x0005_0000_0000_0000) == .unit(5))
        #expect(LogicalUnitAddress(field: 0x4005_0000_0000_0000) == .unit(5))
        #expect(LogicalUnitAddress(field: 0x4123_0000_0000_0000) == .unit(0x123))
        #expect(LogicalUnitAddress(field: 0x0105_0000_0000_0000) == .unsupported)
        #expect(LogicalUnitAddress(field: 0x8005_0000_0000_0000) == .unsupported)
        #expect(LogicalUnitAddress(field: 0x0005_0001_0000_0000) == .unsupported)
        #expect(LogicalUnitAddress(field: 0xC101_0000_0000_0000) == .reportLUNs)
        #expect(LogicalUnitAddress(field: .max) == .unsupported)
    }

    @Test func supportedOperationCodesComeFromTheTable() {
        let world = World()
        world.login()
        func report(_ options: UInt8, _ opcode: UInt8 = 0, _ action: UInt8 = 0) -> Outcome {
            world.command([0xA3, 0x0C, options, opcode, 0, action, 0, 0, 0x10, 0, 0, 0], dataIn: 4096)
        }
        let all = report(0)
        // PREVENT ALLOW MEDIUM REMOVAL is only there with a medium that can be removed.
        let rows = CommandTable.rows.filter { $0.traits.isDisjoint(with: [.atomic, .thin, .removable, .type2]) }
        #expect(all.data.count == 4 + 8 * rows.count && rows.count < CommandTable.rows.count)
        #expect(report(0x80).data.count == 4 + 20 * rows.count)
        #expect(report(1, 0x1E).data == [0, 1, 0, 0])
        #expect(report(1, 0x28).data == [0, 3, 0, 10, 0x28, 0x18, 255, 255, 255, 255, 0x1F, 255, 255, 0])
        #expect(report(0x81, 0x28).data.count == 4 + 10 + 12 && report(0x81, 0x28).data[1] == 0x83)
        #expect(report(1, 0x02).data == [0, 1, 0, 0])
        #expect(report(1, 0x9E).code == 0x2400)
        #expect(report(2, 0x28).code == 0x2400)
        #expect(report(2, 0x9E, 0x10).data[4...5] == [0x9E, 0x10])
        #expect(report(2, 0x9E, 0x1F).data == [0, 1, 0, 0])
        #expect(report(3, 0x9E, 0x10).data[1] == 3)
        #expect(report(3, 0x28).data[1] == 3)
        #expect(report(3, 0x28, 1).data[1] == 1)
        #expect(report(4).code == 0x2400)
        world.expectIdle()
    }
}
