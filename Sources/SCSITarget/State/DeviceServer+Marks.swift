import BlockModel
import Primitives
import SAM
import SCSIFormats

// Blocks that WRITE LONG marked as pseudo unrecovered errors (SBC-3 §4.18.2). They stand in the unit's state block; a
// unit without any has one flag that says so, and its commands look no further.

extension DeviceServer {
    /// The task's range in logical blocks, `bytes` long.
    private func blockRange(_ slot: Int, _ bytes: UInt32) -> (block: UInt64, count: UInt64) {
        let shift = units[Int(tasks[slot].unit)].blockShift
        return (tasks[slot].sector >> shift, UInt64(bytes) >> (9 + shift))
    }

    /// The first marked block in the task's range.
    private func firstMark(_ slot: Int, _ bytes: UInt32) -> UInt64? {
        let range = blockRange(slot, bytes)
        return stateBlock(slot)?.firstMark(range.block, count: range.count)
    }

    private static func markSense(_ block: UInt64) -> SenseData {
        SenseData(.mediumError, .readErrorLBAMarkedBadByApplicationClient, information: block)
    }

    /// Why a command that reads its whole range before it does anything else fails, nil when no block is marked.
    func markedBlock(_ slot: Int) -> SenseData? {
        guard units[Int(tasks[slot].unit)].medium.contains(.marked) else { return nil }
        return firstMark(slot, tasks[slot].span).map(Self.markSense)
    }

    /// A command that reads ends with an error at the first marked block, after everything before it.
    mutating func endAtMark(_ slot: Int) {
        guard let mark = firstMark(slot, tasks[slot].span) else { return }
        let shift = units[Int(tasks[slot].unit)].blockShift
        tasks[slot].meetsMark = true
        tasks[slot].checksum = UInt32(truncatingIfNeeded: mark &- (tasks[slot].sector >> shift))
        tasks[slot].span = tasks[slot].checksum << UInt32(9 + shift)
    }

    /// Everything before the marked block is done.
    mutating func failAtMark(_ slot: Int) {
        let shift = units[Int(tasks[slot].unit)].blockShift
        fail(
            slot, Self.markSense(tasks[slot].sector >> shift &+ UInt64(tasks[slot].checksum)),
            total: wireBytes(slot, tasks[slot].moved))
    }

    /// The end of a command that wrote: what it wrote is not marked any more.
    mutating func finishWriting(_ slot: Int) {
        if tasks[slot].meetsMark || units[Int(tasks[slot].unit)].medium.contains(.marked), changesMarks(slot) {
            changeState(slot)
        } else {
            complete(slot, .good, total: tasks[slot].total)
        }
    }

    private func changesMarks(_ slot: Int) -> Bool {
        if tasks[slot].meetsMark { return true }
        guard commands[Int(tasks[slot].row)].handler == .dataOut(.unmap) else {
            return firstMark(slot, tasks[slot].moved) != nil
        }
        return (0..<descriptorCount(slot)).contains {
            let (block, count) = descriptor(slot, $0)
            return stateBlock(slot)?.firstMark(block, count: count) != nil
        }
    }

    /// What a command changes of the marks.
    func applyMarks(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        switch commands[Int(tasks[slot].row)].handler {
        case .dataOut(.unmap):
            for index in 0..<descriptorCount(slot) {
                let (first, count) = descriptor(slot, index)
                block.unmark(first, count: count)
            }
        case .medium(.writeLong) where tasks[slot].meetsMark:
            let range = blockRange(slot, tasks[slot].span)
            guard block.mark(range.block, count: range.count) else {
                return .failed(SenseData(.illegalRequest, .insufficientResources))
            }
        case .medium, .dataIn, .dataOut, .plain:
            let range = blockRange(slot, tasks[slot].moved)
            block.unmark(range.block, count: range.count)
        }
        return .done
    }
}
