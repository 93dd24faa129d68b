/// Codes of the vital product data pages (SPC-4 §7.8, SBC-3 §6.6), in the order of page 00h.
package enum VitalProductDataPage: UInt8, Sendable, CaseIterable {
    case supportedPages = 0x00
    case unitSerialNumber = 0x80
    case deviceIdentification = 0x83
    case extendedInquiry = 0x86
    case scsiPorts = 0x88
    case blockLimits = 0xB0
    case blockDeviceCharacteristics = 0xB1
    case logicalBlockProvisioning = 0xB2
}

/// Builders of vital product data pages.
package enum VitalProductData {
    /// Appends the four bytes of a page's head and returns where its length stands.
    private static func head(
        _ page: VitalProductDataPage, _ peripheral: StandardInquiryData.Peripheral, _ writer: inout ParameterWriter
    ) {
        writer.put(peripheral.rawValue)
        writer.put(page.rawValue)
        writer.put(big16: 0)
    }

    /// Fills in PAGE LENGTH when the page is complete.
    private static func close(_ writer: ParameterWriter) {
        writer.patch(big16: UInt16(truncatingIfNeeded: writer.count - 4), at: 2)
    }

    /// 00h: the pages that there are. Without a logical unit there is only this one.
    package static func supportedPages(
        _ peripheral: StandardInquiryData.Peripheral, to writer: inout ParameterWriter
    ) {
        head(.supportedPages, peripheral, &writer)
        for page in VitalProductDataPage.allCases where peripheral == .directAccess || page == .supportedPages {
            writer.put(page.rawValue)
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

    /// 86h: all three task attributes, a volatile cache; no protection, no grouping.
    package static func extendedInquiry(to writer: inout ParameterWriter) {
        head(.extendedInquiry, .directAccess, &writer)
        writer.put(0)
        // HEADSUP, ORDSUP, SIMPSUP.
        writer.put(0x07)
        // V_SUP.
        writer.put(0x01)
        writer.zeros(upTo: 64)
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

    /// B0h (SBC-3 §6.6.4). `maximum` and `optimal` are transfer lengths, `granularity` their optimal granularity, in
    /// logical blocks. Zero in a field for UNMAP, WRITE SAME, COMPARE AND WRITE: there is no such command.
    package static func blockLimits(
        maximum: UInt32, optimal: UInt32, granularity: UInt16, to writer: inout ParameterWriter
    ) {
        head(.blockLimits, .directAccess, &writer)
        writer.put(big16: 0)
        writer.put(big16: granularity)
        writer.put(big32: maximum)
        writer.put(big32: optimal)
        // MAXIMUM PREFETCH LENGTH.
        writer.put(big32: maximum)
        writer.zeros(upTo: 64)
        close(writer)
    }

    /// B1h (SBC-3 §6.6.2): a non-rotating medium.
    package static func blockDeviceCharacteristics(to writer: inout ParameterWriter) {
        head(.blockDeviceCharacteristics, .directAccess, &writer)
        writer.put(big16: 1)
        writer.zeros(upTo: 64)
        close(writer)
    }

    /// B2h (SBC-3 §6.6.5): fully provisioned, no unmapping of any kind.
    package static func logicalBlockProvisioning(to writer: inout ParameterWriter) {
        head(.logicalBlockProvisioning, .directAccess, &writer)
        writer.zeros(upTo: 8)
        close(writer)
    }
}
