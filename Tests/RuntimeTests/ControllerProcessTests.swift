import BlockModel
import Controller
import Devices
import Glibc
import PagingFormats
import Primitives
import Runtime
import Testing

/// A controller's process says in a sentence, and by its exit code, why it cannot start.
@Suite struct ControllerProcessTests {
    private let scratch = Scratch()
    private var options: ProcessOptions {
        var options = ProcessOptions(runDirectory: scratch.path, stateDirectory: scratch.path) { _ in }
        options.handlesSignals = false
        return options
    }

    private func describe(_ name: String = "demo") throws -> ArrayDescription {
        scratch.write("secret", [UInt8](repeating: 7, count: 32))
        let bytes: UInt64 = 1 << 20
        try? DeviceFile.create(scratch.file("disk0"), bytes: bytes + DeviceLayout.labelArea)
        let controllers = ControllerID.allCases.map {
            ControllerDescription(
                id: $0, portals: ["127.0.0.1:0"], channel: "127.0.0.1:0", memoryBytes: 4 << 20,
                memoryFile: "\($0.name).memory", memoryDurability: .process)
        }
        var description = ArrayDescription(
            name: name, pairID: 3, controllers: controllers,
            devices: [DeviceDescription(name: "disk0", kind: .file("disk0"), dataBytes: bytes)], units: [],
            targets: [])
        description.pair.secretFile = "secret"
        description.pair.witnessFile = "witness"
        return description
    }

    private func refusal(_ description: ArrayDescription) -> RuntimeError? {
        do {
            _ = try ControllerProcess(description, id: .a, options: options)
            return nil
        } catch {
            return error
        }
    }

    @Test func aCompleteDescriptionStarts() throws {
        let process = try ControllerProcess(try describe(), id: .a, options: options)
        #expect(process.portalPorts.count == 1 && process.portalPorts[0] != 0)
    }

    @Test func aMissingDeviceIs66() throws {
        let description = try describe()
        unlink(scratch.file("disk0"))
        let error = refusal(description)
        #expect(error?.exitCode == .noInput && error?.description.contains("disk0") == true)
    }

    @Test func aMissingSecretIs66AndAnOpenOne78() throws {
        let description = try describe()
        scratch.write("secret", [UInt8](repeating: 7, count: 32), mode: 0o644)
        #expect(refusal(description)?.exitCode == .configuration)
        unlink(scratch.file("secret"))
        #expect(refusal(description)?.exitCode == .noInput)
    }

    @Test func aTakenPortIs75AndNamesThePortal() throws {
        let first = try ControllerProcess(try describe(), id: .b, options: options)
        var description = try describe()
        description.controllers[0].portals = ["127.0.0.1:\(first.portalPorts[0])"]
        let error = refusal(description)
        #expect(error?.exitCode == .temporary)
        let sentence = "portal 127.0.0.1:\(first.portalPorts[0]) of controller a is taken"
        #expect(error?.description.contains(sentence) == true)
    }

    @Test func aMemoryThatIsInUseIs75() throws {
        let first = try ControllerProcess(try describe(), id: .a, options: options)
        #expect(refusal(try describe())?.exitCode == .temporary)
        #expect(first.portalPorts.count == 1)
    }

    @Test(arguments: ["localhost:3260", "127.0.0.1", "127.0.0.1:99999", "::1:3260", "[127.0.0.1]:1"])
    func aPortalThatIsNoNumericAddressIs78(_ portal: String) throws {
        var description = try describe()
        description.controllers[0].portals = [portal]
        #expect(refusal(description)?.exitCode == .configuration)
    }

    @Test func aRefusedStartLeavesNothingLocked() throws {
        var description = try describe()
        description.controllers[0].portals = ["nonsense"]
        #expect(refusal(description) != nil)
        description.controllers[0].portals = ["127.0.0.1:0"]
        #expect(refusal(description) == nil)
    }
}
