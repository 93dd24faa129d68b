import Controller
import Devices
import PagingFormats
import Primitives
import Runtime

extension Plant {
    /// A plant on loopback with ports that the kernel chooses.
    static func forTests(
        id: ControllerID, memory: consuming MemoryFile, disk: String, partnerPort: UInt16, options: ProcessOptions
    ) throws -> Plant {
        func description(_ id: ControllerID) -> ControllerDescription {
            ControllerDescription(
                id: id, portals: ["127.0.0.1:0"], channel: "127.0.0.1:0", memoryBytes: Sample.layout.bytes,
                memoryFile: "\(id.name).memory", memoryDurability: .process)
        }
        let devices = try DeviceSet([DeviceSpec(name: "disk", place: .file(disk), bytes: 1 << 20)])
        let listeners = try Listeners(description(id), partner: description(id.partner), options: options)
        let settings = PlantSettings(
            controller: id, pairID: Sample.pairID, incarnation: 7, secret: Array("a secret of sixteen".utf8),
            partnerChannel: PortalAddress("127.0.0.1:\(partnerPort)"), partnerMemory: Sample.identity(id.partner),
            options: options)
        return Plant(
            memory: memory, devices: devices, listeners: listeners,
            partnerMemory: options.resolve("\(id.partner.name).memory"),
            witness: WitnessFile(path: options.resolve("witness")), settings: settings)
    }

    var portalPort: UInt16 { Plant.port(listeners.portals[0]) }
    var channelPort: UInt16 { Plant.port(listeners.channel) }
}
