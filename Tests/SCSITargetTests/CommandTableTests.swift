import BlockModel
import Foundation
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct CommandTableTests {
    /// `fixtures/` of the checkout.
    private static func url(_ path: String) -> URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("fixtures/" + path)
    }

    static func fixture(_ path: String) throws -> String { try String(contentsOf: url(path), encoding: .utf8) }

    private static func writeGolden() throws {
        let head = """
            # The command table: CDB usage data, name, handler, length field (byte:width), recommended time-out, \
            clause, traits.

            """
        let text = head + CommandTable.rows.map { line($0) + "\n" }.joined()
        try text.write(to: url("tables/commands.txt"), atomically: true, encoding: .utf8)
    }

    static func line(_ row: CommandRow) -> String {
        let usage = (0..<Int(row.length)).map { String(format: "%02X", row.usage[$0]) }.joined(separator: " ")
        var traits: [String] = []
        if row.traits.contains(.stateless) { traits.append("stateless") }
        if row.traits.contains(.attentionExempt) { traits.append("attention-exempt") }
        if row.traits.contains(.writes) { traits.append("writes") }
        if row.traits.contains(.atomic) { traits.append("atomic") }
        if row.traits.contains(.thin) { traits.append("thin") }
        if row.traits.contains(.type2) { traits.append("type2") }
        if row.traits.contains(.pair) { traits.append("pair") }
        if row.traits.contains(.removable) { traits.append("removable") }
        if row.traits.contains(.recent) { traits.append("recent") }
        if row.traits.contains(.needsMedium) { traits.append("needs-medium") }
        if row.traits.contains(.needsLoadedMedium) { traits.append("needs-loaded-medium") }
        if row.traits.contains(.inUnavailable) {
            traits.append("in-unavailable")
        } else if row.traits.contains(.inStandby) {
            traits.append("in-standby")
        }
        if row.traits.contains(.sharedRead) { traits.append("shared-read") }
        if row.traits.contains(.unreserved) { traits.append("unreserved") }
        if row.traits.contains(.legacyUnreserved) { traits.append("legacy-unreserved") }
        if row.traits.contains(.persistentReserve) { traits.append("persistent-reserve") }
        if row.traits.contains(.serviceAction) { traits.append("service-action") }
        let length = row.lengthField.width == 0 ? "-" : "\(row.lengthField.byte):\(row.lengthField.width)"
        let fields = [
            usage.padding(toLength: row.isVariableLength ? 96 : 48, withPad: " ", startingAt: 0),
            "\(row.name)".padding(toLength: 44, withPad: " ", startingAt: 0),
            handlerName(row.handler).padding(toLength: 40, withPad: " ", startingAt: 0),
            length.padding(toLength: 6, withPad: " ", startingAt: 0),
            "\(row.timeout)".padding(toLength: 4, withPad: " ", startingAt: 0),
            "\(row.clause)".padding(toLength: 12, withPad: " ", startingAt: 0), traits.joined(separator: " "),
        ]
        return fields.joined(separator: " ").trimmingCharacters(in: .whitespaces)
    }

    private static func handlerName(_ handler: CommandHandler) -> String {
        switch handler {
        case .medium(let command): "medium.\(command)"
        case .dataIn(let data): "in.\(data)"
        case .dataOut(let list): "out.\(list)"
        case .plain(let command): "plain.\(command)"
        }
    }

    @Test func tableEqualsItsGoldenCopy() throws {
        if ProcessInfo.processInfo.environment["GEMEL_WRITE_GOLDEN"] != nil { try Self.writeGolden() }
        let golden = try Self.fixture("tables/commands.txt").split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("#") }
        let present = CommandTable.rows.map(Self.line)
        #expect(golden.count == present.count)
        for (expected, row) in zip(golden, present) { #expect(expected == row) }
    }

    @Test func rowsAreAscendingAndNamedInTheOperationCodes() {
        var last = -1
        for row in CommandTable.rows {
            let key = row.key
            #expect(key > last, "\(row.name)")
            last = key
            #expect(OperationCode(rawValue: row.opcode) != nil, "\(row.name)")
        }
        #expect(Set(CommandTable.rows.map(\.opcode)).count == OperationCode.allCases.count)
    }

    @Test func lengthOfTheCDBFollowsFromTheGroupCode() {
        for row in CommandTable.rows {
            let expected = row.isVariableLength ? 32 : [0: 6, 1: 10, 2: 10, 4: 16, 5: 12][Int(row.opcode >> 5)]
            #expect(Int(row.length) == expected, "\(row.name)")
        }
    }

    @Test func aPortGroupReportExistsOnlyInAPair() {
        let pair = CommandTable(controllers: 2)
        let single = CommandTable(controllers: 1)
        #expect(pair.find(opcode: 0xA3, serviceAction: 0x0A) < 0xFE)
        #expect(single.find(opcode: 0xA3, serviceAction: 0x0A) == CommandTable.unknownServiceAction)
        #expect(pair.find(opcode: 0x02, serviceAction: 0) == CommandTable.unknownOpcode)
    }

    @Test(arguments: [0x09, 0x0A, 0x0B, 0x0C, 0x0D] as [UInt8])
    func commandsForType2ProtectionAreInvalidOperationCodes(_ action: UInt8) {
        let world = World()
        world.login()
        let cdb = [0x7F, 0, 0, 0, 0, 0, 0, 0x18, 0, action] + [UInt8](repeating: 0, count: 22)
        #expect(world.command(cdb).key == 5 && world.command(cdb).code == 0x2000)
        let report: [UInt8] = [0xA3, 0x0C, 3, 0x7F, 0, action, 0, 0, 1, 0, 0, 0]
        #expect(world.command(report, dataIn: 256).data == [0, 1, 0, 0])
        world.expectIdle()
    }

    @Test func everyReservedBitIsRefusedWithAPointerToIt() {
        var profile = UnitProfile()
        profile.atomicBytes = 65_536
        profile.thin = true
        profile.removable = true
        let world = World(profile: profile)
        world.login()
        let protected = ProtectionTests.world(2)
        for row in CommandTable.rows {
            for byte in 1..<Int(row.length) {
                for bit in 0..<8 {
                    var allowed = row.usage[byte]
                    if byte == 1, row.traits.contains(.serviceAction), !row.isVariableLength { allowed |= 0x1F }
                    if row.isVariableLength, (7...9).contains(byte) { continue }
                    // xxPROTECT, which units with protection information have.
                    if row.traits.contains(.type2), byte == row.flagsByte { allowed |= 0xE0 }
                    if allowed & 1 << bit != 0 { continue }
                    var cdb = [UInt8](repeating: 0, count: Int(row.length))
                    cdb[0] = row.opcode
                    if row.isVariableLength { (cdb[7], cdb[8], cdb[9]) = (0x18, row.usage[8], row.usage[9]) }
                    if let action = row.serviceAction, !row.isVariableLength { cdb[1] = UInt8(action) }
                    cdb[byte] |= 1 << bit
                    let outcome = (row.traits.contains(.type2) ? protected : world).command(cdb)
                    #expect(outcome.status == .checkCondition && outcome.code == 0x2400, "\(row.name) \(byte).\(bit)")
                    guard outcome.sense.count >= 18 else { continue }
                    #expect(outcome.sense[15] == 0xC8 | UInt8(bit), "\(row.name) \(byte).\(bit)")
                    #expect(outcome.sense[17] == UInt8(byte), "\(row.name) \(byte).\(bit)")
                }
            }
        }
        world.expectIdle()
    }
}
