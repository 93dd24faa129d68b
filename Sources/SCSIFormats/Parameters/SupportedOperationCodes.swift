/// REPORT SUPPORTED OPERATION CODES parameter data (SPC-4 §6.35), a command at a time: the owner walks its table.
package struct SupportedOperationCode: Sendable {
    package var opcode: UInt8
    /// Nil when the operation code has no service actions.
    package var serviceAction: UInt16?
    /// Bytes of the CDB.
    package var length: UInt8
    /// CDB USAGE DATA, `length` bytes valid.
    package var usage: InlineArray<32, UInt8>
    /// RECOMMENDED COMMAND TIMEOUT in seconds.
    package var timeout: UInt32

    package init(
        opcode: UInt8, serviceAction: UInt16?, length: UInt8, usage: InlineArray<32, UInt8>, timeout: UInt32
    ) {
        self.opcode = opcode
        self.serviceAction = serviceAction
        self.length = length
        self.usage = usage
        self.timeout = timeout
    }

    /// Appends the command's descriptor of the all_commands format.
    package func writeDescriptor(timeouts: Bool, to writer: inout ParameterWriter) {
        writer.put(opcode)
        writer.put(0)
        writer.put(big16: serviceAction ?? 0)
        writer.put(0)
        // CTDP, SERVACTV.
        writer.put((timeouts ? 2 : 0) | (serviceAction == nil ? 0 : 1))
        writer.put(big16: UInt16(length))
        if timeouts { writeTimeouts(to: &writer) }
    }

    /// Appends the one_command format: SUPPORT 011b, the standard's way.
    package func writeOne(timeouts: Bool, to writer: inout ParameterWriter) {
        writer.put(0)
        writer.put((timeouts ? 0x80 : 0) | 0x03)
        writer.put(big16: UInt16(length))
        for index in 0..<Int(length) { writer.put(usage[index]) }
        if timeouts { writeTimeouts(to: &writer) }
    }

    /// Appends the one_command format of a command that is not there: SUPPORT 001b.
    package static func writeUnsupported(to writer: inout ParameterWriter) {
        writer.put(big32: 0x0001_0000)
    }

    /// Command timeouts descriptor (SPC-4 §6.35.4): no nominal time, the recommended one.
    private func writeTimeouts(to writer: inout ParameterWriter) {
        writer.put(big16: 0x0A)
        writer.put(big16: 0)
        writer.put(big32: 0)
        writer.put(big32: timeout)
    }
}
