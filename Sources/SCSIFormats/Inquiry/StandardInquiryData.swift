/// Standard INQUIRY data (SPC-4 §6.6.2), 96 bytes.
package struct StandardInquiryData: Sendable {
    /// PERIPHERAL QUALIFIER and PERIPHERAL DEVICE TYPE: what answers under the LUN.
    package enum Peripheral: UInt8, Sendable {
        /// A direct-access block device is there.
        case directAccess = 0x00
        /// A well-known logical unit.
        case wellKnown = 0x1E
        /// No logical unit can be there.
        case absent = 0x7F
    }

    /// VERSION DESCRIPTOR values (SPC-4 table 143), in the order in which they are reported.
    package enum VersionDescriptor: UInt16, Sendable {
        case sam4 = 0x0080
        case sam5 = 0x00A0
        case spc3 = 0x0300
        case spc4 = 0x0460
        case sbc2 = 0x0320
        case sbc3 = 0x04C0
        case iSCSI = 0x0960

        /// What a unit with a VERSION names.
        static func reported(version: UInt8) -> [VersionDescriptor] {
            version == 0x05 ? [.sam4, .spc3, .sbc2, .iSCSI] : [.sam5, .spc4, .sbc3, .iSCSI]
        }
    }

    package var peripheral: Peripheral
    /// TPGS 11b: asymmetric logical unit access, implicit and explicit.
    package var asymmetricAccess: Bool
    /// MULTIP: more than one target port.
    package var multiplePorts: Bool
    /// RMB.
    package var removable: Bool
    /// VERSION: 05h (SPC-3) or 06h (SPC-4).
    package var version: UInt8
    /// PROTECT: blocks have protection information.
    package var protection: Bool
    /// T10 VENDOR IDENTIFICATION, ASCII.
    package var vendor: [UInt8]
    /// PRODUCT IDENTIFICATION, ASCII.
    package var product: [UInt8]
    /// PRODUCT REVISION LEVEL, ASCII.
    package var revision: [UInt8]

    package init(
        peripheral: Peripheral, asymmetricAccess: Bool, multiplePorts: Bool, removable: Bool, version: UInt8,
        protection: Bool, vendor: [UInt8], product: [UInt8], revision: [UInt8]
    ) {
        self.peripheral = peripheral
        self.asymmetricAccess = asymmetricAccess
        self.multiplePorts = multiplePorts
        self.removable = removable
        self.version = version
        self.protection = protection
        self.vendor = vendor
        self.product = product
        self.revision = revision
    }

    /// Bytes of the data.
    package static var length: Int { 96 }

    /// Appends the data.
    package func write(to writer: inout ParameterWriter) {
        writer.put(peripheral.rawValue)
        writer.put(removable ? 0x80 : 0)
        writer.put(version)
        // HISUP, RESPONSE DATA FORMAT 2h.
        writer.put(0x12)
        writer.put(UInt8(Self.length - 5))
        writer.put((asymmetricAccess ? 0x30 : 0) | (protection ? 1 : 0))
        writer.put(multiplePorts ? 0x10 : 0)
        // CMDQUE.
        writer.put(0x02)
        writer.put(ascii: vendor, width: 8)
        writer.put(ascii: product, width: 16)
        writer.put(ascii: revision, width: 4)
        writer.zeros(upTo: 58)
        for descriptor in VersionDescriptor.reported(version: version) { writer.put(big16: descriptor.rawValue) }
        writer.zeros(upTo: Self.length)
    }
}
