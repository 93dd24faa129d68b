import BlockModel
import CLinux
import Controller
import Devices
import Glibc
import PagingFormats
import Primitives

/// One controller of an array as this process: opens, locks and binds everything, or says in a sentence why not, and
/// then drives the `Controller` until it ends.
///
/// `init` may be called on any thread; `run` keeps the one that calls it. Nothing of another array or process is
/// changed before the locks are held, and the memory's content is the controller's to judge.
package struct ControllerProcess: ~Copyable {
    /// The way in for other threads, valid before, while and after `run`.
    package let control: ControlPort
    /// Ports that the portals are bound to, in the description's order (of use when a portal's port is 0).
    package let portalPorts: [UInt16]
    private var reactor: Reactor<Controller>

    /// Opens everything. A second controller in the same process is possible, for tests.
    package init(_ description: ArrayDescription, id: ControllerID, options: ProcessOptions) throws(RuntimeError) {
        guard let own = description.controllers.first(where: { $0.id == id }) else {
            throw RuntimeError(.configuration, "array \(description.name) has no controller \(id.name)")
        }
        let partner = description.controllers.first { $0.id != id }
        let bootID = Platform.bootID()
        let credentials = try Credentials(description, options)
        let secret = partner == nil ? [] : try Secret.read(options.resolve(description.pair.secretFile))
        let memory = try MemoryFile(
            path: options.resolve(own.memoryFile), layout: description.memoryLayout(own),
            identity: .init(
                controller: id, pairID: description.pairID, durability: own.memoryDurability, bootID: bootID),
            reserving: .beside)
        let devices = try Self.openDevices(description, options)
        var start = try Self.conditions(memory, bootID, partner != nil)
        do { start.devices = try devices.labels(description) } catch { throw RuntimeError(error) }
        let listeners = try Listeners(own, partner: partner, options: options)
        let ports = listeners.portals.map { Plant.port($0) }
        var settings = try Self.settings(description, own, partner, start, secret, options)
        settings.credentials = credentials
        settings.found = StartFound(description, memory, start, options)
        // Nothing was written into the memory so far, and nothing is by making the controller.
        let engine = Controller(
            description, id: id, memory: memory.base, layout: memory.layout, start: start, at: Platform.now)
        try memory.awaitOwnArea()
        let plant = Plant(
            memory: memory, devices: devices, listeners: listeners,
            partnerMemory: partner.map { options.resolve($0.memoryFile) } ?? "",
            witness: WitnessFile(
                path: options.resolve(description.pair.witnessFile), pairID: description.pairID),
            settings: settings)
        let control = plant.control
        let made = try Reactor(engine: engine, plant: plant)
        reactor = made
        portalPorts = ports
        self.control = control
    }

    /// Runs until the controller ends; everything is closed and unlocked when it returns.
    package consuming func run() -> ProcessOutcome { reactor.run() }

    private static func openDevices(
        _ description: ArrayDescription, _ options: ProcessOptions
    ) throws(RuntimeError) -> DeviceSet {
        let specs = description.devices.map { device in
            let place: DeviceSpec.Place =
                switch device.kind {
                case .file(let path): .file(options.resolve(path))
                case .block(let path): .block(options.resolve(path))
                case .memory: .memory("/dev/shm/gemel-\(description.name)-device-\(device.name)")
                }
            var spec = DeviceSpec(name: device.name, place: place, bytes: device.fileBytes)
            if device.thinBytes != nil { spec.capacity = device.dataBytes + DeviceLayout.labelArea }
            return spec
        }
        do { return try DeviceSet(specs) } catch { throw RuntimeError(error) }
    }

    private static func conditions(
        _ memory: borrowing MemoryFile, _ bootID: WitnessRecord.MemoryID, _ hasPartner: Bool
    ) throws(RuntimeError) -> StartConditions {
        guard let fresh = Platform.freshMemoryID() else {
            throw RuntimeError(.ioError, "the system's random source fails; without it no memory can be named")
        }
        var conditions = StartConditions(
            memoryIsFresh: memory.isFresh, memoryIsLost: memory.isLost, freshMemoryID: fresh, bootID: bootID,
            incarnation: Swift.max(memory.lastIncarnation &+ 1, Platform.wallSeconds), pid: UInt32(getpid()),
            pidStartTime: Platform.startTime(pid: getpid()) ?? 0, partnerOnThisHost: hasPartner)
        conditions.wallClockOffset = Platform.wallClockOffset
        return conditions
    }

    private static func settings(
        _ description: ArrayDescription, _ own: ControllerDescription, _ partner: ControllerDescription?,
        _ start: StartConditions, _ secret: [UInt8], _ options: ProcessOptions
    ) throws(RuntimeError) -> PlantSettings {
        if let partner, PortalAddress(partner.channel) == nil {
            throw RuntimeError(.configuration, Listeners.unreadable("channel", partner.channel, partner.id))
        }
        return PlantSettings(
            controller: own.id, pairID: description.pairID, incarnation: start.incarnation, secret: secret,
            partnerChannel: partner.flatMap { PortalAddress($0.channel) },
            partnerMemory: partner.map {
                .init(
                    controller: $0.id, pairID: description.pairID, durability: $0.memoryDurability,
                    bootID: start.bootID)
            },
            options: options)
    }
}
