import Primitives

/// Where in a CDB or parameter list the field stands that was refused (SPC-4 §4.5.2.4.2).
package struct FieldPointer: Equatable, Sendable {
    /// The field is in the CDB (C/D one), not in the parameter list.
    package var inCDB: Bool
    /// Byte of the field's most significant bit.
    package var byte: UInt16
    /// That bit (BIT POINTER with BPV one); nil when the whole byte is meant.
    package var bit: UInt8?
    package init(inCDB: Bool, byte: Int, bit: Int? = nil) {
        self.inCDB = inCDB
        self.byte = UInt16(truncatingIfNeeded: byte)
        self.bit = bit.map { UInt8(truncatingIfNeeded: $0) & 7 }
    }
}

/// Sense data as a value (SPC-4 §4.5), written in fixed or descriptor format.
package struct SenseData: Equatable, Sendable {
    package var key: SenseKey
    package var code: AdditionalSenseCode
    /// INFORMATION, when it is valid.
    package var information: UInt64?
    /// COMMAND-SPECIFIC INFORMATION, when the command defines it.
    package var commandSpecific: UInt64?
    /// SENSE KEY SPECIFIC of ILLEGAL REQUEST.
    package var fieldPointer: FieldPointer?
    /// SENSE KEY SPECIFIC of NO SENSE and NOT READY (SPC-4 §4.5.2.4.4): how much of a background operation is done, in
    /// parts of 65,536.
    package var progress: UInt16?
    /// ILI: the command's length is not the block's; `information` is then the difference in two's complement.
    package var isIncorrectLength = false

    package init(
        _ key: SenseKey, _ code: AdditionalSenseCode, information: UInt64? = nil, commandSpecific: UInt64? = nil,
        fieldPointer: FieldPointer? = nil, progress: UInt16? = nil
    ) {
        self.key = key
        self.code = code
        self.information = information
        self.commandSpecific = commandSpecific
        self.fieldPointer = fieldPointer
        self.progress = progress
    }

    /// The sense data of a unit attention. That of a threshold names the descriptor by its place in the mode page
    /// (SBC-3 §4.7.3.7.6).
    package static func unitAttention(_ code: AdditionalSenseCode) -> SenseData {
        guard let index = code.threshold else { return SenseData(.unitAttention, code) }
        return SenseData(
            .unitAttention, .thinProvisioningSoftThresholdReached,
            information: UInt64(ProvisioningThresholds.offset(index)))
    }

    /// INVALID FIELD IN CDB that points at `bit` of `byte`.
    package static func invalidField(inCDB byte: Int, bit: Int? = nil) -> SenseData {
        SenseData(
            .illegalRequest, .invalidFieldInCDB, fieldPointer: FieldPointer(inCDB: true, byte: byte, bit: bit))
    }

    /// INVALID FIELD IN PARAMETER LIST that points at `bit` of `byte`.
    package static func invalidField(inList byte: Int, bit: Int? = nil) -> SenseData {
        SenseData(
            .illegalRequest, .invalidFieldInParameterList,
            fieldPointer: FieldPointer(inCDB: false, byte: byte, bit: bit))
    }

    /// The most bytes that `write` writes.
    package static var maxBytes: Int { 48 }

    /// Writes current-error sense data over zeros at `base` and returns its length.
    package func write(to base: UnsafeMutableRawPointer, descriptorFormat: Bool) -> Int {
        descriptorFormat ? writeDescriptors(to: base) : writeFixed(to: base)
    }

    /// Fixed format, response code 70h (SPC-4 §4.5.3); information that needs more than 32 bits is left out.
    private func writeFixed(to base: UnsafeMutableRawPointer) -> Int {
        base.put(byte: 0x70, 0)
        base.put(byte: key.rawValue, 2)
        if isIncorrectLength { base.put(byte: key.rawValue | 0x20, 2) }
        if let information, isIncorrectLength || information <= UInt64(UInt32.max) {
            base.put(byte: 0xF0, 0)
            base.put(big32: UInt32(truncatingIfNeeded: information), 3)
        }
        base.put(byte: 10, 7)
        if let commandSpecific { base.put(big32: UInt32(clamping: commandSpecific), 8) }
        base.put(big16: code.raw, 12)
        putKeySpecific(to: base + 15)
        return 18
    }

    /// Descriptor format, response code 72h (SPC-4 §4.5.2).
    private func writeDescriptors(to base: UnsafeMutableRawPointer) -> Int {
        base.put(byte: 0x72, 0)
        base.put(byte: key.rawValue, 1)
        base.put(big16: code.raw, 2)
        var at = 8
        if let information {
            base.put(big32: 0x000A_8000, at)
            base.put(big64: information, at + 4)
            at += 12
        }
        if let commandSpecific {
            base.put(big32: 0x010A_0000, at)
            base.put(big64: commandSpecific, at + 4)
            at += 12
        }
        if fieldPointer != nil || progress != nil {
            base.put(big32: 0x0206_0000, at)
            putKeySpecific(to: base + (at + 4))
            at += 8
        }
        if isIncorrectLength {
            // The descriptor of block commands (SBC-3 §4.18.4).
            base.put(big32: 0x0502_0020, at)
            at += 4
        }
        base.put(byte: UInt8(at - 8), 7)
        return at
    }

    /// The three bytes of a field pointer or progress indication, SKSV set.
    private func putKeySpecific(to base: UnsafeMutableRawPointer) {
        if let pointer = fieldPointer {
            let bit = pointer.bit.map { 0x08 | $0 } ?? 0
            base.put(byte: 0x80 | (pointer.inCDB ? 0x40 : 0) | bit, 0)
            base.put(big16: pointer.byte, 1)
        } else if let progress {
            base.put(byte: 0x80, 0)
            base.put(big16: progress, 1)
        }
    }
}
