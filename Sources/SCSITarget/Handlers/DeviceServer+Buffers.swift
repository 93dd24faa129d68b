import BlockModel
import Primitives
import SAM
import SCSIFormats

// WRITE BUFFER and READ BUFFER (SPC-4 §6.49, §6.18): data mode on buffer 0, and the echo buffer.

extension DeviceServer {
    /// MODE of the two commands.
    private enum BufferMode: UInt8 {
        case data = 0x02
        case descriptor = 0x03
        case echo = 0x0A
        case echoDescriptor = 0x0B
    }

    private func mode(_ slot: Int) -> BufferMode? { BufferMode(rawValue: tasks[slot].cdb[1] & 0x1F) }

    private func offset(_ slot: Int) -> Int { Int(tasks[slot].cdb.big32(2) & 0xFF_FFFF) }

    func checkWriteBuffer(_ slot: Int) -> SenseData? {
        let length = Int(commands[Int(tasks[slot].row)].lengthValue(tasks[slot].cdb))
        switch mode(slot) {
        case .data:
            if tasks[slot].cdb[2] != 0 { return .invalidField(inCDB: 2) }
            if offset(slot) > NexusBuffers.capacity { return .invalidField(inCDB: 3) }
            return offset(slot) + length > NexusBuffers.capacity ? .invalidField(inCDB: 6) : nil
        case .echo: return length > NexusBuffers.capacity ? .invalidField(inCDB: 6) : nil
        case .descriptor, .echoDescriptor, nil: return .invalidField(inCDB: 1, bit: 4)
        }
    }

    /// The buffer's bytes are in the parameter page.
    mutating func bufferReceived(_ slot: Int) {
        let bytes = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let (count, nexus) = (Int(tasks[slot].limit), Int(tasks[slot].nexus))
        if mode(slot) == .echo {
            buffers.echo(bytes, count: count, nexus: nexus)
        } else {
            buffers.write(bytes, count: count, at: offset(slot), nexus: nexus)
        }
        complete(slot, .good, total: tasks[slot].total)
    }

    func readBuffer(_ slot: Int, _ writer: inout ParameterWriter) -> SenseData? {
        let nexus = Int(tasks[slot].nexus)
        let isFirst = tasks[slot].cdb[2] == 0
        switch mode(slot) {
        case .data:
            if !isFirst { return .invalidField(inCDB: 2) }
            if offset(slot) > NexusBuffers.capacity { return .invalidField(inCDB: 3) }
            for index in offset(slot)..<NexusBuffers.capacity { writer.put(buffers.byte(index, nexus: nexus)) }
        case .descriptor:
            // OFFSET BOUNDARY 0: any byte. There is no second buffer: all zero.
            writer.put(big32: isFirst ? UInt32(NexusBuffers.capacity) : 0)
        case .echo:
            guard let bytes = buffers.echo(nexus: nexus) else {
                return SenseData(.illegalRequest, .commandSequenceError)
            }
            for byte in bytes { writer.put(byte) }
        case .echoDescriptor:
            // EBOS: each nexus reads what it wrote.
            writer.put(big32: 0x0100_0000 | UInt32(NexusBuffers.capacity))
        case nil: return .invalidField(inCDB: 1, bit: 4)
        }
        return nil
    }
}
