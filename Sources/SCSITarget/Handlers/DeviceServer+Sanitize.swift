import BlockModel
import Primitives
import SAM
import SCSIFormats

// SANITIZE (SBC-3 §5.24): OVERWRITE writes every block as often as it is asked to, BLOCK ERASE leaves zeros, on a thin
// unit without resources. There is no CRYPTOGRAPHIC ERASE: nothing on the medium is encrypted.

extension DeviceServer {
    private func isImmediate(_ slot: Int) -> Bool { tasks[slot].cdb[1] & 0x80 != 0 }

    mutating func startBlockErase(_ slot: Int) {
        tasks[slot].final = isImmediate(slot)
        changeState(slot)
    }

    /// PARAMETER LIST LENGTH: the four bytes of the header, and a pattern of one byte to a logical block.
    mutating func startOverwrite(_ slot: Int) {
        let length = UInt32(tasks[slot].cdb.big16(7))
        guard length > 4, length <= units[Int(tasks[slot].unit)].blockBytes + 4 else {
            fail(slot, .invalidField(inCDB: 7))
            return
        }
        tasks[slot].final = isImmediate(slot)
        tasks[slot].total = length
        receiveList(slot, 4)
    }

    /// A piece of the list is here: INVERT, TEST, OVERWRITE COUNT and INITIALIZATION PATTERN LENGTH, or the pattern.
    mutating func overwriteListReceived(_ slot: Int) {
        tasks[slot].descriptor += 1
        if tasks[slot].descriptor > 1 { return beginPatterned(slot) }
        let page = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let length = UInt32(page.big16(2))
        let sense: SenseData? =
            if page.byte(0) & 0x60 != 0 {
                .invalidField(inList: 0, bit: 6)
            } else if page.byte(0) & 0x1F == 0 {
                .invalidField(inList: 0, bit: 4)
            } else if length == 0 || length > units[Int(tasks[slot].unit)].blockBytes {
                .invalidField(inList: 2)
            } else if length + 4 > tasks[slot].total {
                SenseData(.illegalRequest, .parameterListLengthError)
            } else {
                nil
            }
        if let sense { return fail(slot, sense, total: tasks[slot].moved) }
        tasks[slot].span = UInt32(page.byte(0) & 0x1F) | (page.byte(0) & 0x80 != 0 ? 0x100 : 0)
        receiveList(slot, length)
    }

    /// The pattern (`limit` bytes) is here: it is repeated to a logical block, and the state block says whether the
    /// operation may begin.
    mutating func beginPatterned(_ slot: Int) {
        if let sense = writeProtection(slot) { return fail(slot, sense, total: tasks[slot].moved) }
        let page = frames.pointer(Frames.parameter(slot))
        let block = Int(units[Int(tasks[slot].unit)].blockBytes)
        let length = Int(tasks[slot].limit)
        for index in length..<block {
            page.put(byte: UnsafeRawPointer(page).byte(index - length), index)
        }
        tasks[slot].checksum = Checksum.crc32c(page, block)
        changeState(slot)
    }

    // MARK: Under the write pointer

    /// The operation that the command asks for. `span` has the passes and, at bit 8, INVERT; zero: there is no pattern.
    private func operation(_ slot: Int) -> BackgroundOperation {
        let span = tasks[slot].span
        let isPatterned = span != 0
        var flags: BackgroundOperation.Flags = isPatterned ? .patterned : []
        if span & 0x100 != 0 { flags.insert(.inverts) }
        let kind: BackgroundOperation.Kind =
            switch commands[Int(tasks[slot].row)].handler {
            case .dataOut(.overwrite): .overwrite
            case .plain(.blockErase): .blockErase
            case .plain, .dataOut, .dataIn, .medium: .format
            }
        if kind != .format, tasks[slot].cdb[1] & 0x20 != 0 { flags.insert(.unrestricted) }
        var operation = BackgroundOperation(
            kind: kind, flags: flags, worker: controller, passes: max(1, UInt8(truncatingIfNeeded: span & 0x1F)))
        operation.checksum = isPatterned ? tasks[slot].checksum : 0
        return operation
    }

    /// Begins a format or sanitize operation, unless one goes on or the sanitize failure mode forbids it.
    mutating func applyBegin(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        let operation = operation(slot)
        if let present = block.background {
            guard present.isFailed else { return .failed(inProgress(unit) ?? SenseData(.notReady, .formatInProgress)) }
            if present.isSanitize {
                if !operation.isSanitize { return .failed(SenseData(.mediumError, .sanitizeCommandFailed)) }
                // What failed in the restricted completion mode is not left in the other one (SBC-4 §4.11.1).
                let isFree = present.flags.contains(.unrestricted)
                if !isFree, operation.flags.contains(.unrestricted) { return .failed(.invalidField(inCDB: 1, bit: 5)) }
            }
        }
        block.clearMarks()
        units[unit].isCommitDurable = true
        if !operation.isSanitize, isFastFormat(slot) {
            block.background = nil
            return .done
        }
        block.begin(operation)
        if operation.flags.contains(.patterned) {
            pattern(unit).copyMemory(
                from: frames.pointer(Frames.parameter(slot)), byteCount: Int(units[unit].blockBytes))
            works[unit].patternOf = block.background?.number
        }
        return .begun
    }

    /// EXIT FAILURE MODE: allowed when the operation that failed allowed it (AUSE).
    func applyExitFailureMode(_ block: StateBlock) -> ChangeVerdict {
        guard let present = block.background, present.isFailed, present.isSanitize else { return .done }
        guard present.flags.contains(.unrestricted) else { return .failed(.invalidField(inCDB: 1, bit: 4)) }
        block.background = nil
        return .done
    }
}
