import BlockModel
import Primitives
import SAM
import SCSIFormats

// Room of thin units: the Logical Block Provisioning log page (SBC-3 §6.4.4), and thresholds of provisioning (SBC-3
// §4.7.3.7). The resources belong to the device, and so to all its units together; the device is asked.

/// What a unit knows of its device's room.
struct RoomWatch {
    /// `room` is not answered yet.
    var isAsked = false
    /// Room was taken or given back since it was asked.
    var isStale = false
    /// The nexus whose command did so; -1 for none.
    var nexus: Int32 = -1
    var usage: RoomUsage?
    /// The thresholds that the state block calls reached.
    var reached: UInt8 = 0
    /// A change of those waits for the write pointer.
    var isChanging = false
    /// Its mode parameters have a threshold that is in use.
    var isWatched = false
}

extension DeviceServer {
    /// Bytes in a threshold set: what Memory takes of a device at a time.
    static var thresholdSetBytes: UInt64 { 1 << 20 }

    /// THRESHOLD EXPONENT of a unit.
    func thresholdExponent(_ unit: Int) -> UInt8 {
        UInt8((Self.thresholdSetBytes / UInt64(units[unit].blockBytes)).trailingZeroBitCount)
    }

    // MARK: LOG SENSE

    /// LOG SENSE: one page needs the device's word first.
    mutating func startLogSense(_ slot: Int) {
        let unit = Int(tasks[slot].unit)
        guard let page = Self.logPage(tasks[slot].cdb, units[unit].traits), page.content == .provisioning else {
            return sendParameters(slot)
        }
        tasks[slot].phase = .awaitingRoom
        askForRoom(unit)
    }

    /// Available and used LBA mapping resources; SCOPE 10b: other units have a part in them.
    func provisioningParameters(_ unit: Int) -> [LogParameter] {
        guard let usage = units[unit].room.usage else { return [] }
        let counts = [
            usage.available / Self.thresholdSetBytes,
            usage.used / Self.thresholdSetBytes + (usage.used % Self.thresholdSetBytes == 0 ? 0 : 1),
        ]
        return counts.enumerated().map { index, count in
            .list(UInt16(index + 1), LogParameter.counter(0, count, width: 4).value + [0x02, 0, 0, 0])
        }
    }

    // MARK: Thresholds

    private mutating func askForRoom(_ unit: Int) {
        if units[unit].room.isAsked { return }
        units[unit].room.isAsked = true
        units[unit].room.isStale = false
        blocks.append(.room(units[unit].index))
    }

    /// A command of `nexus` may have taken or given back room: thresholds of every unit may have been passed.
    mutating func roomChanged(by nexus: Int) {
        for unit in 0..<noUnit where units[unit].flags.contains(.hasThresholds) {
            units[unit].room.nexus = Int32(nexus)
            units[unit].room.isStale = units[unit].room.isAsked
            askForRoom(unit)
        }
    }

    /// The device's answer, or that it has none.
    mutating func roomTold(_ index: UnitIndex, _ usage: RoomUsage?) {
        guard let unit = unitOrdinals[UInt64(index.raw)].map(Int.init), units[unit].room.isAsked else { return }
        units[unit].room.isAsked = false
        units[unit].room.usage = usage
        for slot in 0..<tasks.capacity where tasks[slot].phase == .awaitingRoom && Int(tasks[slot].unit) == unit {
            if usage != nil { sendParameters(slot) } else { fail(slot, .deviceGone) }
        }
        if usage != nil { checkThresholds(unit) }
        if units[unit].room.isStale { askForRoom(unit) }
        settle(unit)
    }

    /// A change is due when a threshold was passed since the state block was last here.
    private mutating func checkThresholds(_ unit: Int) {
        guard units[unit].flags.contains(.hasThresholds), !units[unit].room.isChanging else { return }
        // With SITUA it is for the nexus that caused it: without one it is found with the next command.
        if ProvisioningThresholds(units[unit].mode).isForOneNexus, units[unit].room.nexus < 0 { return }
        if reached(unit, units[unit].mode, before: units[unit].room.reached) != units[unit].room.reached {
            units[unit].room.isChanging = true
            add(StateChange(kind: .thresholds), to: unit)
        }
    }

    /// The thresholds that stand reached by what the device said last.
    private func reached(_ unit: Int, _ mode: ModeImage, before: UInt8) -> UInt8 {
        let thresholds = ProvisioningThresholds(mode)
        guard let usage = units[unit].room.usage, thresholds.isReporting else { return before }
        var now: UInt8 = 0
        for index in 0..<ProvisioningThresholds.count where thresholds.isEnabled(index) {
            let value = ProvisioningThresholds.isDecreasing(index) ? usage.available : usage.used
            let bit: UInt8 = 1 << UInt8(index)
            if thresholds.isReached(index, value: value, setBytes: Self.thresholdSetBytes, before: before & bit != 0) {
                now |= bit
            }
        }
        return now
    }

    /// The write pointer is here: who must learn of a threshold does, on both controllers, or with SITUA the one nexus
    /// whose command passed it.
    mutating func applyThresholds(_ block: StateBlock, _ unit: Int) {
        units[unit].room.isChanging = false
        let before = block.reachedThresholds
        let now = reached(unit, block.currentMode, before: before)
        block.reachedThresholds = now
        let isForOne = ProvisioningThresholds(block.currentMode).isForOneNexus
        for index in 0..<ProvisioningThresholds.count where now & ~before & (1 << UInt8(index)) != 0 {
            let nexus = Int(units[unit].room.nexus)
            if !isForOne {
                announce(.threshold(index), scope: 0, block, unit)
            } else if nexus >= 0, nexus < maxNexuses, nexusTargets[nexus] >= 0 {
                attentions.establish(.threshold(index), nexus: nexus, unit: unit)
            }
        }
    }

    /// A threshold that MODE SELECT set anew is armed, whatever the old one was.
    mutating func armThresholds(_ block: StateBlock, before: ModeImage, _ unit: Int, nexus: Int) {
        let (old, new) = (ProvisioningThresholds(before), ProvisioningThresholds(block.currentMode))
        if new == old { return }
        for index in 0..<ProvisioningThresholds.count where !new.isSame(index, as: old) {
            block.reachedThresholds &= ~(1 << UInt8(index))
        }
        units[unit].room.nexus = Int32(nexus)
        units[unit].room.isStale = units[unit].room.isAsked
        askForRoom(unit)
    }

    /// Takes over what a state block says of thresholds, which may have changed with its mode parameters.
    mutating func noteThresholds(_ block: StateBlock, _ unit: Int) {
        units[unit].room.reached = block.reachedThresholds
        let isWatched = units[unit].flags.contains(.hasThresholds)
        if isWatched, !units[unit].room.isWatched { askForRoom(unit) }
        guard isWatched != units[unit].room.isWatched else { return }
        units[unit].room.isWatched = isWatched
        hasThresholds = (0..<noUnit).contains { units[$0].room.isWatched }
    }
}
