/// Builders of vital product data pages.
package enum VitalProductData {
    /// Appends the four bytes of a page's head and returns where its length stands.
    static func head(
        _ page: VitalProductDataPage, _ peripheral: StandardInquiryData.Peripheral, _ writer: inout ParameterWriter
    ) {
        writer.put(peripheral.rawValue)
        writer.put(page.rawValue)
        writer.put(big16: 0)
    }

    /// Fills in PAGE LENGTH when the page is complete.
    static func close(_ writer: ParameterWriter) {
        writer.patch(big16: UInt16(truncatingIfNeeded: writer.count - 4), at: 2)
    }

    /// 00h: the pages that there are; nil for the traits: without a logical unit there is only this one.
    package static func supportedPages(
        _ peripheral: StandardInquiryData.Peripheral, _ traits: UnitTraits?, to writer: inout ParameterWriter
    ) {
        head(.supportedPages, peripheral, &writer)
        for page in VitalProductDataPage.allCases {
            if let traits, !page.applies(traits) { continue }
            if traits != nil || page == .supportedPages { writer.put(page.rawValue) }
        }
        close(writer)
    }

    /// 80h: PRODUCT SERIAL NUMBER.
    package static func unitSerialNumber(_ serial: [UInt8], to writer: inout ParameterWriter) {
        head(.unitSerialNumber, .directAccess, &writer)
        writer.put(ascii: serial, width: min(serial.count, 252))
        close(writer)
    }

    /// 83h: who the logical unit, the port and the target device are.
    package static func deviceIdentification(
        _ descriptors: [DesignationDescriptor], to writer: inout ParameterWriter
    ) {
        head(.deviceIdentification, .directAccess, &writer)
        for descriptor in descriptors { descriptor.write(to: &writer) }
        close(writer)
    }

    /// 85h: a URL (status service) of the target device.
    package static func managementAddresses(_ url: [UInt8], to writer: inout ParameterWriter) {
        head(.managementAddresses, .directAccess, &writer)
        let text = url.prefix(1024)
        let padded = (text.count + 4) / 4 * 4
        // ASSOCIATION 10b: the target device; SERVICE TYPE 03h: status.
        writer.put(0x43)
        writer.put(0)
        writer.put(big16: UInt16(padded))
        for byte in text { writer.put(byte) }
        for _ in text.count..<padded { writer.put(0) }
        close(writer)
    }

    /// 86h: all three task attributes, a volatile cache, and what `data` says.
    package static func extendedInquiry(_ data: ExtendedInquiryData, to writer: inout ParameterWriter) {
        head(.extendedInquiry, .directAccess, &writer)
        writer.put(data.protection)
        // GROUP_SUP; HEADSUP, ORDSUP, SIMPSUP.
        writer.put((data.grouping ? 0x10 : 0) | 0x07)
        // WU_SUP, CRD_SUP (WRITE LONG has WR_UNCOR and COR_DIS); V_SUP.
        writer.put(data.isLegacy ? 0x01 : 0x0D)
        // LUICLR: the list of logical units never changes while one is used.
        writer.put(data.isLegacy ? 0 : 0x01)
        // R_SUP.
        writer.put(data.referrals ? 0x10 : 0)
        writer.zeros(upTo: 13)
        writer.put(data.senseLength)
        writer.zeros(upTo: 64)
        close(writer)
    }

    /// 87h: every mode page is shared by all nexuses.
    package static func modePagePolicy(to writer: inout ParameterWriter) {
        head(.modePagePolicy, .directAccess, &writer)
        writer.put(big32: 0x3FFF_0000)
        close(writer)
    }

    /// 88h: every target port of the SCSI target device, by relative port identifier and name.
    package static func scsiPorts(_ ports: [(UInt16, name: [UInt8])], to writer: inout ParameterWriter) {
        head(.scsiPorts, .directAccess, &writer)
        for (relative, name) in ports {
            writer.put(big16: 0)
            writer.put(big16: relative)
            // No initiator port; then the length of the target port descriptors.
            writer.put(big32: 0)
            writer.put(big16: 0)
            let lengthAt = writer.count
            writer.put(big16: 0)
            DesignationDescriptor.targetPortName(name).write(to: &writer)
            writer.patch(big16: UInt16(truncatingIfNeeded: writer.count - lengthAt - 2), at: lengthAt)
        }
        close(writer)
    }

    /// B1h (SBC-3 §6.6.2): a non-rotating medium.
    package static func blockDeviceCharacteristics(to writer: inout ParameterWriter) {
        head(.blockDeviceCharacteristics, .directAccess, &writer)
        writer.put(big16: 1)
        writer.put(0)
        // WABEREQ 01b: what SANITIZE BLOCK ERASE erased can be read. WACEREQ 00b: there is no CRYPTOGRAPHIC ERASE.
        writer.put(0x40)
        writer.zeros(upTo: 64)
        close(writer)
    }

    /// B2h (SBC-3 §6.6.5).
    package static func logicalBlockProvisioning(_ value: ProvisioningData, to writer: inout ParameterWriter) {
        head(.logicalBlockProvisioning, .directAccess, &writer)
        writer.put(value.thresholdExponent)
        // LBPU, LBPWS, LBPWS10; LBPRZ.
        writer.put((value.unmap ? 0x80 : 0) | (value.writeSame ? 0x60 : 0) | (value.thin ? 0x04 : 0))
        // PROVISIONING TYPE: thin, or none in particular.
        writer.put(value.thin ? 0x02 : 0)
        writer.zeros(upTo: 8)
        close(writer)
    }

    /// B3h (SBC-3 §6.6.6): one user data segment, whose extent its descriptor tells.
    package static func referrals(to writer: inout ParameterWriter) {
        head(.referrals, .directAccess, &writer)
        writer.zeros(upTo: 16)
        close(writer)
    }

    /// B4h (SBC-4): the one block length, with the unit's one type of protection.
    package static func supportedBlockLengths(
        _ length: UInt32, protectionType: UInt8, to writer: inout ParameterWriter
    ) {
        head(.supportedBlockLengths, .directAccess, &writer)
        writer.put(big32: length)
        // GRD_CHK, APP_CHK, REF_CHK; T0PS to T3PS.
        writer.put(ExtendedInquiryData.checks(protectionType))
        writer.put(1 << (protectionType & 3))
        writer.put(big16: 0)
        close(writer)
    }

    /// B7h (SBC-4): no streams, no scattered writes.
    package static func blockLimitsExtension(to writer: inout ParameterWriter) {
        head(.blockLimitsExtension, .directAccess, &writer)
        writer.zeros(upTo: 64)
        close(writer)
    }
}

/// What Extended INQUIRY Data says beside constants.
package struct ExtendedInquiryData: Sendable {
    /// Byte 4: SPT, GRD_CHK, APP_CHK, REF_CHK.
    package var protection: UInt8
    /// GROUP_SUP: commands carry a group number, and statistics are kept by it.
    package var grouping: Bool
    /// R_SUP.
    package var referrals: Bool
    /// As SPC-3 has it.
    package var isLegacy: Bool
    /// MAXIMUM SUPPORTED SENSE DATA LENGTH; 0: not reported.
    package var senseLength: UInt8

    /// For a unit with protection information of `protectionType` (0: none).
    package init(protectionType: UInt8, grouping: Bool, referrals: Bool, isLegacy: Bool) {
        // SPT: the one type that the unit has.
        let types: UInt8 = protectionType == 3 ? 0x20 : protectionType == 2 ? 0x10 : 0
        protection = types | Self.checks(protectionType)
        self.grouping = grouping
        self.referrals = referrals
        self.isLegacy = isLegacy
        senseLength = isLegacy ? 0 : UInt8(clamping: SenseData.maxBytes)
    }

    /// GRD_CHK, APP_CHK, REF_CHK of a type: type 3 has no reference tag of the block's own.
    static func checks(_ protectionType: UInt8) -> UInt8 {
        switch protectionType {
        case 0: 0
        case 3: 0x06
        default: 0x07
        }
    }
}

/// What the Logical Block Provisioning page says (SBC-3 §6.6.5).
package struct ProvisioningData: Sendable {
    /// Thin provisioned, and zeros are read where nothing is mapped (LBPRZ).
    package var thin: Bool
    /// LBPU: UNMAP; LBPWS and LBPWS10: WRITE SAME with UNMAP.
    package var unmap = false
    package var writeSame = false
    /// A threshold set is two to this power of blocks; 0: no thresholds.
    package var thresholdExponent: UInt8 = 0
    package init(thin: Bool) { self.thin = thin }
}
