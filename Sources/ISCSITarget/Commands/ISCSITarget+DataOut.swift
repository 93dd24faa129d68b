import ISCSIFormats
import Primitives
import SAM

extension ISCSITarget {
    /// A SCSI Data-Out whose header is complete (RFC 7143 §11.7). Its data go to the command that it names, when it
    /// says what was asked for; else they are dropped.
    mutating func dataOut(_ index: Int, _ header: UnsafeRawPointer) {
        let pdu = DataOutPDU(decoding: header)
        beginSegment(index, header, slot: -1, endsSequence: false)
        if BasicHeaderSegment(header).additionalLength > 0 {
            reject(index, header, .invalidPDUField)
            return
        }
        guard let found = tasks[taskKey(connections[index].session, pdu.initiatorTaskTag)] else {
            // The task ended before its data came: an abort, or an early response.
            statistics.dropped &+= 1
            return
        }
        let slot = Int(found)
        let command = commands.pointer(slot)
        let solicited = pdu.targetTransferTag != Tag.none
        if command.pointee.ordered && Int(command.pointee.connection) != index {
            reject(index, header, .invalidPDUField)
            return
        }
        if command.pointee.accepting {
            if command.pointee.dataOutLength == 0
                || solicited && (!command.pointee.r2tOutstanding
                    || pdu.targetTransferTag != command.pointee.targetTransferTag) {
                reject(index, header, .invalidPDUField)
                return
            }
            if command.pointee.ordered && !fitsSequence(slot, pdu) { return }
            if let code = violation(command, pdu, solicited: solicited) {
                failCommand(slot, code)
            } else {
                command.pointee.outDataSN &+= 1
            }
        }
        beginSegment(index, header, slot: slot, endsSequence: pdu.final, solicited: solicited)
    }

    /// What is wrong with a Data-Out of a command that takes data; data come in order, without gaps
    /// (DataPDUInOrder=Yes, DataSequenceInOrder=Yes).
    private mutating func violation(
        _ command: UnsafeMutablePointer<CommandSlot>, _ pdu: DataOutPDU, solicited: Bool
    ) -> UInt16? {
        if !solicited && !command.pointee.unsolicitedOpen { return TransportSense.unexpectedUnsolicitedData }
        let end = UInt64(pdu.bufferOffset) + UInt64(pdu.dataSegmentLength)
        let limit = UInt64(solicited ? command.pointee.r2tEnd : command.pointee.unsolicitedEnd)
        if pdu.dataSN != command.pointee.outDataSN || pdu.bufferOffset != command.pointee.outPosition || end > limit {
            return TransportSense.incorrectAmountOfData
        }
        // A solicited sequence ends exactly where its R2T said (RFC 7143 §11.7.1); an unsolicited one at the latest
        // at the end of the first burst.
        if solicited && pdu.final != (end == limit) { return TransportSense.incorrectAmountOfData }
        if !solicited && end == limit && !pdu.final { return TransportSense.incorrectAmountOfData }
        return nil
    }

    /// The initiator broke the data protocol of a command: the device server loses it, and the initiator gets a
    /// CHECK CONDITION when the device server has let go (RFC 7143 §11.4.7.2).
    /// - Parameter awaitsData: the response waits for the end of the data that are on their way.
    mutating func failCommand(_ slot: Int, _ code: UInt16, awaitsData: Bool = false) {
        let command = commands.pointer(slot)
        command.pointee.state = .failing
        command.pointee.failure = code
        command.pointee.outActive = false
        command.pointee.r2tWanted = false
        if !awaitsData {
            // What it still sends is not waited for: it cannot be trusted to end.
            command.pointee.unsolicitedOpen = false
            command.pointee.r2tOutstanding = false
        }
        statistics.protocolErrors &+= 1
        indications.append(.commandLost(CommandHandle(slot: slot, generation: command.pointee.generation)))
    }
}
