import BlockModel
import Primitives
import SAM
import Testing

@testable import SCSITarget

/// What FORMAT UNIT and SANITIZE refuse, and who may not ask for them.
@Suite struct FormatFieldTests {
    /// CDB, list, and the code with which it ends; 0: GOOD.
    static let cases: [(cdb: [UInt8], list: [UInt8], code: UInt16)] = [
        // FORMAT UNIT: FMTPINFO, FFMT, DEFECT LIST FORMAT without FMTDATA, vendor specific formats.
        ([4, 0x40, 0, 0, 0, 0], [], 0x2400), ([4, 0x80, 0, 0, 0, 0], [], 0x2400), ([4, 0xC0, 0, 0, 0, 0], [], 0x2400),
        ([4, 0, 0, 0, 2, 0], [], 0x2400), ([4, 0, 0, 0, 3, 0], [], 0x2400), ([4, 1, 0, 0, 0, 0], [], 0x2400),
        ([4, 0x16, 0, 0, 0, 0], [0, 0, 0, 0], 0x2400), ([4, 0, 1, 0, 0, 0], [], 0x2400),
        // Headers: too short, PROTECTION FIELD USAGE, options without FOV, a defect list.
        ([4, 0x10, 0, 0, 0, 0], [], 0x1A00), ([4, 0x10, 0, 0, 0, 0], [0, 0, 0], 0x1A00),
        ([4, 0x30, 0, 0, 0, 0], [0, 0, 0, 0], 0x1A00), ([4, 0x10, 0, 0, 0, 0], [1, 0, 0, 0], 0x2600),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x40, 0, 0], 0x2600), ([4, 0x10, 0, 0, 0, 0], [0, 0x08, 0, 0], 0x2600),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x81, 0, 0], 0x2600), ([4, 0x10, 0, 0, 0, 0], [0, 0x80, 0, 8], 0x2600),
        ([4, 0x30, 0, 0, 0, 0], [0, 0x80, 0, 0, 0, 0, 0, 8], 0x2600),
        ([4, 0x30, 0, 0, 0, 0], [0, 0x80, 0, 1, 0, 0, 0, 0], 0x2600),
        // Initialization pattern descriptors: missing, IP MODIFIER, SI, type, lengths; with FFMT.
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0], 0x1A00),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0, 0x40, 0, 0, 0], 0x2600),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0, 0x20, 0, 0, 0], 0x2600),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0, 0, 2, 0, 0], 0x2600),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0, 0, 0, 0, 1, 9], 0x2600),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0, 0, 1, 0, 0], 0x2600),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0, 0, 1, 2, 1], 0x2600),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0, 0, 1, 0, 4, 1, 2, 3], 0x1A00),
        ([4, 0x10, 0, 0, 1, 0], [0, 0x88, 0, 0, 0, 1, 0, 1, 1], 0x2600),
        // What is allowed: every defect list format, DPRY, DCRT, STPF, DSP, CMPLST, the default pattern.
        ([4, 0x1D, 0, 0, 0, 0], [0, 0xF4, 0, 0], 0), ([4, 0x18, 0, 0, 0, 0], [0, 0, 0, 0], 0),
        ([4, 0x10, 0, 0, 0, 0], [0, 0x88, 0, 0, 0, 0, 0, 0], 0),
        ([4, 0x38, 0, 0, 1, 0], [UInt8](repeating: 0, count: 8), 0),
        // SANITIZE: service actions, lengths, ZNR, OVERWRITE COUNT, TEST, pattern lengths.
        ([0x48, 0, 0, 0, 0, 0, 0, 0, 0, 0], [], 0x2400), ([0x48, 3, 0, 0, 0, 0, 0, 0, 0, 0], [], 0x2400),
        ([0x48, 4, 0, 0, 0, 0, 0, 0, 0, 0], [], 0x2400), ([0x48, 1, 0, 0, 0, 0, 0, 0, 4, 0], [1, 0, 0, 1], 0x2400),
        ([0x48, 2, 0, 0, 0, 0, 0, 0, 8, 0], [], 0x2400), ([0x48, 0x1F, 0, 0, 0, 0, 0, 0, 8, 0], [], 0x2400),
        ([0x48, 0x41, 0, 0, 0, 0, 0, 0, 5, 0], [1, 0, 0, 1, 1], 0x2400),
        ([0x48, 1, 0, 0, 0, 0, 0, 2, 5, 0], [UInt8](repeating: 1, count: 517), 0x2400),
        ([0x48, 1, 0, 0, 0, 0, 0, 0, 5, 0], [0, 0, 0, 1, 1], 0x2600),
        ([0x48, 1, 0, 0, 0, 0, 0, 0, 5, 0], [0x21, 0, 0, 1, 1], 0x2600),
        ([0x48, 1, 0, 0, 0, 0, 0, 0, 5, 0], [1, 0, 0, 0, 1], 0x2600),
        ([0x48, 1, 0, 0, 0, 0, 0, 0, 5, 0], [1, 0, 2, 1, 1], 0x2600),
        ([0x48, 1, 0, 0, 0, 0, 0, 0, 5, 0], [1, 0, 0, 2, 1], 0x1A00),
        ([0x48, 1, 0, 0, 0, 0, 0, 0, 6, 0], [1, 0, 0, 2, 1], 0x1A00),
        ([0x48, 1, 0, 0, 0, 0, 0, 0, 6, 0], [1, 0, 0, 1, 1, 9], 0), ([0x48, 0x1F, 0, 0, 0, 0, 0, 0, 0, 0], [], 0),
    ]

    @Test func wrongFieldsOfFormatAndSanitizeAreRefused() {
        let world = World()
        world.login()
        for (cdb, list, code) in Self.cases {
            let outcome = world.command(cdb, out: list)
            #expect(outcome.code == code && (outcome.status == .good) == (code == 0), "\(cdb) \(list): \(outcome)")
        }
        world.expectIdle()
    }

    @Test func aFastFormatLeavesTheMediumAlone() {
        let world = World()
        world.login()
        let before = world.disks
        #expect(world.command([4, 0, 0, 0, 1, 0]).status == .good)
        #expect(world.disks == before)
    }

    @Test func protectedUnitsOthersReservationsAndMissingMediaRefuse() {
        var profile = UnitProfile()
        profile.readOnly = true
        let protected = World(profile: profile)
        protected.login()
        for cdb in [BackgroundTests.format, BackgroundTests.blockErase(), BackgroundTests.overwrite(5)] {
            #expect(protected.command(cdb, out: cdb[0] == 0x48 && cdb[1] == 1 ? [1, 0, 0, 1, 1] : []).code == 0x2700)
        }
        profile.readOnly = false
        profile.removable = true
        let pair = TwoControllers(profile: profile)
        #expect(pair.command([0x16, 0, 0, 0, 0, 0], nexus: 0).status == .good)
        for cdb in [BackgroundTests.format, BackgroundTests.blockErase(), BackgroundTests.exitFailureMode] {
            for nexus in [1, 2] { #expect(pair.command(cdb, nexus: nexus).status == .reservationConflict) }
        }
        #expect(pair.command([0x17, 0, 0, 0, 0, 0], nexus: 0).status == .good)
        #expect(pair.command([0x1B, 0, 0, 0, 2, 0], nexus: 0).status == .good)
        for nexus in [0, 1] {
            #expect(pair.command(BackgroundTests.format, nexus: nexus).code == 0x3A02)
            #expect(pair.command(BackgroundTests.blockErase(), nexus: nexus).code == 0x3A02)
        }
    }

    @Test func sanitizeIsNotThereOnAnSPC3Unit() {
        var profile = UnitProfile()
        profile.version = 5
        let world = World(profile: profile)
        world.login()
        #expect(world.command(BackgroundTests.blockErase()).code == 0x2000)
        #expect(world.command(BackgroundTests.format).status == .good)
    }
}
