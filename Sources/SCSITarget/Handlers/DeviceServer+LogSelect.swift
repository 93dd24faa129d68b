import BlockModel
import Primitives
import SAM
import SCSIFormats

// LOG SELECT (SPC-4 §6.7). Counters can be reset: all of a page or of every page by the CDB alone (PCR, or PC 11b), or
// by a list that sets them to zero. Nothing else of the logs can be changed.

/// What a LOG SELECT resets: bits of `StateBlock.EventCounter`, and the statistics.
private struct LogResets: OptionSet {
    var rawValue: UInt32
    static let statistics = LogResets(rawValue: 1 << 8)
    static func counter(_ counter: StateBlock.EventCounter) -> LogResets { LogResets(rawValue: 1 << counter.rawValue) }

    /// What belongs to a page code; 0: everything.
    static func page(_ code: UInt8) -> LogResets {
        switch code {
        case 0x00:
            [
                .counter(.writeErrors), .counter(.readErrors), .counter(.verifyErrors), .counter(.otherErrors),
                .statistics,
            ]
        case 0x02: .counter(.writeErrors)
        case 0x03: .counter(.readErrors)
        case 0x05: .counter(.verifyErrors)
        case 0x06: .counter(.otherErrors)
        case 0x19: .statistics
        default: []
        }
    }
}

extension DeviceServer {
    /// With a list the CDB names no page, and PC is cumulative values; with PCR there is no list.
    func checkLogSelect(_ slot: Int) -> SenseData? {
        let cdb = tasks[slot].cdb
        let traits = units[Int(tasks[slot].unit)].traits
        if cdb.big16(7) != 0 {
            if cdb[1] & 2 != 0 { return .invalidField(inCDB: 1, bit: 1) }
            if cdb[2] >> 6 != 1 { return .invalidField(inCDB: 2, bit: 7) }
            if cdb[2] & 0x3F != 0 { return .invalidField(inCDB: 2, bit: 5) }
            return cdb[3] == 0 ? nil : .invalidField(inCDB: 3)
        }
        let isAll = cdb[2] & 0x3F == 0 && cdb[3] == 0
        return isAll || Self.logPage(cdb, traits) != nil ? nil : Self.noLogPage(cdb, traits)
    }

    /// The CDB alone: PCR, or the default cumulative values become current.
    mutating func selectLog(_ slot: Int) {
        let cdb = tasks[slot].cdb
        let resets = cdb[1] & 2 != 0 || cdb[2] >> 6 == 3
        reset(slot, resets ? LogResets.page(cdb[2] & 0x3F) : [])
    }

    private mutating func reset(_ slot: Int, _ what: LogResets) {
        tasks[slot].span = what.rawValue
        if what.isEmpty { complete(slot, .good, total: tasks[slot].total) } else { changeState(slot) }
    }

    /// A list is here: whole pages with whole parameters.
    mutating func logListReceived(_ slot: Int) {
        let list = UnsafeRawPointer(frames.pointer(Frames.parameter(slot)))
        let count = Int(tasks[slot].limit)
        var resets: LogResets = []
        var at = 0
        while at < count {
            guard count - at >= 4, count - at - 4 >= Int(list.big16(at + 2)) else {
                fail(slot, SenseData(.illegalRequest, .parameterListLengthError), total: tasks[slot].limit)
                return
            }
            if let sense = takeLogPage(slot, list, at: at, &resets) {
                fail(slot, sense, total: tasks[slot].limit)
                return
            }
            at += 4 + Int(list.big16(at + 2))
        }
        reset(slot, resets)
    }

    /// A page of a list, or what is wrong with it.
    private func takeLogPage(
        _ slot: Int, _ list: UnsafeRawPointer, at start: Int, _ resets: inout LogResets
    ) -> SenseData? {
        let unit = Int(tasks[slot].unit)
        let code = list.byte(start) & 0x3F
        let pages = LogPage.pages(units[unit].traits, code: code)
        guard let page = pages.first(where: { $0.subpage == list.byte(start + 1) }) else {
            return .invalidField(inList: start + (pages.isEmpty ? 0 : 1))
        }
        let counters = logParameters(page, slot, unit).filter { $0.isCounter && LogResets.page(code) != [] }
        let end = start + 4 + Int(list.big16(start + 2))
        var at = start + 4
        while at < end {
            guard end - at >= 4 else { return SenseData(.illegalRequest, .parameterListLengthError) }
            guard let counter = counters.first(where: { $0.code == list.big16(at) }) else {
                return .invalidField(inList: at)
            }
            let length = Int(list.byte(at + 3))
            guard length == counter.value.count, end - at - 4 >= length else { return .invalidField(inList: at + 3) }
            for index in at + 4..<at + 4 + length where list.byte(index) != 0 { return .invalidField(inList: index) }
            resets.formUnion(LogResets.page(code))
            at += 4 + length
        }
        return nil
    }

    /// Resets what the command asks for, and tells the other nexuses.
    mutating func applyLogSelect(_ slot: Int, _ block: StateBlock, _ unit: Int) -> ChangeVerdict {
        let resets = LogResets(rawValue: tasks[slot].span)
        for counter in StateBlock.EventCounter.allCases where resets.contains(.counter(counter)) {
            block.setCount(counter, 0)
            units[unit].unwritten[counter.rawValue] = 0
        }
        if resets.contains(.statistics) {
            block.activityReset &+= 1
            for each in ControllerID.allCases { block.publish(StateBlock.Activity(), of: each) }
            units[unit].activity = StateBlock.Activity()
            units[unit].published = units[unit].activity
            units[unit].idleTime = 0
            groups.clear(unit: unit)
            units[unit].resetSeen = block.activityReset
        }
        announce(.logParametersChanged, scope: 0, block, unit, except: Int(tasks[slot].nexus))
        return .done
    }
}
