import BlockModel
import Primitives
import SAM
import SCSIFormats
import Testing

@testable import SCSITarget

/// LUN masks, LUN maps and read-only access, by the view that a nexus came with.
@Suite struct AccessViewTests {
    static let mapped = DeviceServerView(mappings: [
        .init(lun: 0, unit: UnitIndex(2)), .init(lun: 7, unit: UnitIndex(1)),
    ])
    static let reportLUNs: [UInt8] = [0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    static let serial: [UInt8] = [0x12, 1, 0x80, 0, 255, 0]

    /// Nexus 0 sees everything, nexus 1 two of three units under other numbers, nexus 2 may not write.
    func world() -> World {
        let world = World(units: 3, views: [DeviceServerView(), Self.mapped, DeviceServerView(readOnly: true)])
        world.login()
        world.login(1, access: 1, consume: false)
        for lun in [0, 7] { world.command([0, 0, 0, 0, 0, 0], lun: UInt16(lun), nexus: 1) }
        world.login(2, access: 2)
        return world
    }

    private func luns(_ world: World, _ nexus: Int, through lun: UInt16 = 0) -> [UInt8] {
        let data = world.command(Self.reportLUNs, lun: lun, nexus: nexus, dataIn: 256).data
        return stride(from: 8, to: data.count, by: 8).map { data[$0 + 1] }
    }

    @Test func eachNexusIsToldItsOwnLUNs() {
        let world = world()
        #expect(luns(world, 0) == [0, 1, 2])
        #expect(luns(world, 1) == [0, 7])
        #expect(luns(world, 1, through: 7) == [0, 7])
        #expect(luns(world, 2) == [0, 1, 2])
    }

    @Test func aMappedLUNNamesItsUnit() {
        let world = world()
        func serial(_ nexus: Int, _ lun: UInt16) -> String {
            let page = world.command(Self.serial, lun: lun, nexus: nexus, dataIn: 255).data
            return String(decoding: page.dropFirst(4), as: UTF8.self)
        }
        #expect(serial(0, 0) == "SN0" && serial(0, 2) == "SN2")
        #expect(serial(1, 0) == "SN2" && serial(1, 7) == "SN1")
        let block = world.command(MediumAccessTests.cdb10(0x28, 1, 1), lun: 7, nexus: 1, dataIn: 512).data
        #expect(block == Array(world.disks[1][512..<1024]))
    }

    @Test func aMaskedUnitIsNotThere() {
        let world = world()
        for lun in [UInt16(1), 2] {
            let outcome = world.command(MediumAccessTests.cdb10(0x28, 0, 1), lun: lun, nexus: 1, dataIn: 512)
            #expect(outcome.key == 5 && outcome.code == 0x2500)
            #expect(world.command([0x12, 0, 0, 0, 96, 0], lun: lun, nexus: 1, dataIn: 96).data.first == 0x7F)
            world.manage(.logicalUnitReset, lun: lun, nexus: 1, request: lun)
            #expect(world.management[lun] == .incorrectLogicalUnit)
        }
    }

    @Test func aReadOnlyNexusWritesNothingAndSeesTheWriteProtectBit() {
        let world = world()
        let data = [UInt8](repeating: 9, count: 512)
        let before = world.disks[0]
        let outcome = world.command(MediumAccessTests.cdb10(0x2A, 0, 1), nexus: 2, out: data)
        #expect(outcome.key == 7 && outcome.code == 0x2700)
        #expect(world.disks[0] == before)
        #expect(world.command([0x1A, 0, 0x3F, 0, 255, 0], nexus: 2, dataIn: 255).data[2] & 0x80 != 0)
        #expect(world.command([0x1A, 0, 0x3F, 0, 255, 0], nexus: 0, dataIn: 255).data[2] & 0x80 == 0)
        #expect(world.command(MediumAccessTests.cdb10(0x28, 0, 1), nexus: 2, dataIn: 512).status == .good)
        #expect(world.command(MediumAccessTests.cdb10(0x2A, 0, 1), nexus: 0, out: data).status == .good)
    }

    @Test func aTargetResetReachesOnlyTheUnitsThatItsNexusSees() {
        let world = world()
        world.holdBlocks = true
        let seen = world.send(MediumAccessTests.cdb10(0x28, 0, 1), lun: 1, dataIn: 512)
        let unseen = world.send(MediumAccessTests.cdb10(0x28, 0, 1), lun: 0, dataIn: 512)
        world.manage(.targetWarmReset, nexus: 1)
        world.holdBlocks = false
        world.giveHeldBlocks()
        #expect(world.outcome(unseen).status == .good)
        #expect(world.outcome(seen).status != .good)
        #expect(world.command([0, 0, 0, 0, 0, 0], lun: 0).status == .good)
        #expect(world.command([0, 0, 0, 0, 0, 0], lun: 1).key == 6)
    }
}
