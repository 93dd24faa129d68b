import BlockModel
import PagingFormats
import Primitives

/// The array as its configuration describes it: everything a controller must know before it starts. The Configuration
/// module makes it from YAML, tests make it directly; a controller never changes it.
package struct ArrayDescription: Sendable {
    package var name: String
    /// Derived from the name and the secret: two pairs are never mistaken for each other.
    package var pairID: UInt64
    package var personality = Personality()
    package var controllers: [ControllerDescription]
    package var pair = PairDescription()
    package var devices: [DeviceDescription]
    package var units: [UnitDescription]
    package var targets: [TargetDescription]
    /// URL of the management, when it is reached over the network.
    package var managementURL: String?
    /// Who may discover targets.
    package var discovery = [AccessDescription()]
    package var credentials: [CredentialDescription] = []
    package var limits = TransportLimits()

    package init(
        name: String, pairID: UInt64, controllers: [ControllerDescription], devices: [DeviceDescription],
        units: [UnitDescription], targets: [TargetDescription]
    ) {
        self.name = name
        self.pairID = pairID
        self.controllers = controllers
        self.devices = devices
        self.units = units
        self.targets = targets
    }
}

extension ArrayDescription {
    /// Some unit has protection information: frames of the memory have trailers.
    package var hasProtection: Bool { units.contains { $0.profile.protectionType != 0 } }

    /// How a controller's memory is laid out.
    package func memoryLayout(_ controller: ControllerDescription) -> RegionLayout {
        RegionLayout(bytes: controller.memoryBytes, hasTrailers: hasProtection)
    }
}

/// What INQUIRY says the array is.
package struct Personality: Sendable {
    /// T10 VENDOR IDENTIFICATION, at most 8 ASCII characters.
    package var vendor = "GEMEL"
    /// PRODUCT IDENTIFICATION, at most 16.
    package var product = "VIRTUAL DISK"
    /// PRODUCT REVISION LEVEL, at most 4.
    package var revision = "0001"
    /// How the target port groups of the two controllers differ.
    package var accessStyle = AccessStyle.asymmetric
    package init() {}
}

/// One controller of the array; an array of one controller is a `single`.
package struct ControllerDescription: Sendable {
    package var id: ControllerID
    /// iSCSI portals, as `address:port`, numeric.
    package var portals: [String]
    /// Address of the channel listener, as `address:port`; the partner connects here.
    package var channel: String
    /// Bytes of the memory file.
    package var memoryBytes: Int
    /// Path of the memory file.
    package var memoryFile: String
    /// What the place of the memory file survives: `process`, `host` or `power` (pair-rules 8).
    package var memoryDurability: MemoryDurability
    package init(
        id: ControllerID, portals: [String], channel: String, memoryBytes: Int, memoryFile: String,
        memoryDurability: MemoryDurability
    ) {
        self.id = id
        self.portals = portals
        self.channel = channel
        self.memoryBytes = memoryBytes
        self.memoryFile = memoryFile
        self.memoryDurability = memoryDurability
    }
}

/// What the place of a memory file survives.
package enum MemoryDurability: String, Sendable { case process, host, power }

/// Times and places of the pair.
package struct PairDescription: Sendable {
    /// Length of a lease (pair-rules 3).
    package var lease: Interval = .seconds(3)
    /// Without the channel for this long, a member is a candidate.
    package var channelPatience: Interval = .seconds(1)
    /// Sense requests are sent this often.
    package var heartbeat: Interval = .milliseconds(250)
    /// Preferred units go back to a returned controller after this long; `never`: on command only.
    package var failbackDelay: Interval? = .seconds(10)
    /// Path of the witness file.
    package var witnessFile = ""
    /// Path of the secret file.
    package var secretFile = ""
    package init() {}
}

/// A storage device.
package struct DeviceDescription: Sendable {
    package enum Kind: Sendable, Equatable {
        case file(String)
        case block(String)
        case memory
    }
    package var name: String
    package var kind: Kind
    /// Bytes of data; the device itself is `DeviceLayout.labelArea` longer.
    package var dataBytes: UInt64
    /// Bytes in which the units of a thin device have their places, of which it can have `dataBytes` at a time; nil
    /// for a device that is not thin.
    package var thinBytes: UInt64?
    /// Bytes that the file behind it is long.
    package var fileBytes: UInt64 { (thinBytes ?? dataBytes) + DeviceLayout.labelArea }
    package init(name: String, kind: Kind, dataBytes: UInt64) {
        self.name = name
        self.kind = kind
        self.dataBytes = dataBytes
    }
}

/// A logical unit. Its index in `ArrayDescription.units` is its `UnitIndex`.
package struct UnitDescription: Sendable {
    package var lun: UInt16
    package var map: UnitMap
    /// Logical block length, 512 or 4096.
    package var blockLength: UInt32
    /// NAA IEEE Registered Extended designator: 16 bytes, the same on both controllers.
    package var naa: InlineArray<16, UInt8>
    /// UNIT SERIAL NUMBER, ASCII.
    package var serial: String
    package var profile = UnitProfile()
    package init(lun: UInt16, map: UnitMap, blockLength: UInt32, naa: InlineArray<16, UInt8>, serial: String) {
        self.lun = lun
        self.map = map
        self.blockLength = blockLength
        self.naa = naa
        self.serial = serial
    }

    /// What Memory knows of the unit.
    var storageMap: UnitMap {
        var map = map
        map.isProtected = profile.protectionType != 0
        return map
    }
}

/// A target: one iSCSI name, the same on both controllers, with one portal group a controller (tag 1 for a, 2 for b).
package struct TargetDescription: Sendable {
    package var name: String
    /// Who may log in; never empty.
    package var access: [AccessDescription]
    package init(name: String, access: [AccessDescription] = [AccessDescription()]) {
        self.name = name
        self.access = access
    }
}
