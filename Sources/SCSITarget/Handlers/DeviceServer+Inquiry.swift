import BlockModel
import Primitives
import SAM
import SCSIFormats

// INQUIRY (SPC-4 §6.6): standard data and vital product data pages.

extension DeviceServer {
    /// The answer to an INQUIRY, or why there is none.
    func inquiry(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let peripheral = peripheral(slot)
        let page = tasks[slot].cdb[2]
        guard tasks[slot].cdb[1] & 1 != 0 else {
            if page != 0 { return .invalidField(inCDB: 2) }
            let profile = peripheral == .directAccess ? units[Int(tasks[slot].unit)].profile : UnitProfile()
            StandardInquiryData(
                peripheral: peripheral, asymmetricAccess: controllers > 1 && peripheral == .directAccess,
                multiplePorts: controllers > 1, removable: profile.removable, version: profile.version,
                protection: profile.protectionType != 0, vendor: identity.vendor, product: identity.product,
                revision: identity.revision
            ).write(to: &writer)
            return nil
        }
        guard let code = VitalProductDataPage(rawValue: page) else { return .invalidField(inCDB: 2) }
        guard peripheral == .directAccess else {
            if code != .supportedPages { return .invalidField(inCDB: 2) }
            VitalProductData.supportedPages(peripheral, nil, to: &writer)
            return nil
        }
        guard code.applies(units[Int(tasks[slot].unit)].traits) else { return .invalidField(inCDB: 2) }
        vitalProductData(code, slot, &writer)
        return nil
    }

    /// What stands under the command's LUN.
    private func peripheral(_ slot: Int) -> StandardInquiryData.Peripheral {
        if Int(tasks[slot].unit) != noUnit { return .directAccess }
        return LogicalUnitAddress(field: tasks[slot].lun) == .reportLUNs ? .wellKnown : .absent
    }

    private func vitalProductData(_ page: VitalProductDataPage, _ slot: Int, _ writer: inout ParameterWriter) {
        let unit = Int(tasks[slot].unit)
        let (traits, profile) = (units[unit].traits, units[unit].profile)
        switch page {
        case .supportedPages: VitalProductData.supportedPages(.directAccess, traits, to: &writer)
        case .unitSerialNumber: VitalProductData.unitSerialNumber(identity.serials[unit], to: &writer)
        case .deviceIdentification: VitalProductData.deviceIdentification(designators(slot), to: &writer)
        case .managementAddresses: VitalProductData.managementAddresses(identity.managementURL, to: &writer)
        case .extendedInquiry:
            VitalProductData.extendedInquiry(
                ExtendedInquiryData(
                    protectionType: profile.protectionType, grouping: true,
                    referrals: VitalProductDataPage.referrals.applies(traits),
                    isLegacy: traits.contains(.legacy)), to: &writer)
        case .modePagePolicy: VitalProductData.modePagePolicy(to: &writer)
        case .scsiPorts: VitalProductData.scsiPorts(ports(slot), to: &writer)
        case .blockLimits: blockLimits(unit).write(legacy: traits.contains(.legacy), to: &writer)
        case .blockDeviceCharacteristics: VitalProductData.blockDeviceCharacteristics(to: &writer)
        case .logicalBlockProvisioning:
            // WRITE SAME has UNMAP in both forms.
            var provisioning = ProvisioningData(thin: profile.thin)
            provisioning.unmap = profile.thin
            provisioning.writeSame = profile.thin
            provisioning.thresholdExponent = profile.thin ? thresholdExponent(unit) : 0
            VitalProductData.logicalBlockProvisioning(provisioning, to: &writer)
        case .referrals: VitalProductData.referrals(to: &writer)
        case .supportedBlockLengths:
            VitalProductData.supportedBlockLengths(
                units[unit].blockBytes, protectionType: profile.protectionType, to: &writer)
        case .blockLimitsExtension: VitalProductData.blockLimitsExtension(to: &writer)
        }
    }

    /// What the unit can do at most.
    private func blockLimits(_ unit: Int) -> BlockLimits {
        let block = Int(units[unit].blockBytes)
        let maximum = UInt32(DeviceServerLimits.transferBytes / block)
        var limits = BlockLimits(
            granularity: UInt16(PageSize.bytes / block), maximumTransfer: maximum,
            optimalTransfer: UInt32(DeviceServerLimits.optimalBytes / block), maximumPrefetch: maximum)
        limits.compareAndWrite = UInt8(clamping: compareAndWriteBlocks(unit))
        limits.writeSameBlocks = writeSameBlocks(unit)
        if units[unit].profile.thin {
            limits.unmapBlocks = UInt32(clamping: unmapBlocks(unit))
            limits.unmapDescriptors = UInt32(DeviceServerLimits.unmapDescriptors)
            limits.unmapGranularity = UInt32(PageSize.bytes / block)
            limits.unmapAlignment = 0
        }
        limits.atomicBlocks = atomicBlocks(unit)
        if limits.atomicBlocks > 0 {
            limits.atomicAlignment = UInt32(PageSize.bytes / block)
            limits.atomicGranularity = limits.atomicAlignment
            limits.atomicBlocksWithBoundary = atomicBlocksWithBoundary(unit)
            limits.atomicBoundary = limits.atomicBlocks
        }
        return limits
    }

    /// The target of the command's nexus.
    private func target(_ slot: Int) -> Int { Int(nexusTargets[Int(tasks[slot].nexus)]) }

    private func designators(_ slot: Int) -> [DesignationDescriptor] {
        let unit = Int(tasks[slot].unit)
        var descriptors: [DesignationDescriptor] = [
            .naa(identity.designators[unit]), .extendedUniqueIdentifier(identity.designators[unit]),
            .logicalUnitName(identity.designators[unit]),
            .t10Vendor(vendor: identity.vendor, identifier: identity.product + [0x20] + identity.serials[unit]),
            .relativeTargetPort(controller.relativeTargetPort),
        ]
        if controllers > 1 {
            descriptors.append(.targetPortGroup(controller.targetPortGroup))
            // Home moves unit by unit: each is a group of its own.
            descriptors.append(.logicalUnitGroup(units[unit].index.raw &+ 1))
        }
        descriptors.append(.targetPortName(identity.portName(target(slot), of: controller)))
        descriptors.append(.targetDeviceName(identity.deviceName(target(slot))))
        return descriptors
    }

    private func ports(_ slot: Int) -> [(UInt16, name: [UInt8])] {
        let all = controllers > 1 ? ControllerID.allCases : [controller]
        return all.map { ($0.relativeTargetPort, name: identity.portName(target(slot), of: $0)) }
    }
}
