import BlockModel
import Primitives

/// A logical unit as the device server knows it.
package struct DeviceServerUnit: Sendable {
    /// Its number; the same under every target.
    package var lun: UInt16
    package var index: UnitIndex
    /// Capacity in sectors of 512 bytes.
    package var sectors: UInt64
    /// Logical block length: 512 or 4096.
    package var blockLength: UInt32
    /// NAA IEEE Registered Extended designator.
    package var naa: InlineArray<16, UInt8>
    /// UNIT SERIAL NUMBER, ASCII.
    package var serial: String
    /// The controller that is home while nobody moved it (PREF of REPORT TARGET PORT GROUPS).
    package var preferred: ControllerID
    package var profile: UnitProfile

    package init(
        lun: UInt16, index: UnitIndex, sectors: UInt64, blockLength: UInt32, naa: InlineArray<16, UInt8>,
        serial: String, preferred: ControllerID, profile: UnitProfile = UnitProfile()
    ) {
        self.lun = lun
        self.index = index
        self.sectors = sectors
        self.blockLength = blockLength
        self.naa = naa
        self.serial = serial
        self.preferred = preferred
        self.profile = profile
    }
}

/// What some initiators see of the units: LUN masks and LUN maps.
package struct DeviceServerView: Sendable {
    /// The unit that a LUN of the initiator's names.
    package struct Mapping: Sendable {
        package var lun: UInt16
        package var unit: UnitIndex
        package init(lun: UInt16, unit: UnitIndex) {
            self.lun = lun
            self.unit = unit
        }
    }
    /// nil: every unit under its own number.
    package var mappings: [Mapping]?
    /// Every command that writes is refused (WRITE PROTECTED).
    package var readOnly: Bool

    package init(mappings: [Mapping]? = nil, readOnly: Bool = false) {
        self.mappings = mappings
        self.readOnly = readOnly
    }
}

/// Everything that a device server must know before it starts.
package struct DeviceServerConfiguration: Sendable {
    /// The controller that it is part of.
    package var controller: ControllerID
    /// Controllers of the array: 1 (no asymmetric access is reported) or 2.
    package var controllers: Int
    package var units: [DeviceServerUnit]
    /// By `NexusIdentity.access`.
    package var views = [DeviceServerView()]
    /// T10 VENDOR IDENTIFICATION, PRODUCT IDENTIFICATION, PRODUCT REVISION LEVEL.
    package var vendor: String
    package var product: String
    package var revision: String
    /// iSCSI names of the targets, by `NexusIdentity.target`.
    package var targets: [String]
    /// Command slots: handles have a slot below it.
    package var maxCommands: Int
    /// Steps of format and sanitize operations that may go on at once; their tokens are the slots behind `maxCommands`.
    package var workers = DeviceServerLimits.workers
    /// Nexus indices are below it.
    package var maxNexuses = 256
    /// Task management requests under way at once; one more is rejected.
    package var maxTaskManagement = 64
    /// URL of the array's management, nil for none (VPD page 85h).
    package var managementURL: String?
    /// Milliseconds since 1970 (UTC) at `Instant.zero`, nil when the driver does not know: the clock of REPORT
    /// TIMESTAMP.
    package var wallClockOffset: UInt64?
    /// The transport can carry task management functions that query, and I_T NEXUS RESET.
    package var canQuery = false
    /// How long a command waits until it may be served, before it ends with NOT READY.
    package var patience: Interval = .seconds(20)

    package init(
        controller: ControllerID, controllers: Int, units: [DeviceServerUnit], vendor: String, product: String,
        revision: String, targets: [String], maxCommands: Int
    ) {
        self.controller = controller
        self.controllers = controllers
        self.units = units
        self.vendor = vendor
        self.product = product
        self.revision = revision
        self.targets = targets
        self.maxCommands = maxCommands
    }
}

extension ControllerID {
    /// TARGET PORT GROUP of the controller's ports, which is its portal group tag too: 1 for a, 2 for b.
    package var targetPortGroup: UInt16 { UInt16(rawValue) + 1 }
    /// RELATIVE TARGET PORT IDENTIFIER of its port in each target.
    package var relativeTargetPort: UInt16 { UInt16(rawValue) + 1 }
}

/// Limits that the device server reports and keeps.
package enum DeviceServerLimits {
    /// Steps of format and sanitize operations at once in the array.
    package static var workers: Int { 2 }
    /// MAXIMUM TRANSFER LENGTH in bytes.
    package static var transferBytes: Int { 32 << 20 }
    /// OPTIMAL TRANSFER LENGTH in bytes: one block operation.
    package static var optimalBytes: Int { PageSize.operationPages * PageSize.bytes }
    /// MAXIMUM COMPARE AND WRITE LENGTH in bytes.
    package static var compareAndWriteBytes: Int { 64 << 10 }
    /// MAXIMUM WRITE SAME LENGTH in bytes.
    package static var writeSameBytes: Int { 128 << 20 }
    /// MAXIMUM UNMAP LBA COUNT in bytes, and MAXIMUM UNMAP BLOCK DESCRIPTOR COUNT: what one parameter page holds.
    package static var unmapBytes: Int { 512 << 20 }
    package static var unmapDescriptors: Int { 255 }
    /// Bytes that one block operation discards at most.
    package static var discardBytes: Int { 64 << 20 }
    /// Bytes that one GET LBA STATUS looks at.
    package static var queryBytes: Int { 1 << 30 }
    /// The longest mode parameter list, in bytes: one parameter page.
    package static var parameterListBytes: Int { PageSize.bytes }
}
