/// Designation descriptors (SPC-4 §7.8.6) of VPD pages 83h and 88h. Each case appends one descriptor.
package enum DesignationDescriptor {
    /// NAA, 16 bytes, of the logical unit.
    case naa(InlineArray<16, UInt8>)
    /// EUI-64 based, 16 bytes, of the logical unit: company and vendor specific part of the NAA designator behind its
    /// extension.
    case extendedUniqueIdentifier(InlineArray<16, UInt8>)
    /// SCSI name string of the logical unit: `naa.` and the NAA designator in hexadecimal.
    case logicalUnitName(InlineArray<16, UInt8>)
    /// Logical unit group.
    case logicalUnitGroup(UInt16)
    /// T10 vendor ID based, of the logical unit.
    case t10Vendor(vendor: [UInt8], identifier: [UInt8])
    /// Relative target port identifier, of the target port.
    case relativeTargetPort(UInt16)
    /// Target port group, of the target port.
    case targetPortGroup(UInt16)
    /// SCSI name string of the target port: iSCSI name, `,t,0x`, portal group tag.
    case targetPortName([UInt8])
    /// SCSI name string of the target device: its iSCSI name.
    case targetDeviceName([UInt8])

    /// PROTOCOL IDENTIFIER of iSCSI.
    private static var iSCSI: UInt8 { 0x50 }

    /// Appends the descriptor.
    package func write(to writer: inout ParameterWriter) {
        switch self {
        case .naa(let bytes):
            header(codeSet: 1, kind: 0x03, to: &writer, length: 16)
            for index in 0..<16 { writer.put(bytes[index]) }
        case .extendedUniqueIdentifier(let naa):
            header(codeSet: 1, kind: 0x02, to: &writer, length: 16)
            for index in 8..<16 { writer.put(naa[index]) }
            for index in 0..<3 { writer.put(naa[index] << 4 | naa[index + 1] >> 4) }
            writer.put(naa[3] & 0x0F)
            for index in 4..<8 { writer.put(naa[index]) }
        case .logicalUnitName(let naa):
            let digits = (0..<32).map { naa[$0 / 2] >> ($0 % 2 == 0 ? 4 : 0) & 0x0F }
            let text = Array("naa.".utf8) + digits.map { $0 < 10 ? 0x30 + $0 : 0x37 + $0 }
            header(codeSet: 3, kind: 0x08, to: &writer, length: 40)
            writer.put(text)
            writer.put(big32: 0)
        case .logicalUnitGroup(let group):
            header(codeSet: 1, kind: 0x06, to: &writer, length: 4)
            writer.put(big32: UInt32(group))
        case .t10Vendor(let vendor, let identifier):
            let count = min(identifier.count, 64)
            header(codeSet: 2, kind: 0x01, to: &writer, length: 8 + count)
            writer.put(ascii: vendor, width: 8)
            writer.put(ascii: identifier, width: count)
        case .relativeTargetPort(let port):
            header(codeSet: Self.iSCSI | 1, kind: 0x94, to: &writer, length: 4)
            writer.put(big32: UInt32(port))
        case .targetPortGroup(let group):
            header(codeSet: Self.iSCSI | 1, kind: 0x95, to: &writer, length: 4)
            writer.put(big32: UInt32(group))
        case .targetPortName(let name):
            nameString(name, kind: 0x98, to: &writer)
        case .targetDeviceName(let name):
            nameString(name, kind: 0xA8, to: &writer)
        }
    }

    private func header(codeSet: UInt8, kind: UInt8, to writer: inout ParameterWriter, length: Int) {
        writer.put(codeSet)
        writer.put(kind)
        writer.put(0)
        writer.put(UInt8(truncatingIfNeeded: length))
    }

    /// UTF-8, null-terminated and padded with nulls to a multiple of four bytes.
    private func nameString(_ name: [UInt8], kind: UInt8, to writer: inout ParameterWriter) {
        let text = name.prefix(248)
        let padded = (text.count + 4) / 4 * 4
        header(codeSet: Self.iSCSI | 3, kind: kind, to: &writer, length: padded)
        for byte in text { writer.put(byte) }
        for _ in text.count..<padded { writer.put(0) }
    }
}
