import BlockModel
import ISCSITarget
import Memory
import PagingFormats
import Pair
import Primitives
import SCSITarget

// What each engine must know of the array, cut out of its description.
extension ArrayDescription {
    /// The controller's own entry; a description without it is none of a controller's.
    func controller(_ id: ControllerID) -> ControllerDescription? { controllers.first { $0.id == id } }

    func iscsiTarget(_ id: ControllerID) -> ISCSITargetConfiguration {
        var configuration = ISCSITargetConfiguration(
            targets: targets.map(\.name), portalGroupTag: id.targetPortGroup,
            portals: controllers.flatMap { controller in
                controller.portals.map { .init(address: $0, groupTag: controller.id.targetPortGroup) }
            })
        configuration.access = accessRules
        configuration.discovery = discoveryRules
        configuration.limits.maxCommands = ControllerLimits.commands
        configuration.limits.maxSessions = ControllerLimits.sessions
        apply(limits, to: &configuration.limits)
        return configuration
    }

    func deviceServer(_ id: ControllerID, _ start: StartConditions) -> DeviceServerConfiguration {
        var configuration = DeviceServerConfiguration(
            controller: id, controllers: controllers.count,
            units: units.enumerated().map { index, unit in
                DeviceServerUnit(
                    lun: unit.lun, index: UnitIndex(UInt16(index)), sectors: unit.map.sectors,
                    blockLength: unit.blockLength, naa: unit.naa, serial: unit.serial, preferred: unit.map.preferred,
                    profile: unit.profile)
            },
            vendor: personality.vendor, product: personality.product, revision: personality.revision,
            targets: targets.map(\.name), maxCommands: ControllerLimits.commands)
        configuration.views = views
        configuration.maxNexuses = ControllerLimits.sessions
        // The front end agrees to iSCSIProtocolLevel 2, which has their function codes (RFC 7144).
        configuration.canQuery = true
        configuration.managementURL = managementURL
        configuration.wallClockOffset = start.wallClockOffset
        for index in configuration.units.indices {
            configuration.units[index].profile.accessStyle = personality.accessStyle
        }
        return configuration
    }

    func memory(_ id: ControllerID) -> MemoryConfiguration {
        var configuration = MemoryConfiguration(
            controller: id, arrayID: UInt32(truncatingIfNeeded: pairID), units: units.map(\.storageMap),
            deviceCount: devices.count)
        configuration.hasPartner = controllers.count > 1
        return configuration
    }

    func pair(_ id: ControllerID, _ start: StartConditions, _ superblock: Superblock) -> PairConfiguration {
        var configuration = PairConfiguration(
            controller: id, pairID: pairID, incarnation: start.incarnation, freshMemoryID: start.freshMemoryID)
        configuration.single = controllers.count == 1
        configuration.partnerOnThisHost = start.partnerOnThisHost
        configuration.lease = pair.lease
        configuration.heartbeat = pair.heartbeat
        configuration.channelPatience = pair.channelPatience
        configuration.memoryID = superblock.memoryID
        configuration.memoryIsFresh = start.memoryIsFresh
        configuration.memoryIsLost = start.memoryIsLost
        configuration.bootID = start.bootID
        configuration.partnerMemoryIsDurable = controller(id.partner)?.memoryDurability == .power
        configuration.clearsDirtyAlone = !units.contains { $0.map.policy.rows.contains(where: \.keepBackAlone) }
        configuration.epochKnown = superblock.epoch
        configuration.lineageKnown = superblock.lineage
        configuration.devices = zip(devices, start.devices).map { DeviceFacts(name: $0.name, finding: $1) }
        return configuration
    }

    /// The superblock of this life: what the last one left, or that of a fresh memory. Nothing is written.
    func superblock(
        _ id: ControllerID, _ layout: RegionLayout, _ start: StartConditions, in region: UnsafeRawPointer
    ) -> Superblock {
        let known = start.memoryIsFresh || start.memoryIsLost ? nil : Superblock(decoding: region)
        var block = known ?? Superblock()
        if known == nil { block.memoryID = start.freshMemoryID }
        block.controller = UInt32(id.rawValue)
        block.pairID = pairID
        block.incarnation = start.incarnation
        block.bootID = start.bootID
        block.frames = UInt32(layout.frames)
        block.mirrorFrames = UInt32(layout.mirrorFrames)
        block.hasTrailers = layout.hasTrailers
        block.pid = start.pid
        block.pidStartTime = start.pidStartTime
        return block
    }
}
