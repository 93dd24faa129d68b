/// Codes of the vital product data pages (SPC-4 §7.8, SBC-3 §6.6), in the order of page 00h.
package enum VitalProductDataPage: UInt8, Sendable, CaseIterable {
    case supportedPages = 0x00
    case unitSerialNumber = 0x80
    case deviceIdentification = 0x83
    case managementAddresses = 0x85
    case extendedInquiry = 0x86
    case modePagePolicy = 0x87
    case scsiPorts = 0x88
    case blockLimits = 0xB0
    case blockDeviceCharacteristics = 0xB1
    case logicalBlockProvisioning = 0xB2
    case referrals = 0xB3
    case supportedBlockLengths = 0xB4
    case blockLimitsExtension = 0xB7

    /// Whether a unit has the page. SPC-3 and SBC-2 (VERSION 05h) end with Block Limits.
    package func applies(_ traits: UnitTraits) -> Bool {
        switch self {
        case .supportedPages, .unitSerialNumber, .deviceIdentification, .extendedInquiry, .modePagePolicy, .scsiPorts,
            .blockLimits:
            true
        case .managementAddresses: traits.contains(.managed)
        case .blockDeviceCharacteristics, .logicalBlockProvisioning, .supportedBlockLengths, .blockLimitsExtension:
            !traits.contains(.legacy)
        case .referrals: traits.contains(.pair) && !traits.contains(.legacy)
        }
    }

    /// The standard's name, and where it describes the page.
    package var reference: (name: String, clause: String) {
        switch self {
        case .supportedPages: ("Supported VPD Pages", "SPC-4 7.8.16")
        case .unitSerialNumber: ("Unit Serial Number", "SPC-4 7.8.18")
        case .deviceIdentification: ("Device Identification", "SPC-4 7.8.6")
        case .managementAddresses: ("Management Network Addresses", "SPC-4 7.8.8")
        case .extendedInquiry: ("Extended INQUIRY Data", "SPC-4 7.8.7")
        case .modePagePolicy: ("Mode Page Policy", "SPC-4 7.8.9")
        case .scsiPorts: ("SCSI Ports", "SPC-4 7.8.14")
        case .blockLimits: ("Block Limits", "SBC-3 6.6.4")
        case .blockDeviceCharacteristics: ("Block Device Characteristics", "SBC-3 6.6.2")
        case .logicalBlockProvisioning: ("Logical Block Provisioning", "SBC-3 6.6.5")
        case .referrals: ("Referrals", "SBC-3 6.6.6")
        case .supportedBlockLengths: ("Supported Block Lengths and Protection Types", "SBC-4 6.6.6")
        case .blockLimitsExtension: ("Block Limits Extension", "SBC-4 6.6.5")
        }
    }
}
