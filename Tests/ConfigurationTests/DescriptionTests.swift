import BlockModel
import Configuration
import Controller
import Foundation
import Primitives
import Testing

/// What a file without errors means.
@Suite struct DescriptionTests {
    static let six = """
        array: {name: demo}
        devices: {disk0: {size: 1GiB}}
        storage: {pool0: {members: [disk0]}}
        logical_units: {0: {pool: pool0}}
        targets: {iqn.2026-11.io.gemel:demo: {}}
        controllers: {a: {portals: [127.0.0.1:3260]}, b: {portals: [127.0.0.1:3261]}}
        """

    @Test func sixLinesAreAPair() throws {
        let configuration = try parse(Self.six)
        let array = configuration.description
        #expect(array.name == "demo")
        #expect(array.controllers.map(\.id) == [.a, .b])
        #expect(array.controllers.map(\.portals) == [["127.0.0.1:3260"], ["127.0.0.1:3261"]])
        #expect(array.controllers.map(\.channel) == ["127.0.0.1:3262", "127.0.0.1:3263"])
        #expect(array.controllers.map(\.memoryBytes) == [256 << 20, 256 << 20])
        #expect(
            array.controllers.map(\.memoryFile) == ["/dev/shm/gemel-demo-a.memory", "/dev/shm/gemel-demo-b.memory"])
        #expect(array.controllers.allSatisfy { $0.memoryDurability == .process })
        #expect(configuration.stateFolder == "/users/nobody/.local/state/gemel/demo")
        #expect(array.devices.count == 1)
        #expect(array.devices[0].kind == .file("/users/nobody/.local/state/gemel/demo/disk0.img"))
        #expect(array.devices[0].dataBytes == 1 << 30)
        #expect(array.pair.witnessFile == "/users/nobody/.local/state/gemel/demo/witness")
        #expect(array.pair.secretFile == "/users/nobody/.local/state/gemel/demo/secret")
        #expect(array.targets.map(\.name) == ["iqn.2026-11.io.gemel:demo"])
        #expect(configuration.management?.description == "127.0.0.1:8080")
        #expect(configuration.givenDevices.isEmpty)
        let unit = try #require(array.units.first)
        #expect(unit.lun == 0 && unit.blockLength == 512)
        #expect(unit.map.sectors == 1 << 21)
        #expect(unit.map.dataOffset == DeviceLayout.labelArea)
        #expect(unit.map.stateOffset == DeviceLayout.stateOffset(0))
        #expect(unit.map.preferred == .a)
        #expect(unit.map.policy == .standard)
    }

    @Test func theStateFolderIsTheOptionThenTheFileThenTheUsers() throws {
        let given = Self.six + "\nstate: /srv/demo\n"
        #expect(try parse(given).stateFolder == "/srv/demo")
        #expect(try parse(given, state: ".gemel").stateFolder == "/place/.gemel")
        var root = nobody
        root.isRoot = true
        let configuration = try Configuration.parse(Self.six, file: "x", surroundings: root)
        #expect(configuration.stateFolder == "/var/lib/gemel/demo")
        var xdg = nobody
        xdg.stateHome = "/xdg"
        #expect(try Configuration.parse(Self.six, file: "x", surroundings: xdg).stateFolder == "/xdg/gemel/demo")
    }

    @Test func identitiesFollowFromNameAndLUNAndDifferBetweenArrays() throws {
        let demo = try parse(Self.six).description.units[0]
        let again = try parse(Self.six).description.units[0]
        let other = try parse(Self.six.replacingOccurrences(of: "name: demo", with: "name: other")).description.units[0]
        #expect(Identity.format(naa: demo.naa) == Identity.format(naa: again.naa))
        #expect(demo.serial == again.serial)
        #expect(Identity.format(naa: demo.naa) != Identity.format(naa: other.naa))
        #expect(demo.serial != other.serial)
        #expect(Identity.format(naa: demo.naa).hasPrefix("naa.6024745"))
        #expect(demo.serial.count == 16)
    }

    @Test func aPairIsItsNameAndWhatWasDrawn() {
        #expect(Identity.pairID(array: "demo", drawn: "1") != Identity.pairID(array: "demo", drawn: "2"))
        #expect(Identity.pairID(array: "demo", drawn: "1") != Identity.pairID(array: "other", drawn: "1"))
        #expect(Identity.pairID(array: "demo", drawn: "1") == Identity.pairID(array: "demo", drawn: "1"))
    }

    @Test func unitsStandOneAfterTheOtherOnMiBBoundariesAndTheRestIsShared() throws {
        let text = Self.six.replacingOccurrences(
            of: "{0: {pool: pool0}}",
            with: "{0: {pool: pool0, size: 1028KiB}, 1: {pool: pool0}, 2: {pool: pool0, size: 3MiB, preferred: b}}")
        let units = try parse(text).description.units
        let mebi: UInt64 = 1 << 20
        let offsets: [UInt64] = [mebi, 3 * mebi, 1022 * mebi]
        let sizes: [UInt64] = [mebi + 4096, 1019 * mebi, 3 * mebi]
        #expect(units.map(\.map.dataOffset) == offsets)
        #expect(units.map { $0.map.sectors * 512 } == sizes)
        #expect(units.map(\.map.stateOffset) == (0..<3).map(DeviceLayout.stateOffset))
        #expect(units.map(\.map.preferred) == [.a, .a, .b])
        let end = units.map { $0.map.dataOffset + $0.map.sectors * 512 }.max()
        #expect(end == DeviceLayout.labelArea + (1 << 30))
    }

    /// A page and its protection information take 4608 bytes of the device.
    @Test func aUnitWithProtectionInformationTakesAnEighthMoreOfItsDevice() throws {
        let text = Self.six.replacingOccurrences(
            of: "{0: {pool: pool0}}",
            with: "{0: {pool: pool0, size: 9MiB}, 1: {pool: pool0, size: 8MiB, protection: 2}, "
                + "2: {pool: pool0, size: 1MiB, protection: 3}, 3: {pool: pool0, protection: 1}}")
        let units = try parse(text).description.units
        let mebi: UInt64 = 1 << 20
        let offsets: [UInt64] = [mebi, 10 * mebi, 19 * mebi, 21 * mebi]
        #expect(units.map(\.map.dataOffset) == offsets)
        #expect(units.map(\.profile.protectionType) == [0, 2, 3, 1])
        // 1004 MiB are left of 1 GiB: 892 of user data, and an eighth of that.
        #expect(units.map { $0.map.sectors * 512 / mebi } == [9, 8, 1, 892])
        #expect(try parse(text).description.hasProtection)
        #expect(try parse(Self.six).description.hasProtection == false)
    }

    @Test func aGivenFileSaysItsSizeItself() throws {
        var there = nobody
        there.deviceSize = { $0 == "/srv/disk" ? (100 << 20) + 5 : nil }
        let text = Self.six.replacingOccurrences(of: "{size: 1GiB}", with: "{file: /srv/disk}")
        let configuration = try Configuration.parse(text, file: "x", surroundings: there)
        #expect(configuration.description.devices[0].dataBytes == 99 << 20)
        #expect(configuration.givenDevices == ["disk0"])
    }

    @Test func aPolicyHasItsRowsAndTheLastIsForAllLargerRequests() throws {
        let text =
            Self.six.replacingOccurrences(of: "pool: pool0}", with: "pool: pool0, policy: mine}") + """

                policies:
                  mine:
                    rows:
                      - {up_to: 16KiB, block_size: 16KiB, write: back, alone: back, stage: 0, destage: 20ms,
                     copy: [messaging]}
                      - {up_to: 1MiB, mirror: false}
                    watermarks: {high: 70, low: 5}
                """
        let policy = try parse(text).description.units[0].map.policy
        #expect(policy.name == "mine" && policy.highWatermark == 70 && policy.lowWatermark == 5)
        #expect(policy.rows.map(\.upTo) == [16 << 10, .max])
        #expect(policy.rows.map(\.blockSize) == [16 << 10, 64 << 10])
        #expect(policy.rows.map(\.writeBack) == [true, false])
        #expect(policy.rows.map(\.mirror) == [true, false])
        #expect(policy.rows.map(\.keepBackAlone) == [true, false])
        #expect(policy.rows[0].readAhead == 0 && policy.rows[0].destageAge == .milliseconds(20))
        #expect(policy.rows[0].copyOrder == [.messaging])
    }

    @Test func timesAndPlacesOfThePair() throws {
        let text =
            Self.six + """

                pair: {lease: 5s, channel_patience: 2s, heartbeat: 100ms, failback: never, witness: w, secret: /etc/s}
                management: none
                """
        let configuration = try parse(text)
        let pair = configuration.description.pair
        #expect(
            pair.lease == .seconds(5) && pair.channelPatience == .seconds(2) && pair.heartbeat == .milliseconds(100))
        #expect(pair.failbackDelay == nil)
        #expect(pair.witnessFile == "/users/nobody/.local/state/gemel/demo/w" && pair.secretFile == "/etc/s")
        #expect(configuration.management == nil)
    }

    private static let targets = ["chap", "conformance", "pair", "single", "thin", "write-through"]

    @Test(arguments: targets)
    func everyTargetThatPeopleStartFromIsRight(name: String) throws {
        let file = repository.appending(path: "targets/\(name).yaml").path
        let configuration = try Configuration.load(file: file, surroundings: nobody)
        #expect(!configuration.description.units.isEmpty)
    }

    @Test func noTargetIsLeftOutOfTheListAbove() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: repository.appending(path: "targets").path)
        #expect(files.sorted() == Self.targets.map { "\($0).yaml" })
    }

    @Test func aFileThatIsNotThereIsRefusedByName() {
        #expect(throws: ConfigurationError.self) { try Configuration.load(file: "/nowhere/x.yaml") }
    }
}
