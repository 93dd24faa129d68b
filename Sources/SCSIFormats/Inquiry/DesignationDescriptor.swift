/// Designation descriptors (SPC-4 §7.8.6) of VPD pages 83h and 88h. Each case appends one descriptor.
package enum DesignationDescriptor {
    /// NAA, 16 bytes, of the logical unit.
    case naa(InlineArray<16, UInt8>)
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
