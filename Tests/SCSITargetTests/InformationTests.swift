import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

@Suite struct InformationTests {
    @Test func identifyingInformationIsKeptInTheStateBlock() {
        let world = World()
        world.login(0)
        world.login(1)
        let report: [UInt8] = [0xA3, 5, 0, 0, 0, 0, 0, 0, 0, 80, 0, 0]
        func set(_ bytes: [UInt8], length: UInt8? = nil) -> Outcome {
            world.command([0xA4, 6, 0, 0, 0, 0, 0, 0, 0, length ?? UInt8(bytes.count), 0, 0], out: bytes)
        }
        let name: [UInt8] = (0..<64).map { $0 &* 3 }
        #expect(set(name).status == .good)
        #expect(world.command(report, dataIn: 80).data == [0, 0, 0, 64] + name)
        #expect(world.state().information == name)
        #expect(world.command([0, 0, 0, 0, 0, 0]).status == .good)
        #expect(world.command([0, 0, 0, 0, 0, 0], nexus: 1).code == 0x3F05)
        #expect(set(name + [1]).code == 0x2400)
        #expect(world.command([0xA4, 6, 0, 0, 0, 0, 0, 0, 0, 4, 4, 0], out: [1, 2, 3, 4]).code == 0x2400)
        #expect(world.command([0xA3, 5, 0, 0, 0, 0, 0, 0, 0, 80, 4, 0], dataIn: 80).code == 0x2400)
        #expect(set([]).status == .good)
        #expect(world.command(report, dataIn: 80).data == [0, 0, 0, 0])
        world.expectIdle()
    }

    @Test func theClockGoesOnFromWhatWasSet() {
        let world = World()
        world.login(0)
        world.login(1)
        let report: [UInt8] = [0xA3, 0x0F, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0]
        let time: [UInt8] = [0x01, 0x02, 0x03, 0x04, 0x05, 0x06]
        let set: [UInt8] = [0xA4, 0x0F, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0]
        #expect(world.command(set, out: [0, 0, 0, 0] + time + [0, 0]).status == .good)
        #expect(world.command(report, dataIn: 12).data == [0, 10, 2, 0] + time + [0, 0])
        world.advance(.milliseconds(0x200))
        #expect(world.command(report, dataIn: 12).data[4..<10] == [0x01, 0x02, 0x03, 0x04, 0x07, 0x06])
        #expect(world.command([0, 0, 0, 0, 0, 0], nexus: 1).code == 0x2A10)
        #expect(world.command(set, out: [1, 0, 0, 0] + time + [0, 0]).code == 0x2600)
        #expect(world.command(set, out: [0, 0, 0, 0]).code == 0x1A00)
        #expect(world.command([0xA4, 0x0F, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0], out: [UInt8](repeating: 0, count: 11)).code
            == 0x1A00)
        #expect(world.command([0xA4, 0x0F, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).status == .good)
        world.expectIdle()
    }

    @Test func buffersBelongToTheirNexus() {
        let world = World()
        world.login(0)
        world.login(1)
        let echo: [UInt8] = [0x3C, 0x0A, 0, 0, 0, 0, 0, 0x10, 0, 0]
        #expect(world.command(echo, dataIn: 4096).code == 0x2C00)
        #expect(world.command([0x3B, 0x0A, 0, 0, 0, 0, 0, 0, 3, 0], out: [7, 8, 9]).status == .good)
        #expect(world.command([0x3B, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0], nexus: 1, out: [5]).status == .good)
        #expect(world.command(echo, dataIn: 4096).data == [7, 8, 9])
        #expect(world.command(echo, nexus: 1, dataIn: 4096).data == [5])
        #expect(world.command([0x3B, 0x02, 0, 0, 0x0F, 0xFE, 0, 0, 2, 0], out: [1, 2]).status == .good)
        let data = world.command([0x3C, 0x02, 0, 0, 0x0F, 0xFD, 0, 0, 9, 0], dataIn: 9)
        #expect(data.data == [0, 1, 2])
        let unwritten = world.command([0x3C, 0x02, 0, 0, 0, 0, 0, 0x10, 0, 0], nexus: 1, dataIn: 4096).data
        #expect(unwritten == [UInt8](repeating: 0, count: 4096))
        world.expectIdle()
    }

    static let refused: [[UInt8]] = [
        [0x3B, 0x02, 1, 0, 0, 0, 0, 0, 1, 0], [0x3B, 0x02, 0, 0, 0x10, 0, 0, 0, 1, 0],
        [0x3B, 0x02, 0, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0], [0x3B, 0x0A, 0, 0, 0, 0, 0, 0x10, 1, 0],
        [0x3B, 0x0A, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0], [0x3B, 0x05, 0, 0, 0, 0, 0, 0, 1, 0],
        [0x3B, 0x22, 0, 0, 0, 0, 0, 0, 1, 0], [0x3C, 0x02, 1, 0, 0, 0, 0, 0, 1, 0],
        [0x3C, 0x02, 0, 0, 0x10, 1, 0, 0, 1, 0], [0x3C, 0x00, 0, 0, 0, 0, 0, 0, 1, 0],
        [0x37, 0, 0x1E, 0, 0, 0, 0, 0, 8, 0], [0xB7, 0x1F, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0],
        [0x1C, 1, 0x40, 0, 8, 0], [0x9E, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0],
    ]

    @Test(arguments: refused)
    func wrongFieldsAreRefused(_ cdb: [UInt8]) {
        let world = World()
        world.login()
        #expect(world.command(cdb, dataIn: 16, out: [1]).code == 0x2400)
        #expect(world.command([0x9E, 0x13, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 8, 0, 0], dataIn: 8).code == 0x2100)
        world.expectIdle()
    }

    @Test func aSingleControllerReportsNoReferrals() {
        let world = World(controllers: 1)
        world.login()
        #expect(world.command([0x9E, 0x13, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0], dataIn: 8).code == 0x2400)
        #expect(world.command([0x12, 1, 0xB3, 0, 255, 0], dataIn: 255).code == 0x2400)
        #expect(world.command([0x12, 1, 0x86, 0, 255, 0], dataIn: 255).data[8] == 0)
    }

    @Test(arguments: [(false, [0xDA, 0, 0, 0]), (true, [0xDE, 7, 0, 0])] as [(Bool, [UInt8])])
    func functionsThatQueryAreReportedWhereTheTransportHasThem(_ canQuery: Bool, _ expected: [UInt8]) {
        let world = World(canQuery: canQuery)
        world.login()
        #expect(world.command([0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0], dataIn: 16).data == expected)
        #expect(world.command([0xA3, 0x0D, 0x80, 0, 0, 0, 0, 0, 0, 16, 0, 0], dataIn: 16).data.count == 16)
    }

    @Test func whatIsKeptForAUnitOutlivesItsReset() {
        let world = World()
        world.login()
        let time: [UInt8] = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
        #expect(world.command([0xA4, 0x0F, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0], out: time).status == .good)
        #expect(world.command([0xA4, 6, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0], out: [7]).status == .good)
        world.manage(.logicalUnitReset)
        _ = world.command([0, 0, 0, 0, 0, 0])
        let report: [UInt8] = [0xA3, 0x0F, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0]
        #expect(world.command(report, dataIn: 12).data[2] == 2)
        #expect(world.command([0xA3, 5, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0], dataIn: 8).data == [0, 0, 0, 1, 7])
        world.recall()
        world.state().cyclePowerOfParameters()
        #expect(world.command(report, dataIn: 12).data[2] == 3 && world.state().information == [7])
    }

    @Test func reportLUNsKnowsTheValuesForConglomerates() {
        let world = World(units: 2)
        world.login()
        func report(_ select: UInt8, lun: UInt16 = 0) -> Outcome {
            world.command([0xA0, 0, select, 0, 0, 0, 0, 0, 1, 0, 0, 0], lun: lun, dataIn: 256)
        }
        #expect(report(0x10).data == [0, 0, 0, 0, 0, 0, 0, 0])
        #expect(report(0x11).data.count == 24)
        #expect(report(0x11, lun: 1).code == 0x2400)
        #expect(report(0x12).code == 0x2400 && report(0x03).code == 0x2400)
        #expect(report(0x02, lun: 1).data.count == 32)
    }
}
